package pinteresttest_test

import (
	"html"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/pinteresttest"
)

func idOf(t *testing.T, h *pinteresttest.Handler, token string) string {
	t.Helper()
	r := get(t, h, "/v5/user_account", token)
	require.Equal(t, http.StatusOK, r.status, r.body)
	return r.text("id")
}

// logIn passes the authorize page, by AutoApprove or as the user.
func logIn(t *testing.T, h *pinteresttest.Handler, user string) string {
	t.Helper()
	query := authorizeQuery("scope", "user_accounts:read")
	r := authorize(t, h, http.MethodGet, query, nil)
	if user != "" {
		proof := html.UnescapeString(proofField.FindStringSubmatch(r.body)[1])
		r = authorize(t, h, http.MethodPost, query, values("decision", "approve", "proof", proof, "user", user))
	}
	return exchange(t, h, callback(t, r).Query().Get("code")).text("access_token")
}

func TestTheSameUserIsTheSameUserAtTheNextLogin(t *testing.T) {
	h := &pinteresttest.Handler{AutoApprove: true}
	first := idOf(t, h, logIn(t, h, ""))
	assert.Equal(t, first, idOf(t, h, logIn(t, h, "")))
	assert.Equal(t, first, idOf(t, h, h.LoginAs("pinner1").AccessToken))
	other := new(pinteresttest.Handler)
	assert.Equal(t, first, idOf(t, other, other.LoginAs("pinner1").AccessToken), "to every Handler")
	assert.NotEqual(t, first, idOf(t, h, h.Login().AccessToken))
}

func TestIDsFitInto64Bits(t *testing.T) {
	h := new(pinteresttest.Handler)
	for range 100 {
		token := h.Login().AccessToken
		pins := items(t, get(t, h, "/v5/pins?page_size=250", token))
		for _, id := range []string{idOf(t, h, token), pins[0], pins[58]} {
			_, err := strconv.ParseInt(id, 10, 64)
			require.NoError(t, err)
		}
	}
}

func TestTheAuthorizePageLetsOneChooseAmongUsers(t *testing.T) {
	h := &pinteresttest.Handler{Users: []string{"ann", "ben"}}
	page := authorize(t, h, http.MethodGet, authorizeQuery(), nil)
	assert.Contains(t, page.body, `value="ann" checked`)
	assert.Contains(t, page.body, `value="ben">`)
	ben := idOf(t, h, logIn(t, h, "ben"))
	assert.Equal(t, idOf(t, h, h.LoginAs("ben").AccessToken), ben)
	assert.NotEqual(t, idOf(t, h, logIn(t, h, "ann")), ben)

	proof := html.UnescapeString(proofField.FindStringSubmatch(page.body)[1])
	r := authorize(t, h, http.MethodPost, authorizeQuery(), values("decision", "approve", "proof", proof, "user", "eve"))
	assert.Equal(t, http.StatusBadRequest, r.status)
}

func TestAnEmptyListOfUsersIsAsGoodAsNone(t *testing.T) {
	h := &pinteresttest.Handler{Users: []string{}}
	assert.Contains(t, authorize(t, h, http.MethodGet, authorizeQuery(), nil).body, `value="pinner1" checked`)
}

func TestUserNamesWhoApprovesByItselfAndIsChosenAtFirst(t *testing.T) {
	h := &pinteresttest.Handler{AutoApprove: true, User: "ben", Users: []string{"ann", "ben"}}
	assert.Equal(t, "ben", get(t, h, "/v5/user_account", logIn(t, h, "")).text("username"))
	h.Change(func(h *pinteresttest.Handler) { h.AutoApprove = false })
	assert.Contains(t, authorize(t, h, http.MethodGet, authorizeQuery(), nil).body, `value="ben" checked`)
}

func TestOneUsersGrantCanBeRevokedAndOneUsersTokensExpire(t *testing.T) {
	h := new(pinteresttest.Handler)
	ann, again, ben := h.LoginAs("ann"), h.LoginAs("ann"), h.LoginAs("ben")
	h.ExpireAccess("ann")
	for _, token := range []string{ann.AccessToken, again.AccessToken} {
		assertRefused(t, get(t, h, "/v5/user_account", token), 401, 2)
	}
	assert.Equal(t, http.StatusOK, get(t, h, "/v5/user_account", ben.AccessToken).status)
	assert.Equal(t, http.StatusOK, refresh(t, h, again.RefreshToken).status)

	h.RevokeGrants("ann")
	assertRefused(t, refresh(t, h, ann.RefreshToken), 401, 283)
	assertRefused(t, refresh(t, h, again.RefreshToken), 401, 283)
	assert.Equal(t, http.StatusOK, refresh(t, h, ben.RefreshToken).status)
}
