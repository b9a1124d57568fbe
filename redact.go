package pinterest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

const redacted = "[redacted]"

// secretPattern matches what can only be a secret, whoever it was issued to: a
// value by the name before it, a token of Pinterest's by its prefix.
var secretPattern = regexp.MustCompile( // in group 1 or 2 is what stays
	`((?i:access_?token|refresh_?token|client_?secret|code_?verifier)\\?["']?\s*(?:[:=]|%3D)\s*\[?\s*\\?["']?)[^\s"'&,}<]{8,}` +
		`|(\bpin[acr][_.])[^\s"'&,}<]+`)

const (
	shortest = 4 // a secret of fewer bytes is not looked for: it says nothing
	piece    = 8 // a piece of a secret, of so many bytes, is one too
)

// A redactor takes secrets out of what somebody else said: whole, in the forms
// in which a request or an answer may carry them, and in pieces, as a server
// may have cut short what it quotes.
type redactor struct {
	secrets []string
	also    func() []string // asked when there is something to redact

	once   sync.Once // makes what follows, when there is something to redact
	whole  []string
	pieces map[string]bool
}

func newRedactor(secrets ...string) *redactor { return &redactor{secrets: secrets} }

func (r *redactor) prepare() {
	r.pieces = make(map[string]bool)
	if r.also != nil {
		r.secrets = append(r.secrets, r.also()...)
	}
	for _, secret := range r.secrets {
		quoted, _ := json.Marshal(secret)
		forms := []string{
			secret, url.QueryEscape(secret), url.PathEscape(secret), html.EscapeString(secret),
			string(bytes.Trim(quoted, `"`)), strings.Trim(strconv.Quote(secret), `"`),
			base64.StdEncoding.EncodeToString([]byte(secret)),
		}
		for _, form := range forms {
			if len(form) < shortest {
				continue
			}
			r.whole = append(r.whole, form)
			for i := 0; i+piece <= len(form); i++ {
				r.pieces[form[i:i+piece]] = true
			}
		}
	}
}

// secrets are those of a request by c with the form v.
func (c *Config) secrets(v url.Values) *redactor {
	basic := basicUser(c.ClientID) + ":" + basicUser(c.ClientSecret)
	secrets := []string{c.ClientSecret, basic}
	for name, values := range v {
		switch name {
		case "grant_type", "redirect_uri", "scope", "continuous_refresh", "refresh_on", "token_type_hint", "client_id":
		default:
			secrets = append(secrets, values...)
		}
	}
	return newRedactor(secrets...)
}

// text returns s, at most a kilobyte of it, without secrets. All are looked for
// in s as it is: what one of them covers cannot hide another.
func (r *redactor) text(s string) string {
	const most = 1 << 10
	r.once.Do(r.prepare)
	s = strings.ToValidUTF8(s[:min(len(s), most)], "")
	secret := make([]bool, len(s)+1)
	mark := func(from, to int) {
		for i := from; i < to; i++ {
			secret[i] = true
		}
	}
	for _, m := range secretPattern.FindAllStringSubmatchIndex(s, -1) {
		mark(max(m[3], m[5]), m[1])
	}
	for _, form := range r.whole {
		for from := 0; ; {
			i := strings.Index(s[from:], form)
			if i < 0 {
				break
			}
			mark(from+i, from+i+len(form))
			from += i + 1
		}
	}
	for i := 0; i+piece <= len(s); i++ {
		if r.pieces[s[i:i+piece]] {
			mark(i, i+piece)
		}
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case !secret[i]:
			b.WriteByte(s[i])
		case !secret[i+1]:
			b.WriteString(redacted)
		}
	}
	return b.String()
}

// error returns err with its words redacted. It does not unwrap to the words
// of the original; errors.Is and errors.As still see it.
func (r *redactor) error(err error) error {
	return &discreetError{message: r.text(err.Error()), err: err}
}

// A discreetError is an error of somebody else's, in words without secrets.
type discreetError struct {
	message string
	err     error
}

func (e *discreetError) Error() string        { return e.message }
func (e *discreetError) Is(target error) bool { return errors.Is(e.err, target) }

func (e *discreetError) As(target any) bool {
	if u, ok := target.(**url.Error); ok { // which callers like to print
		var raw *url.Error
		if !errors.As(e.err, &raw) {
			return false
		}
		*u = &url.Error{Op: raw.Op, URL: raw.URL, Err: &discreetError{e.message, raw.Err}}
		return true
	}
	return errors.As(e.err, target)
}

// Temporary makes it a net.Error, so that errors.As finds none with the raw words.
func (e *discreetError) Temporary() bool {
	var t interface{ Temporary() bool }
	return errors.As(e.err, &t) && t.Temporary()
}

// Timeout lets a url.Error of ours tell what the original would.
func (e *discreetError) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.err, &t) && t.Timeout()
}
