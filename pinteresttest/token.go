package pinteresttest

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// A tokenAnswer is what the token endpoint answers, whatever the grant type.
type tokenAnswer struct {
	AccessToken           string `json:"access_token"`
	RefreshToken          string `json:"refresh_token,omitempty"`
	ResponseType          string `json:"response_type"`
	TokenType             string `json:"token_type"`
	ExpiresIn             int64  `json:"expires_in"`
	RefreshTokenExpiresIn int64  `json:"refresh_token_expires_in,omitempty"`
	RefreshTokenExpiresAt int64  `json:"refresh_token_expires_at,omitempty"` // Unix seconds
	Scope                 string `json:"scope"`
}

func (h *Handler) token(r *request) *answer {
	if refused := h.checkClient(r); refused != nil {
		return refused
	}
	switch grantType := r.form.Get("grant_type"); grantType {
	case "authorization_code":
		return h.exchange(r)
	case "refresh_token":
		return h.refresh(r)
	case "client_credentials":
		return h.clientCredentials(r.form)
	case "":
		return missing("grant_type")
	default:
		return invalid(fmt.Sprintf("%q is not a grant_type.", grantType))
	}
}

// checkClient refuses a request that does not come from the app, or is no form.
func (h *Handler) checkClient(r *request) *answer {
	if refused := h.checkApp(r); refused != nil {
		return refused
	}
	if !r.isForm {
		return invalid("The body must be application/x-www-form-urlencoded.")
	}
	for name, values := range r.form {
		if len(values) > 1 { // RFC 6749, section 3.2
			return invalid(fmt.Sprintf("%q must not be given twice.", name))
		}
	}
	return nil
}

// checkApp refuses a request without the app's id and secret as HTTP Basic. They may be in the body as well.
func (h *Handler) checkApp(r *request) *answer {
	id, secret, basic := r.BasicAuth()
	wantID, wantSecret := h.appID(), h.appSecret()
	differs := func(name, want string) bool { return r.form.Has(name) && !same(r.form.Get(name), want) }
	refused := usual(http.StatusUnauthorized, codeAuthentication)
	switch {
	case !basic && (r.form.Has("client_id") || r.form.Has("client_secret")):
		return refuse(http.StatusBadRequest, codeInvalidRequest, "Invalid request body").
			because("the app's id and secret are in the body alone, and belong into an Authorization header of the kind Basic")
	case !basic:
		return refused.because("there is no Authorization header of the kind Basic")
	case !same(id, wantID):
		return refused.because("the app id is not the one that is registered")
	case !same(secret, wantSecret):
		return refused.because("the app secret is wrong")
	case differs("client_id", wantID) || differs("client_secret", wantSecret):
		return refused.because("client_id and client_secret in the body are not those of the Authorization header")
	}
	return nil
}

func (h *Handler) appID() string { return cmp.Or(h.AppID, DefaultAppID) }

func (h *Handler) appSecret() string { return cmp.Or(h.AppSecret, DefaultAppSecret) }

// same compares a credential as it came, or form-encoded as RFC 6749 has it (section 2.3.1).
func same(got, want string) bool {
	if subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1 {
		return true
	}
	plain, err := url.QueryUnescape(got)
	return err == nil && subtle.ConstantTimeCompare([]byte(plain), []byte(want)) == 1
}

func (h *Handler) exchange(r *request) *answer {
	form := r.form
	for _, name := range []string{"code", "redirect_uri"} {
		if form.Get(name) == "" {
			return missing(name)
		}
	}
	text := form.Get("code")
	c, ok := h.codes[text]
	delete(h.codes, text) // whatever comes of it, a code is good for one try
	refused := usual(http.StatusUnauthorized, codeInvalidGrant)
	switch {
	case !ok:
		return refused.because("the code is unknown, or was used before")
	case h.expired(c.expires):
		return refused.because("the code has expired")
	case form.Get("redirect_uri") != c.redirectURL:
		return refused.because("redirect_uri is not the one that the code was asked with")
	}
	r.user = c.user
	return jsonAnswer(http.StatusOK, h.login(c.user, c.scopes, c.continuous || asksContinuous(form)))
}

func (h *Handler) refresh(r *request) *answer {
	form := r.form
	token := form.Get("refresh_token")
	if token == "" {
		return missing("refresh_token")
	}
	c, ok := h.open(token)
	refused := usual(http.StatusUnauthorized, codeInvalidGrant)
	if !ok || c.kind != refreshToken {
		return refused.because("%s", stranger(c, ok))
	}
	r.user = h.userOf(c)
	if h.expired(c.expires) {
		return usual(http.StatusUnauthorized, codeExpired)
	}
	g := h.grants[c.grant]
	if g != nil && c.serial < g.refreshFrom {
		h.counts.Replays++
		if h.StrictRotation && !g.revoked {
			g.revoked = true
			h.counts.FamiliesRevoked++
		}
		why := "the refresh token was replaced by a refresh"
		if g.revoked {
			why += "; using it again revoked all that came of its login"
		}
		return refused.because("%s", why)
	}
	if why := h.dead(c); why != "" {
		return refused.because("%s", why)
	}
	set := c.scopes
	if form.Get("scope") != "" {
		var err error
		if set, err = parseScopes(form.Get("scope")); err != nil {
			return invalid(err.Error())
		}
		if !c.scopes.has(set) {
			return invalid("scope goes beyond what was granted.")
		}
	}

	answer := h.issueAccess(accessToken, c.grant, set)
	answer.ResponseType = "refresh_token"
	if !h.LegacyApp || g.continuous || asksContinuous(form) {
		h.issueRefresh(&answer, c.grant, c.scopes, true)
		answer.ResponseType = cmp.Or(h.ResponseType, answer.ResponseType)
		if h.ResponseType == "integration_refresh" {
			answer.RefreshTokenExpiresAt = 0
		}
	}
	return jsonAnswer(http.StatusOK, answer)
}

func (h *Handler) clientCredentials(form url.Values) *answer {
	if form.Get("scope") == "" {
		return missing("scope")
	}
	set, err := parseScopes(form.Get("scope"))
	if err != nil {
		return invalid(err.Error())
	}
	answer := h.issueAccess(clientToken, 0, set)
	answer.ResponseType = "client_credentials"
	return jsonAnswer(http.StatusOK, answer)
}

// asksContinuous tells whether the parameters ask for refresh tokens that renew themselves, in any of the
// words that Pinterest has used for it. Its own clients write both true and True.
func asksContinuous(params url.Values) bool {
	for _, name := range []string{"continuous_refresh", "refresh_on", "refreshable"} {
		if strings.EqualFold(params.Get(name), "true") {
			return true
		}
	}
	return false
}

func (h *Handler) revoke(r *request) *answer {
	if refused := h.checkClient(r); refused != nil {
		return refused
	}
	token := r.form.Get("token")
	if token == "" {
		return missing("token")
	}
	switch r.form.Get("token_type_hint") {
	case "", "access_token", "refresh_token":
	default:
		return invalid("token_type_hint must be access_token or refresh_token.")
	}
	c, ok := h.open(token)
	if !h.SystemUser || c.kind == clientToken {
		return usual(http.StatusForbidden, codeNotPermitted).because("only the tokens of system users can be revoked")
	}
	if ok {
		r.user = h.userOf(c)
		h.sweep()
		if h.revoked == nil {
			h.revoked = make(map[uint64]int64)
		}
		h.revoked[c.serial] = c.expires
	}
	return &answer{status: http.StatusOK, header: http.Header{}} // also for an unknown token: it is as good as revoked
}

func (h *Handler) conversion(r *request, _ string) *answer {
	if r.token.kind == clientToken {
		return usual(http.StatusForbidden, codeNotPermitted).because("the token is the app's own, and no user's")
	}
	return jsonAnswer(http.StatusOK, map[string]string{
		"access_token": prefixes[accessToken] + rand.Text() + rand.Text(),
		"token_type":   "conversion",
	})
}
