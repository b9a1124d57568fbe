package wire

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/netip"
	"net/url"
	"regexp"
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
func Plain(text string, secrets ...string) string { return (&hider{secrets}).text(text) }

// Quiet returns err in plain words. [errors.Is] and [errors.As] see err itself,
// save the words of a [*url.Error].
func Quiet(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	return (&hider{secrets}).error(err)
}

// A hider takes secrets out of what somebody else said.
type hider struct{ secrets []string }

const namedValue = `(?:\\*["']([^"'\\]*)|([^\s"'&,;}<>\\]+))`

var (
	// namedSecret finds, in its groups, what is a secret by the name before it, by
	// its prefix, or by its place in a URL.
	namedSecret = regexp.MustCompile(`(?i)` + strings.Join([]string{
		`(?:(?:access|refresh|id|auth|api|session)[_-]?(?:token|key)|code[_-]?verifier|secret|passw(?:or)?d)\\*["']?\s*(?:[:=]|%3D)\s*\[?\s*` + namedValue,
		`(?:\bcode|token|assertion|pwd)(?:(?:=|%3D)` + namedValue + `|\\*["']\s*:\s*\[?\s*\\*["']([^"'\\]*))`,
		`[?&][\w.~%-]+=([^\s"'&<>]+)`,
		`://([^\s"'@/]+)@`,
		`([^\s"'/(=]+:[^\s"'/@]+)@`,
		`(\bpin[acr][_.][^\s"'&,}<]+)`,
		`((?:\b(?:0x)?[0-9a-f]{1,3}[\s,;:]+){7,}(?:0x)?[0-9a-f]{1,3}\b)`, // bytes, as %v, % x and %#v write them
	}, "|"))

	// A word ends where no secret would go on; a slash is left out, so that of a
	// path only the parts that look opaque are hidden.
	anyWord = regexp.MustCompile(`(?s)\[redacted\]|[\pL\pM0-9_.:+%-]+|.`)

	// plainPart is a number, a short name such as v5 or x509, or letters as words are
	// written: lower, Capital, UPPER or CamelCase.
	plainPart = regexp.MustCompile(`^(?:\d{1,5}|[\pL\pM\d]{1,5}|\p{Lu}?[\p{Ll}\p{Lo}\pM]{1,20}|\p{Lu}{1,20}|\p{Lu}?\p{Ll}{3,}(?:\p{Lu}\p{Ll}{3,}){1,4})$`)

	// unspoken are letters that no word is made of.
	unspoken  = regexp.MustCompile(`(?i)[b-df-hj-np-tv-xz]{6}|^[b-df-hj-np-tv-xz]{5}[a-z]*$|[aeiou]{5}`)
	wellKnown = regexp.MustCompile(`(?i)^(?:https|sqlstate|pgsql|oauth2?|mysql|postgresql|sqlite|mariadb|etag|github|errcode|laststreamid)$`)
)

// text returns s in plain words. Each rule is applied to s as it is: what one
// hides is no cover for another.
func (h *hider) text(s string) string {
	s = strings.ToValidUTF8(s, "")
	if len(s) > mostText { // what the last word was is not known
		s = s[:strings.LastIndexFunc(s[:mostText], unicode.IsSpace)+1]
	}
	secret := make([]bool, len(s))
	mark := func(from, to int) {
		for i := max(from, 0); i < to; i++ {
			secret[i] = true
		}
	}
	for _, m := range namedSecret.FindAllStringSubmatchIndex(s, -1) {
		for g := 2; g < len(m); g += 2 {
			mark(m[g], m[g+1])
		}
	}
	// In pieces, a secret could read like words.
	letters, at := onlyLetters(s)
	for _, secret := range h.secrets {
		b := []byte(secret)
		for _, known := range []string{secret, base64.StdEncoding.EncodeToString(b), base64.URLEncoding.EncodeToString(b), hex.EncodeToString(b)} {
			n := min(len(known), piece)
			for i := 0; len(secret) >= shortest && i+n <= len(s); i++ {
				if strings.Contains(known, s[i:i+n]) {
					mark(i, i+n)
				}
			}
			known, _ := onlyLetters(known)
			for i := 0; i+spelled <= len(letters); i++ {
				if strings.Contains(known, letters[i:i+spelled]) {
					mark(at[i], at[i+spelled-1]+1)
				}
			}
		}
	}
	var b strings.Builder
	between, hidden := "", false // what came since a word was hidden
	for _, word := range anyWord.FindAllString(s, -1) {
		hide := !isPlain(word)
		for i := range word {
			hide = hide || secret[i]
		}
		secret = secret[len(word):]
		switch isWord := strings.ContainsFunc(word, isWordRune); {
		case !hide && hidden && !isWord:
			between += word
		case hide && hidden: // one is enough, whatever separates them
			between = ""
		case hide:
			b.WriteString(redacted)
			hidden = true
		default:
			b.WriteString(between + word)
			between, hidden = "", word == redacted
		}
	}
	return b.String() + between
}

// onlyLetters returns the letters and digits of ASCII in s, and where they are.
func onlyLetters(s string) (letters string, at []int) {
	var b []byte
	for i := range len(s) {
		if c := s[i]; '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' {
			b, at = append(b, c), append(at, i)
		}
	}
	return string(b), at
}

func isWordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// isPlain reports whether a word is an address, or made of plain parts and few
// digits.
func isPlain(word string) bool {
	word = strings.Trim(word, "_.:+%-")
	if _, err := netip.ParseAddrPort(word); err == nil || word == redacted {
		return true
	}
	digits := 0
	for part := range strings.FieldsFuncSeq(word, func(r rune) bool { return !isWordRune(r) && !unicode.IsMark(r) }) {
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

func (h *hider) error(err error) error { return &quietError{h.text(err.Error()), err} }

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
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.err)
	return ok && t.Timeout()
}
