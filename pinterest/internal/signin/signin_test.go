package signin

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/login"
	"github.com/go-pinterest/pinterest/pinterest/internal/accounts"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// A user pastes what the page that was printed becomes.
type user struct {
	told   bytes.Buffer
	visit  func(page string) string
	pasted io.Reader
}

func (u *user) Read(p []byte) (int, error) {
	if u.pasted == nil {
		_, page, _ := strings.Cut(u.told.String(), "open this page in any browser: ")
		page, _, _ = strings.Cut(page, "\n")
		u.pasted = strings.NewReader(u.visit(page) + "\n")
	}
	return u.pasted.Read(p)
}

// paste has a user log in who pastes what visit makes of the page's parameters.
func paste(t *testing.T, visit func(q url.Values) string) (*oauth2.Token, error) {
	fake := &pinteresttest.Handler{AutoApprove: true}
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, fake.Client())
	conf := &pinterest.Config{ClientID: pinteresttest.DefaultAppID, ClientSecret: pinteresttest.DefaultAppSecret, RedirectURL: DefaultRedirectURL, Scopes: accounts.DefaultScopes}
	u := &user{visit: func(page string) string {
		r, err := http.NewRequest(http.MethodGet, page, nil)
		require.NoError(t, err)
		resp, err := fake.Client().Transport.RoundTrip(r)
		require.NoError(t, err)
		back, err := resp.Location()
		require.NoError(t, err)
		return visit(back.Query())
	}}
	return (&Login{RedirectURL: DefaultRedirectURL, In: u, Told: &u.told}).paste(ctx, conf)
}

func TestThePastedAddressMayHaveAnyForm(t *testing.T) {
	for _, form := range []string{"http://localhost:8085/?%s", "https://example.com/cb?x=y&%s#", "?%s"} {
		token, err := paste(t, func(q url.Values) string { return strings.Replace(form, "%s", q.Encode(), 1) })
		require.NoError(t, err, form)
		assert.True(t, token.Valid())
	}
}

func TestThePastedAddressMustHaveTheState(t *testing.T) {
	for _, form := range []string{"http://localhost:8085/?code=%c", "http://localhost:8085/?code=%c&state=wrong", "%c", "", "?%zz"} {
		token, err := paste(t, func(q url.Values) string { return strings.Replace(form, "%c", q.Get("code"), 1) })
		assert.Nil(t, token, form)
		var f *say.Failure
		require.ErrorAs(t, err, &f, form)
		assert.Equal(t, "what was pasted is not the address that the page of this login ended on", f.Error())
		assert.NotEmpty(t, f.Hint)
	}
}

func TestAUserWhoPastesADenialIsUnderstood(t *testing.T) {
	_, err := paste(t, func(q url.Values) string { return "?error=access_denied&state=" + q.Get("state") })
	assert.ErrorIs(t, err, login.ErrDenied)
	_, err = paste(t, func(q url.Values) string { return "?state=" + q.Get("state") })
	assert.EqualError(t, err, "login: Pinterest ended the login without a code")
}

func TestALoginThatIsStoppedAtItsPromptSaysSo(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	in, _ := io.Pipe()
	_, err := readLine(ctx, in, "")
	assert.EqualError(t, new(Login).explained(ctx, err), "the login was stopped; nothing has changed")
}
