package pinterest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest/internal/renew"
	"github.com/go-pinterest/pinterest/internal/wire"
)

// The grants of Pinterest's token endpoint (schema OauthAccessTokenRequest).
const (
	grantAuthorizationCode = "authorization_code"
	grantRefreshToken      = "refresh_token"
	grantClientCredentials = "client_credentials"
)

const (
	attemptTime = 30 * time.Second // for one request, its answer included
	maxTries    = 4                // of one renewal
)

// refresh renews t by its refresh token.
func (c *Config) refresh(ctx context.Context, t *oauth2.Token) (*oauth2.Token, error) {
	fail := func(err error) (*oauth2.Token, error) { return nil, &Error{Op: opRefresh, Err: err} }
	switch {
	case t == nil:
		return fail(&decided{"there is no token to begin with: the user must authorize the app first", ErrReauthorize})
	case t.RefreshToken == "" && checkTokens(t) != nil: // or it would be handed out
		return fail(misconfigured(checkTokens(t).Error()))
	case t.RefreshToken == "":
		return fail(&decided{"the token has no refresh token to renew it by: the user must authorize the app again", ErrReauthorize})
	case !c.issued(t):
		return fail(c.notIssued(t))
	}
	if err := checkInput("the refresh token", t.RefreshToken, ""); err != nil {
		return fail(err)
	}
	v := url.Values{"grant_type": {grantRefreshToken}, "refresh_token": {t.RefreshToken}}
	c.RefreshOn.ask(grantRefreshToken, v)
	return c.retrieve(ctx, opRefresh, v, t)
}

// clientCredentials gets a token for the app's own account.
func (c *Config) clientCredentials(ctx context.Context, scopes []string) (*oauth2.Token, error) {
	scope := joinScopes(scopes)
	if scope == "" {
		return nil, &Error{Op: opClientCredentials, Err: misconfigured("Scopes is empty: client credentials need at least one scope")}
	}
	return c.retrieve(ctx, opClientCredentials, url.Values{"grant_type": {grantClientCredentials}, "scope": {scope}}, nil)
}

// retrieve gets a token from the token endpoint, trying again where that may
// help. Old, if any, is the token that the new one replaces.
func (c *Config) retrieve(ctx context.Context, op string, v url.Values, old *oauth2.Token) (*oauth2.Token, error) {
	for try := 1; ; try++ {
		asked := time.Now()
		answer, err := c.attempt(ctx, op, v)
		if err == nil {
			if scopesOf(answer.Fields[extraScope]) == nil && v.Has("scope") {
				answer.Fields[extraScope] = v.Get("scope") // RFC 6749, section 5.1
			}
			return c.newToken(answer.Fields, op, old, asked), nil
		}
		if try == maxTries || !mayResend(op, err) {
			return nil, err
		}
		wait := max(renew.Backoff(try, 250*time.Millisecond, 2*time.Second), err.RetryAfter)
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
			return nil, err
		}
		if pause(ctx, wait) != nil {
			return nil, err
		}
	}
}

// mayResend reports whether a request that failed with err may be sent again. A
// refresh may though no answer came: if the token was replaced unseen, it is lost
// either way. A code works once, so its exchange may only if it never left this machine.
func mayResend(op string, err *Error) bool {
	if op == opExchange {
		var n *net.OpError
		return errors.As(err.Err, &n) && n.Op == "dial"
	}
	return err.Temporary()
}

// attempt sends one token request.
func (c *Config) attempt(ctx context.Context, op string, v url.Values) (*wire.Answer, *Error) {
	to, err := c.check()
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	if op != opExchange {
		if ctx.Err() != nil {
			return nil, &Error{Op: op, Err: &passingError{errors.New("the time for the renewal was over, or the store's lock was lost, before anything was sent")}}
		}
		// A request that is sent has its full time, even if the store's lock is
		// lost meanwhile: the answer may still be saved, and is lost otherwise.
		ctx = context.WithoutCancel(ctx)
	}
	return c.post(ctx, op, to, wire.Request{Form: v, Authorization: wire.Basic(c.ClientID, c.ClientSecret)})
}

// post sends r to one of Pinterest's OAuth endpoints.
func (c *Config) post(ctx context.Context, op string, to *url.URL, r wire.Request) (*wire.Answer, *Error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	r.URL = to.String()
	a, err := wire.Post(ctx, withoutTokens(contextClient(ctx)), r)
	if err != nil && ctx.Err() == nil {
		err = uncancelled{err}
	}
	if err != nil {
		return nil, &Error{Op: op, Err: &passingError{err}}
	}
	token, _ := a.Fields["access_token"].(string)
	switch {
	case a.Grants() || op == opRevoke && a.StatusCode/100 == 2:
		return a, nil
	case a.StatusCode/100 == 2 && a.Cut:
		return nil, &Error{Op: op, Err: &passingError{errors.New(a.Problem)}}
	case a.Problem == "" && token == "":
		a.Problem = "the answer has no access_token"
	case a.Problem == "" && a.StatusCode/100 == 2:
		a.Problem = "the answer's access_token has characters that no header can carry"
	}
	return nil, refusal(op, a)
}

func contextClient(ctx context.Context) *http.Client {
	if ctx != nil {
		if client, ok := ctx.Value(oauth2.HTTPClient).(*http.Client); ok && client != nil {
			return client
		}
	}
	return http.DefaultClient
}

// withoutTokens returns client without the transports of x/oauth2 that it begins
// with. They would send a token in place of what the request carries, and if it is
// of the source that is being renewed, wait for that first.
func withoutTokens(client *http.Client) *http.Client {
	c := *client
	for {
		adds, ok := c.Transport.(*oauth2.Transport)
		if !ok {
			return &c
		}
		c.Transport = adds.Base
	}
}

// pause waits for d or for ctx.
func pause(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
