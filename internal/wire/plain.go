package wire

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

const (
	redacted = "[redacted]"
	mostText = 1 << 10 // bytes of a text that are shown
	piece    = 6       // bytes in a row of a known secret that are not shown
	spelled  = 8       // letters and digits of one that are not shown either, whatever separates them
	shortest = 4       // a secret of fewer bytes says nothing
)

// Plain returns text (of which it looks at 1 KiB) without what looks opaque: it shows words,
// short numbers, versions, addresses and URLs, and nothing that could be a
// secret. Never shown is what follows a name such as access_token= or has
// Pinterest's prefix of tokens, nor six bytes in a row of one of the secrets, nor eight letters of one, spelled.
func Plain(text string, secrets ...string) string { return (&hider{secrets: secrets}).text(text) }

// Quiet returns err in plain words. [errors.Is] and [errors.As] see err itself,
// save the words of a [*url.Error].
func Quiet(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	return (&hider{secrets: secrets}).error(err)
}

// A hider takes secrets out of what somebody else said.
type hider struct {
	secrets []string
	forms   []form // of the secrets, as far as text has met them
	met     int
}

// A form is a way to write a secret, and its letters and digits.
type form struct{ known, letters string }

// allForms returns the forms of all secrets. They are made once: an answer has
// many texts.
func (h *hider) allForms() []form {
	for _, secret := range h.secrets[h.met:] {
		if len(secret) < shortest {
			continue
		}
		raw, backwards := []byte(secret), []byte(secret)
		slices.Reverse(backwards)
		for _, known := range []string{secret, string(backwards), base64.StdEncoding.EncodeToString(raw), base32.StdEncoding.EncodeToString(raw), hex.EncodeToString(raw)} {
			letters, _ := onlyLetters(known)
			h.forms = append(h.forms, form{known, letters})
		}
	}
	h.met = len(h.secrets)
	return h.forms
}

const namedValue = `(?:\\*["']([^"'\\]*)|([^\s"'&,;}<>\\]+))`

var (
	// namedSecret finds, in its groups, what is a secret by the name before it, by
	// its prefix, or by its place in a URL.
	namedSecret = regexp.MustCompile(`(?i)` + strings.Join([]string{
		`(?:(?:access|refresh|id|auth|api|session)[_-]?(?:token|key)|code[_-]?verifier|secret|passw(?:or)?d)\\*["']?\s*(?:[:=]|%3D)\s*\[?\s*` + namedValue,
		`(?:\bcode|token|assertion|pwd)(?:(?:=|%3D)` + namedValue + `|\\*["']\s*:\s*\[?\s*\\*["']([^"'\\]*))`,
		`[?&][\w.~%-]+=([^\s"'&<>]+)`,
		`([^\s"'/(=]*:[^\s"'/@]+)@`,
		`(\bpin[acr][_.][^\s"'&,}<]+)`,
		`((?:\b(?:0x)?[0-9a-f]{1,3}[\s,;:|/+]+){7,}(?:0x)?[0-9a-f]{1,3}\b)`,      // bytes, as %v, % x and %#v write them
		`((?:(?:&#x?|[\\%]+(?:25)*(?:u\{?|x)?|u\+|=)[0-9a-f]{2,8}[\s,;}]*){6,})`, // characters, as HTML, JSON, URLs, mails and SQL escape them
	}, "|"))

	// A word ends where no secret would go on; a slash is left out, so that of a
	// path only the parts that look opaque are hidden.
	anyWord = regexp.MustCompile(`(?s)\[redacted\]|[\pL0-9_.:+%-]+|.`)

	// hiddenWords are hidden words in a row: one is enough, whatever separates them.
	hiddenWords = regexp.MustCompile(`\[redacted\]([^\pL\p{Nd}]*\[redacted\])+`)

	// plainPart is a number, a short name such as v5 or x509, or letters as words are
	// written: lower, Capital, UPPER or CamelCase.
	plainPart = regexp.MustCompile(`^(?:\d{1,5}|[\pL\d]{1,5}|\p{Lu}?[\p{Ll}\p{Lo}]{1,20}|\p{Lu}{1,20}|\p{Lu}?\p{Ll}{3,}(?:\p{Lu}\p{Ll}{3,}){1,4})$`)

	// unspoken are letters that no word is made of.
	unspoken  = regexp.MustCompile(`(?i)[b-df-hj-np-tv-xz]{6}|^[b-df-hj-np-tv-xz]{5}[a-z]*$|[aeiou]{5}`)
	wellKnown = regexp.MustCompile(`(?i)^(?:https|sqlstate|pgsql|oauth2?|mysql|postgresql|sqlite|sqlstore|mariadb|etag|github|errcode|laststreamid)$`)
)

// text returns s in plain words. Each rule is applied to s as it is: what one
// hides is no cover for another.
func (h *hider) text(s string) string {
	if s == "" {
		return ""
	}
	s = strings.ToValidUTF8(s, "")
	if len(s) > mostText { // what the last word was is not known
		s = s[:max(0, strings.LastIndexFunc(s[:mostText], unicode.IsSpace))]
	}
	hidden := make([]bool, len(s))
	hide := func(from, to int) {
		for i := from; i < to; i++ {
			hidden[i] = true
		}
	}
	for _, m := range namedSecret.FindAllStringSubmatchIndex(s, -1) {
		for g := 2; g < len(m); g += 2 {
			hide(m[g], m[g+1])
		}
	}
	// In pieces, a secret could read like words. In base64 for URLs, it has the
	// letters that it has in the other.
	letters, at := onlyLetters(s)
	for _, f := range h.allForms() {
		n := min(len(f.known), piece)
		for i := 0; i+n <= len(s); i++ {
			if strings.Contains(f.known, s[i:i+n]) {
				hide(i, i+n)
			}
		}
		for i := 0; i+spelled <= len(letters); i++ {
			if strings.Contains(f.letters, letters[i:i+spelled]) {
				for _, i := range at[i : i+spelled] {
					hidden[i] = true
				}
			}
		}
	}
	var b strings.Builder
	for _, word := range anyWord.FindAllString(s, -1) {
		if !isPlain(word) || slices.Contains(hidden[:len(word)], true) {
			b.WriteString(redacted)
		} else {
			b.WriteString(word)
		}
		hidden = hidden[len(word):]
	}
	return hiddenWords.ReplaceAllString(b.String(), redacted)
}

// onlyLetters returns the letters and digits of ASCII in s, in lower case, and
// where they are.
func onlyLetters(s string) (letters string, at []int) {
	b := make([]byte, 0, len(s))
	at = make([]int, 0, len(s))
	for i, r := range s {
		if r = unicode.ToLower(r); '0' <= r && r <= '9' || 'a' <= r && r <= 'z' {
			b, at = append(b, byte(r)), append(at, i)
		}
	}
	return string(b), at
}

// isPlain reports whether a word is an address, or made of plain parts and few
// digits.
func isPlain(word string) bool {
	if _, err := netip.ParseAddrPort(strings.Trim(word, ".:-")); err == nil {
		return true
	}
	digits := 0
	for part := range strings.FieldsFuncSeq(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if !wellKnown.MatchString(part) && (!plainPart.MatchString(part) || unspoken.MatchString(part)) {
			return false
		}
		for _, r := range part {
			if unicode.IsDigit(r) {
				digits++
			}
		}
	}
	return digits <= 14
}

func (h *hider) quotes(s string) bool {
	for _, known := range h.secrets {
		for i := 0; i+piece <= len(s); i++ {
			if strings.Contains(known, s[i:i+piece]) {
				return true
			}
		}
	}
	return false
}

// error reads err as fmt does, which a nil pointer in it does not crash.
func (h *hider) error(err error) error { return &quietError{h.text(fmt.Sprint(err)), err} }

// A quietError is an error of somebody else's, in words without secrets.
type quietError struct {
	message string
	err     error
}

func (e *quietError) Error() string        { return e.message }
func (e *quietError) Is(target error) bool { return errors.Is(e.err, target) }

func (e *quietError) As(target any) bool {
	if u, ok := target.(**url.Error); ok { // which callers like to print
		raw, ok := errors.AsType[*url.Error](e.err)
		if ok {
			*u = &url.Error{Op: raw.Op, URL: Plain(raw.URL), Err: &quietError{e.message, raw.Err}}
		}
		return ok
	}
	return errors.As(e.err, target)
}

// Temporary makes it a net.Error, so that errors.As finds none with the raw words.
func (e *quietError) Temporary() bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](e.err)
	return ok && t.Temporary()
}

// Timeout lets a url.Error of ours tell what the original would.
func (e *quietError) Timeout() bool {
	n, ok := errors.AsType[net.Error](e.err)
	return ok && n.Timeout()
}
