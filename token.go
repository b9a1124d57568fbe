package pinterest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// What a token's Extra holds: Pinterest's own fields, and two of ours.
const (
	extraScope       = "scope"
	extraRefreshIn   = "refresh_token_expires_in"
	extraRefreshAt   = "refresh_token_expires_at" // Unix seconds
	extraEnvironment = "environment"              // "production" or "sandbox"
	extraExpiry      = "pinterest.expiry"         // a *trueExpiry
	extraLineage     = "pinterest.lineage"        // a lineage
)

// A trueExpiry travels with the tokens of a source, which moves their Expiry
// forward, to as early as stale. newLease sets it, once.
type trueExpiry struct{ stale, end time.Time }

// A lineage is a token's place among those that came of one login that SaveToken
// kept. It tells an older token from a newer one without asking a clock.
type lineage struct {
	login   string // random; empty: not known
	renewed int    // how often, since
}

func lineageOf(t *oauth2.Token) lineage {
	l, _ := t.Extra(extraLineage).(lineage)
	return l
}

// RefreshExpiry returns when t's refresh token expires, and false if that is
// not known: Pinterest need not say, and a guess could throw a good token away.
//
// It reads refresh_token_expires_at or else refresh_token_expires_in (schemas
// OauthAccessTokenResponseCode and …Refresh of Pinterest's description).
func RefreshExpiry(t *oauth2.Token) (time.Time, bool) {
	if t == nil || t.RefreshToken == "" {
		return time.Time{}, false
	}
	if at, ok := number(t.Extra(extraRefreshAt)); ok && at >= 1 && at <= maxUnix {
		return time.Unix(int64(at), 0), true
	}
	// A token that x/oauth2 retrieved: it came ExpiresIn before its Expiry.
	in, ok := number(t.Extra(extraRefreshIn))
	if !ok || in <= 0 || t.Expiry.IsZero() || t.ExpiresIn <= 0 {
		return time.Time{}, false
	}
	issued := t.Expiry.Round(0).Add(-secondsToDuration(float64(t.ExpiresIn)))
	return issued.Add(secondsToDuration(in)), true
}

// GrantedScopes returns the scopes that Pinterest granted, which can be more
// than were asked for, or nil if they are not known.
func GrantedScopes(t *oauth2.Token) []string {
	if t == nil {
		return nil
	}
	scope, _ := t.Extra(extraScope).(string)
	if scope == "" {
		return nil
	}
	return strings.FieldsFunc(scope, func(r rune) bool { return r == ' ' || r == ',' })
}

func environment(t *oauth2.Token) string {
	e, _ := t.Extra(extraEnvironment).(string)
	return e
}

const recordVersion = 1

// record is what MarshalToken writes: x/oauth2's JSON of a token, so that
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
	Environment  string     `json:"environment,omitempty"`
	Login        string     `json:"login,omitempty"`
	Renewed      int        `json:"renewed,omitempty"`
}

// MarshalToken returns t as JSON, with what json.Marshal(t) loses: the refresh
// token's expiry, the granted scopes and the environment, and with the true
// expiry of a token that came from a source. The result is as secret as t.
func MarshalToken(t *oauth2.Token) ([]byte, error) {
	if t == nil {
		return marshalToken(t, lineage{})
	}
	return marshalToken(t, lineageOf(t))
}

func marshalToken(t *oauth2.Token, from lineage) ([]byte, error) {
	if t == nil || t.AccessToken == "" && t.RefreshToken == "" {
		return nil, errors.New("pinterest: nothing to marshal: the token holds neither an access token nor a refresh token")
	}
	t = known(t)
	r := record{
		Version:      recordVersion,
		AccessToken:  t.AccessToken,
		TokenType:    t.TokenType,
		RefreshToken: t.RefreshToken,
		ExpiresIn:    t.ExpiresIn,
		Scope:        strings.Join(GrantedScopes(t), " "),
		Environment:  environment(t),
		Login:        from.login,
		Renewed:      from.renewed,
	}
	if !t.Expiry.IsZero() {
		r.Expiry = &t.Expiry
	}
	if at, ok := RefreshExpiry(t); ok {
		r.RefreshAt = at.Unix()
	}
	return json.Marshal(r)
}

// UnmarshalToken reads what MarshalToken wrote, and the plain JSON of an
// [oauth2.Token]. A record that is damaged, or that a newer version of this
// package wrote, is an error, which holds nothing of the record.
func UnmarshalToken(data []byte) (*oauth2.Token, error) {
	t, err := unmarshalToken(data)
	if err != nil {
		return nil, fmt.Errorf("pinterest: the token record: %w", err)
	}
	return t, nil
}

func unmarshalToken(data []byte) (*oauth2.Token, error) {
	var r record
	err := json.Unmarshal(data, &r)
	if err != nil { // a newer record may be of another shape
		var v struct {
			Version int `json:"version"`
		}
		_ = json.Unmarshal(data, &v)
		r.Version = v.Version
	}
	if r.Version > recordVersion {
		return nil, fmt.Errorf("it has version %d and this program reads up to %d: update the program", r.Version, recordVersion)
	}
	if err != nil { // whose words can hold pieces of the record
		return nil, fmt.Errorf("it is damaged: these %d bytes are not a token's JSON", len(data))
	}
	if r.AccessToken == "" && r.RefreshToken == "" {
		return nil, fmt.Errorf("it is damaged: these %d bytes hold neither an access token nor a refresh token", len(data))
	}
	t := &oauth2.Token{
		AccessToken:  r.AccessToken,
		TokenType:    r.TokenType,
		RefreshToken: r.RefreshToken,
		ExpiresIn:    r.ExpiresIn,
	}
	if r.Expiry != nil {
		t.Expiry = *r.Expiry
	}
	extra := make(map[string]any)
	if r.RefreshAt != 0 {
		extra[extraRefreshAt] = float64(r.RefreshAt)
	}
	if r.Scope != "" {
		extra[extraScope] = r.Scope
	}
	if r.Environment != "" {
		extra[extraEnvironment] = r.Environment
	}
	if r.Login != "" {
		extra[extraLineage] = lineage{r.Login, r.Renewed}
	}
	return t.WithExtra(extra), nil
}

// known returns a copy of t with its true expiry, which shares nothing with t.
// Of its extra fields it has those that this package knows: x/oauth2 lets
// nobody list the others.
func known(t *oauth2.Token) *oauth2.Token {
	extra := make(map[string]any)
	for _, key := range []string{extraScope, extraRefreshIn, extraEnvironment, extraLineage} {
		if v := t.Extra(key); v != nil {
			extra[key] = v
		}
	}
	if at, ok := RefreshExpiry(t); ok {
		extra[extraRefreshAt] = float64(at.Unix())
	}
	extra[extraExpiry] = new(trueExpiry)
	c := t.WithExtra(extra)
	if e, ok := t.Extra(extraExpiry).(*trueExpiry); ok && !t.Expiry.Before(e.stale) && t.Expiry.Before(e.end) {
		c.Expiry = e.end
	}
	c.Expiry = c.Expiry.Round(0) // the wall clock decides
	return c
}

// newToken makes a token of a token endpoint's answer, asked for at the given
// time. Old, if any, is the token it replaces: what the answer leaves out is
// kept from it. The access token is all that the answer must hold; whatever
// else is odd in it is no reason to lose the token.
func (c *Config) newToken(answer map[string]any, old *oauth2.Token, asked time.Time) *oauth2.Token {
	text := func(key string) string { s, _ := answer[key].(string); return s }
	t := &oauth2.Token{
		AccessToken:  text("access_token"),
		TokenType:    text("token_type"),
		RefreshToken: text("refresh_token"),
	}
	if !printable(t.TokenType) {
		t.TokenType = "" // which is bearer
	}
	// None, zero and less say nothing of when it expires.
	if in, ok := number(answer["expires_in"]); ok && in > 0 {
		life := secondsToDuration(in)
		t.Expiry = asked.Round(0).Add(life)
		t.ExpiresIn = max(1, int64(life/time.Second))
	}
	extra := maps.Clone(answer)
	extra[extraExpiry] = new(trueExpiry)
	at, ok := number(answer[extraRefreshAt])
	if !ok || at < 1 || at > maxUnix {
		delete(extra, extraRefreshAt)
		if in, ok := number(answer[extraRefreshIn]); ok && in > 0 {
			extra[extraRefreshAt] = float64(asked.Add(secondsToDuration(in)).Unix())
		}
	}
	if env := c.environment(); env != "" {
		extra[extraEnvironment] = env
	}
	if old != nil {
		if from := lineageOf(old); from.login != "" {
			extra[extraLineage] = lineage{from.login, from.renewed + 1}
		}
		if t.RefreshToken == "" || !printable(t.RefreshToken) { // a legacy refresh returns none
			t.RefreshToken = old.RefreshToken
		}
		if _, known := extra[extraRefreshAt]; !known && t.RefreshToken == old.RefreshToken {
			if at, ok := RefreshExpiry(old); ok {
				extra[extraRefreshAt] = float64(at.Unix())
			}
		}
		if text(extraScope) == "" {
			if scope := old.Extra(extraScope); scope != nil {
				extra[extraScope] = scope
			}
		}
	}
	return t.WithExtra(extra)
}

const maxUnix = 253402300799 // the last second that JSON can write as a time: the end of the year 9999

// number reads a JSON number, also one in a string.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64: // by Extra of a form-encoded answer
		return float64(v), true
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, !math.IsNaN(f) && (err == nil || errors.Is(err, strconv.ErrRange))
	}
	return 0, false
}

// secondsToDuration stops at 68 years, where x/oauth2 does.
func secondsToDuration(s float64) time.Duration {
	return time.Duration(min(s, math.MaxInt32) * float64(time.Second))
}
