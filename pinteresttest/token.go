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
		return h.exchange(r.form)
	case "refresh_token":
		return h.refresh(r.form)
	case "client_credentials":
		return h.clientCredentials(r.form)
	case "":
		return missing("grant_type")
	default:
		return invalid(fmt.Sprintf("%q is not a grant_type.", grantType))
	}
}

// checkClient refuses a request that is no form, or does not come from the app.
func (h *Handler) checkClient(r *request) *answer {
	if !r.isForm {
		return invalid("The body must be application/x-www-form-urlencoded.")
	}
	for name, values := range r.form {
		if len(values) > 1 { // RFC 6749, section 3.2
			return invalid(fmt.Sprintf("%q must not be given twice.", name))
		}
	}
	id, secret, _ := r.BasicAuth()
	if !same(id, h.appID()) || !same(secret, cmp.Or(h.AppSecret, DefaultAppSecret)) || r.form.Has("client_secret") {
		return usual(http.StatusUnauthorized, codeAuthentication)
	}
	return nil
}

func (h *Handler) appID() string { return cmp.Or(h.AppID, DefaultAppID) }

// same compares a credential as it came, or form-encoded as RFC 6749 has it (section 2.3.1).
func same(got, want string) bool {
	if subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1 {
		return true
	}
	plain, err := url.QueryUnescape(got)
	return err == nil && subtle.ConstantTimeCompare([]byte(plain), []byte(want)) == 1
}

func (h *Handler) exchange(form url.Values) *answer {
	for _, name := range []string{"code", "redirect_uri"} {
		if form.Get(name) == "" {
			return missing(name)
		}
	}
	text := form.Get("code")
	c, ok := h.codes[text]
	delete(h.codes, text) // whatever comes of it, a code is good for one try
	if !ok || h.expired(c.expires) || form.Get("redirect_uri") != c.redirectURL {
		return usual(http.StatusUnauthorized, codeInvalidGrant)
	}
	return jsonAnswer(http.StatusOK, h.login(c.scopes, c.continuous || asksContinuous(form)))
}

func (h *Handler) refresh(form url.Values) *answer {
	token := form.Get("refresh_token")
	if token == "" {
		return missing("refresh_token")
	}
	c, ok := h.open(token)
	if !ok || c.kind != refreshToken {
		return usual(http.StatusUnauthorized, codeInvalidGrant)
	}
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
		return usual(http.StatusUnauthorized, codeInvalidGrant)
	}
	if !h.alive(c) {
		return usual(http.StatusUnauthorized, codeInvalidGrant)
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
		return usual(http.StatusForbidden, codeNotPermitted)
	}
	if ok {
		h.sweep()
		if h.revoked == nil {
			h.revoked = make(map[uint64]int64)
		}
		h.revoked[c.serial] = c.expires
	}
	return &answer{status: http.StatusOK, header: http.Header{}} // also for an unknown token: it is as good as revoked
}

func (h *Handler) conversion(r *request) *answer {
	c, refused := h.checkBearer(r, adsWrite)
	if refused != nil {
		return refused
	}
	if c.kind == clientToken {
		return usual(http.StatusForbidden, codeNotPermitted)
	}
	return jsonAnswer(http.StatusOK, map[string]string{
		"access_token": prefixes[accessToken] + rand.Text() + rand.Text(),
		"token_type":   "conversion",
	})
}
