package login_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/login"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// port returns one that nobody listens on, and that no connection is given by
// itself.
func port(t *testing.T) string {
	for {
		port := strconv.Itoa(10_000 + rand.IntN(20_000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			require.NoError(t, l.Close())
			return port
		}
	}
}

func program(t *testing.T) (*pinterest.Config, *pinteresttest.Server) {
	fake := pinteresttest.NewServer(&pinteresttest.Handler{AutoApprove: true})
	t.Cleanup(fake.Close)
	return &pinterest.Config{ClientID: pinteresttest.DefaultAppID, ClientSecret: pinteresttest.DefaultAppSecret, Endpoint: fake.Endpoint(),
		RedirectURL: "http://localhost:" + port(t) + "/", Scopes: []string{pinterest.ScopeBoardsRead}}, fake
}

// visit opens the page as a browser does, and returns what the user sees in the end.
func visit(t *testing.T, page string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(page)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	if resp.StatusCode != http.StatusNotFound {
		assert.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
		assert.Equal(t, "no-referrer", resp.Header.Get("Referrer-Policy"))
		assert.Contains(t, resp.Header.Get("Content-Security-Policy"), "default-src 'none'")
	}
	return resp.StatusCode, string(b)
}

func TestTheUserOfAProgramLogsIn(t *testing.T) {
	for name, host := range map[string]string{"localhost": "localhost", "IPv4": "127.0.0.1", "IPv6": "[::1]"} {
		t.Run(name, func(t *testing.T) {
			conf, fake := program(t)
			conf.RedirectURL = "http://" + host + ":" + port(t) + "/back here"
			conf.RedirectURL = strings.ReplaceAll(conf.RedirectURL, " ", "%20")
			fake.Change(func(h *pinteresttest.Handler) { h.Latency = 100 * time.Millisecond }) // so that both are there before it is over
			seen := make(chan string, 2)
			token, err := login.Loopback(t.Context(), conf, func(page string) error {
				for range 2 { // as a browser does that loads pages ahead
					go func() {
						_, body := visit(t, page)
						seen <- body
					}()
				}
				return nil
			})
			require.NoError(t, err)
			assert.True(t, token.Valid())
			assert.Contains(t, <-seen, "You are logged in")
			assert.Contains(t, <-seen, "You are logged in")
			assert.Equal(t, 1, fake.Counts().Token)
			_, err = http.Get(conf.RedirectURL)
			assert.Error(t, err, "nobody listens any more")
		})
	}
}

func TestOnlyTheLoginThatWaitsIsTaken(t *testing.T) {
	conf, fake := program(t)
	_, err := login.Loopback(t.Context(), conf, func(page string) error {
		for target, want := range map[string]int{
			"favicon.ico": 404, "else?code=1&state=x": 404,
			"": 400, "?code=1": 400, "?code=1&state=": 400, "?code=%3Cscript%3E&state=wrong": 400, "?error=access_denied": 400,
		} {
			status, body := visit(t, conf.RedirectURL+target)
			assert.Equal(t, want, status, target)
			assert.NotContains(t, strings.ToLower(body), "script", target)
		}
		resp, err := http.Head(conf.RedirectURL)
		require.NoError(t, err)
		assert.Equal(t, 405, resp.StatusCode)
		assert.Zero(t, fake.Counts().Token)
		_, body := visit(t, page)
		assert.Contains(t, body, "You are logged in")
		return nil
	})
	assert.NoError(t, err)
}

func TestTheUserIsToldWhyTheLoginDidNotWork(t *testing.T) {
	for name, c := range map[string]struct {
		change func(to string) string
		says   string
		check  func(t *testing.T, err error)
	}{
		"said no": {func(to string) string { return changed(t, to, "error", "access_denied") }, "You did not give access",
			func(t *testing.T, err error) { assert.ErrorIs(t, err, login.ErrDenied) }},
		"a code that is none": {func(to string) string { return changed(t, to, "code", "c0de") }, "The login did not work",
			func(t *testing.T, err error) {
				assert.ErrorIs(t, err, pinterest.ErrReauthorize)
				assert.NotContains(t, err.Error(), "c0de")
			}},
	} {
		t.Run(name, func(t *testing.T) {
			conf, _ := program(t)
			var body string
			opened := make(chan struct{})
			token, err := login.Loopback(t.Context(), conf, func(page string) error {
				defer close(opened)
				stop := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
				resp, err := stop.Get(page)
				if err != nil {
					return err
				}
				resp.Body.Close()
				_, body = visit(t, c.change(resp.Header.Get("Location")))
				return nil
			})
			assert.Nil(t, token)
			c.check(t, err)
			<-opened
			assert.Contains(t, body, c.says)
			assert.NotContains(t, body, "c0de")
		})
	}
}

func TestALoginThatNobodyComesBackFromEndsWithItsContext(t *testing.T) {
	conf, _ := program(t)
	why := errors.New("five minutes are over")
	for foreign, open := range map[bool]func(string) error{
		false: func(string) error { return nil },
		true: func(string) error {
			visit(t, conf.RedirectURL+"?code=1&state=another")
			return nil
		},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		_, err := login.Loopback(ctx, conf, func(page string) error {
			defer cancel(why)
			return open(page)
		})
		assert.ErrorIs(t, err, why)
		assert.Equal(t, foreign, errors.Is(err, login.ErrForeign))
	}
}

func TestABrowserThatCannotBeOpenedEndsTheLogin(t *testing.T) {
	conf, _ := program(t)
	none := errors.New("there is no browser")
	_, err := login.Loopback(t.Context(), conf, func(string) error { return none })
	assert.ErrorIs(t, err, none)
}

func TestARedirectURLThatLeadsElsewhereIsRefused(t *testing.T) {
	for _, to := range []string{"https://example.com/", "http://example.com:8085/", "https://localhost:8085/", "urn:ietf:wg:oauth:2.0:oob", "http://localhost:8085/#x", "http://local host/"} {
		_, err := login.Loopback(t.Context(), &pinterest.Config{ClientID: "1", ClientSecret: "2", RedirectURL: to}, func(string) error { panic("nothing to open") })
		assert.ErrorContains(t, err, "http://localhost", to)
	}
}

func TestNobodyIsBotheredForAnAppThatLacksSomething(t *testing.T) {
	for fault, conf := range map[string]*pinterest.Config{
		"ClientID is empty":        {ClientSecret: "2", RedirectURL: "http://localhost:8085/"},
		"ClientSecret is empty":    {ClientID: "1", RedirectURL: "http://localhost:8085/"},
		"RedirectURL is empty":     {ClientID: "1", ClientSecret: "2"},
		"ClientID holds white":     {ClientID: "1\n", ClientSecret: "2", RedirectURL: "http://localhost:8085/"},
		"ClientSecret holds white": {ClientID: "1", ClientSecret: "2\r", RedirectURL: "http://localhost:8085/"},
		"RedirectURL holds white":  {ClientID: "1", ClientSecret: "2", RedirectURL: " http://localhost:8085/"},
		"ClientID holds":           {ClientID: "1\u200b", ClientSecret: "2", RedirectURL: "http://localhost:8085/"},
		"ClientSecret holds":       {ClientID: "1", ClientSecret: "\ufeff2", RedirectURL: "http://localhost:8085/"},
	} {
		_, err := login.Loopback(t.Context(), conf, func(string) error { panic("nothing to open") })
		assert.ErrorContains(t, err, "Config."+fault)
		var told error
		h := &login.Handler{Config: conf, Done: func(_ http.ResponseWriter, _ *http.Request, _ *oauth2.Token, err error) { told = err }}
		w := httptest.NewRecorder()
		h.Start(w, httptest.NewRequest(http.MethodGet, "/login", nil))
		assert.Equal(t, err, told)
		assert.Empty(t, w.Result().Cookies())
	}
	var told error
	h := &login.Handler{Done: func(_ http.ResponseWriter, _ *http.Request, _ *oauth2.Token, err error) { told = err }}
	h.Callback(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/?state=ab", nil))
	assert.ErrorContains(t, told, "the Config is nil")
}

func TestAPortThatIsTakenInOneFamilyIsTaken(t *testing.T) {
	conf, _ := program(t)
	at := strings.TrimSuffix(strings.TrimPrefix(conf.RedirectURL, "http://localhost"), "/")
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		l, err := net.Listen("tcp", host+at)
		require.NoError(t, err)
		_, err = login.Loopback(t.Context(), conf, func(string) error { panic("nothing to open") })
		assert.ErrorContains(t, err, "is taken by another program", host)
		require.NoError(t, l.Close())
	}
	token, err := login.Loopback(t.Context(), conf, func(page string) error { visit(t, page); return nil })
	require.NoError(t, err, "nothing was left open")
	assert.IsType(t, new(oauth2.Token), token)
}
