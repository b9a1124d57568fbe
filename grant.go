package pinterest

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// The grants of Pinterest's token endpoint (schema OauthAccessTokenRequest).
const (
	grantAuthorizationCode = "authorization_code"
	grantRefreshToken      = "refresh_token"
	grantClientCredentials = "client_credentials"
)

const (
	attemptTime = 30 * time.Second // for one try of a renewal
	maxTries    = 4                // of one renewal
)

// refresh renews t by its refresh token.
func (c *Config) refresh(ctx context.Context, t *oauth2.Token) (*oauth2.Token, error) {
	if t == nil {
		return nil, &Error{Op: opRefresh, Err: &decided{"there is no token to begin with: the user must authorize the app first", ErrReauthorize}}
	}
	if t.RefreshToken == "" {
		return nil, &Error{Op: opRefresh, Err: &decided{"the token has no refresh token to renew it by: the user must authorize the app again", ErrReauthorize}}
	}
	if !c.issued(t) {
		return nil, &Error{Op: opRefresh, Err: c.foreign(t)}
	}
	v := url.Values{"refresh_token": {t.RefreshToken}}
	c.RefreshOn.ask(grantRefreshToken, v)
	return c.retrieve(ctx, opRefresh, v, t)
}

// clientCredentials gets a token for the app's own account.
func (c *Config) clientCredentials(ctx context.Context) (*oauth2.Token, error) {
	if joinScopes(c.Scopes) == "" {
		return nil, &Error{Op: opClientCredentials, Err: misconfigured("Scopes is empty: client credentials need at least one scope")}
	}
	return c.retrieve(ctx, opClientCredentials, url.Values{"scope": {joinScopes(c.Scopes)}}, nil)
}

// retrieve gets a token from the token endpoint, trying again where that can
// do no harm. Old, if any, is the token that the new one replaces.
func (c *Config) retrieve(ctx context.Context, op string, v url.Values, old *oauth2.Token) (*oauth2.Token, error) {
	grant := op
	switch op {
	case opExchange:
		grant = grantAuthorizationCode
	case opRefresh:
		grant = grantRefreshToken
	}
	if !v.Has("grant_type") {
		v.Set("grant_type", grant)
	}
	for try := 1; ; try++ {
		asked := time.Now()
		raw, err := c.attempt(ctx, op, v)
		if err == nil {
			return c.newToken(raw, old, asked), nil
		}
		if try == maxTries || !harmless(op, err) || err.StatusCode == http.StatusTooManyRequests && ctx.Value(unlimited{}) != nil {
			return nil, err
		}
		wait := max(backoff(try, 250*time.Millisecond, 2*time.Second), err.RetryAfter)
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
			return nil, err
		}
		if pause(ctx, wait) != nil {
			return nil, err
		}
	}
}

// harmless reports whether a request that failed with err may be sent again.
// A code works once, so its exchange may only if it never left this machine.
func harmless(op string, err *Error) bool {
	if op == opExchange {
		var n *net.OpError
		return errors.As(err.Err, &n) && n.Op == "dial" && err.Temporary()
	}
	return err.Temporary()
}

// attempt sends one token request and reads the answer.
func (c *Config) attempt(ctx context.Context, op string, v url.Values) (map[string]any, *Error) {
	to, err := c.check()
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	if op != opExchange {
		// A request that is sent has its full time, even if the store's lock is
		// lost meanwhile: the answer may still be saved, and is lost otherwise.
		if err := ctx.Err(); err != nil {
			return nil, &Error{Op: op, Err: &passingError{err}}
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), attemptTime)
		defer cancel()
	}
	req, fail := c.newRequest(ctx, op, to, v)
	if fail != nil {
		return nil, fail
	}
	return c.send(op, req, c.secrets(v))
}

// newRequest returns a POST of v to one of the endpoints that know the app by
// HTTP Basic, the only scheme that Pinterest documents.
func (c *Config) newRequest(ctx context.Context, op string, to *url.URL, v url.Values) (*http.Request, *Error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), strings.NewReader(v.Encode()))
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.SetBasicAuth(basicUser(c.ClientID), basicUser(c.ClientSecret))
	return req, nil
}

// basicUser encodes one half of the Basic credentials as RFC 6749 says in
// section 2.3.1, and as x/oauth2 does.
func basicUser(s string) string { return url.QueryEscape(s) }

// backoff returns how long to wait after the nth failure: about first, doubled
// each time up to about most, with a jitter of a quarter either way.
func backoff(n int, first, most time.Duration) time.Duration {
	d := first << min(n-1, 20)
	d = min(d, most)
	return d*3/4 + rand.N(d/2+1)
}
