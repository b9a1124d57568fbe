package pinterest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
)

// A wire stands where the network is: it keeps every request and answers it
// by its answer function, in the caller's goroutine.
type wire struct {
	answer func(r *http.Request) (*http.Response, error)

	mu   sync.Mutex // guards sent
	sent []sent
}

type sent struct {
	method, url, body string
	header            http.Header
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		r.Body.Close()
	}
	w.mu.Lock()
	w.sent = append(w.sent, sent{r.Method, r.URL.String(), string(body), r.Header.Clone()})
	w.mu.Unlock()
	resp, err := w.answer(r)
	if resp != nil {
		resp.Request = r
	}
	return resp, err
}

func (w *wire) requests() []sent {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]sent(nil), w.sent...)
}

// context returns a context whose HTTP client sends by w.
func (w *wire) context(parent context.Context) context.Context {
	return context.WithValue(parent, oauth2.HTTPClient, &http.Client{Transport: w})
}

func answer(status int, body string) *http.Response {
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {"application/json"}},
		ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
	}
}

// answering returns a wire that gives every request the same answer.
func answering(status int, body string) *wire {
	return &wire{answer: func(*http.Request) (*http.Response, error) { return answer(status, body), nil }}
}

// failing returns a wire that gives no answer.
func failing(err error) *wire {
	return &wire{answer: func(*http.Request) (*http.Response, error) { return nil, err }}
}

const goodAnswer = `{"access_token":"pina_new","refresh_token":"pinr.new","response_type":"authorization_code","token_type":"bearer","expires_in":2592000,"refresh_token_expires_in":5184000,"scope":"boards:read pins:read"}`

func testConfig() *pinterest.Config {
	return &pinterest.Config{
		ClientID:     "1234567",
		ClientSecret: "s3cret-of-the-app",
		RedirectURL:  "http://localhost:8085/",
		Scopes:       []string{pinterest.ScopeBoardsRead, pinterest.ScopePinsRead},
	}
}

// expiredToken is a token that has to be renewed before it can be used.
func expiredToken() *oauth2.Token {
	return &oauth2.Token{AccessToken: "pina_old", RefreshToken: "pinr.old", Expiry: time.Now().Add(-time.Hour)}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}

// A lockedBuffer is where a log goes that is read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
