package pinterest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

const account = "https://api.pinterest.com/v5/user_account"

func TestA401IsAnsweredByOneRenewalAndOneReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true, OldAccessDies: true})
		client := pinterest.NewClient(l.ctx, l.conf.TokenSource(l.ctx, l.tok))
		for i := range 10 { // as often as it happens
			l.fake.ExpireAccess()
			status, _ := call(t, client)
			require.Equal(t, http.StatusOK, status)
			assert.Equal(t, i+1, l.fake.Counts().Refresh)
			assert.Equal(t, i+1, l.fake.Counts().Unauthorized)
		}
	})
}

func TestTheReplayCarriesTheSameRequest(t *testing.T) {
	var api []sent
	w := &wire{}
	w.answer = func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/v5/oauth/token" {
			return answer(http.StatusOK, goodAnswer), nil
		}
		api = append(api, w.requests()[len(w.requests())-1])
		if len(api) == 1 {
			return answer(http.StatusUnauthorized, `{"code":2,"message":"Authentication failed."}`), nil
		}
		return answer(http.StatusCreated, `{"id":"1"}`), nil
	}
	ctx := w.context(t.Context())
	client := pinterest.NewClient(ctx, testConfig().TokenSource(ctx, &oauth2.Token{AccessToken: "pina_dead", RefreshToken: "pinr.x"}))
	resp, err := client.Post("https://api.pinterest.com/v5/pins", "application/json", strings.NewReader(`{"title":"a pin"}`))
	require.NoError(t, err)
	assert.Equal(t, http.StatusCreated, resp.StatusCode)
	require.Len(t, api, 2)
	assert.Equal(t, "application/json", api[0].header.Get("Content-Type"), "the caller's headers are kept on")
	assert.Equal(t, "Bearer pina_dead", api[0].header.Get("Authorization"))
	assert.Equal(t, "Bearer pina_new", api[1].header.Get("Authorization"))
	for i := range api {
		api[i].header.Del("Authorization")
	}
	assert.Equal(t, api[0], api[1])
	assert.Equal(t, `{"title":"a pin"}`, api[1].body)
}

func TestARequestThatCannotBeReplayedGetsItsAnswerAndTheNextANewToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		client := pinterest.NewClient(l.ctx, l.conf.TokenSource(l.ctx, l.tok))
		l.fake.ExpireAccess()
		stream := struct{ io.Reader }{strings.NewReader("no GetBody")}
		req, err := http.NewRequest(http.MethodGet, account, stream)
		require.NoError(t, err)
		resp, err := client.Do(req)
		require.NoError(t, err)
		assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)
		synctest.Wait()
		status, _ := call(t, client)
		assert.Equal(t, http.StatusOK, status)
		assert.Equal(t, 1, l.fake.Counts().Refresh)
	})
}

func TestABodyIsHadAgainOrTheFirstAnswerStands(t *testing.T) {
	again := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("pin")), nil }
	broken := func() (io.ReadCloser, error) { return nil, errors.New("the file is gone") }
	for name, c := range map[string]struct {
		body    io.ReadCloser
		getBody func() (io.ReadCloser, error)
		want    []string
	}{
		"no body":                    {nil, nil, []string{"", ""}},
		"a body of nothing":          {http.NoBody, nil, []string{"", ""}},
		"one that can be had again":  {io.NopCloser(strings.NewReader("pin")), again, []string{"pin", "pin"}},
		"one that cannot":            {io.NopCloser(strings.NewReader("pin")), nil, []string{"pin"}},
		"one that cannot, this time": {io.NopCloser(strings.NewReader("pin")), broken, []string{"pin"}},
	} {
		t.Run(name, func(t *testing.T) {
			var bodies []string
			w := &wire{}
			w.answer = func(r *http.Request) (*http.Response, error) {
				if r.URL.Path == "/v5/oauth/token" {
					return answer(http.StatusOK, goodAnswer), nil
				}
				bodies = append(bodies, w.requests()[len(w.requests())-1].body)
				if r.Header.Get("Authorization") == "Bearer pina_new" {
					return answer(http.StatusOK, ""), nil
				}
				return answer(http.StatusUnauthorized, `{"code":2}`), nil
			}
			src := testConfig().TokenSource(w.context(t.Context()), &oauth2.Token{AccessToken: "pina_dead", RefreshToken: "pinr.x"})
			req, err := http.NewRequest(http.MethodPost, account, nil)
			require.NoError(t, err)
			req.Body, req.GetBody = c.body, c.getBody
			resp, err := (&pinterest.Transport{Source: src, Base: w}).RoundTrip(req)
			require.NoError(t, err)
			assert.Equal(t, c.want, bodies)
			assert.Equal(t, len(c.want) == 2, resp.StatusCode == http.StatusOK)
		})
	}
}

func TestUploadsThatCannotBeReplayedHaveEachDeadTokenRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		client := pinterest.NewClient(l.ctx, l.conf.TokenSource(l.ctx, l.tok))
		upload := func() int {
			req, err := http.NewRequest(http.MethodGet, account, struct{ io.Reader }{strings.NewReader("x")})
			require.NoError(t, err)
			resp, err := client.Do(req)
			require.NoError(t, err)
			resp.Body.Close()
			synctest.Wait()
			return resp.StatusCode
		}
		for range 10 {
			l.fake.ExpireAccess()
			require.Equal(t, http.StatusUnauthorized, upload())
			require.Equal(t, http.StatusOK, upload())
			time.Sleep(10 * time.Minute)
		}
	})
}

// A request held up across two lives of a token meets a successor that has
// itself expired.
func TestA401IsNotReplayedWithATokenThatHasExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{AccessLife: 10 * time.Second})
		client := pinterest.NewClient(l.ctx, l.conf.TokenSource(l.ctx, l.tok))
		l.fake.Fail("/v5/user_account", pinteresttest.Fault{Latency: 20 * time.Second})
		held := make(chan int)
		go func() {
			status, _ := call(t, client)
			held <- status
		}()
		time.Sleep(9500 * time.Millisecond)
		status, _ := call(t, client) // renewed in the background, until 19.5 s
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, http.StatusOK, <-held)
	})
}

func TestUploadsThatAreAlwaysAnswered401DoNotCostARenewalEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{OldAccessDies: true})
		client := pinterest.NewClient(l.ctx, l.conf.TokenSource(l.ctx, l.tok))
		for range 20 {
			req, err := http.NewRequest(http.MethodGet, "https://api.pinterest.com/v5/pins", struct{ io.Reader }{strings.NewReader("x")})
			require.NoError(t, err)
			resp, err := client.Do(req)
			require.NoError(t, err)
			resp.Body.Close()
			status, _ := call(t, client)
			require.Equal(t, http.StatusOK, status)
			time.Sleep(time.Second)
		}
		assert.Equal(t, 1, l.fake.Counts().Refresh)
	})
}

func TestAnUploadOfADeadAccountSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		client := pinterest.NewClient(l.ctx, l.conf.TokenSource(l.ctx, l.tok))
		l.fake.RevokeGrants()
		upload := func() error {
			req, err := http.NewRequest(http.MethodGet, account, struct{ io.Reader }{strings.NewReader("x")})
			require.NoError(t, err)
			resp, err := client.Do(req)
			if err == nil {
				resp.Body.Close()
			}
			return err
		}
		require.NoError(t, upload(), "the first gets what the API said")
		require.ErrorIs(t, upload(), pinterest.ErrReauthorize)
	})
}

func TestDeadTokensAreNotReplayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		l.tok.RefreshToken = ""
		client := pinterest.NewClient(l.ctx, l.conf.TokenSource(l.ctx, l.tok))
		l.fake.ExpireAccess()
		var wg sync.WaitGroup
		for i := range 50 {
			l.fake.Fail("/v5/user_account", pinteresttest.Fault{Latency: time.Duration(i+1) * time.Millisecond})
			wg.Go(func() {
				status, _ := call(t, client)
				assert.Equal(t, http.StatusUnauthorized, status)
			})
		}
		wg.Wait()
		assert.Equal(t, 50, l.fake.Counts().API)
	})
}

func TestWhatTheAPIFinallySaidReachesTheCaller(t *testing.T) {
	const dead = `{"code":2,"message":"Authentication failed."}`
	for name, token := range map[string]func() (*http.Response, error){
		"the renewal is refused":     func() (*http.Response, error) { return answer(401, `{"code":283,"message":"Invalid"}`), nil },
		"the renewal has no answer":  func() (*http.Response, error) { return nil, errors.New("no route to host") },
		"the new token is no better": func() (*http.Response, error) { return answer(200, goodAnswer), nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{answer: func(r *http.Request) (*http.Response, error) {
					if r.URL.Path == "/v5/oauth/token" {
						return token()
					}
					return answer(http.StatusUnauthorized, dead), nil
				}}
				ctx := w.context(t.Context())
				client := pinterest.NewClient(ctx, testConfig().TokenSource(ctx, &oauth2.Token{AccessToken: "pina_dead", RefreshToken: "pinr.x"}))
				resp, err := client.Get(account)
				require.NoError(t, err)
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)
				assert.Equal(t, dead, string(body))
			})
		})
	}
}

func TestWhenBothTokensAreDeadLaterRequestsSaySo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		src := l.conf.TokenSource(l.ctx, l.tok)
		client := pinterest.NewClient(l.ctx, src)
		l.fake.RevokeGrants()
		resp, err := client.Get(account)
		require.NoError(t, err, "the first gets what the API said")
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.JSONEq(t, `{"code":2,"message":"Authentication failed.","status":"failure"}`, string(body))
		for range 3 {
			_, err = client.Get(account)
			require.ErrorIs(t, err, pinterest.ErrReauthorize)
			_, err = src.Token()
			require.ErrorIs(t, err, pinterest.ErrReauthorize)
		}
		assert.Equal(t, 1, l.fake.Counts().API)
		assert.Equal(t, 1, l.fake.Counts().Token)
	})
}

func TestAMissingScopeBuriesNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		client := pinterest.NewClient(l.ctx, l.conf.TokenSource(l.ctx, l.tok))
		l.fake.Fail("/v5/oauth/token", pinteresttest.Fault{Status: 401, Code: 283})
		resp, err := client.Get("https://api.pinterest.com/v5/pins") // 401, code 3
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)
		status, _ := call(t, client)
		assert.Equal(t, http.StatusOK, status, "the token is good for what it is for")
	})
}

func TestATokenThatWasReplacedMeanwhileIsNotRenewedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true, Latency: time.Second})
		client := pinterest.NewClient(l.ctx, l.conf.TokenSource(l.ctx, l.tok))
		l.fake.ExpireAccess()
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 25 * time.Millisecond) // their 401s come before, during and after the renewal
				status, _ := call(t, client)
				assert.Equal(t, http.StatusOK, status)
			})
		}
		wg.Wait()
		assert.Equal(t, 1, l.fake.Counts().Refresh)
	})
}

// forAnHour asks for an account that is answered 401, so many at a time, calls begun,
// and asks another endpoint, which is content all the while.
func forAnHour(t *testing.T, client *http.Client, callers int, begun func()) {
	t.Helper()
	for range 3600 {
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				status, _ := call(t, client)
				assert.Equal(t, http.StatusUnauthorized, status)
			})
		}
		begun()
		resp, err := client.Get("https://api.pinterest.com/v5/boards")
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		resp.Body.Close()
		wg.Wait()
		time.Sleep(time.Second)
	}
}

func TestAnEndpointThatAlwaysAnswers401DoesNotCostARenewalPerRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		l.tok = l.fake.Login(pinterest.ScopeBoardsRead) // the account needs another scope, which Pinterest answers 401
		forAnHour(t, pinterest.NewClient(l.ctx, l.conf.TokenSource(l.ctx, l.tok)), 3, func() {})
		// After 1, 2, 4 and then 5 minutes, give or take a quarter.
		assert.InDelta(t, 14, l.fake.Counts().Refresh, 3)
	})
}

// A renewal can kill the former token: requests that are under way then get a 401
// that says nothing of whether renewals help.
func TestATokenThatARenewalHasKilledIsNoProofThatRenewalsHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true, OldAccessDies: true})
		l.tok = l.fake.Login(pinterest.ScopeBoardsRead)
		fake := l.fake.Client().Transport
		l.ctx = context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := fake.RoundTrip(r)
			if r.URL.Path == "/v5/oauth/token" {
				time.Sleep(time.Second) // its answer is on the way
			}
			return resp, err
		})})
		forAnHour(t, pinterest.NewClient(l.ctx, l.conf.TokenSource(l.ctx, l.tok)), 1, synctest.Wait)
		assert.InDelta(t, 14, l.fake.Counts().Refresh, 3)
	})
}

func TestRequestsToOtherHostsPassThroughUntouched(t *testing.T) {
	for target, token := range map[string]bool{
		"https://api.pinterest.com/v5/pins":             true,
		"https://API.Pinterest.com/v5/pins":             true,
		"https://api.pinterest.com:443/v5/pins":         true,
		"https://api.pinterest.com:8443/v5/pins":        false,
		"http://api.pinterest.com/v5/pins":              false,
		"https://api-sandbox.pinterest.com/v5/pins":     false,
		"https://www.pinterest.com/":                    false,
		"https://pinterest-media.s3.amazonaws.com/":     false,
		"https://api.pinterest.com.example.com/v5/pins": false,
		"https://example.com/api.pinterest.com":         false,
		"https://api.pintere\u017ft.com/v5/pins":        false, // a letter that folds to s
		"https://api.pinterest.com@example.com/v5/pins": false,
	} {
		t.Run(target, func(t *testing.T) {
			var got *http.Request
			base := roundTripper(func(r *http.Request) (*http.Response, error) {
				got = r
				return answer(http.StatusOK, ""), nil
			})
			tr := &pinterest.Transport{Base: base, Source: testConfig().TokenSource(t.Context(), &oauth2.Token{AccessToken: "pina_x"})}
			req, err := http.NewRequest(http.MethodPut, target, nil)
			require.NoError(t, err)
			_, err = tr.RoundTrip(req)
			require.NoError(t, err)
			if token {
				assert.Equal(t, "Bearer pina_x", got.Header.Get("Authorization"))
			} else {
				assert.Same(t, req, got)
				assert.Empty(t, req.Header)
			}
		})
	}
}

func TestAnotherHostCostsNoToken(t *testing.T) {
	base := roundTripper(func(*http.Request) (*http.Response, error) { return answer(http.StatusUnauthorized, ""), nil })
	w := answering(200, goodAnswer)
	tr := &pinterest.Transport{Base: base, Source: testConfig().TokenSource(w.context(t.Context()), expiredToken())}
	req, _ := http.NewRequest(http.MethodGet, "https://example.com/", nil)
	resp, err := tr.RoundTrip(req)
	require.NoError(t, err)
	assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	assert.Empty(t, w.requests())
}

func TestHostsNameWhoGetsTheToken(t *testing.T) {
	cases := []struct {
		hosts  []string
		target string
		token  bool
	}{
		{[]string{"example.com"}, "https://example.com/", true},
		{[]string{"example.com"}, "https://EXAMPLE.com:8443/", true},
		{[]string{"example.com"}, "http://example.com/", false},
		{[]string{"example.com"}, "https://sub.example.com/", false},
		{[]string{"example.com:443"}, "https://example.com/", true},
		{[]string{"example.com:443"}, "https://example.com:8443/", false},
		{[]string{"a.example", "b.example"}, "https://b.example/", true},
		{[]string{"localhost:8080"}, "http://localhost:8080/", true},
		{[]string{"localhost:8080"}, "http://localhost:8081/", false},
		{[]string{"127.0.0.1"}, "http://127.0.0.1:9999/", true},
		{[]string{"::1"}, "http://[::1]:9999/", true},
		{[]string{"[::1]"}, "http://[::1]:9999/", true},
		{[]string{"[::1]"}, "http://[::1]/", true},
		{[]string{"[::1]:80"}, "http://[::1]/", true},
		{[]string{"[::1]:80"}, "http://[::1]:81/", false},
		{[]string{"[::2]"}, "http://[::2]/", false},
		{[]string{"[::2]"}, "https://[::2]:1/", true},
		{[]string{}, "https://api.pinterest.com/", false},
		{[]string{""}, "https://api.pinterest.com/", false},
		{[]string{""}, "https://:443/", false},
		{[]string{"kit.example"}, "https://\u212ait.example/", false}, // a letter that folds to k
		{[]string{"\u212ait.example"}, "https://kit.example/", false},
	}
	for _, c := range cases {
		var got http.Header
		base := roundTripper(func(r *http.Request) (*http.Response, error) {
			got = r.Header
			return answer(http.StatusOK, ""), nil
		})
		tr := &pinterest.Transport{Base: base, Hosts: c.hosts, Source: testConfig().TokenSource(t.Context(), &oauth2.Token{AccessToken: "pina_x"})}
		req, err := http.NewRequest(http.MethodGet, c.target, nil)
		require.NoError(t, err)
		_, err = tr.RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, c.token, got.Get("Authorization") != "", "%v %s", c.hosts, c.target)
	}
}

// Over real sockets: the API redirects to storage, as it does for media.
func TestARedirectCarriesTheTokenNowhereElse(t *testing.T) {
	var leaked http.Header
	storage := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { leaked = r.Header.Clone() }))
	defer storage.Close()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if assert.Equal(t, "Bearer pina_x", r.Header.Get("Authorization")) {
			http.Redirect(w, r, storage.URL+"/upload", http.StatusTemporaryRedirect)
		}
	}))
	defer api.Close()
	conf := testConfig()
	conf.Endpoint.TokenURL = api.URL + "/v5/oauth/token"
	client := conf.Client(t.Context(), &oauth2.Token{AccessToken: "pina_x"})
	resp, err := client.Get(api.URL + "/v5/media")
	require.NoError(t, err)
	resp.Body.Close()
	require.NotNil(t, leaked)
	assert.NotContains(t, leaked, "Authorization")
}

func TestTransportKeepsTheContractOfRoundTripper(t *testing.T) {
	t.Run("the request is not modified", func(t *testing.T) {
		base := roundTripper(func(r *http.Request) (*http.Response, error) {
			r.Header.Add("X-Base", "adds to its own copy")
			r.Header.Set("Accept", "nothing")
			return answer(http.StatusOK, ""), nil
		})
		tr := &pinterest.Transport{Base: base, Source: testConfig().TokenSource(t.Context(), &oauth2.Token{AccessToken: "pina_x"})}
		req, err := http.NewRequest(http.MethodGet, account, nil)
		require.NoError(t, err)
		req.Header.Set("Accept", "application/json")
		_, err = tr.RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, http.Header{"Accept": {"application/json"}}, req.Header)
		req.Header = nil
		_, err = tr.RoundTrip(req)
		require.NoError(t, err)
	})
	t.Run("the body is closed when nothing is sent", func(t *testing.T) {
		for name, src := range map[string]*pinterest.TokenSource{
			"no source": nil,
			"no token":  testConfig().TokenSource(t.Context(), nil),
			"zero":      new(pinterest.TokenSource),
		} {
			body := &closeRecorder{Reader: strings.NewReader("body")}
			req, err := http.NewRequest(http.MethodPost, account, body)
			require.NoError(t, err)
			_, err = (&pinterest.Transport{Source: src}).RoundTrip(req)
			require.Error(t, err, name)
			assert.True(t, body.closed, name)
		}
	})
}

func TestARequestWaitsForATokenNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{Latency: 20 * time.Second})
		client := pinterest.NewClient(l.ctx, l.conf.TokenSource(l.ctx, l.tok))
		time.Sleep(31 * day)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, account, nil)
		require.NoError(t, err)
		start := time.Now()
		_, err = client.Do(req)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(start))
		time.Sleep(20 * time.Second) // the renewal goes on, and a bubble must not end before it
	})
}

func TestADeadGrantReachesTheCallerOfTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		for kind, newClient := range clients {
			client := newClient(l.ctx, l.conf.TokenSource(l.ctx, l.tok))
			time.Sleep(100 * day)
			_, err := client.Get(account)
			require.ErrorIs(t, err, pinterest.ErrReauthorize, kind)
			var r *oauth2.RetrieveError
			require.ErrorAs(t, err, &r, kind)
			assert.Equal(t, "invalid_grant", r.ErrorCode, kind)
		}
	})
}

func TestNewClientKeepsTheContextsClient(t *testing.T) {
	jar := struct{ http.CookieJar }{}
	redirect := errors.New("no redirects")
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{
		Jar: jar, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return redirect },
		Transport: answering(http.StatusOK, ""),
	})
	client := testConfig().Client(ctx, &oauth2.Token{AccessToken: "pina_x"})
	assert.Equal(t, jar, client.Jar)
	assert.Equal(t, time.Minute, client.Timeout)
	assert.Equal(t, redirect, client.CheckRedirect(nil, nil))
	assert.IsType(t, new(pinterest.Transport), client.Transport)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type closeRecorder struct {
	io.Reader
	closed bool
}

func (c *closeRecorder) Close() error { c.closed = true; return nil }

// A 401 whose body is open holds its connection, and the token request waits for
// one.
func TestWhileATokenIsRenewedA401HoldsNoConnection(t *testing.T) {
	for n := 1; n <= 3; n++ {
		server := pinteresttest.NewServer(new(pinteresttest.Handler))
		t.Cleanup(server.Close)
		base := &http.Transport{MaxConnsPerHost: n}
		t.Cleanup(base.CloseIdleConnections)
		ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: base})
		conf := &pinterest.Config{ClientID: pinteresttest.DefaultAppID, ClientSecret: pinteresttest.DefaultAppSecret, Endpoint: server.Endpoint()}
		client := conf.Client(ctx, server.Login(pinterest.ScopeUserAccountsRead))
		server.ExpireAccess()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/v5/user_account", nil)
				require.NoError(t, err)
				resp, err := client.Do(req)
				if assert.NoError(t, err, "%d connections", n) {
					assert.Equal(t, http.StatusOK, resp.StatusCode)
					resp.Body.Close()
				}
			})
		}
		wg.Wait()
		assert.Equal(t, 1, server.Counts().Refresh)
	}
}

func TestTheBodyOfA401IsClosedBeforeTheRenewal(t *testing.T) {
	said := &closeRecorder{Reader: strings.NewReader("said")}
	w := &wire{answer: func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/v5/oauth/token" {
			assert.True(t, said.closed)
			return answer(http.StatusNotFound, "{}"), nil
		}
		resp := answer(http.StatusUnauthorized, "")
		resp.Body = said
		return resp, nil
	}}
	ctx := w.context(t.Context())
	resp, err := testConfig().Client(ctx, &oauth2.Token{AccessToken: "pina_x", RefreshToken: "pinr.x"}).Get(account)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, "said", string(body), "and what it held is the caller's all the same")
	assert.Len(t, w.requests(), 2)
}

func TestWhatA401SaidIsTheCallersToReadHoweverItEnds(t *testing.T) {
	const most = 1 << 20
	for name, c := range map[string]struct {
		body io.Reader
		want string
		err  error
	}{
		"whole":    {strings.NewReader("said"), "said", nil},
		"broken":   {io.MultiReader(strings.NewReader("said"), iotest.ErrReader(io.ErrUnexpectedEOF)), "said", io.ErrUnexpectedEOF},
		"too long": {strings.NewReader(strings.Repeat("x", most+1)), strings.Repeat("x", most), io.ErrUnexpectedEOF},
	} {
		w := &wire{answer: func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/v5/oauth/token" {
				return answer(http.StatusNotFound, ""), nil
			}
			resp := answer(http.StatusUnauthorized, "")
			resp.Body = io.NopCloser(c.body)
			return resp, nil
		}}
		ctx := w.context(t.Context())
		resp, err := testConfig().Client(ctx, &oauth2.Token{AccessToken: "pina_x", RefreshToken: "pinr.x"}).Get(account)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		assert.Equal(t, c.err, err, name)
		assert.True(t, c.want == string(body), "%s: %d bytes", name, len(body))
		require.NoError(t, resp.Body.Close())
	}
}

func TestA401WhoseBodyDoesNotEndIsRenewedAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		fake := l.fake.Client().Transport
		l.ctx = context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := fake.RoundTrip(r)
			if resp.StatusCode == http.StatusUnauthorized {
				resp.Body, _ = io.Pipe()
			}
			return resp, err
		})})
		client := pinterest.NewClient(l.ctx, l.conf.TokenSource(l.ctx, l.tok))
		l.fake.ExpireAccess()
		status, took := call(t, client)
		assert.Equal(t, http.StatusOK, status)
		assert.Less(t, took, time.Minute)
	})
}

func TestA401WithoutABodyIsTaken(t *testing.T) {
	for name, token := range map[string]*http.Response{"renewed": answer(200, goodAnswer), "refused": answer(404, "")} {
		w := &wire{answer: func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/v5/oauth/token" {
				return token, nil
			}
			return &http.Response{StatusCode: http.StatusUnauthorized}, nil
		}}
		src := testConfig().TokenSource(w.context(t.Context()), &oauth2.Token{AccessToken: "pina_x", RefreshToken: "pinr.x"})
		req, err := http.NewRequest(http.MethodGet, account, nil)
		require.NoError(t, err)
		resp, err := (&pinterest.Transport{Source: src, Base: w}).RoundTrip(req)
		require.NoError(t, err, name)
		assert.Equal(t, http.StatusUnauthorized, resp.StatusCode, name)
	}
}

func TestTheErrorOfTheReplayReachesTheCaller(t *testing.T) {
	cut := errors.New("connection reset by peer")
	w := &wire{answer: func(r *http.Request) (*http.Response, error) {
		switch {
		case r.URL.Path == "/v5/oauth/token":
			return answer(http.StatusOK, goodAnswer), nil
		case r.Header.Get("Authorization") == "Bearer pina_new":
			return nil, cut
		}
		return answer(http.StatusUnauthorized, ""), nil
	}}
	ctx := w.context(t.Context())
	_, err := testConfig().Client(ctx, &oauth2.Token{AccessToken: "pina_x", RefreshToken: "pinr.x"}).Get(account)
	require.ErrorIs(t, err, cut)
}

func TestARenewalThatFailsOtherwiseBuriesNoToken(t *testing.T) {
	for name, fault := range map[string]pinteresttest.Fault{
		"for a while":      {Status: 404},
		"for the operator": {Status: 401, Code: 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t, new(pinteresttest.Handler))
				client := pinterest.NewClient(l.ctx, l.conf.TokenSource(l.ctx, l.tok))
				l.fake.Fail("/v5/user_account", pinteresttest.Fault{Status: 401, Code: 2})
				l.fake.Fail("/v5/oauth/token", fault)
				status, _ := call(t, client)
				assert.Equal(t, http.StatusUnauthorized, status)
				status, _ = call(t, client)
				assert.Equal(t, http.StatusOK, status)
				assert.Equal(t, 1, l.fake.Counts().Token)
			})
		})
	}
}

func TestA401ThatMeansNothingBuriesNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		l.tok.RefreshToken = ""
		for kind, newClient := range clients {
			client := newClient(l.ctx, l.conf.TokenSource(l.ctx, l.tok))
			l.fake.Fail("/v5/user_account", pinteresttest.Fault{Status: 401, Code: 2})
			status, _ := call(t, client)
			assert.Equal(t, http.StatusUnauthorized, status, kind)
			status, _ = call(t, client)
			assert.Equal(t, http.StatusOK, status, "%s: once in a while Pinterest is wrong", kind)
		}
	})
}

// A program that makes the client with tokens its client for everything.
func TestATokenRequestGoesUntouchedThroughAClientThatAddsTokens(t *testing.T) {
	for name, conf := range map[string]*pinterest.Config{"the same app's": testConfig(), "another app's": {ClientID: "7654321", ClientSecret: "other"}} {
		t.Run(name, func(t *testing.T) {
			w := answering(http.StatusOK, goodAnswer)
			around := conf.Client(w.context(t.Context()), &oauth2.Token{AccessToken: "pina_around", RefreshToken: "pinr.around"})
			ctx := context.WithValue(t.Context(), oauth2.HTTPClient, around)
			_, err := testConfig().TokenSource(ctx, expiredToken()).Token()
			require.NoError(t, err)
			_, err = testConfig().Exchange(ctx, "code")
			require.NoError(t, err)
			require.NoError(t, testConfig().Revoke(ctx, &oauth2.Token{AccessToken: "pina_x"}))
			require.Len(t, w.requests(), 3)
			for _, sent := range w.requests() {
				assert.Equal(t, "Basic MTIzNDU2NzpzM2NyZXQtb2YtdGhlLWFwcA==", sent.header.Get("Authorization"))
			}
		})
	}
	t.Run("of x/oauth2", func(t *testing.T) {
		w, inner := answering(http.StatusOK, goodAnswer), new(http.Client)
		ctx := context.WithValue(t.Context(), oauth2.HTTPClient, inner)
		src := testConfig().TokenSource(ctx, expiredToken())
		*inner = *oauth2.NewClient(w.context(t.Context()), src) // the source's own: it would wait for itself
		resp, err := oauth2.NewClient(ctx, src).Get(account)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Len(t, w.requests(), 2)
		assert.Equal(t, "Basic MTIzNDU2NzpzM2NyZXQtb2YtdGhlLWFwcA==", w.requests()[0].header.Get("Authorization"))
		assert.Equal(t, "Bearer pina_new", w.requests()[1].header.Get("Authorization"))
	})
	t.Run("its own", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := answering(http.StatusOK, goodAnswer)
			around := &pinterest.Transport{Base: w}
			ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: around})
			around.Source = testConfig().TokenSource(ctx, expiredToken())
			start := time.Now()
			_, err := (&http.Client{Transport: around}).Get(account)
			require.NoError(t, err, "and it does not wait for itself")
			assert.Zero(t, time.Since(start))
			require.Len(t, w.requests(), 2)
			assert.Equal(t, "Bearer pina_new", w.requests()[1].header.Get("Authorization"))
		})
	})
}

// Whatever the request looks like, the token goes to an address that net/http
// would dial for a URL of the host that Hosts name.
func FuzzTheTokenGoesNowhereElse(f *testing.F) {
	for _, seed := range []string{
		"https://api.pinterest.com/", "https://API.pinterest.com:443/x", "https://api.pinterest.com:/", "https://api.pinterest.com.:443/",
		"https://api.pinterest.com@evil.example/", "https://evil.example\\@api.pinterest.com/", "https://api.pinterest.com%00.evil.example/",
		"https://api.pintere\u017ft.com/", "https://\uff41pi.pinterest.com/", "http://api.pinterest.com/", "HTTPS://api.pinterest.com/",
		"https://[api.pinterest.com]/", "https://api.pinterest.com:443:443/", "//api.pinterest.com/", "https:api.pinterest.com", "wss://api.pinterest.com/",
	} {
		f.Add(seed)
	}
	conf := testConfig()
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.Parse(target)
		if err != nil {
			return
		}
		for hosts, dialled := range map[string]string{"": "api.pinterest.com:443", "api.pinterest.com:443": "api.pinterest.com:443", "api.pinterest.com": ""} {
			sent := false
			tr := &pinterest.Transport{
				Source: conf.TokenSource(t.Context(), &oauth2.Token{AccessToken: "pina_x"}),
				Base: roundTripper(func(r *http.Request) (*http.Response, error) {
					sent = r.Header.Get("Authorization") != ""
					return answer(http.StatusOK, ""), nil
				}),
			}
			if hosts != "" {
				tr.Hosts = []string{hosts}
			}
			if _, err := tr.RoundTrip(&http.Request{Method: http.MethodGet, URL: u, Header: make(http.Header)}); err != nil || !sent {
				continue
			}
			to := dials(t, u)
			if to == "" {
				continue // net/http dials nothing
			}
			if dialled == "" {
				host, _, err := net.SplitHostPort(to)
				require.NoError(t, err)
				assert.Equal(t, "api.pinterest.com", strings.ToLower(host), target)
			} else {
				assert.Equal(t, dialled, strings.ToLower(to), target)
			}
			assert.Equal(t, "https", u.Scheme)
		}
	})
}

// dials returns the address that net/http dials for u, or nothing.
func dials(t *testing.T, u *url.URL) (address string) {
	t.Helper()
	dialled := make(chan string, 1)
	note := func(_ context.Context, _, addr string) (net.Conn, error) {
		select {
		case dialled <- addr:
		default:
		}
		return nil, errors.New("not dialled")
	}
	tr := &http.Transport{DialContext: note, DialTLSContext: note}
	_, _ = tr.RoundTrip((&http.Request{Method: http.MethodGet, URL: u, Header: make(http.Header)}).WithContext(t.Context()))
	select {
	case address = <-dialled:
	default:
	}
	return address
}
