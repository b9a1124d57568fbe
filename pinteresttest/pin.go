package pinteresttest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// A pin, by the names of Pinterest's API.
type pin struct {
	ID              string         `json:"id"`
	BoardID         string         `json:"board_id"`
	BoardSectionID  *string        `json:"board_section_id"`
	BoardOwner      owner          `json:"board_owner"`
	IsOwner         bool           `json:"is_owner"`
	Title           *string        `json:"title"`
	Description     *string        `json:"description"`
	Link            *string        `json:"link"`
	AltText         *string        `json:"alt_text"`
	DominantColor   *string        `json:"dominant_color"`
	ParentPinID     *string        `json:"parent_pin_id"`
	CreativeType    string         `json:"creative_type"`
	HasBeenPromoted bool           `json:"has_been_promoted"`
	IsStandard      bool           `json:"is_standard"`
	Media           pinMedia       `json:"media"`
	PinMetrics      map[string]any `json:"pin_metrics"`
	CreatedAt       string         `json:"created_at"`

	serial int
}

type pinMedia struct {
	MediaType string           `json:"media_type"`
	Images    map[string]image `json:"images"`
}

type image struct {
	Width  int    `json:"width"`
	Height int    `json:"height"`
	URL    string `json:"url"`
}

func imageAt(url string) pinMedia {
	return pinMedia{MediaType: "image", Images: map[string]image{
		"150x150": {150, 150, url}, "400x300": {400, 300, url}, "600x": {600, 600, url}, "1200x": {1200, 1200, url},
	}}
}

func (p *pin) nth() int { return p.serial }

// metrics are what pin_metrics=true asks for.
func metrics() map[string]any {
	count := map[string]int{"pin_click": 7, "impression": 200, "clickthrough": 3}
	return map[string]any{"90d": count, "lifetime_metrics": map[string]int{"pin_click": 7, "impression": 200, "clickthrough": 3, "reaction": 10, "comment": 2}}
}

// shownPin tells whether the token may know of the Pin.
func (c *content) shownPin(p *pin, of claim) bool {
	if p == nil {
		return false
	}
	b := c.board(p.BoardID)
	return b.shown(of) && (b.Privacy != secret || of.scopes.has(readSecretPins))
}

var creativeTypes = []string{
	"REGULAR", "VIDEO", "SHOPPING", "CAROUSEL", "MAX_VIDEO", "SHOP_THE_PIN", "COLLECTION", "IDEA", "SHOWCASE", "QUIZ", "COLLAGE",
	"MAX_WIDTH_REGULAR_COLLECTION", "MAX_WIDTH_VIDEO_COLLECTION",
}

// The pinFilter of a list lets some Pins through.
type pinFilter struct {
	filter, kind    string // pin_filter, pin_type
	creative        []string
	protected, with bool // include_protected_pins, pin_metrics
}

func parsePinFilter(r *request) (f pinFilter, refused *answer) {
	q := r.URL.Query()
	for _, p := range []struct {
		name    string
		allowed []string
	}{
		{"pin_filter", []string{"", "exclude_native", "exclude_repins", "has_been_promoted"}},
		{"pin_type", []string{"", "PRIVATE"}},
		{"include_protected_pins", []string{"", "true", "false"}},
		{"pin_metrics", []string{"", "true", "false"}},
	} {
		if !slices.Contains(p.allowed, q.Get(p.name)) {
			return f, invalid(fmt.Sprintf("%q is not a value of %s.", q.Get(p.name), p.name))
		}
	}
	for _, list := range q["creative_types"] {
		for t := range strings.SplitSeq(list, ",") {
			if !slices.Contains(creativeTypes, t) {
				return f, invalid(fmt.Sprintf("%q is not one of creative_types.", t))
			}
			f.creative = append(f.creative, t)
		}
	}
	f.filter, f.kind = q.Get("pin_filter"), q.Get("pin_type")
	f.protected, f.with = q.Get("include_protected_pins") == "true", q.Get("pin_metrics") == "true"
	return f, nil
}

func (f pinFilter) lets(p *pin, on *board) bool {
	switch {
	case f.filter == "exclude_native" && p.ParentPinID == nil,
		f.filter == "exclude_repins" && p.ParentPinID != nil,
		f.filter == "has_been_promoted" && !p.HasBeenPromoted,
		f.kind == "PRIVATE" && on.Privacy != secret,
		f.creative != nil && !slices.Contains(f.creative, p.CreativeType):
		return false
	}
	return on.Privacy != protected || f.protected
}

func (h *Handler) listPins(r *request, _ string) *answer {
	f, refused := parsePinFilter(r)
	if refused != nil {
		return refused
	}
	c := h.contentOf(r.user)
	return listOfPins(r, c, c.pins, f)
}

func (h *Handler) listBoardPins(r *request, id string) *answer {
	f, refused := parsePinFilter(r)
	if refused != nil {
		return refused
	}
	f.filter, f.kind, f.protected = "", "", true // this list does not have them
	c := h.contentOf(r.user)
	if !c.board(id).shown(r.token) {
		return usual(http.StatusNotFound, codeBoardNotFound)
	}
	return listOfPins(r, c, c.pinsOf(id), f)
}

func listOfPins(r *request, c *content, all []*pin, f pinFilter) *answer {
	var pins []*pin
	for _, p := range all {
		if c.shownPin(p, r.token) && f.lets(p, c.board(p.BoardID)) {
			pins = append(pins, withMetrics(p, f.with))
		}
	}
	return page(r, pins)
}

func withMetrics(p *pin, with bool) *pin {
	if with {
		p = new(*p)
		p.PinMetrics = metrics()
	}
	return p
}

func (h *Handler) getPin(r *request, id string) *answer {
	f, refused := parsePinFilter(r)
	if refused != nil {
		return refused
	}
	c := h.contentOf(r.user)
	p := c.pin(id)
	if !c.shownPin(p, r.token) {
		return usual(http.StatusNotFound, codePinNotFound)
	}
	return jsonAnswer(http.StatusOK, withMetrics(p, f.with))
}

func (h *Handler) createPin(r *request, _ string) *answer {
	var asked struct {
		pin
		MediaSource struct {
			SourceType  string `json:"source_type"`
			URL         string `json:"url"`
			ContentType string `json:"content_type"`
			Data        []byte `json:"data"` // base64
		} `json:"media_source"`
	}
	if refused := r.decode(&asked); refused != nil {
		return refused
	}
	for _, text := range []struct {
		name string
		text *string
		most int
	}{{"title", asked.Title, 100}, {"description", asked.Description, 800}, {"link", asked.Link, 2048}, {"alt_text", asked.AltText, 500}} {
		if text.text != nil && len([]rune(*text.text)) > text.most {
			return invalid(fmt.Sprintf("%s has more than %d characters.", text.name, text.most))
		}
	}
	made := &pin{
		Title: asked.Title, Description: asked.Description, Link: asked.Link, AltText: asked.AltText,
		DominantColor: asked.DominantColor, ParentPinID: asked.ParentPinID,
	}
	switch source := asked.MediaSource; {
	case asked.BoardID == "":
		return missing("board_id")
	case asked.BoardSectionID != nil:
		return refuse(http.StatusNotFound, 404, "This is a fake Pinterest, and its boards have no sections.")
	case source.SourceType == "":
		return missing("media_source")
	case source.SourceType == "image_url" && source.URL == "":
		return missing("media_source.url")
	case source.SourceType == "image_url":
		made.Media = imageAt(source.URL)
	case source.SourceType == "image_base64" && (source.ContentType == "" || len(source.Data) == 0):
		return missing("media_source.content_type or media_source.data")
	case source.SourceType == "image_base64":
		made.Media = imageAt("https://i.pinimg.example/uploaded.jpg")
	default:
		return invalid(fmt.Sprintf("This is a fake Pinterest, and takes image_url and image_base64 as a source_type, and not %q.", source.SourceType))
	}
	return h.addPin(r, asked.BoardID, made)
}

// savePin pins a Pin of the user's once more.
func (h *Handler) savePin(r *request, id string) *answer {
	var asked struct {
		BoardID string `json:"board_id"`
	}
	if refused := r.decode(&asked); refused != nil {
		return refused
	}
	c := h.contentOf(r.user)
	p := c.pin(id)
	switch {
	case !c.shownPin(p, r.token):
		return usual(http.StatusNotFound, codePinNotFound)
	case asked.BoardID == "":
		return missing("board_id")
	}
	made := new(*p)
	made.ParentPinID = new(p.ID)
	return h.addPin(r, asked.BoardID, made)
}

func (h *Handler) addPin(r *request, board string, p *pin) *answer {
	c := h.contentOf(r.user)
	on := c.board(board)
	switch {
	case !on.shown(r.token):
		return usual(http.StatusNotFound, codeBoardNotFound)
	case on.Privacy == secret && !r.token.scopes.has(writeSecretPins):
		return checkScopes(r, writeSecretPins)
	}
	c = h.keepContent(r.user)
	c.addPin(r.user, c.board(board), p, h.now())
	return jsonAnswer(http.StatusCreated, p)
}

func (h *Handler) deletePin(r *request, id string) *answer {
	c := h.contentOf(r.user)
	p := c.pin(id)
	switch {
	case !c.shownPin(p, r.token):
		return usual(http.StatusNotFound, codePinNotFound)
	case c.board(p.BoardID).Privacy == secret && !r.token.scopes.has(writeSecretPins):
		return checkScopes(r, writeSecretPins)
	}
	c = h.keepContent(r.user)
	c.pins = slices.DeleteFunc(c.pins, func(p *pin) bool { return p.ID == id })
	c.count(c.board(p.BoardID), h.now())
	return noContent()
}
