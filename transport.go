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

	"github.com/go-pinterest/pinterest/internal/renew"
	"github.com/go-pinterest/pinterest/internal/wire"
)

// NewClient returns an HTTP client over a [Transport] with the given source.
// As with [oauth2.NewClient], the client in the context under
// [oauth2.HTTPClient] gives it its transport, cookie jar, redirect policy and
// timeout. Ctx is used for nothing else, and its end ends nothing.
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
// A request whose token cannot be had is not sent: the error is an [*Error]. While
// a token is renewed no connection is held.
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
	if t.Source.usable() != nil {
		closeBody(req)
		return nil, errors.New("pinterest: the Transport has no Source that a method of Config or Accounts made")
	}
	if !t.trusts(req.URL) || wire.Sending(req.Context()) {
		return base.RoundTrip(req)
	}
	token, err := t.Source.get(req.Context(), time.Now())
	if err != nil {
		closeBody(req)
		return nil, err
	}
	resp, err := base.RoundTrip(authorize(req, token))
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	return t.again(base, req, token, resp)
}

// again has the token that was rejected renewed, and sends req once more, if it
// can be.
func (t *Transport) again(base http.RoundTripper, req *http.Request, old *renew.Token, resp *http.Response) (*http.Response, error) {
	source := &t.Source.source
	first := source.Token() == old && !source.Busy() // what is renewed already may be dead for that alone
	said := readAll(resp)                            // or its connection would be held while the token is renewed
	next, _, err := source.Replace(req.Context(), old, renew.Rejected)
	if err != nil {
		var refused *Error
		if errors.Is(err, ErrReauthorize) && errors.As(err, &refused) && refused.StatusCode != 0 && saysDead(said) {
			source.Expire(old)
		}
		return resp, nil
	}
	replay := authorize(req, next)
	if req.Body != nil && req.Body != http.NoBody {
		if req.GetBody == nil {
			return resp, nil
		}
		if replay.Body, err = req.GetBody(); err != nil {
			return resp, nil
		}
	}
	resp, err = base.RoundTrip(replay)
	if first && err == nil && resp.StatusCode != http.StatusUnauthorized {
		source.Accepted()
	}
	return resp, err
}

// readAll reads the body of resp into memory, where the caller will find it, and
// closes the connection's. An answer that is longer than any error, or takes
// longer, is cut.
func readAll(resp *http.Response) []byte {
	if resp.Body == nil { // as a mock's can be
		return nil
	}
	const most, longest = 1 << 20, 5 * time.Second
	from := resp.Body
	defer time.AfterFunc(longest, func() { from.Close() }).Stop()
	body, err := io.ReadAll(io.LimitReader(from, most+1))
	if len(body) > most {
		body, err = body[:most], io.ErrUnexpectedEOF
	}
	from.Close()
	tail, end := io.Pipe()
	end.CloseWithError(err) // nil is io.EOF
	resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), tail))
	return body
}

// saysDead reports whether the body of a 401 is Pinterest's for an expired or
// revoked access token, code 2, and not for a missing scope, say.
func saysDead(body []byte) bool {
	var said struct{ Code any }
	_ = json.Unmarshal(body, &said)
	code, _ := wire.Number(said.Code)
	return code == 2
}

// trusts reports whether the token may travel to u.
func (t *Transport) trusts(u *url.URL) bool {
	if !confidential(u) {
		return false
	}
	if t.Hosts == nil {
		host := hostOf(t.Source.origin.conf.tokenEndpoint())
		return sameHost(host, u.Host) || sameHost(withPort(host, u.Scheme), withPort(u.Host, u.Scheme))
	}
	for _, host := range t.Hosts {
		if sameHost(host, u.Host) || sameHost(host, withPort(u.Host, u.Scheme)) || sameHost(withoutBrackets(host), u.Hostname()) {
			return true
		}
	}
	return false
}

// hostOf returns what url.Parse makes the Host of a URL that names one, as this
// is asked at every request. Of a URL with a user in it, it returns what is no host.
func hostOf(rawURL string) string {
	_, host, _ := strings.Cut(rawURL, "://")
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	return host
}

// sameHost compares hosts without regard to the case of ASCII letters, and of
// no others: what else a name is folded to is up to who dials it.
func sameHost(a, b string) bool {
	return a != "" && (a == b || strings.EqualFold(a, b) && strings.IndexFunc(a+b, notASCII) < 0)
}

// sameServer compares the hosts of two token endpoints, of which one may name
// the port of https and the other not.
func sameServer(a, b string) bool { return sameHost(withPort(a, "https"), withPort(b, "https")) }

func notASCII(r rune) bool { return r > '~' }

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

// withoutBrackets makes an IPv6 address in a URL's form one in the plain form.
func withoutBrackets(host string) string {
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		return host[1 : len(host)-1]
	}
	return host
}

// authorize returns a copy of req with the token. The contract of RoundTripper
// forbids to add it to req itself, and Base to write into the slices they share.
func authorize(req *http.Request, t *renew.Token) *http.Request {
	r := *req
	if r.Header = maps.Clone(req.Header); r.Header == nil {
		r.Header = make(http.Header, 1)
	}
	r.Header["Authorization"] = t.Header()
	return &r
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}
