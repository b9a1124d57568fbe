package pinteresttest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-pinterest/pinterest"
)

var (
	adsWrite   = mustScopes([]string{pinterest.ScopeAdsWrite})
	readUser   = mustScopes([]string{pinterest.ScopeUserAccountsRead})
	readBoard  = mustScopes([]string{pinterest.ScopeBoardsRead})
	readPins   = mustScopes([]string{pinterest.ScopeBoardsRead, pinterest.ScopePinsRead})
	writeBoard = mustScopes([]string{pinterest.ScopeBoardsRead, pinterest.ScopeBoardsWrite})
	writePins  = mustScopes([]string{pinterest.ScopeBoardsRead, pinterest.ScopeBoardsWrite, pinterest.ScopePinsRead, pinterest.ScopePinsWrite})

	readSecretBoards  = mustScopes([]string{pinterest.ScopeBoardsReadSecret})
	writeSecretBoards = mustScopes([]string{pinterest.ScopeBoardsWriteSecret})
	readSecretPins    = mustScopes([]string{pinterest.ScopePinsReadSecret})
	writeSecretPins   = mustScopes([]string{pinterest.ScopePinsWriteSecret})
)

// An endpoint is what one does with a token.
type endpoint struct {
	method, path string // {id} stands for the id that do is given
	scopes       scopeSet
	do           func(h *Handler, r *request, id string) *answer
}

var endpoints = []endpoint{
	{http.MethodGet, "/v5/user_account", readUser, (*Handler).userAccount},
	{http.MethodGet, "/v5/boards", readBoard, (*Handler).listBoards},
	{http.MethodPost, "/v5/boards", writeBoard, (*Handler).createBoard},
	{http.MethodGet, "/v5/boards/{id}", readBoard, (*Handler).getBoard},
	{http.MethodDelete, "/v5/boards/{id}", writeBoard, (*Handler).deleteBoard},
	{http.MethodGet, "/v5/boards/{id}/pins", readPins, (*Handler).listBoardPins},
	{http.MethodGet, "/v5/boards/{id}/sections", readBoard, (*Handler).listSections},
	{http.MethodGet, "/v5/pins", readPins, (*Handler).listPins},
	{http.MethodPost, "/v5/pins", writePins, (*Handler).createPin},
	{http.MethodGet, "/v5/pins/{id}", readPins, (*Handler).getPin},
	{http.MethodDelete, "/v5/pins/{id}", writePins, (*Handler).deletePin},
	{http.MethodPost, "/v5/pins/{id}/save", writePins, (*Handler).savePin},
	{http.MethodPost, conversionPath, adsWrite, (*Handler).conversion},
}

// notServed says what the fake does serve.
func notServed(r *request) *answer {
	served := []string{"GET " + authorizePath, "POST " + tokenPath, "POST " + revokePath}
	for _, e := range endpoints {
		served = append(served, e.method+" "+e.path)
	}
	return refuse(http.StatusNotFound, 404, fmt.Sprintf("This is a fake Pinterest, and it does not serve %s %s. It serves %s.", r.Method, r.URL.Path, strings.Join(served, ", "))).
		because("the fake does not serve this")
}

// api serves the endpoints. Only who has a good token learns which there are.
func (h *Handler) api(r *request) *answer {
	if refused := h.checkBearer(r); refused != nil {
		return refused
	}
	var allowed []string
	for _, e := range endpoints {
		before, after, _ := strings.Cut(e.path, "{id}")
		id, begins := strings.CutPrefix(r.URL.Path, before)
		id, ends := strings.CutSuffix(id, after)
		if r.URL.Path != e.path && (before == e.path || !begins || !ends || id == "" || strings.Contains(id, "/")) {
			continue
		}
		if e.method != r.Method && (e.method != http.MethodGet || r.Method != http.MethodHead) {
			if allowed = append(allowed, e.method); e.method == http.MethodGet {
				allowed = append(allowed, http.MethodHead)
			}
			continue
		}
		if refused := checkScopes(r, e.scopes); refused != nil {
			return refused
		}
		return e.do(h, r, id)
	}
	if allowed != nil {
		return wrongMethod(allowed)
	}
	return notServed(r)
}

// checkBearer refuses a request without a token that is alive.
func (h *Handler) checkBearer(r *request) *answer {
	refused := usual(http.StatusUnauthorized, codeAuthentication)
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "Bearer") {
		return refused.because("there is no Authorization header of the kind Bearer")
	}
	c, ok := h.open(token)
	if !ok || c.kind == refreshToken {
		return refused.because("%s", stranger(c, ok))
	}
	r.token, r.user = c, h.userOf(c)
	if why := h.dead(c); why != "" {
		return refused.because("%s", why)
	}
	return nil
}

// stranger says why a token is of no use, however long it lives.
func stranger(c claim, ok bool) string {
	switch {
	case !ok:
		return "the token is not one that this server issued, since it began or was reset"
	case c.kind == refreshToken:
		return "the token is a refresh token, and no access token"
	}
	return "the token is an access token, and no refresh token"
}

func checkScopes(r *request, all scopeSet) *answer {
	if r.token.scopes.has(all) {
		return nil
	}
	return refuse(http.StatusUnauthorized, codeAuthorization,
		"Your token does not have sufficient permissions to perform this operation. Please ensure your token is authorized with the correct set of scopes.").
		because("the token lacks %v", all&^r.token.scopes)
}

func (h *Handler) userAccount(r *request, _ string) *answer {
	boards, pins := boardCount, pinCount
	if c := h.contents[r.user]; c != nil {
		boards, pins = len(c.boards), len(c.pins)
	}
	return jsonAnswer(http.StatusOK, map[string]any{
		"about":           "Nobody in particular",
		"account_type":    "BUSINESS",
		"board_count":     boards,
		"business_name":   nil,
		"follower_count":  10,
		"following_count": 347,
		"id":              accountID(r.user),
		"monthly_views":   163,
		"pin_count":       pins,
		"profile_image":   "https://i.pinimg.example/" + accountID(r.user) + ".jpg",
		"username":        r.user,
		"website_url":     "https://example.com",
	})
}

// page answers with as many items as the request asks for, and a bookmark for the others. Items are in the order of
// their serials, so that one may delete what a page has and go on.
func page[T item](r *request, items []T) *answer {
	q := r.URL.Query()
	size := 25
	if s := q.Get("page_size"); s != "" {
		var err error
		if size, err = strconv.Atoi(s); err != nil || size < 1 || size > 250 {
			return invalid("page_size must be a number from 1 to 250.")
		}
	}
	if s := q.Get("bookmark"); s != "" {
		data, _ := base64.RawURLEncoding.DecodeString(s)
		rest, ok := strings.CutPrefix(string(data), r.URL.Path+" ")
		last, err := strconv.Atoi(rest)
		if !ok || err != nil {
			return invalid("bookmark is not one that this list gave.")
		}
		items = slices.DeleteFunc(items, func(i T) bool { return i.nth() <= last })
	}
	if items == nil {
		items = []T{} // null is no list
	}
	var bookmark any // null on the last page
	if len(items) > size {
		items = items[:size]
		bookmark = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d", r.URL.Path, items[size-1].nth()))
	}
	return jsonAnswer(http.StatusOK, map[string]any{"items": items, "bookmark": bookmark})
}

// An item is one of a list.
type item interface{ nth() int }
