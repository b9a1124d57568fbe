package pinterest

import (
	"context"
	"errors"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest/internal/wire"
)

// ConversionToken returns a long-lived token that can do nothing but send
// conversions (POST /oauth/conversion_token of Pinterest's description). It
// has no expiry and no refresh token. The tokens of src must be a user's with the
// scope [ScopeAdsWrite], not those of client credentials; those of a
// [*TokenSource] are renewed if Pinterest answers 401.
//
// It waits for a token of src, and half a minute for the answer, unless ctx ends
// before; but for that 401, nothing is sent again. An error of src is returned as it
// is; any other is an [*Error]. The token is the caller's own, and nothing renews it.
func (c *Config) ConversionToken(ctx context.Context, src oauth2.TokenSource) (*oauth2.Token, error) {
	fail := func(err error) (*oauth2.Token, error) { return nil, &Error{Op: opConversionToken, Err: err} }
	to, err := c.tokenURL()
	if err != nil {
		return fail(err)
	}
	var token *oauth2.Token
	ours, isOurs := src.(*TokenSource)
	switch {
	case src == nil || isOurs && ours == nil:
		return fail(errors.New("the token source is nil: pass one whose tokens have the scope " + ScopeAdsWrite))
	case isOurs && ours.origin.conf != nil && !sameServer(ours.origin.conf.host(), to.Host):
		return fail(misconfigured("the token source is another server's: use the Config that made it"))
	case isOurs:
		token, err = ours.TokenContext(ctx)
	default:
		token, err = src.Token()
	}
	if err != nil {
		return nil, err
	}
	if token == nil {
		return fail(errors.New("the token source gave no token"))
	}
	if err := checkInput("the source's access token", token.AccessToken, ""); err != nil {
		return fail(err)
	}
	if !c.issued(token) {
		return fail(c.notIssued(token))
	}
	r := wire.Request{Secrets: []string{token.AccessToken, token.RefreshToken}}
	if isOurs {
		ctx = context.WithValue(ctx, oauth2.HTTPClient, NewClient(ctx, ours)) // which renews the token at a 401
	} else {
		r.Authorization = token.Type() + " " + token.AccessToken
	}
	a, refused := c.post(ctx, opConversionToken, to.ResolveReference(&url.URL{Path: "conversion_token"}), r)
	if refused != nil {
		return nil, refused
	}
	t := &oauth2.Token{TokenType: "Bearer"} // the answer's "conversion" is no scheme: the API takes it as a bearer token
	t.AccessToken, _ = a.Fields["access_token"].(string)
	a.Fields[extraIssuer] = to.Host
	delete(a.Fields, extraGrant) // of which Pinterest knows nothing
	return t.WithExtra(a.Fields), nil
}
