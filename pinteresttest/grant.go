package pinteresttest

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// A grant is one account's approval and the family of tokens that came of it.
type grant struct {
	user        string // who approved
	scopes      scopeSet
	continuous  bool   // asked for when the code was exchanged
	revoked     bool   // by the replay of a dead refresh token
	accessFrom  uint64 // access tokens with a lower serial are dead
	refreshFrom uint64 // and refresh tokens
	access      claim  // the newest access token
	refresh     claim  // the newest refresh token
	expires     int64  // when its last token does
}

// A code is an approval that waits to be exchanged.
type code struct {
	user        string // who approved
	redirectURL string
	scopes      scopeSet
	continuous  bool
	expires     int64
}

const (
	day          = 24 * time.Hour
	legacyLife   = 365 * day
	sweepAtLeast = 1024
)

// Login returns the token of a user who has just logged in and approved the scopes, as
// [golang.org/x/oauth2.Config.Exchange] would return it, its Extra fields included, without any request.
// Each call is another user. No scopes means every scope; one that Pinterest does not know panics.
func (h *Handler) Login(scopes ...string) *oauth2.Token { return h.LoginAs("", scopes...) }

// LoginAs is [Handler.Login] of the user with that name: the same account each time. An empty name means another
// user than any before.
func (h *Handler) LoginAs(user string, scopes ...string) *oauth2.Token {
	set := mustScopes(scopes)
	h.mu.Lock()
	answer := h.login(h.userOrAnother(user), set, false)
	h.mu.Unlock()

	data, err := json.Marshal(answer)
	if err != nil {
		panic(err)
	}
	var raw map[string]any
	if err := json.Unmarshal(data, &raw); err != nil {
		panic(err)
	}
	t := &oauth2.Token{
		AccessToken:  answer.AccessToken,
		TokenType:    answer.TokenType,
		RefreshToken: answer.RefreshToken,
		Expiry:       time.Now().Add(time.Duration(answer.ExpiresIn) * time.Second),
		ExpiresIn:    answer.ExpiresIn,
	}
	return t.WithExtra(raw)
}

// Code returns a code for an approval of the scopes, as the callback at redirectURL would receive it, without a
// browser. Each is another user's. No scopes means every scope; one that Pinterest does not know panics.
func (h *Handler) Code(redirectURL string, scopes ...string) string {
	return h.CodeAs("", redirectURL, scopes...)
}

// CodeAs is [Handler.Code] of the user with that name. An empty name means another user than any before.
func (h *Handler) CodeAs(user, redirectURL string, scopes ...string) string {
	set := mustScopes(scopes)
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.newCode(code{user: h.userOrAnother(user), redirectURL: redirectURL, scopes: set})
}

// ExpireAccess makes every access token issued so far expired: the API answers them 401 from now on. Refresh
// tokens go on working. If users are named, it is their tokens alone.
func (h *Handler) ExpireAccess(users ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(users) == 0 {
		h.accessFrom = h.serial + 1
	}
	for _, g := range h.grants {
		if slices.Contains(users, g.user) {
			g.accessFrom = h.serial + 1
		}
	}
}

// RevokeGrants makes every user so far disconnect the app: their access tokens are answered 401, their refresh
// tokens 401 with code 283. What the app got by client_credentials goes on working. If users are named, it is they
// alone who disconnect.
func (h *Handler) RevokeGrants(users ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.grants, func(_ uint64, g *grant) bool { return len(users) == 0 || slices.Contains(users, g.user) })
}

// A Grant is a user's approval, and what has become of the tokens that came of it.
type Grant struct {
	User           string    `json:"user"`
	Scopes         []string  `json:"scopes"`
	AccessExpires  time.Time `json:"access_expires"`  // when the newest access token does
	AccessWhy      string    `json:"access_why"`      // it is dead; empty: it is alive
	RefreshExpires time.Time `json:"refresh_expires"` // when the newest refresh token does
	RefreshWhy     string    `json:"refresh_why"`     // it is dead; empty: it is alive
}

// Grants returns the approvals that no user has taken back, the latest first.
func (h *Handler) Grants() []Grant { return h.latestGrants(math.MaxInt) }

func (h *Handler) latestGrants(most int) []Grant {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := []Grant{}
	for id := h.logins; len(list) < min(most, len(h.grants)); id-- {
		g := h.grants[id]
		if g == nil {
			continue
		}
		list = append(list, Grant{
			User: g.user, Scopes: strings.Fields(g.scopes.String()),
			AccessExpires: g.access.expiry(), AccessWhy: h.dead(g.access), RefreshExpires: g.refresh.expiry(), RefreshWhy: h.dead(g.refresh),
		})
	}
	return list
}

// Reset makes h forget every user's approval and content, every token, fault, count and request. Its settings
// stay.
func (h *Handler) Reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.key = nil // so that no token is good any more
	h.serial, h.logins, h.others, h.accessFrom, h.sweepAt, h.served = 0, 0, 0, 0, 0, 0
	h.grants, h.codes, h.revoked, h.contents = nil, nil, nil, nil
	h.faults, h.requests, h.counts = nil, nil, Counts{}
}

// now is the time by Pinterest's clock.
func (h *Handler) now() time.Time { return time.Now().Add(h.Skew) }

func (h *Handler) expired(expires int64) bool { return h.now().UnixNano() >= expires }

func (h *Handler) newCode(c code) string {
	h.sweep()
	if h.codes == nil {
		h.codes = make(map[string]code)
	}
	c.expires = h.now().Add(cmp.Or(h.CodeLife, 10*time.Minute)).UnixNano()
	text := rand.Text() + rand.Text()
	h.codes[text] = c
	return text
}

// login begins a grant and issues its first tokens.
func (h *Handler) login(user string, set scopeSet, continuous bool) tokenAnswer {
	h.sweep()
	if h.grants == nil {
		h.grants = make(map[uint64]*grant)
	}
	h.logins++
	h.grants[h.logins] = &grant{user: user, scopes: set, continuous: continuous}
	answer := h.issueAccess(accessToken, h.logins, set)
	answer.ResponseType = "authorization_code"
	h.issueRefresh(&answer, h.logins, set, continuous || !h.LegacyApp)
	answer.RefreshTokenExpiresAt = 0
	return answer
}

// issueAccess returns the part of a token answer that every grant type shares. The caller sets its ResponseType.
func (h *Handler) issueAccess(kind byte, id uint64, set scopeSet) tokenAnswer {
	life := cmp.Or(h.AccessLife, 30*day)
	h.serial++
	h.counts.Issued++
	c := claim{kind: kind, grant: id, serial: h.serial, expires: h.now().Add(life).UnixNano(), scopes: set}
	if g := h.grants[id]; g != nil {
		g.outlive(c)
		g.access = c
		if h.OldAccessDies {
			g.accessFrom = c.serial
		}
	}
	return tokenAnswer{AccessToken: h.seal(c), TokenType: "bearer", ExpiresIn: seconds(life), Scope: set.String()}
}

// issueRefresh adds a refresh token to an answer.
func (h *Handler) issueRefresh(answer *tokenAnswer, id uint64, set scopeSet, continuous bool) {
	life := legacyLife
	if continuous {
		life = cmp.Or(h.RefreshLife, 60*day)
	}
	h.serial++
	c := claim{kind: refreshToken, grant: id, serial: h.serial, expires: h.now().Add(life).UnixNano(), scopes: set}
	g := h.grants[id]
	g.outlive(c)
	g.refresh = c
	if h.StrictRotation {
		g.refreshFrom = c.serial
	}
	answer.RefreshToken = h.seal(c)
	answer.RefreshTokenExpiresIn = seconds(life)
	answer.RefreshTokenExpiresAt = c.expires / int64(time.Second)
}

// outlive keeps the grant for as long as the token c may be shown.
func (g *grant) outlive(c claim) { g.expires = max(g.expires, c.expires) }

// dead says why the API does not accept an access token, or why a refresh token is a replay; empty: it is alive.
func (h *Handler) dead(c claim) string {
	g := h.grants[c.grant]
	_, revoked := h.revoked[c.serial]
	switch access := c.kind != refreshToken; {
	case h.expired(c.expires):
		return "the token has expired"
	case revoked:
		return "the app revoked the token"
	case access && c.serial < h.accessFrom:
		return "the token was made to expire"
	case c.kind == clientToken:
		return ""
	case g == nil:
		return "the user has disconnected the app"
	case g.revoked:
		return "a refresh token of this login was used again after it was replaced, which revoked all that came of the login"
	case access && c.serial < g.accessFrom:
		return "the token was replaced by a refresh, or made to expire"
	}
	return ""
}

// sweep forgets what has expired, whenever twice as much is kept as the last sweep left: its cost is spread
// thin, and what is kept is at most twice what is alive.
func (h *Handler) sweep() {
	if len(h.grants)+len(h.codes)+len(h.revoked) < max(h.sweepAt, sweepAtLeast) {
		return
	}
	now := h.now().UnixNano()
	maps.DeleteFunc(h.grants, func(_ uint64, g *grant) bool { return now > g.expires })
	maps.DeleteFunc(h.codes, func(_ string, c code) bool { return now > c.expires })
	maps.DeleteFunc(h.revoked, func(_ uint64, expires int64) bool { return now > expires })
	h.sweepAt = 2 * (len(h.grants) + len(h.codes) + len(h.revoked))
}

// seconds rounds up: an expires_in of zero would read as "never".
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
