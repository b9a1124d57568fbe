package pinterest

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"
)

// ConversionToken returns a long-lived token that can do nothing but send
// conversions (POST /oauth/conversion_token of Pinterest's description). It
// has no expiry and no refresh token. The tokens of src need the scope
// [ScopeAdsWrite]; a [*TokenSource] among them is renewed if Pinterest answers
// 401.
func (c *Config) ConversionToken(ctx context.Context, src oauth2.TokenSource) (*oauth2.Token, error) {
	if src == nil {
		return nil, &Error{Op: opConversionToken, Err: errors.New("the token source is nil: pass one whose tokens have the scope " + ScopeAdsWrite)}
	}
	to, err := c.tokenURL()
	if err != nil {
		return nil, &Error{Op: opConversionToken, Err: err}
	}
	token, err := src.Token()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.ResolveReference(&url.URL{Path: "conversion_token"}).String(), nil)
	if err != nil {
		return nil, &Error{Op: opConversionToken, Err: err}
	}
	req.Header.Set("Accept", "application/json")
	token.SetAuthHeader(req)
	if s, ok := src.(*TokenSource); ok {
		req = req.WithContext(context.WithValue(ctx, oauth2.HTTPClient, NewClient(ctx, s)))
	}
	answer, fail := c.send(opConversionToken, req, newRedactor(c, token.AccessToken, token.RefreshToken))
	if fail != nil {
		return nil, fail
	}
	t := &oauth2.Token{TokenType: "Bearer"} // the answer's "conversion" is no scheme: the API takes it as a bearer token
	t.AccessToken, _ = answer["access_token"].(string)
	return t.WithExtra(answer), nil
}
