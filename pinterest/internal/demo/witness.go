package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// A witness stands between the demo's clients and the network, and is told of
// every renewed token. It notes what the fake Pinterest cannot see: how long
// the callers waited, and what for.
//
// Tokens are known by numbers, in the order in which they came.
type witness struct {
	base     http.RoundTripper
	tokenURL string
	failed   func(failedRequest) // told of every token request that failed
	renewed  func(renewal)       // told of every renewed token

	mu       sync.Mutex      // guards what follows
	numbers  map[string]int  // of the access tokens
	refresh  map[string]bool // the refresh tokens that came
	since    time.Time       // when the newest access token came
	expiry   time.Time       // when it expires
	requests int             // to the token endpoint
	failures []failedRequest // those that failed since the last token came
	renewals []renewal
	healing  bool // a 401 is expected, and renewals come of it
}

// A failedRequest is a token request that got no token.
type failedRequest struct {
	at      time.Time
	healing bool   // a 401 was the cause
	status  int    // zero: there was no answer
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// String returns the code and the first sentence of the message.
func (f failedRequest) String() string {
	message, _, _ := strings.Cut(f.Message, ". ")
	return fmt.Sprintf("code %d: %s", f.Code, strings.TrimSuffix(message, "."))
}

// A renewal is how a token came that was not the first.
type renewal struct {
	token    int
	at       time.Time
	left     time.Duration   // how long the token before had to live
	failures []failedRequest // the tries before
	healing  bool            // a 401 was the cause
}

// RoundTrip implements [http.RoundTripper].
func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	if c, ok := r.Context().Value(callKey{}).(*call); ok {
		c.sent = append(c.sent, sentCall{time.Now(), w.number(r)})
		return w.base.RoundTrip(r)
	}
	resp, err := w.base.RoundTrip(r)
	if r.URL.String() == w.tokenURL {
		w.noteAnswer(resp, err)
	}
	return resp, err
}

func (w *witness) number(r *http.Request) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return w.numbers[token]
}

func (w *witness) noteAnswer(resp *http.Response, err error) {
	f := failedRequest{at: time.Now()}
	if err == nil && resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(body))
		_ = json.Unmarshal(body, &f) // what is not JSON says nothing
		f.status = resp.StatusCode
	}
	w.mu.Lock()
	w.requests++
	f.healing = w.healing
	failed := err != nil || f.status != 0
	if failed {
		w.failures = append(w.failures, f)
	}
	w.mu.Unlock()
	if failed {
		w.failed(f)
	}
}

// noteFirst is told of the token that the code was exchanged for.
func (w *witness) noteFirst(t *oauth2.Token) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note(t)
}

// noteRenewed is the OnRefresh of the demo's Config.
func (w *witness) noteRenewed(_ context.Context, t *oauth2.Token) error {
	w.mu.Lock()
	r := renewal{at: time.Now(), left: time.Until(w.expiry), failures: w.failures, healing: w.healing}
	w.failures = nil
	w.note(t)
	r.token = len(w.numbers)
	w.renewals = append(w.renewals, r)
	w.mu.Unlock()
	w.renewed(r)
	return nil
}

// note is called under the lock.
func (w *witness) note(t *oauth2.Token) {
	if _, known := w.numbers[t.AccessToken]; !known {
		w.numbers[t.AccessToken] = len(w.numbers) + 1
	}
	w.refresh[t.RefreshToken] = true
	w.expiry, w.since = t.Expiry, time.Now()
}

// expect401 says whether a renewal, from now on, comes of a 401.
func (w *witness) expect401(yes bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.healing = yes
}

// newest returns the newest access token's number, when it came and when it expires.
func (w *witness) newest() (number int, since, expiry time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.numbers), w.since, w.expiry
}
