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
		return c, refuse(http.StatusUnauthorized, codeAuthorization,
			"Your token does not have sufficient permissions to perform this operation. Please ensure your token is authorized with the correct set of scopes.")
	}
	return c, nil
}

// accountID is the account that a token acts for; the app's own tokens act for account zero, its owner.
func accountID(c claim) string { return strconv.FormatUint(549755813888000000+c.grant, 10) }

func username(account string) string { return "pinner" + strings.TrimLeft(account[12:], "0") }

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

const createdAt = "2024-05-17T09:30:00" // Pinterest's times have no zone

func boardID(account string, i int) string { return fmt.Sprintf("%s%03d", account, i) }

func newBoard(account string, i int) any {
	pins := 1
	if i == 0 {
		pins = firstBoardPins
	}
	return map[string]any{
		"id":                 boardID(account, i),
		"name":               fmt.Sprintf("Board %d", i+1),
		"description":        fmt.Sprintf("What was pinned to board %d", i+1),
		"owner":              map[string]string{"username": username(account)},
		"privacy":            "PUBLIC",
		"pin_count":          pins,
		"follower_count":     10,
		"collaborator_count": 0,
		"created_at":         createdAt,
	}
}

func newPin(account string, i int) any {
	return map[string]any{
		"id":          fmt.Sprintf("%s9%03d", account, i),
		"title":       fmt.Sprintf("Pin %d", i+1),
		"description": fmt.Sprintf("The Pin with number %d", i+1),
		"link":        fmt.Sprintf("https://example.com/%d", i+1),
		"board_id":    boardID(account, max(0, i-firstBoardPins+1)),
		"board_owner": map[string]string{"username": username(account)},
		"is_owner":    true,
		"created_at":  createdAt,
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
	return usual(http.StatusNotFound, codeBoardNotFound)
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
	to := min(from+size, n)
	var items []any
	for i := from; i < to; i++ {
		items = append(items, item(i))
	}
	var bookmark any // null on the last page
	if to < n {
		bookmark = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d", r.URL.Path, to))
	}
	return jsonAnswer(http.StatusOK, map[string]any{"items": items, "bookmark": bookmark})
}
