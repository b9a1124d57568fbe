package pinteresttest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-pinterest/pinterest"
)

var (
	adsWrite  = mustScopes([]string{pinterest.ScopeAdsWrite})
	readUser  = mustScopes([]string{pinterest.ScopeUserAccountsRead})
	readBoard = mustScopes([]string{pinterest.ScopeBoardsRead})
	readPins  = mustScopes([]string{pinterest.ScopeBoardsRead, pinterest.ScopePinsRead})
)

// Every account has the same boards: enough for two pages of Pinterest's usual size, and so has the first
// board of Pins. The other boards hold one each.
const (
	boardCount     = 30
	firstBoardPins = 30
	pinCount       = firstBoardPins + boardCount - 1
)

func (h *Handler) api(r *request) *answer {
	path := r.URL.Path
	do := func(all scopeSet, f func(account string) *answer) *answer {
		return h.method(r, func(r *request) *answer {
			c, refused := h.checkBearer(r, all)
			if refused != nil {
				return refused
			}
			return f(accountID(c))
		}, http.MethodGet, http.MethodHead)
	}
	switch {
	case path == "/v5/user_account":
		return do(readUser, userAccount)
	case path == "/v5/boards":
		return do(readBoard, func(account string) *answer {
			return page(r, boardCount, func(i int) any { return newBoard(account, i) })
		})
	case path == "/v5/pins":
		return do(readPins, func(account string) *answer {
			return page(r, pinCount, func(i int) any { return newPin(account, i) })
		})
	}
	if id, ok := strings.CutPrefix(path, "/v5/boards/"); ok {
		if id, ok := strings.CutSuffix(id, "/pins"); ok {
			return do(readPins, func(account string) *answer { return boardPins(r, account, id) })
		}
	}
	return refuse(http.StatusNotFound, 404, "Not found.")
}

// checkBearer refuses a request without a token that is alive and has all the scopes.
func (h *Handler) checkBearer(r *request, all scopeSet) (claim, *answer) {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	c, ok := h.open(token)
	if !ok || !strings.EqualFold(kind, "Bearer") || c.kind == refreshToken || !h.alive(c) {
		return c, usual(http.StatusUnauthorized, codeAuthentication)
	}
	if !c.scopes.has(all) {
		return c, refuse(http.StatusUnauthorized, codeAuthorization, "Your token does not have sufficient permissions to perform this operation. Please ensure your token is authorized with the correct set of scopes.")
	}
	return c, nil
}

// accountID is the account that a token acts for; the app's own tokens act for account zero, its owner.
func accountID(c claim) string { return fmt.Sprintf("%d", 549755813888000000+c.grant) }

func username(account string) string { return "pinner" + strings.TrimLeft(account[6:], "0") }

func userAccount(account string) *answer {
	return jsonAnswer(http.StatusOK, map[string]any{
		"about":           "Nobody in particular",
		"account_type":    "BUSINESS",
		"board_count":     boardCount,
		"business_name":   nil,
		"follower_count":  10,
		"following_count": 347,
		"id":              account,
		"monthly_views":   163,
		"pin_count":       pinCount,
		"profile_image":   "https://i.pinimg.example/" + account + ".jpg",
		"username":        username(account),
		"website_url":     "https://example.com",
	})
}

type owner struct {
	Username string `json:"username"`
}

type board struct {
	ID                string `json:"id"`
	Name              string `json:"name"`
	Description       string `json:"description"`
	Owner             owner  `json:"owner"`
	Privacy           string `json:"privacy"`
	PinCount          int    `json:"pin_count"`
	FollowerCount     int    `json:"follower_count"`
	CollaboratorCount int    `json:"collaborator_count"`
	CreatedAt         string `json:"created_at"`
}

type pin struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Link        string `json:"link"`
	BoardID     string `json:"board_id"`
	BoardOwner  owner  `json:"board_owner"`
	IsOwner     bool   `json:"is_owner"`
	CreatedAt   string `json:"created_at"`
}

const createdAt = "2024-05-17T09:30:00" // Pinterest's times have no zone

func boardID(account string, i int) string { return fmt.Sprintf("%s%03d", account, i) }

func newBoard(account string, i int) board {
	b := board{
		ID:          boardID(account, i),
		Name:        fmt.Sprintf("Board %d", i+1),
		Description: fmt.Sprintf("What was pinned to board %d", i+1),
		Owner:       owner{username(account)},
		Privacy:     "PUBLIC",
		PinCount:    1,
		CreatedAt:   createdAt,
	}
	if i == 0 {
		b.PinCount = firstBoardPins
	}
	return b
}

func newPin(account string, i int) pin {
	return pin{
		ID:          fmt.Sprintf("%s9%03d", account, i),
		Title:       fmt.Sprintf("Pin %d", i+1),
		Description: fmt.Sprintf("The Pin with number %d", i+1),
		Link:        fmt.Sprintf("https://example.com/%d", i+1),
		BoardID:     boardID(account, max(0, i-firstBoardPins+1)),
		BoardOwner:  owner{username(account)},
		IsOwner:     true,
		CreatedAt:   createdAt,
	}
}

func boardPins(r *request, account, id string) *answer {
	for i := range boardCount {
		switch {
		case boardID(account, i) != id:
		case i == 0:
			return page(r, firstBoardPins, func(n int) any { return newPin(account, n) })
		default:
			return page(r, 1, func(int) any { return newPin(account, firstBoardPins+i-1) })
		}
	}
	return refuse(http.StatusNotFound, codeBoardNotFound, "Board not found.")
}

// page answers with as many of the n items as the request asks for, and a bookmark for the others.
func page(r *request, n int, item func(i int) any) *answer {
	q := r.URL.Query()
	size := 25
	if s := q.Get("page_size"); s != "" {
		var err error
		if size, err = strconv.Atoi(s); err != nil || size < 1 || size > 250 {
			return invalid("page_size must be a number from 1 to 250.")
		}
	}
	from := 0
	if s := q.Get("bookmark"); s != "" {
		data, _ := base64.RawURLEncoding.DecodeString(s)
		rest, ok := strings.CutPrefix(string(data), r.URL.Path+" ")
		var err error
		if from, err = strconv.Atoi(rest); !ok || err != nil || from < 1 || from >= n {
			return invalid("bookmark is not one that this list gave.")
		}
	}
	answer := struct {
		Items    []any   `json:"items"`
		Bookmark *string `json:"bookmark"` // null on the last page
	}{Items: []any{}}
	to := min(from+size, n)
	for i := from; i < to; i++ {
		answer.Items = append(answer.Items, item(i))
	}
	if to < n {
		s := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d", r.URL.Path, to))
		answer.Bookmark = &s
	}
	return jsonAnswer(http.StatusOK, answer)
}
