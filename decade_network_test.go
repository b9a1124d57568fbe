package pinterest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing/iotest"
	"time"

	"github.com/go-pinterest/pinterest/pinteresttest"
)

// A network is the way of a process to Pinterest.
type network struct{ p *process }

// A conn is one connection; it is busy until the answer's body is closed.
type conn struct{ answered time.Time }

type ctxKey string

// withCall marks the requests to the API that are sent for c.
func withCall(ctx context.Context, c *libraryCall) context.Context {
	return context.WithValue(ctx, ctxKey("call"), c)
}

func (n network) RoundTrip(r *http.Request) (*http.Response, error) {
	n.p.stopIfKilled()
	w, isToken := n.p.w, r.URL.Path == "/v5/oauth/token"
	call, _ := r.Context().Value(ctxKey("call")).(*libraryCall)
	if call != nil && !isToken {
		w.lock(call.sent)
	}
	if r.URL.Hostname() != "api.pinterest.com" {
		if got := r.Header.Get("Authorization"); got != "" {
			w.lock(func() { w.broken(tokensStayAtPinterest, "%s got %q", r.URL.Host, got) })
		}
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
	}
	c, err := n.connect(r.Context(), isToken)
	if err != nil {
		return nil, err
	}
	answered := false
	release := sync.OnceFunc(func() {
		w.lock(func() { delete(n.p.holding, c) })
		if n.p.conns != nil {
			<-n.p.conns
		}
	})
	defer func() { // also if the goroutine exits
		if !answered {
			release()
		}
	}()
	var resp *http.Response
	if isToken {
		resp, err = n.askForToken(r)
	} else {
		resp, err = n.useAPI(r, call)
	}
	if err != nil {
		return nil, err
	}
	answered = true
	w.lock(func() { c.answered = time.Now() })
	resp.Body = closing{resp.Body, release}
	return resp, nil
}

type closing struct {
	io.Reader
	release func()
}

func (c closing) Close() error {
	c.release()
	return nil
}

// connect waits for a connection.
func (n network) connect(ctx context.Context, isToken bool) (*conn, error) {
	p, w := n.p, n.p.w
	if p.conns != nil {
		select {
		case p.conns <- struct{}{}:
		case <-p.killed:
			p.stopIfKilled()
		case <-ctx.Done():
			w.lock(func() {
				for other := range p.holding {
					if isToken && !other.answered.IsZero() && time.Since(other.answered) > 5*time.Second {
						w.broken(holdsNoConnection, "%s's token request waited for a connection that an answer of %v ago holds", p.name, time.Since(other.answered))
					}
				}
			})
			return nil, ctx.Err()
		}
	}
	c := new(conn)
	w.lock(func() { p.holding[c] = true })
	return c, nil
}

// askForToken is a request to the token endpoint.
func (n network) askForToken(r *http.Request) (*http.Response, error) {
	p, w := n.p, n.p.w
	body, _ := io.ReadAll(r.Body)
	r.Body.Close()
	r.Body = io.NopCloser(bytes.NewReader(body))
	form, _ := url.ParseQuery(string(body))
	q := &tokenRequest{p: p, acc: w.own, at: time.Now()}
	w.mu.Lock()
	if user, _, ok := r.BasicAuth(); !ok || user != pinteresttest.DefaultAppID {
		w.broken(tokensStayAtPinterest, "a token request with Authorization %q", r.Header.Get("Authorization"))
	}
	if form.Get("grant_type") == "refresh_token" {
		q.old = w.byRefresh[form.Get("refresh_token")]
		if q.old == nil {
			w.broken(refreshTokenOnce, "a refresh token that nobody issued was sent")
			w.mu.Unlock()
			return nil, errors.New("no such account")
		}
		q.acc = q.old.acc
	}
	if acc := q.acc; len(acc.faults) > 0 {
		q.fault, acc.faults = acc.faults[0], acc.faults[1:]
		w.count["token request: "+q.fault.name]++
	}
	w.requested(q)
	w.mu.Unlock()
	received := false
	defer func() { w.lock(func() { w.answered(q, received) }) }()
	before, after := w.tokenLatency+q.fault.Latency, time.Duration(0)
	switch {
	case q.fault.exit:
		runtime.Goexit()
	case q.fault.After:
		before, after = w.tokenLatency, q.fault.Latency
	}
	if err := p.pause(r.Context(), before); err != nil {
		return nil, err
	}
	var resp *http.Response
	var err error
	w.lock(func() { resp, err = w.answer(q, r) })
	if e := p.pause(r.Context(), after); e != nil {
		return nil, e
	}
	p.stopIfKilled()
	received = err == nil
	return resp, err
}

// answer has the fake Pinterest do what q asks for.
func (w *world) answer(q *tokenRequest, r *http.Request) (*http.Response, error) {
	acc := q.acc
	if q.fault.name != "" {
		f := q.fault.Fault
		f.Latency = 0 // which the fake would pass under the lock
		if q.fault.dated {
			now := time.Now().Add(acc.fake.Skew).UTC()
			f.Header = http.Header{"Date": {now.Format(http.TimeFormat)}}
			f.RetryAfter = now.Add(q.fault.asks + time.Second).Format(http.TimeFormat)
		}
		acc.fake.Fail(r.URL.Path, f)
	}
	before := acc.fake.Counts()
	resp, err := acc.fake.Client().Transport.RoundTrip(r)
	after := acc.fake.Counts()
	if after.FamiliesRevoked > before.FamiliesRevoked {
		w.revokedByReplay(q)
	}
	var body []byte
	if err == nil {
		var cut error
		body, cut = io.ReadAll(resp.Body)
		var rest io.Reader = bytes.NewReader(body)
		if cut != nil {
			rest = io.MultiReader(rest, iotest.ErrReader(cut))
		}
		resp.Body, q.status = io.NopCloser(rest), resp.StatusCode
	}
	if after.Issued > before.Issued {
		w.issue(q, body)
	}
	var said struct{ Code int }
	_ = json.Unmarshal(body, &said)
	q.code = said.Code
	return resp, err
}

// useAPI is a request with an access token.
func (n network) useAPI(r *http.Request, call *libraryCall) (*http.Response, error) {
	p, w := n.p, n.p.w
	w.mu.Lock()
	_, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	tok := w.tokens[bearer]
	if tok == nil {
		w.broken(tokensStayAtPinterest, "an API request with Authorization %q", r.Header.Get("Authorization"))
		w.mu.Unlock()
		return nil, errors.New("no such token")
	}
	w.used(p, tok, call)
	acc := tok.acc
	var f fault
	switch {
	case time.Now().Before(acc.refuses):
		f = always401
		f.Code = 2 + int(acc.refuses.Unix()&1)
	case len(acc.apiFaults) > 0:
		f, acc.apiFaults = acc.apiFaults[0], acc.apiFaults[1:]
	}
	if f.name != "" {
		w.count["API request: "+f.name]++
		acc.said401 = acc.said401 || f.Status == http.StatusUnauthorized
		tok.denied = tok.denied || f.Status == http.StatusUnauthorized && f.Code != 3
		if call != nil {
			call.faulty = true
		}
	}
	w.mu.Unlock()
	if err := p.pause(r.Context(), w.apiLatency+f.Latency); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if f.name != "" {
		f.Latency = 0
		acc.fake.Fail(r.URL.Path, f.Fault)
	}
	return acc.fake.Client().Transport.RoundTrip(r)
}

// accepts reports whether Pinterest accepts tok's access token now, without leaving a trace.
func (w *world) accepts(tok *issuedToken) bool {
	r, _ := http.NewRequest(http.MethodGet, "https://api.pinterest.com/v5/user_account", nil)
	r.Header.Set("Authorization", "Bearer "+tok.access)
	resp, err := tok.acc.fake.Client().Transport.RoundTrip(r)
	return err == nil && resp.StatusCode == http.StatusOK
}
