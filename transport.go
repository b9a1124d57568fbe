package pinterest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// NewClient returns an HTTP client over a [Transport] with the given source.
// As with [oauth2.NewClient], the client in the context under
// [oauth2.HTTPClient] gives it its transport, cookie jar, redirect policy and
// timeout.
func NewClient(ctx context.Context, src *TokenSource) *http.Client {
	client := *contextClient(ctx)
	client.Transport = &Transport{Source: src, Base: client.Transport}
	return &client
}

// A Transport is an [http.RoundTripper] that adds the token of its source to
// requests to Pinterest's API, and to no others.
//
// Compared with [oauth2.Transport] it sends the token only to Hosts, waits for
// a token no longer than the request's context allows, and answers a 401 by
// renewing the token and sending the request once more, if its body can be had
// again (GetBody is set, as http.NewRequest does for the common readers). The
// second answer is then returned, or the first if there is no new token. If
// Pinterest says that both tokens are dead, later requests fail with
// [ErrReauthorize] without being sent. An endpoint that goes on answering 401 to
// new tokens does not cause further renewals for some minutes.
//
// A Transport may be used by several goroutines at once. Its fields must not
// be modified meanwhile.
type Transport struct {
	// Source supplies the token.
	Source *TokenSource

	// Base sends the requests. Nil means http.DefaultTransport.
	Base http.RoundTripper

	// Hosts are the hosts that get the token, over https, or over plain http
	// on loopback. A host without a port stands for all its ports. Nil means
	// the host and port of the token endpoint. Requests to other hosts,
	// redirects included, pass through untouched.
	Hosts []string
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	if t.Source == nil || t.Source.conf == nil {
		closeBody(req)
		return nil, errors.New("pinterest: the Transport has no Source that a method of Config made")
	}
	if !t.trusts(req.URL) {
		return base.RoundTrip(req)
	}
	l, err := t.Source.get(req.Context(), time.Now())
	if err != nil {
		closeBody(req)
		return nil, err
	}
	resp, err := base.RoundTrip(authorize(req, l))
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		if err == nil && l.unproven.Load() && !replayable(req) && l.unproven.CompareAndSwap(true, false) {
			t.Source.accepted()
		}
		return resp, err
	}
	return t.again(base, req, l, resp)
}

// again sends req once more, if it can be and the token that l holds is renewed.
func (t *Transport) again(base http.RoundTripper, req *http.Request, l *lease, resp *http.Response) (*http.Response, error) {
	why := rejected
	if !replayable(req) {
		why = unseen // renewed for the next request
	}
	first := t.Source.current.Load() == l
	next, err := t.Source.renewed(req.Context(), l, why)
	if errors.Is(err, ErrReauthorize) && saysDead(resp) {
		t.Source.bury(l)
	}
	if err != nil || why == unseen {
		return resp, nil
	}
	replay := authorize(req, next)
	if replay.Body != nil && replay.Body != http.NoBody {
		if replay.Body, err = req.GetBody(); err != nil {
			return resp, nil
		}
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 2<<10) // as net/http does, so that the connection can be used again
	resp.Body.Close()
	resp, err = base.RoundTrip(replay)
	if first && err == nil && resp.StatusCode != http.StatusUnauthorized {
		t.Source.accepted()
	}
	return resp, err
}

func replayable(req *http.Request) bool {
	return req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
}

// saysDead reports whether a 401 is Pinterest's for an expired or revoked access
// token, code 2, and not for a missing scope, say. It leaves the answer whole.
func saysDead(resp *http.Response) bool {
	head, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), resp.Body), resp.Body}
	var said struct{ Code int }
	return json.Unmarshal(head, &said) == nil && said.Code == 2
}

// trusts reports whether the token may travel to u.
func (t *Transport) trusts(u *url.URL) bool {
	if u == nil || u.Host == "" || u.Scheme != "https" && !confidential(u) {
		return false
	}
	if t.Hosts == nil {
		host := t.Source.host
		return u.Host == host || sameHost(withPort(u.Host, u.Scheme), withPort(host, u.Scheme))
	}
	for _, host := range t.Hosts {
		if sameHost(host, u.Host) || sameHost(host, u.Hostname()) || sameHost(host, withPort(u.Host, u.Scheme)) {
			return true
		}
	}
	return false
}

// sameHost compares hosts without regard to the case of ASCII letters, and of
// no others: what else a name is folded to is up to who dials it.
func sameHost(a, b string) bool {
	return strings.EqualFold(a, b) && strings.IndexFunc(a+b, func(r rune) bool { return r > '~' }) < 0
}

// withPort adds the scheme's port to a host that has none.
func withPort(host, scheme string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		return host
	}
	if scheme == "http" {
		return host + ":80"
	}
	return host + ":443"
}

// authorize returns a copy of req with l's token. The contract of RoundTripper
// forbids to add it to req itself, and Base to write into the slices they share.
func authorize(req *http.Request, l *lease) *http.Request {
	r := *req
	if r.Header = maps.Clone(req.Header); r.Header == nil {
		r.Header = make(http.Header, 1)
	}
	r.Header["Authorization"] = l.header
	return &r
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}
