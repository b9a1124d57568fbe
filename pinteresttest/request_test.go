package pinteresttest_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/pinteresttest"
)

// last is the latest request.
func last(h *pinteresttest.Handler) pinteresttest.Request {
	all := h.Requests()
	return all[len(all)-1]
}

func TestARequestIsToldWithoutItsSecrets(t *testing.T) {
	h := new(pinteresttest.Handler)
	code := h.CodeAs("ann", appURL)
	token := exchange(t, h, code).text("access_token")
	get(t, h, "/v5/boards?page_size=1&other="+token, token)

	seen := h.Requests()
	require.Len(t, seen, 2)
	assert.Equal(t, map[string]string{"grant_type": "authorization_code", "code": "…", "redirect_uri": appURL}, seen[0].Params)
	assert.Equal(t, map[string]string{"page_size": "1", "other": "…"}, seen[1].Params)
	assert.Equal(t, "GET /v5/boards 200 ann 2", fmt.Sprint(seen[1].Method, " ", seen[1].Path, " ", seen[1].Status, " ", seen[1].User, " ", seen[1].Number))
	assert.NotContains(t, fmt.Sprint(seen), code)
	assert.NotContains(t, fmt.Sprint(seen), token)
}

func TestASecretInTheWrongPlaceIsNotToldEither(t *testing.T) {
	h := new(pinteresttest.Handler)
	token, code := h.Login(), h.Code(appURL)
	for _, secret := range []string{token.AccessToken, token.RefreshToken, code, pinteresttest.DefaultAppSecret} {
		postToken(t, h, secret, "")
		postToken(t, h, "grant_type", secret)
		postToken(t, h, "grant_type", "client_credentials", "scope", secret)
		authorize(t, h, http.MethodGet, authorizeQuery("client_id", secret), nil)
		assert.NotContains(t, fmt.Sprintf("%+v", h.Requests()), secret)
	}
	for _, secret := range []string{token.AccessToken, token.RefreshToken, code} {
		get(t, h, "/v5/boards/"+secret, token.AccessToken)
		assert.Equal(t, "/v5/boards/…", last(h).Path)
	}
}

func TestARequestSaysWhyItWasRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &pinteresttest.Handler{StrictRotation: true}
		token := h.Login("boards:read")
		ask := func(token string) func() { return func() { get(t, h, "/v5/user_account", token) } }
		bare := func(change func(r *http.Request)) func() {
			return func() {
				r := formRequest(t, tokenURL, values("client_id", "1"))
				change(r)
				do(t, h.Client(), r)
			}
		}
		spent := h.Code(appURL)
		exchange(t, h, spent)
		for _, tc := range []struct {
			ask func()
			why string
		}{
			{func() { refresh(t, h, token.RefreshToken); refresh(t, h, token.RefreshToken) }, "the refresh token was replaced by a refresh; using it again revoked all that came of its login"},
			{ask(token.AccessToken), "a refresh token of this login was used again after it was replaced, which revoked all that came of the login"},
			{ask("x"), "the token is not one that this server issued, since it began or was reset"},
			{ask(token.RefreshToken), "the token is a refresh token, and no access token"},
			{func() { refresh(t, h, token.AccessToken) }, "the token is an access token, and no refresh token"},
			{ask(h.Login("boards:read").AccessToken), "the token lacks user_accounts:read"},
			{func() { exchange(t, h, spent) }, "the code is unknown, or was used before"},
			{func() {
				postToken(t, h, "grant_type", "authorization_code", "code", h.Code(appURL), "redirect_uri", "x")
			}, "redirect_uri is not the one that the code was asked with"},
			{bare(func(r *http.Request) { r.Header.Del("Authorization") }), "the app's id and secret are in the body alone, and belong into an Authorization header of the kind Basic"},
			{bare(func(r *http.Request) {}), "client_id and client_secret in the body are not those of the Authorization header"},
			{bare(func(r *http.Request) { r.SetBasicAuth("1", "2") }), "the app id is not the one that is registered"},
			{bare(func(r *http.Request) { r.SetBasicAuth(pinteresttest.DefaultAppID, "2") }), "the app secret is wrong"},
			{func() { authorize(t, h, "GET", "", nil) }, "There is no app with this client_id."},
			{func() { h.Fail("", pinteresttest.Fault{Status: 503}); ask("")() }, "a fault"},
			{func() { token := h.LoginAs("ann"); h.ExpireAccess(); ask(token.AccessToken)() }, "the token was made to expire"},
			{func() { token := h.LoginAs("ann"); h.RevokeGrants("ann"); ask(token.AccessToken)() }, "the user has disconnected the app"},
			{func() { token := h.LoginAs("ann"); time.Sleep(31 * day); ask(token.AccessToken)() }, "the token has expired"},
		} {
			tc.ask()
			assert.Equal(t, tc.why, last(h).Why)
			assert.GreaterOrEqual(t, last(h).Status, 400)
		}
	})
}

func TestARequestWithoutAnAnswerIsTold(t *testing.T) {
	h := new(pinteresttest.Handler)
	h.Fail("", pinteresttest.Fault{Lose: true})
	_, err := h.Client().Get("https://api.pinterest.com/v5/boards")
	require.Error(t, err)
	assert.Equal(t, "a fault: the connection was cut before an answer came", last(h).Why)
	assert.Zero(t, last(h).Status)
}

func TestLogIsToldOfEachRequest(t *testing.T) {
	var told []pinteresttest.Request
	h := &pinteresttest.Handler{Log: func(r pinteresttest.Request) { told = append(told, r) }}
	get(t, h, "/v5/boards", "")
	get(t, h, "/v5/pins", "")
	assert.Equal(t, h.Requests(), told)
	assert.Len(t, told, 2)
}

func TestOnlyTheLastRequestsAreKept(t *testing.T) {
	h := new(pinteresttest.Handler)
	for range 1001 {
		get(t, h, "/v5/boards", "")
	}
	assert.Len(t, h.Requests(), 1000)
	assert.Equal(t, 2, h.Requests()[0].Number)
	assert.Equal(t, 1001, last(h).Number)
}
