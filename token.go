package pinterest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"strings"
	"time"
	"unicode"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest/internal/renew"
	"github.com/go-pinterest/pinterest/internal/wire"
)

// What a token's Extra holds: Pinterest's own fields, and three of ours.
const (
	extraScope     = "scope"
	extraRefreshIn = "refresh_token_expires_in"
	extraRefreshAt = "refresh_token_expires_at" // Unix seconds
	extraIssuer    = "issuer"                   // the host of the token endpoint, with its port if it names one
	extraGrant     = "grant"                    // how the next token is had: grantClientCredentials, or else by the refresh token
	extraExpiry    = "pinterest.expiry"         // the true one, a time.Time, as the Expiry that is handed out can be early
)

// RefreshExpiry returns when t's refresh token expires, and false if that is
// not known: Pinterest need not say, and a guess could throw a good token away.
//
// It reads refresh_token_expires_at or else refresh_token_expires_in (schemas
// OauthAccessTokenResponseCode and …Refresh of Pinterest's description).
func RefreshExpiry(t *oauth2.Token) (time.Time, bool) {
	if t == nil || t.RefreshToken == "" {
		return time.Time{}, false
	}
	if at, ok := wire.Number(t.Extra(extraRefreshAt)); ok && at >= 1 && at <= maxUnix {
		return time.Unix(int64(at), 0), true
	}
	// A token that x/oauth2 retrieved: it came ExpiresIn before its Expiry.
	in, ok := wire.Number(t.Extra(extraRefreshIn))
	if !ok || in <= 0 || t.Expiry.IsZero() || t.ExpiresIn <= 0 {
		return time.Time{}, false
	}
	issued := t.Expiry.Round(0).Add(-seconds(float64(t.ExpiresIn)))
	return issued.Add(seconds(in)), true
}

// GrantedScopes returns the scopes that Pinterest granted, which can be more
// than were asked for, or nil if they are not known.
func GrantedScopes(t *oauth2.Token) []string {
	if t == nil {
		return nil
	}
	return scopesOf(t.Extra(extraScope))
}

// scopesOf reads scopes in a string or in a list of strings; nil if there are none.
func scopesOf(v any) (scopes []string) {
	switch v := v.(type) {
	case string:
		scopes = strings.FieldsFunc(v, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	case []string:
		scopes = scopesOf(strings.Join(v, " "))
	case []any:
		for _, v := range v {
			scopes = append(scopes, scopesOf(v)...)
		}
	}
	if len(scopes) == 0 {
		return nil
	}
	return scopes
}

func extraText(t *oauth2.Token, key string) string {
	s, _ := t.Extra(key).(string)
	return s
}

const recordVersion = 1

// A record is what MarshalToken writes: x/oauth2's JSON of a token, so that
// json.Unmarshal into an oauth2.Token reads it too, and what that loses.
type record struct {
	Version      int        `json:"version"`
	AccessToken  string     `json:"access_token,omitempty"`
	TokenType    string     `json:"token_type,omitempty"`
	RefreshToken string     `json:"refresh_token,omitempty"`
	Expiry       *time.Time `json:"expiry,omitempty"`
	ExpiresIn    int64      `json:"expires_in,omitempty"`
	RefreshAt    int64      `json:"refresh_token_expires_at,omitempty"` // Unix seconds
	Scope        string     `json:"scope,omitempty"`
	Issuer       string     `json:"issuer,omitempty"`
	Grant        string     `json:"grant,omitempty"`
}

// MarshalToken returns t as JSON, with what json.Marshal(t) loses: when the
// refresh token expires, the granted scopes, the host that issued the token and
// the grant that it came by; and with the true expiry of a token that a source
// handed out. The result is as secret as t. It is an error if t holds no token.
func MarshalToken(t *oauth2.Token) ([]byte, error) {
	if t == nil || t.AccessToken == "" && t.RefreshToken == "" {
		return nil, errors.New("pinterest: nothing to marshal: the token holds neither an access token nor a refresh token")
	}
	r := record{
		Version:      recordVersion,
		AccessToken:  t.AccessToken,
		TokenType:    t.TokenType,
		RefreshToken: t.RefreshToken,
		ExpiresIn:    t.ExpiresIn,
		Scope:        strings.Join(GrantedScopes(t), " "),
		Issuer:       extraText(t, extraIssuer),
		Grant:        extraText(t, extraGrant),
	}
	if end := expiryOf(t); !end.IsZero() {
		r.Expiry = &end
	}
	if at, ok := RefreshExpiry(t); ok {
		r.RefreshAt = at.Unix()
	}
	return json.Marshal(r)
}

// UnmarshalToken reads what MarshalToken wrote, and the plain JSON of an
// [oauth2.Token]. A record that is damaged, that a newer version of this
// package wrote, or that [Encrypted] could not open, is an error, which says
// which of these it is and holds nothing of the record. It is not
// [ErrReauthorize]: the token may be good.
func UnmarshalToken(data []byte) (*oauth2.Token, error) {
	t, err := unmarshalToken(data)
	if err != nil {
		return nil, fmt.Errorf("pinterest: the token record: %w", err)
	}
	return t, nil
}

// unreadable is the field of a record that stands in for one that cannot be
// opened. It says why.
const unreadable = "unreadable"

func unmarshalToken(data []byte) (*oauth2.Token, error) {
	damaged := func(what string) error { // json's own words can hold pieces of the record
		return fmt.Errorf("it is damaged: these %d bytes %s", len(data), what)
	}
	var fields map[string]any
	if json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &fields) != nil || fields == nil { // an editor may have put a mark before it
		return nil, damaged("are not a token's JSON")
	}
	if why, ok := fields[unreadable].(string); ok {
		return nil, errors.New(why)
	}
	if v, ok := wire.Number(fields["version"]); ok && v > recordVersion {
		return nil, fmt.Errorf("it has version %v and this program reads up to %d: update the program", v, recordVersion)
	}
	odd := false
	text := func(name string) string {
		s, ok := fields[name].(string)
		odd = odd || !ok && fields[name] != nil
		return s
	}
	t := &oauth2.Token{
		AccessToken:  text("access_token"),
		TokenType:    text("token_type"),
		RefreshToken: text("refresh_token"),
	}
	extra := make(map[string]any)
	if scopes := scopesOf(fields[extraScope]); scopes != nil {
		extra[extraScope] = strings.Join(scopes, " ")
	}
	for _, name := range []string{extraIssuer, extraGrant} {
		if s := text(name); s != "" {
			extra[name] = s
		}
	}
	expiry := text("expiry")
	if odd {
		return nil, damaged("have a field that is not text, as it should be")
	}
	if t.AccessToken == "" && t.RefreshToken == "" {
		return nil, damaged("hold neither an access token nor a refresh token")
	}
	if expiry != "" {
		at, err := time.Parse(time.RFC3339, expiry)
		if err != nil {
			return nil, damaged("have an expiry that is no time")
		}
		t.Expiry = at
	}
	if in, ok := wire.Number(fields["expires_in"]); ok && in > 0 {
		t.ExpiresIn = int64(min(in, math.MaxInt32))
	}
	if at, ok := wire.Number(fields[extraRefreshAt]); ok && at >= 1 && at <= maxUnix {
		extra[extraRefreshAt] = at
	}
	return withTrueExpiry(t, extra), nil
}

// expiryOf returns the true expiry of t, also if a source handed t out.
func expiryOf(t *oauth2.Token) time.Time {
	if end, ok := t.Extra(extraExpiry).(time.Time); ok && t.Expiry.Location() == renew.EarlyExpiry {
		return end
	}
	return t.Expiry.Round(0) // the wall clock decides
}

// withTrueExpiry returns a copy of t with extra, which it adds t's expiry to.
func withTrueExpiry(t *oauth2.Token, extra map[string]any) *oauth2.Token {
	extra[extraExpiry] = t.Expiry
	return t.WithExtra(extra)
}

// copyToken returns a copy of t with its true expiry, and of its extra fields
// those that this package knows: x/oauth2 lets nobody list the others.
func copyToken(t *oauth2.Token) *oauth2.Token {
	extra := make(map[string]any)
	for _, key := range []string{extraScope, extraIssuer, extraGrant} {
		if v := t.Extra(key); v != nil {
			extra[key] = v
		}
	}
	if at, ok := RefreshExpiry(t); ok {
		extra[extraRefreshAt] = float64(at.Unix())
	}
	c := t.WithExtra(nil)
	c.Expiry = expiryOf(t)
	if len(extra) == 0 {
		return c // a map costs more than all the rest of a source
	}
	return withTrueExpiry(c, extra)
}

// newToken makes a token of a token endpoint's answer, asked for at the given
// time. Old, if any, is the token it replaces: what the answer leaves out is
// kept from it. The access token is all that the answer must hold; whatever
// else is odd in it is no reason to lose the token.
func (c *Config) newToken(answer map[string]any, op string, old *oauth2.Token, asked time.Time) *oauth2.Token {
	text := func(key string) string { s, _ := answer[key].(string); return s }
	t := &oauth2.Token{
		AccessToken:  text("access_token"),
		TokenType:    text("token_type"),
		RefreshToken: text("refresh_token"),
	}
	if !wire.Printable(t.TokenType) {
		t.TokenType = "" // which is bearer
	}
	// None, zero and less say nothing of when it expires.
	if in, ok := wire.Number(answer["expires_in"]); ok && in > 0 {
		life := seconds(in)
		t.Expiry = asked.Round(0).Add(life)
		t.ExpiresIn = max(1, int64(life/time.Second))
	}
	extra := maps.Clone(answer)
	delete(extra, extraGrant) // of which Pinterest knows nothing
	if op == opClientCredentials {
		extra[extraGrant] = grantClientCredentials
	}
	extra[extraIssuer] = c.host()
	at, ok := wire.Number(answer[extraRefreshAt])
	if !ok || at < 1 || at > maxUnix {
		delete(extra, extraRefreshAt)
		if in, ok := wire.Number(answer[extraRefreshIn]); ok && in > 0 {
			extra[extraRefreshAt] = float64(asked.Add(seconds(in)).Unix())
		}
	}
	if old != nil {
		if t.RefreshToken == "" || !wire.Printable(t.RefreshToken) { // a legacy refresh returns none
			t.RefreshToken = old.RefreshToken
		}
		if _, known := extra[extraRefreshAt]; !known && t.RefreshToken == old.RefreshToken {
			if at, ok := RefreshExpiry(old); ok {
				extra[extraRefreshAt] = float64(at.Unix())
			}
		}
		if scope := old.Extra(extraScope); scopesOf(extra[extraScope]) == nil && scopesOf(scope) != nil {
			extra[extraScope] = scope
		}
	}
	return withTrueExpiry(t, extra)
}

const maxUnix = 253402300799 // the last second that JSON can write as a time: the end of the year 9999

// seconds stops at 68 years, where x/oauth2 does.
func seconds(s float64) time.Duration {
	return time.Duration(min(s, math.MaxInt32) * float64(time.Second))
}
