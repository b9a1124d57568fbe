package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// freeURL returns a redirect URL at the host, on a port that nobody listens on.
func freeURL(t *testing.T, host string) *url.URL {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return &url.URL{Scheme: "http", Host: net.JoinHostPort(host, port), Path: "/"}
}

func TestTheCallbackListensOnLoopbackAlone(t *testing.T) {
	for host, want := range map[string][]string{"localhost": {"127.0.0.1", "::1"}, "127.0.0.1": {"127.0.0.1"}, "127.0.0.2": {"127.0.0.2"}, "::1": {"::1"}} {
		listeners, err := listenLoopback(t.Context(), freeURL(t, host))
		if err != nil && host != "localhost" {
			t.Logf("%s: %v", host, err) // not every machine has every address
			continue
		}
		require.NoError(t, err)
		for _, l := range listeners {
			at := l.Addr().(*net.TCPAddr)
			assert.True(t, at.IP.IsLoopback())
			assert.Contains(t, want, at.IP.String())
			assert.NoError(t, l.Close())
		}
	}
}

func TestAPortThatIsTakenInOneFamilyIsTaken(t *testing.T) {
	u := freeURL(t, "localhost")
	for _, taken := range []string{"127.0.0.1", "::1"} {
		l, err := net.Listen("tcp", net.JoinHostPort(taken, u.Port()))
		if err != nil {
			t.Skipf("%s: %v", taken, err)
		}
		_, err = listenLoopback(t.Context(), u)
		assert.ErrorContains(t, err, "is taken by another program", taken)
		require.NoError(t, l.Close())
		// Nothing else is left open.
		listeners, err := listenLoopback(t.Context(), u)
		require.NoError(t, err)
		for _, l := range listeners {
			l.Close()
		}
	}
}

func TestOneCallbackOfTheRightStateIsTakenAndNothingElse(t *testing.T) {
	b := &callback{state: "right", path: "/", w: io.Discard, came: make(chan url.Values, 1), answered: make(chan struct{})}
	get := func(method, target string) *http.Response {
		w := httptest.NewRecorder()
		b.ServeHTTP(w, httptest.NewRequest(method, target, nil))
		return w.Result()
	}
	for target, want := range map[string]int{
		"/favicon.ico": 404, "/else?code=1&state=right": 404,
		"/": 400, "/?code=1": 400, "/?code=1&state=": 400, "/?code=1&state=wrong": 400, "/?code=1&state=right+": 400, "/?error=access_denied": 400,
	} {
		assert.Equal(t, want, get(http.MethodGet, target).StatusCode, target)
	}
	assert.Equal(t, 405, get(http.MethodPost, "/?code=1&state=right").StatusCode)
	assert.Equal(t, 405, get(http.MethodHead, "/?code=1&state=right").StatusCode)
	assert.Empty(t, b.came)

	b.Answer(nil)
	first := get(http.MethodGet, "/?code=1&state=right")
	assert.Equal(t, 200, first.StatusCode)
	assert.Equal(t, "no-store", first.Header.Get("Cache-Control"))
	assert.Equal(t, "no-referrer", first.Header.Get("Referrer-Policy"))
	assert.Contains(t, first.Header.Get("Content-Security-Policy"), "default-src 'none'")
	assert.Equal(t, 409, get(http.MethodGet, "/?code=2&state=right").StatusCode)
	code, err := b.Wait(t.Context())
	assert.NoError(t, err)
	assert.Equal(t, "1", code)
}

func TestThePagesQuoteNothingOfTheCallback(t *testing.T) {
	for _, q := range []string{"error=%3Cscript%3E&state=right", "code=%3Cscript%3E&state=right", "code=%3Cscript%3E&state=%3Cscript%3E"} {
		b := &callback{state: "right", path: "/", w: io.Discard, came: make(chan url.Values, 1), answered: make(chan struct{})}
		b.Answer(errors.New("<script>"))
		w := httptest.NewRecorder()
		b.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/?"+q, nil))
		assert.NotContains(t, strings.ToLower(w.Body.String()), "script")
	}
}

func TestThePastedAddressMustHaveTheState(t *testing.T) {
	for pasted, want := range map[string]string{
		"http://localhost:8085/?code=c&state=right":              "c",
		"https://example.com/cb?x=y&code=c&state=right#":         "c",
		"http://localhost:8085/?state=right&code=c":              "c",
		"?code=c&state=right":                                    "c",
		"http://localhost:8085/?code=c":                          "",
		"http://localhost:8085/?code=c&state=wrong":              "",
		"http://localhost:8085/?state=right":                     "",
		"http://localhost:8085/?error=access_denied&state=right": "",
		"c": "", "": "", "?%zz": "",
	} {
		code, err := codeOf(pasted, "right")
		assert.Equal(t, want, code, pasted)
		assert.Equal(t, want == "", err != nil, pasted)
		var f *failure
		assert.True(t, err == nil || errors.As(err, &f) && f.hint != "", pasted)
	}
	_, err := codeOf("?error=access_denied&state=right", "right")
	assert.ErrorIs(t, err, errDenied)
}
