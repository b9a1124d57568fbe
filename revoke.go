package pinterest

import (
	"context"
	"errors"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest/internal/wire"
)

// Revoke makes t's refresh token, and then its access token, unusable at
// Pinterest.
//
// Pinterest's description (POST /oauth/token/revoke) says that only tokens
// issued for system users are currently supported: for an ordinary user's
// token the error is [ErrClientRejected], status 403 and code 29. Forget such
// a token, and have the user disconnect the app in Pinterest's settings.
//
// A token that is dead already is no error. Each of the two requests has half a
// minute, unless ctx ends before, and is not sent again. The error is an [*Error]. T
// stays where it is kept: see [Accounts.Forget].
func (c *Config) Revoke(ctx context.Context, t *oauth2.Token) error {
	if t == nil || t.RefreshToken == "" && t.AccessToken == "" {
		return &Error{Op: opRevoke, Err: errors.New("the token is empty: there is nothing to revoke")}
	}
	if !c.issued(t) {
		return &Error{Op: opRevoke, Err: c.notIssued(t)}
	}
	to, err := c.check()
	if err == nil {
		err = checkTokens(t)
	}
	if err != nil {
		return &Error{Op: opRevoke, Err: err}
	}
	for _, token := range []struct{ value, hint string }{{t.RefreshToken, "refresh_token"}, {t.AccessToken, "access_token"}} {
		if token.value == "" {
			continue
		}
		v := url.Values{"token": {token.value}, "token_type_hint": {token.hint}}
		_, err := c.post(ctx, opRevoke, to.JoinPath("revoke"), wire.Request{Form: v, Authorization: wire.Basic(c.ClientID, c.ClientSecret)})
		if err != nil && !errors.Is(err, ErrReauthorize) { // one that is dead already needs no revoking
			return err
		}
	}
	return nil
}
