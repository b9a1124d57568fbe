package pinteresttest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Every user begins with the same boards: enough for two pages of Pinterest's usual size, and so has the first
// board of Pins. The other boards hold one each.
const (
	boardCount     = 30
	firstBoardPins = 30
	pinCount       = firstBoardPins + boardCount - 1
)

// A content is what a user has pinned.
type content struct {
	boards []*board
	pins   []*pin
	last   int // serial of the board or Pin that was created last
}

// begun is when every user pinned what they begin with.
var begun = time.Date(2024, time.May, 17, 9, 30, 0, 0, time.UTC)

// createdAt writes a time as Pinterest does for what was created: without a zone.
func createdAt(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05") }

// contentOf returns what the user has. It is kept only by keepContent. The lock is held.
func (h *Handler) contentOf(user string) *content {
	if c := h.contents[user]; c != nil {
		return c
	}
	c := new(content)
	for i := range boardCount {
		c.add(user, &board{Name: fmt.Sprintf("Board %d", i+1), Description: new(fmt.Sprintf("What was pinned to board %d", i+1)), Privacy: public}, begun)
	}
	for i := range pinCount {
		n := i + 1
		on := c.boards[max(0, n-firstBoardPins)]
		c.addPin(user, on, &pin{
			Title: new(fmt.Sprintf("Pin %d", n)), Description: new(fmt.Sprintf("The Pin with number %d", n)), Link: new(fmt.Sprintf("https://example.com/%d", n)),
			AltText: new(fmt.Sprintf("What Pin %d shows", n)), DominantColor: new("#6e7874"), Media: imageAt(fmt.Sprintf("https://i.pinimg.example/%d.jpg", n)),
		}, begun)
	}
	return c
}

// keepContent returns what the user has, to be changed. The lock is held.
func (h *Handler) keepContent(user string) *content {
	c := h.contentOf(user)
	if h.contents == nil {
		h.contents = make(map[string]*content)
	}
	h.contents[user] = c
	return c
}

func (c *content) add(user string, b *board, now time.Time) {
	c.last++
	b.serial = c.last
	b.ID = idOf(user, c.last)
	b.Owner = owner{user}
	b.FollowerCount = 10
	b.CreatedAt, b.PinsModifiedAt = createdAt(now), now.UTC().Truncate(time.Second)
	b.Media.Thumbnails = []string{}
	c.boards = append(c.boards, b)
}

func (c *content) addPin(user string, on *board, p *pin, now time.Time) {
	c.last++
	p.serial = c.last
	p.ID = idOf(user, c.last)
	p.BoardID, p.BoardOwner = on.ID, on.Owner
	p.CreativeType, p.IsOwner, p.IsStandard = "REGULAR", true, true
	p.CreatedAt = createdAt(now)
	c.pins = append(c.pins, p)
	c.count(on, now)
}

// count brings up to date what a board says of its Pins.
func (c *content) count(b *board, now time.Time) {
	pins := c.pinsOf(b.ID)
	b.PinCount, b.PinsModifiedAt = len(pins), now.UTC().Truncate(time.Second)
	b.Media = boardMedia{Thumbnails: []string{}}
	for _, p := range pins[:min(len(pins), 5)] {
		b.Media.Thumbnails = append(b.Media.Thumbnails, p.Media.Images["150x150"].URL)
	}
	if len(pins) > 0 {
		b.Media.Cover = new(pins[0].Media.Images["400x300"].URL)
	}
}

func (c *content) board(id string) *board {
	for _, b := range c.boards {
		if b.ID == id {
			return b
		}
	}
	return nil
}

func (c *content) boardNamed(name string) *board {
	for _, b := range c.boards {
		if strings.EqualFold(b.Name, name) {
			return b
		}
	}
	return nil
}

func (c *content) pin(id string) *pin {
	for _, p := range c.pins {
		if p.ID == id {
			return p
		}
	}
	return nil
}

func (c *content) pinsOf(board string) []*pin {
	return slices.DeleteFunc(slices.Clone(c.pins), func(p *pin) bool { return p.BoardID != board })
}
