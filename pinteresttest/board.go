package pinteresttest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"time"
)

const (
	public    = "PUBLIC"
	protected = "PROTECTED"
	secret    = "SECRET"
)

// A board, by the names of Pinterest's API.
type board struct {
	ID                string     `json:"id"`
	Name              string     `json:"name"`
	Description       *string    `json:"description"`
	Owner             owner      `json:"owner"`
	Privacy           string     `json:"privacy"`
	IsAdsOnly         bool       `json:"is_ads_only"`
	PinCount          int        `json:"pin_count"`
	FollowerCount     int        `json:"follower_count"`
	CollaboratorCount int        `json:"collaborator_count"`
	Media             boardMedia `json:"media"`
	CreatedAt         string     `json:"created_at"`
	PinsModifiedAt    time.Time  `json:"board_pins_modified_at"`

	serial int
}

type owner struct {
	Username string `json:"username"`
}

type boardMedia struct {
	Cover      *string  `json:"image_cover_url"`
	Thumbnails []string `json:"pin_thumbnail_urls"`
}

func (b *board) nth() int { return b.serial }

// shown tells whether the token may know of the board.
func (b *board) shown(c claim) bool {
	return b != nil && (b.Privacy != secret || c.scopes.has(readSecretBoards))
}

// privacies are the values of the filter, and what each lets through; nil: everything.
var privacies = map[string][]string{
	"": nil, "ALL": nil, public: {public}, protected: {protected}, secret: {secret}, "PUBLIC_AND_SECRET": {public, secret},
}

func (h *Handler) listBoards(r *request, _ string) *answer {
	asked := r.URL.Query().Get("privacy")
	let, ok := privacies[asked]
	if !ok {
		return invalid(fmt.Sprintf("%q is not a privacy to filter by.", asked))
	}
	var boards []*board
	for _, b := range h.contentOf(r.user).boards {
		if b.shown(r.token) && (let == nil || slices.Contains(let, b.Privacy)) {
			boards = append(boards, b)
		}
	}
	return page(r, boards)
}

func (h *Handler) getBoard(r *request, id string) *answer {
	b := h.contentOf(r.user).board(id)
	if !b.shown(r.token) {
		return usual(http.StatusNotFound, codeBoardNotFound)
	}
	return jsonAnswer(http.StatusOK, b)
}

func (h *Handler) createBoard(r *request, _ string) *answer {
	var b board
	if refused := r.decode(&b); refused != nil {
		return refused
	}
	b.Privacy = cmp.Or(b.Privacy, public)
	if b.IsAdsOnly {
		b.Name, b.Privacy = "Ad-only Pins", protected
	}
	switch {
	case b.Name == "":
		return missing("name")
	case !slices.Contains([]string{public, protected, secret}, b.Privacy):
		return invalid(fmt.Sprintf("%q is not the privacy of a board.", b.Privacy))
	case b.Privacy == secret && !r.token.scopes.has(writeSecretBoards):
		return checkScopes(r, writeSecretBoards)
	}
	c := h.contentOf(r.user)
	if c.boardNamed(b.Name) != nil {
		return usual(http.StatusBadRequest, codeBoardExists)
	}
	made := &board{Name: b.Name, Description: b.Description, Privacy: b.Privacy, IsAdsOnly: b.IsAdsOnly}
	h.keepContent(r.user).add(r.user, made, h.now())
	return jsonAnswer(http.StatusCreated, made)
}

func (h *Handler) deleteBoard(r *request, id string) *answer {
	c := h.contentOf(r.user)
	b := c.board(id)
	switch {
	case !b.shown(r.token):
		return usual(http.StatusNotFound, codeBoardNotFound)
	case b.Privacy == secret && !r.token.scopes.has(writeSecretBoards):
		return checkScopes(r, writeSecretBoards)
	}
	c = h.keepContent(r.user)
	c.boards = slices.DeleteFunc(c.boards, func(b *board) bool { return b.ID == id })
	c.pins = slices.DeleteFunc(c.pins, func(p *pin) bool { return p.BoardID == id })
	return noContent()
}

// listSections is there for clients that ask for the sections of any board: it has none.
func (h *Handler) listSections(r *request, id string) *answer {
	if !h.contentOf(r.user).board(id).shown(r.token) {
		return usual(http.StatusNotFound, codeBoardNotFound)
	}
	return page(r, []*board{})
}

// decode reads a body of JSON.
func (r *request) decode(into any) *answer {
	if t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); t != "application/json" {
		return invalid("The body must be application/json.")
	}
	if err := json.Unmarshal(r.body, into); err != nil {
		return refuse(http.StatusBadRequest, codeInvalidRequest, "Invalid request body").because("the body cannot be read: %v", err)
	}
	return nil
}

func noContent() *answer { return &answer{status: http.StatusNoContent, header: http.Header{}} }
