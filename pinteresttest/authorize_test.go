package pinteresttest_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/pinteresttest"
)

func authorizeQuery(replace ...string) string {
	q := values(append([]string{"client_id", pinteresttest.DefaultAppID, "redirect_uri", appURL, "response_type", "code", "scope", "boards:read,pins:read", "state", "a b"}, replace...)...)
	for name, v := range q {
		if v[0] == "" {
			q.Del(name)
		}
	}
	return q.Encode()
}

// authorize asks for the authorize page and follows no redirect.
func authorize(t *testing.T, h *pinteresttest.Handler, method, query string, form url.Values) reply {
	t.Helper()
	c := h.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r := formRequest(t, "https://www.pinterest.com/oauth/?"+query, form)
	r.Header.Del("Authorization")
	r.Method = method
	return do(t, c, r)
}

var proofField = regexp.MustCompile(`name="proof" value="([^"]+)"`)

// press shows the page and presses one of its buttons.
func press(t *testing.T, h *pinteresttest.Handler, query, decision string) reply {
	t.Helper()
	page := authorize(t, h, http.MethodGet, query, nil)
	require.Equal(t, http.StatusOK, page.status)
	proof := proofField.FindStringSubmatch(page.body)
	require.NotNil(t, proof)
	return authorize(t, h, http.MethodPost, query, values("decision", decision, "proof", html.UnescapeString(proof[1])))
}

func callback(t *testing.T, r reply) *url.URL {
	t.Helper()
	require.Equal(t, http.StatusFound, r.status, r.body)
	u, err := url.Parse(r.header.Get("Location"))
	require.NoError(t, err)
	return u
}

func TestTheAuthorizePageNamesTheAppAndSaysTheScopesInWords(t *testing.T) {
	r := authorize(t, new(pinteresttest.Handler), http.MethodGet, authorizeQuery(), nil)
	assert.Equal(t, http.StatusOK, r.status)
	assert.Equal(t, "text/html; charset=utf-8", r.header.Get("Content-Type"))
	for _, want := range []string{
		`<html lang="en">`, "Give app 1234567 access to your account?", "<li>See your public boards, including group boards you join</li>",
		"<li>See your public Pins</li>", "https://app.example.", `value="approve"`, `value="deny"`,
	} {
		assert.Contains(t, r.body, want)
	}
	assert.NotContains(t, r.body, "<script")
	assert.NotContains(t, r.body, "advertising")
}

func TestApprovingSendsACodeAndTheStateBack(t *testing.T) {
	h := new(pinteresttest.Handler)
	u := callback(t, press(t, h, authorizeQuery(), "approve"))
	q := u.Query()
	assert.Equal(t, "a b", q.Get("state"))
	assert.Len(t, q, 2)
	assert.Equal(t, "boards:read pins:read", exchange(t, h, q.Get("code")).text("scope"))
}

func TestDenyingSendsAnErrorAndTheStateBack(t *testing.T) {
	u := callback(t, press(t, new(pinteresttest.Handler), authorizeQuery(), "deny"))
	assert.Equal(t, "https://app.example/callback?error=access_denied&state=a+b", u.String())
}

func TestAutoApproveRedirectsAtOnce(t *testing.T) {
	h := &pinteresttest.Handler{AutoApprove: true}
	u := callback(t, authorize(t, h, http.MethodGet, authorizeQuery("state", ""), nil))
	assert.Len(t, u.Query(), 1)
	assert.Equal(t, 1, strings.Count(u.String(), "="), "the code holds no = itself")
	assert.Equal(t, http.StatusOK, exchange(t, h, u.Query().Get("code")).status)
}

func TestTheCallbackKeepsTheRedirectURLsOwnParameters(t *testing.T) {
	h := &pinteresttest.Handler{AutoApprove: true}
	u := callback(t, authorize(t, h, http.MethodGet, authorizeQuery("redirect_uri", appURL+"?z=1&b=%20", "state", "s"), nil))
	assert.Regexp(t, `^https://app\.example/callback\?z=1&b=%20&code=[A-Z0-9]+&state=s$`, u.String())
}

func TestWhatPinterestsOldClientsSendIsAccepted(t *testing.T) {
	h := &pinteresttest.Handler{AutoApprove: true, LegacyApp: true}
	u := callback(t, authorize(t, h, http.MethodGet,
		"consumer_id=1234567&redirect_uri=http://localhost:8085/&response_type=code&refreshable=True&scope=user_accounts:read,pins:read", nil))
	assert.Equal(t, "localhost:8085", u.Host)
	r := postToken(t, h, "grant_type", "authorization_code", "code", u.Query().Get("code"), "redirect_uri", "http://localhost:8085/")
	assert.EqualValues(t, 5184000, r.json["refresh_token_expires_in"])
}

func TestScopesAreSeparatedByCommasOrSingleSpaces(t *testing.T) {
	h := &pinteresttest.Handler{AutoApprove: true}
	for scope, status := range map[string]int{
		"boards:read,pins:read":          302,
		"boards:read pins:read":          302,
		"boards:read,pins:read ads:read": 302,
		"boards:read  pins:read":         400,
		"boards:read,":                   400,
		"boards:see":                     400,
	} {
		assert.Equal(t, status, authorize(t, h, http.MethodGet, authorizeQuery("scope", scope), nil).status, scope)
	}
}

func TestARequestThatCannotBeTrustedIsNeverRedirected(t *testing.T) {
	h := &pinteresttest.Handler{AutoApprove: true, RedirectURLs: []string{appURL}}
	for name, query := range map[string]string{
		"a wrong client id":         authorizeQuery("client_id", "7654321"),
		"no client id":              authorizeQuery("client_id", ""),
		"an unregistered redirect":  authorizeQuery("redirect_uri", appURL+"/"),
		"no redirect":               authorizeQuery("redirect_uri", ""),
		"another response type":     authorizeQuery("response_type", "token"),
		"no scope":                  authorizeQuery("scope", ""),
		"a query that is malformed": authorizeQuery() + "&x=%zz",
	} {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				r := authorize(t, h, method, query, values("decision", "approve"))
				assert.Equal(t, http.StatusBadRequest, r.status)
				assert.Empty(t, r.header.Get("Location"))
				assert.Contains(t, r.body, `role="alert"`)
			}
		})
	}
	h = &pinteresttest.Handler{AutoApprove: true}
	for _, to := range []string{"callback", "/callback", "//app.example", "javascript:alert(1)", "https://app.example/#f"} {
		assert.Equal(t, http.StatusBadRequest, authorize(t, h, http.MethodGet, authorizeQuery("redirect_uri", to), nil).status, to)
	}
}

func TestOnlyAPageThatWasShownCanApprove(t *testing.T) {
	h := &pinteresttest.Handler{AutoApprove: true}
	query := authorizeQuery()
	for _, form := range []url.Values{values("decision", "approve"), values("decision", "approve", "proof", "x"), values("decision", "deny")} {
		r := authorize(t, h, http.MethodPost, query, form)
		assert.Equal(t, http.StatusBadRequest, r.status)
		assert.Empty(t, r.header.Get("Location"))
	}

	h = new(pinteresttest.Handler)
	proof := proofField.FindStringSubmatch(authorize(t, h, http.MethodGet, query, nil).body)[1]
	other := authorizeQuery("scope", "ads:write")
	assert.Equal(t, http.StatusBadRequest, authorize(t, h, http.MethodPost, other, values("decision", "approve", "proof", proof)).status)
	assert.Equal(t, http.StatusBadRequest, authorize(t, h, http.MethodPost, query, values("decision", "maybe", "proof", proof)).status)
}

func TestThePageEscapesWhatItIsGiven(t *testing.T) {
	r := authorize(t, new(pinteresttest.Handler), http.MethodGet, authorizeQuery("scope", "<b>x"), nil)
	assert.Equal(t, http.StatusBadRequest, r.status)
	assert.NotContains(t, r.body, "<b>x")
}

func TestTheAuthorizeURLWithoutItsSlashLeadsThere(t *testing.T) {
	h := &pinteresttest.Handler{AutoApprove: true}
	c := h.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://www.pinterest.com/oauth?a=b", nil)
	require.NoError(t, err)
	assert.Equal(t, "/oauth/?a=b", do(t, c, r).header.Get("Location"))
}
