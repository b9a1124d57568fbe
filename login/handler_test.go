package login_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/login"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// A site is a web app with a login, and what became of those who came back.
type site struct {
	*httptest.Server
	fake    *pinteresttest.Server
	handler *login.Handler

	mu   sync.Mutex // guards what follows
	done []result
}

type result struct {
	token *oauth2.Token
	err   error
	url   string
	over  error // of the context
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{fake: pinteresttest.NewServer(&pinteresttest.Handler{AutoApprove: true})}
	t.Cleanup(s.fake.Close)
	mux := http.NewServeMux()
	s.Server = httptest.NewTLSServer(mux)
	t.Cleanup(s.Server.Close)
	s.handler = &login.Handler{
		Config: &pinterest.Config{ClientID: pinteresttest.DefaultAppID, ClientSecret: pinteresttest.DefaultAppSecret, Endpoint: s.fake.Endpoint(),
			RedirectURL: s.URL + "/callback?from=pinterest", Scopes: []string{pinterest.ScopeBoardsRead}},
		Done: func(w http.ResponseWriter, r *http.Request, tok *oauth2.Token, err error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.done = append(s.done, result{tok, err, r.URL.String() + " " + r.RequestURI + " " + r.FormValue("code"), r.Context().Err()})
			if err != nil {
				http.Error(w, "no", http.StatusForbidden)
				return
			}
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
			_, _ = io.WriteString(w, "welcome")
		},
	}
	mux.HandleFunc("/login", s.handler.Start)
	mux.HandleFunc("/callback", s.handler.Callback)
	return s
}

// browser returns a client that keeps cookies, and stops at the callback.
func (s *site) browser(t *testing.T) *http.Client {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	c := *s.Client()
	c.Jar = jar
	c.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/callback" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return &c
}

// start begins a login and returns the URL by which Pinterest sends the user back.
func (s *site) start(t *testing.T, browser *http.Client) string {
	t.Helper()
	resp, err := browser.Get(s.URL + "/login")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusFound, resp.StatusCode)
	return resp.Header.Get("Location")
}

func get(t *testing.T, browser *http.Client, url string) (int, string, http.Header) {
	t.Helper()
	resp, err := browser.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body), resp.Header
}

// changed returns the URL with a parameter changed; empty: without it.
func changed(t *testing.T, to, name, value string) string {
	u, err := url.Parse(to)
	require.NoError(t, err)
	q := u.Query()
	q.Set(name, value)
	if value == "" {
		q.Del(name)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func TestAUserLogsIn(t *testing.T) {
	s := newSite(t)
	browser := s.browser(t)
	status, body, header := get(t, browser, s.start(t, browser))
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "welcome", body)
	assert.Equal(t, "no-store", header.Get("Cache-Control"))
	assert.Equal(t, "no-referrer", header.Get("Referrer-Policy"))
	require.Len(t, s.done, 1)
	assert.NoError(t, s.done[0].err)
	assert.True(t, s.done[0].token.Valid())
	assert.Equal(t, "/callback?from=pinterest /callback?from=pinterest ", s.done[0].url, "nothing of what Pinterest added is left to be logged")
	at, err := url.Parse(s.URL)
	require.NoError(t, err)
	cookies := browser.Jar.Cookies(at)
	require.Len(t, cookies, 1, "the login's cookie is gone")
	assert.Equal(t, "session", cookies[0].Name)
}

func TestDoneMaySendHintsBeforeItsAnswer(t *testing.T) {
	s := newSite(t)
	browser := s.browser(t)
	callback := s.start(t, browser)
	s.handler.Done = func(w http.ResponseWriter, _ *http.Request, _ *oauth2.Token, _ error) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusTeapot)
	}
	status, _, _ := get(t, browser, callback)
	assert.Equal(t, http.StatusTeapot, status)
}

func TestCookiesThatOthersSetBeforeTheCallbackStay(t *testing.T) {
	h := &login.Handler{
		Config: &pinterest.Config{ClientID: "1", ClientSecret: "2", RedirectURL: "http://localhost:8085/"},
		Done: func(w http.ResponseWriter, _ *http.Request, _ *oauth2.Token, _ error) {
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
		},
	}
	w := httptest.NewRecorder()
	h.Start(w, httptest.NewRequest(http.MethodGet, "/login", nil))
	to, err := w.Result().Location()
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodGet, "/?error=access_denied&state="+to.Query().Get("state"), nil)
	r.AddCookie(w.Result().Cookies()[0])
	w = httptest.NewRecorder()
	http.SetCookie(w, &http.Cookie{Name: "csrf", Value: "2"})
	h.Callback(w, r)
	var names []string
	for _, c := range w.Result().Cookies() {
		names = append(names, c.Name)
	}
	assert.Contains(t, names, "csrf")
	assert.Contains(t, names, "session")
	assert.Len(t, names, 3, "and the login's is taken away")
}

func TestTheCookieIsForThisBrowserAlone(t *testing.T) {
	for redirectURL, secure := range map[string]bool{"https://example.com/callback": true, "http://localhost:8085/callback": false} {
		h := &login.Handler{Config: &pinterest.Config{ClientID: "1", ClientSecret: "2", RedirectURL: redirectURL}}
		w := httptest.NewRecorder()
		h.Start(w, httptest.NewRequest(http.MethodPost, "/login", nil))
		assert.Equal(t, http.StatusSeeOther, w.Code)
		c := w.Result().Cookies()
		require.Len(t, c, 1)
		assert.Equal(t, secure, c[0].Secure)
		assert.Equal(t, secure, strings.HasPrefix(c[0].Name, "__Host-"))
		assert.True(t, c[0].HttpOnly)
		assert.Equal(t, http.SameSiteLaxMode, c[0].SameSite)
		assert.Equal(t, "/", c[0].Path)
		assert.Equal(t, 1800, c[0].MaxAge)
		to, err := w.Result().Location()
		require.NoError(t, err)
		assert.GreaterOrEqual(t, len(to.Query().Get("state")), 52)
		assert.NotContains(t, c[0].Name, c[0].Value)
	}
}

func TestACallbackOfNoLoginBegunHereIsForeign(t *testing.T) {
	s := newSite(t)
	browser, other := s.browser(t), s.browser(t)
	ours, theirs := s.start(t, browser), s.start(t, other)
	for name, to := range map[string]string{
		"another's":                  theirs,
		"none":                       changed(t, ours, "state", ""),
		"half":                       changed(t, ours, "state", "x"),
		"a wrong one, and an error":  changed(t, changed(t, ours, "state", strings.Repeat("A", 52)), "error", "access_denied"),
		"ours, from another browser": "",
	} {
		who := browser
		if to == "" {
			who, to = other, ours
		}
		status, _, header := get(t, who, to)
		assert.Equal(t, http.StatusForbidden, status, name)
		assert.Equal(t, "no-referrer", header.Get("Referrer-Policy"), name)
		assert.ErrorIs(t, s.done[len(s.done)-1].err, login.ErrForeign, name)
		assert.NotContains(t, s.done[len(s.done)-1].url, "state", name)
	}
	assert.Zero(t, s.fake.Counts().Token)
	status, _, _ := get(t, browser, ours)
	assert.Equal(t, http.StatusOK, status, "the login goes on all the same")
}

func TestSeveralTabsLogInAtOnce(t *testing.T) {
	s := newSite(t)
	browser := s.browser(t)
	one, two := s.start(t, browser), s.start(t, browser)
	for _, to := range []string{two, one} {
		status, _, _ := get(t, browser, to)
		assert.Equal(t, http.StatusOK, status)
	}
	assert.Len(t, s.done, 2)
}

func TestABrowserThatComesTwiceSeesThatItWorked(t *testing.T) {
	s := newSite(t)
	browser := s.browser(t)
	to := s.start(t, browser)
	req, err := http.NewRequest(http.MethodGet, to, nil)
	require.NoError(t, err)
	for _, c := range browser.Jar.Cookies(req.URL) {
		req.AddCookie(c) // as they were when both requests were sent
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			resp, err := s.Client().Do(req.Clone(t.Context()))
			if assert.NoError(t, err) {
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				assert.NoError(t, err)
				assert.Equal(t, http.StatusOK, resp.StatusCode)
				assert.Equal(t, "welcome", string(body))
				assert.Len(t, resp.Cookies(), 2)
			}
		})
	}
	wg.Wait()
	assert.Len(t, s.done, 1)
	assert.Equal(t, 1, s.fake.Counts().Token)
	status, _, _ := get(t, browser, to)
	assert.Equal(t, http.StatusOK, status, "the jar still has the cookie, as none of these answers came to it")
	status, _, _ = get(t, browser, to)
	assert.Equal(t, http.StatusForbidden, status, "it is over")
	assert.ErrorIs(t, s.done[1].err, login.ErrForeign)
}

func TestWhyThereIsNoToken(t *testing.T) {
	for name, c := range map[string]struct {
		change func(to string) string
		check  func(t *testing.T, err error)
	}{
		"the user said no": {
			func(to string) string { return changed(t, to, "error", "access_denied") },
			func(t *testing.T, err error) { assert.ErrorIs(t, err, login.ErrDenied) },
		},
		"an error of Pinterest's": {
			func(to string) string { return changed(t, to, "error", "server_error") },
			func(t *testing.T, err error) {
				assert.EqualError(t, err, "login: Pinterest ended the login with the error server_error")
			},
		},
		"an error that is no word": {
			func(to string) string { return changed(t, to, "error", "<script>c0de") },
			func(t *testing.T, err error) {
				assert.EqualError(t, err, "login: Pinterest ended the login with an error")
			},
		},
		"no code": {
			func(to string) string { return changed(t, to, "code", "") },
			func(t *testing.T, err error) {
				assert.EqualError(t, err, "login: Pinterest ended the login without a code")
			},
		},
		"a code that is none": {
			func(to string) string { return changed(t, to, "code", "c0de") },
			func(t *testing.T, err error) {
				assert.ErrorIs(t, err, pinterest.ErrReauthorize)
				assert.NotContains(t, err.Error(), "c0de")
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			browser := s.browser(t)
			status, body, _ := get(t, browser, c.change(s.start(t, browser)))
			assert.Equal(t, http.StatusForbidden, status)
			assert.Equal(t, "no\n", body)
			require.Len(t, s.done, 1)
			assert.Nil(t, s.done[0].token)
			c.check(t, s.done[0].err)
		})
	}
}

func TestABrowserThatLeavesCutsNoLoginShort(t *testing.T) {
	s := newSite(t)
	browser := s.browser(t)
	to := s.start(t, browser)
	exchanging, go_on := make(chan struct{}), make(chan struct{})
	client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		close(exchanging)
		<-go_on
		return http.DefaultTransport.RoundTrip(r)
	})}
	left := make(chan struct{})
	var finished atomic.Bool
	finish := s.handler.Done
	ended := make(chan struct{})
	s.handler.Done = func(w http.ResponseWriter, r *http.Request, tok *oauth2.Token, err error) {
		finish(w, r, tok, err)
		finished.Store(true)
		close(ended)
	}
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), oauth2.HTTPClient, client)
		go func() {
			<-ctx.Done()
			close(left)
		}()
		s.handler.Callback(w, r.WithContext(ctx))
	}))
	front.TLS = &tls.Config{Certificates: s.TLS.Certificates}
	front.StartTLS()
	defer front.Close()
	at, err := url.Parse(to)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, front.URL+"/callback?"+at.RawQuery, nil)
	require.NoError(t, err)
	for _, c := range browser.Jar.Cookies(at) {
		req.AddCookie(c)
	}
	go func() {
		<-exchanging
		cancel()
		<-left
		close(go_on)
	}()
	_, err = s.Client().Do(req)
	require.ErrorIs(t, err, context.Canceled)
	<-ended
	assert.True(t, finished.Load())
	require.Len(t, s.done, 1)
	assert.NoError(t, s.done[0].err)
	assert.NoError(t, s.done[0].over, "what Done saves is not cut short either")
	assert.NotNil(t, s.done[0].token)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAHandlerThatPanicsHangsNobodyWhoComesTwice(t *testing.T) {
	s := newSite(t)
	browser := s.browser(t)
	to := s.start(t, browser)
	s.handler.Done = func(http.ResponseWriter, *http.Request, *oauth2.Token, error) { panic(http.ErrAbortHandler) }
	resp, err := browser.Get(to)
	if err != nil { // else the client has come twice by itself
		resp, err = browser.Get(to)
	}
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusInternalServerError, resp.StatusCode)
}
