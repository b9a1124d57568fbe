package wire

import (
	"context"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each line comes through as it is.
const readable = `
Authentication failed.
Authorization failed.
The authorization grant is invalid
The refresh token or authorization code is invalid.
The refresh token has expired.
Invalid request body
Invalid request.
Invalid refresh token
Refresh token expired
Your app is not approved
You are not permitted to access that resource.
You have exceeded your rate limit. Try again later.
Something went wrong on our end. Sorry about that.
Board not found.
Missing parameter: grant_type.
Missing parameter: refresh_token.
"everlasting_refresh" is not a grant_type.
"code" must not be given twice.
The body must be application/x-www-form-urlencoded.
scope goes beyond what was granted.
token_type_hint must be access_token or refresh_token.
Your token does not have sufficient permissions to perform this operation. Please ensure your token is authorized with the correct set of scopes.
There is no app with this client_id.
The redirect_uri is not one that the app registered.
The redirect_uri is not an absolute URL.
This form was not made for you. Please start over.
The request is too large.
Method not allowed.
No boards:read in ads:read billing:write biz_access:read pins:read_secret user_accounts:write
only tokens issued for system users are currently supported
integration_refresh is no authorization_code, v5 is not v4
100, 100;w=1;name="safety_net_app_id_user_id", 1000;w=60;name="org_read_app_id_user_id"
sqlstore: looking at table pinterest_tokens: no such table
redisstore: cannot claim "alice": no answer from Redis yet
filestore: update "alice": no space left on device
application/json; charset=utf-8
application/vnd.api+json
text/html; charset=ISO-8859-1
Wed, 25 Nov 2026 10:00:00 GMT
https://api.pinterest.com/v5/oauth/token
https://api-sandbox.pinterest.com/v5/oauth/token/revoke
https://developers.pinterest.com/docs/getting-started/authentication/
https://www.pinterest.com/oauth/
Post "https://api.pinterest.com/v5/oauth/token": context deadline exceeded (Client.Timeout exceeded while awaiting headers)
Post "http://127.0.0.1:43210/v5/oauth/token": EOF
Post "https://api.pinterest.com/v5/oauth/token": http: server gave HTTP response to HTTPS client
dial tcp 127.0.0.1:8095: connect: connection refused
dial tcp [::1]:8095: connect: connection refused
dial tcp 10.0.0.7:443: connect: network is unreachable
dial unix /var/run/postgresql/.s.PGSQL.5432: connect: no such file or directory
read tcp 127.0.0.1:54321->127.0.0.1:8095: read: connection reset by peer
read tcp 192.168.100.101:54321->192.168.100.102:44300: read: connection reset by peer
read tcp [2001:db8::1]:54321->[2001:db8::2]:443: i/o timeout
write tcp 127.0.0.1:54321->127.0.0.1:8095: write: broken pipe
lookup api.pinterest.com on 127.0.0.53:53: no such host
proxyconnect tcp: dial tcp: lookup proxy on 10.0.0.1:53: server misbehaving
unexpected EOF
context canceled
net/http: TLS handshake timeout
net/http: request canceled while waiting for connection
net/http: HTTP/1.x transport connection broken: malformed HTTP response "hello"
net/http: HTTP/1.x transport connection broken: malformed HTTP status code "two"
http: RoundTripper implementation (*wire.mock) returned a *Response with a nil Body
http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR, debug=""
http2: client connection lost
stream error: stream ID 1; INTERNAL_ERROR; received from peer
stopped after 10 redirects
unsupported protocol scheme "ftp"
remote error: tls: handshake failure
tls: first record does not look like a TLS handshake
tls: failed to verify certificate: x509: certificate signed by unknown authority
tls: failed to verify certificate: x509: certificate is valid for example.com, www.example.com, not api.pinterest.com
tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-11-25T10:00:00Z is after 2025-11-25T09:00:00Z
x509: cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs
gzip: invalid checksum
invalid character '<' looking for beginning of value
open /var/lib/tokens/alice.json: permission denied
write /tmp/tokens: no space left on device
pq: duplicate key value violates unique constraint "tokens_pkey"
pq: cannot execute UPDATE in a read-only transaction
pq: password authentication failed for user "alice"
pq: SSL is not enabled on the server
ERROR: deadlock detected (SQLSTATE 40P01)
ERROR: cannot execute INSERT in a read-only transaction (SQLSTATE 25006)
FATAL: sorry, too many clients already (SQLSTATE 53300)
Error 1062 (23000): Duplicate entry 'alice' for key 'tokens.PRIMARY'
ERROR 1290 (HY000): The MariaDB server is running with the --read-only option so it cannot execute this statement
Error 1213 (40001): Deadlock found when trying to get lock; try restarting transaction
database is locked (5) (SQLITE_BUSY)
SQL logic error: no such table: tokens (1)
sql: database is closed
driver: bad connection
NOAUTH Authentication required.
WRONGPASS invalid username-password pair or user is disabled.
READONLY You can't write against a read only replica.
LOADING Redis is loading the dataset in memory
MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.
OOM command not allowed when used memory > 'maxmemory'.
MOVED 3999 127.0.0.1:6381
retry after 1m30s, in 250ms, 5 times, 100% of it
OAuth2, MySQL, PostgreSQL 17.2, SQLite, ETag, JSON, UTF-8, IPv6
App 12345 of user_9
Accès refusé : l'autorisation a expiré
Ungültiger Schlüssel
Accès refusé
पहुंच अस्वीकृत
アクセスが拒否されました
invalid input: [redacted]: refused
`

func TestWhatPeopleAndServersSayStaysReadable(t *testing.T) {
	for line := range strings.Lines(strings.TrimSpace(readable)) {
		line = strings.TrimSpace(line)
		assert.Equal(t, line, Plain(line, "s3cret-of-the-app", "c0de-9f8e7d6c5b4a", "pina_AAAA1111bbbb2222"))
	}
	assert.Empty(t, Plain(""))
}

func TestWhatLooksOpaqueIsNotShown(t *testing.T) {
	for text, want := range map[string]string{
		"token 9f8e7d6c5b4a is bad":                                   "token [redacted] is bad",
		"Bearer pina_abc is bad":                                      "Bearer [redacted] is bad",
		"the tokens pinr.old, pinc_new twice":                         "the tokens [redacted] twice",
		"app 1234567890":                                              "app [redacted]",
		"12345.12345.1234 is":                                         "12345.12345.1234 is",
		"12345.12345.12345 is":                                        "[redacted] is",
		"[redacted] 9f8e7d6c5b4a is bad":                              "[redacted] is bad",
		"letters abkcdqzvab, kcdqzabe, baeioua":                       "letters [redacted]",
		"a session [9f8e7d6c5b4a]":                                    "a session [[redacted]]",
		"Basic MTIzNDU2NzpzM2NyZXQ= is bad":                           "Basic [redacted]= is bad",
		"xK9f2LqP8v Zk3v9Tt0a,\nq8Zk3v9T. Sorry":                      "[redacted] Sorry",
		"550e8400-e29b-41d4-a716-446655440000":                        "[redacted]",
		"https://api.pinterest.com/v5/pins/813744226420795884/save":   "https://api.pinterest.com/v5/pins/[redacted]/save",
		"https://example.com/back?code=abc&state=xyz#top is bad":      "https://example.com/back?code=[redacted]&state=[redacted] is bad",
		"grant_type=refresh_token&refresh_token=hello&scope=all":      "grant_type=refresh_token&refresh_token=[redacted]&scope=[redacted]",
		`{"access_token":"hello there","refresh_token": "you","x":1}`: `{"access_token":"[redacted]","refresh_token": "[redacted]","x":1}`,
		`"{\"access_token\":\"hello\"}"`:                              `"{\"access_token\":\"[redacted]\"}"`,
		`refresh_token: ["hello"]`:                                    `refresh_token: ["[redacted]"]`,
		"accessToken=hello, client_secret = hello, password=hello":    "accessToken=[redacted], client_secret = [redacted], password=[redacted]",
		"accessToken: hello":                                          "accessToken: [redacted]",
		"access_token%3Dhello":                                        "[redacted]",
		`{"code":"hello"}`:                                            `{"code":"[redacted]"}`,
		`{"code":283}`:                                                `{"code":283}`,
		"cannot keep [123 34 118 101 114 115 105 111 110 34]":         "cannot keep [[redacted]]",
		"cannot keep 7b 22 76 65 72 73 69 6f 6e":                      "cannot keep [redacted]",
		"postgres://alice:hello@127.0.0.1:5432/test":                  "postgres://[redacted]@127.0.0.1:5432/test",
		"redis://:hello@127.0.0.1:6379/0":                             "redis://[redacted]@127.0.0.1:6379/0",
		"dial root:hello@tcp(127.0.0.1:3306)/test":                    "dial [redacted]@tcp(127.0.0.1:3306)/test",
		"bad \x1b[31 by\xfftes":                                       "bad \x1b[31 bytes",
	} {
		assert.Equal(t, want, Plain(text), text)
	}
}

func TestATextIsCutAtAWord(t *testing.T) {
	words := strings.Repeat("word ", 204) + "word"
	require.Len(t, words, mostText)
	assert.Equal(t, words, Plain(words))
	assert.Equal(t, strings.TrimSuffix(words, " word"), Plain(words+" "))
	assert.Equal(t, strings.TrimSuffix(words, " word"), Plain(words+strings.Repeat(" word", 1000)))
	assert.Equal(t, strings.Repeat("拒否　", 112)+"拒否", Plain(strings.Repeat("拒否　", 1000)))
	assert.Empty(t, Plain(strings.Repeat("x", 3000)))
}

// alphabets are what secrets are made of.
var alphabets = map[string]struct {
	prefix, letters string
	length          int
}{
	"hex":              {"", "0123456789abcdef", 40},
	"a token":          {"pina_", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 80},
	"a refresh token":  {"pinr.", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.", 120},
	"letters":          {"", "abcdefghijklmnopqrstuvwxyz", 32},
	"digits":           {"", "0123456789", 16},
	"a passphrase":     {"", "aeiouyrstln-", 24},
	"a short password": {"", "abcdefghijklmnopqrstuvwxyz0123456789", 7},
}

func randomSecret(r *rand.Rand, kind string) string {
	a := alphabets[kind]
	letters := []rune(a.letters)
	s := a.prefix
	for range a.length {
		s += string(letters[r.IntN(len(letters))])
	}
	return s
}

// echoes are the forms in which a server may give a secret back.
func echoes(secret string) map[string]string {
	b := []byte(secret)
	data, _ := json.Marshal(secret)
	return map[string]string{
		"raw":       secret,
		"hex":       hex.EncodeToString(b),
		"HEX":       strings.ToUpper(hex.EncodeToString(b)),
		"base64":    base64.StdEncoding.EncodeToString(b),
		"base64url": base64.RawURLEncoding.EncodeToString(b),
		"Basic":     base64.StdEncoding.EncodeToString([]byte("1234567:" + secret)),
		"Basic 2":   base64.StdEncoding.EncodeToString([]byte("12345678:" + secret)),
		"query":     url.QueryEscape(secret),
		"path":      url.PathEscape(secret),
		"HTML":      html.EscapeString(secret),
		"JSON":      strings.Trim(string(data), `"`),
		"quoted":    strings.Trim(strconv.Quote(secret), `"`),
		"base32":    base32.StdEncoding.EncodeToString(b),
	}
}

// escapes are the ways to write a character of a secret by its number.
var escapes = map[string]string{
	"HTML": "&#%d;", "HTML in hex": "&#x%x;", "padded HTML": "&#%05d;", "no semicolon": "&#%d",
	"JSON": `\u%04x`, "JSON twice": `\\u%04X`, "JavaScript": `\u{%x}`, "escape": "%%u%04X",
	"hex": `\x%02x`, "octal": `\%03o`, "URL": "%%%02x", "URL twice": "%%25%02X", "mail": "=%02X", "Unicode": "U+%04X ",
	"bars": "%d|", "slashes": "%d/", "pluses": "%d+",
}

func TestASecretThatIsEscapedCharacterByCharacterIsNotShown(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 5))
		for kind, a := range alphabets {
			if a.length < 8 {
				continue
			}
			secret := randomSecret(r, kind)
			for name, escape := range escapes {
				var echo, six string
				for i, c := range []byte(secret) {
					echo += fmt.Sprintf(escape, c)
					if i < piece {
						six = echo
					}
				}
				said := Plain("The value " + echo + " is bad")
				assert.Contains(t, said, "The value", name)
				assert.NotContains(t, said, strings.TrimSpace(six), "%s %s", kind, name)
				assert.Less(t, len(strings.ReplaceAll(said, redacted, "")), len("The value  is bad")+6*piece, "%s %s: %s", kind, name, said)
			}
		}
	}
}

func inPieces(s string, length int, between string) string {
	var pieces []string
	for piece := range slices.Chunk([]byte(s), length) {
		pieces = append(pieces, string(piece))
	}
	return strings.Join(pieces, between)
}

// requireHidden says the claim: of the echo no six bytes in a row are shown,
// save those of it that hold nothing of the secret (such as the id before it).
func requireHidden(t *testing.T, echo, said, why string) {
	t.Helper()
	shown := strings.ReplaceAll(said, redacted, "\x00")
	echo = strings.TrimRight(strings.TrimSuffix(strings.TrimSuffix(echo, "%3D"), "%3D"), "=") // which say nothing
	for i := 0; i+piece <= len(echo); i++ {
		if strings.Contains(shown, echo[i:i+piece]) {
			require.Failf(t, "shown", "%s: %q of %q in %q", why, echo[i:i+piece], echo, said)
		}
	}
}

func TestNoSixBytesOfASecretAreShownInWhateverForm(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 1))
		for kind := range alphabets {
			secret := randomSecret(r, kind)
			h := &hider{secrets: []string{secret}}
			for name, echo := range echoes(secret) {
				for how, text := range map[string]string{
					"whole": echo, "spaces": inPieces(echo, 7, " "), "lines": inPieces(echo, 7, "\n"), "commas": inPieces(echo, 7, ", "), "cut": echo[len(echo)/3:],
				} {
					if strings.HasPrefix(name, "Basic") && how != "whole" {
						continue // in pieces, the id's own are shown
					}
					said := h.text("The value " + text + " is bad")
					requireHidden(t, echo, said, fmt.Sprint(seed, " ", kind, " ", name, " ", how))
					if how == "whole" && !strings.Contains(echo, " ") {
						assert.True(t, strings.HasPrefix(said, "The value"), "%s %s: %s", kind, name, said)
						assert.True(t, strings.HasSuffix(said, " is bad"), "%s %s: %s", kind, name, said)
					}
				}
			}
		}
	}
}

// In pieces of so few bytes, nothing looks opaque.
func TestAKnownSecretInSmallPiecesIsNotShown(t *testing.T) {
	for seed := range uint64(2) {
		r := rand.New(rand.NewPCG(seed, 4))
		for kind := range alphabets {
			if alphabets[kind].length < 8 {
				continue
			}
			secret := randomSecret(r, kind)
			for _, name := range []string{"raw", "hex", "HEX", "base64", "base64url"} {
				for _, length := range []int{1, 4, 6} {
					for _, between := range []string{" ", ",\n", "_"} {
						pieces := inPieces(echoes(secret)[name], length, between)
						shown := strings.ReplaceAll(Plain("The value "+pieces+" is bad", secret), redacted, "\x00")
						for i := 0; i+12 <= len(pieces); i++ {
							require.NotContains(t, shown, pieces[i:i+12], "%s in %s by %d: %q", kind, name, length, shown)
						}
					}
				}
			}
		}
	}
}

func TestSixBytesOfAKnownSecretOrEightOfItsLettersAreHiddenAndNoLess(t *testing.T) {
	const secret = "az-open-sesame-09!?"
	for text, want := range map[string]string{
		"az-ope":                 redacted,
		"n-sesa":                 redacted,
		"me-09!":                 redacted,
		"09!?":                   "09!?",
		"n-ses":                  "n-ses",
		"it is n-sesa, is it":    "it is [redacted], is it",
		"sesame-09!? is bad":     "[redacted] is bad",
		"A z o p e n s e":        redacted,
		"a m e 0 9":              "a m e 0 9",
		"e s a m e-0/9 it is":    "e s a m e-0/9 it is",
		"s e s a m e-0\n9 it is": "[redacted] it is",
		"p e n s e s a it is":    "p e n s e s a it is",
	} {
		assert.Equal(t, want, Plain(text, secret), text)
	}
}

func TestASecretThatNobodyKnewOfIsNotShownEither(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 2))
		for _, kind := range []string{"hex", "a token", "a refresh token", "letters", "digits"} {
			secret := randomSecret(r, kind)
			for name, echo := range echoes(secret) {
				if strings.Contains(echo, " ") {
					continue // numbers
				}
				said := Plain("The value " + echo + " is bad")
				requireHidden(t, echo, said, fmt.Sprint(seed, " ", kind, " ", name))
			}
		}
	}
}

func TestAShortSecretIsHiddenWhole(t *testing.T) {
	assert.Equal(t, "code [redacted] is bad", Plain("code open is bad", "is", "bad", "open"), "a secret of three letters is no reason to garble every word")
}

// Whoever sends the user back chooses the code, and may choose it so that
// taking it out of an echo leaves the rest of a secret standing.
func TestOneSecretHidesNoOther(t *testing.T) {
	basic := base64.StdEncoding.EncodeToString([]byte("1234567:s3cret-of-the-app"))
	for _, code := range []string{basic[:8], "Basic " + basic[:8], basic[3:20], basic[len(basic)-8:]} {
		said := Plain("bad header Basic "+basic, code, basic)
		assert.Contains(t, said, "bad header")
		requireHidden(t, basic, said, code)
	}
}

func TestAQuietErrorCanBeTakenApart(t *testing.T) {
	const code = "c0de-9f8e7d6c5b4a"
	cause := &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
	raw := &url.Error{Op: "Post", URL: "https://u:p@api.pinterest.com/?x=y", Err: fmt.Errorf("malformed answer %q: %w", code, cause)}
	err := Quiet(raw, code)
	require.EqualError(t, err, `Post "https://[redacted]@api.pinterest.com/?x=[redacted]": malformed answer "[redacted]": read tcp: connection reset by peer`)
	require.ErrorIs(t, err, cause)
	op, ok := errors.AsType[*net.OpError](err)
	require.True(t, ok)
	assert.Same(t, cause, op)

	assert.NotErrorIs(t, err, net.ErrClosed)

	u, ok := errors.AsType[*url.Error](err)
	require.True(t, ok)
	assert.Equal(t, &url.Error{Op: "Post", URL: "https://[redacted]@api.pinterest.com/?x=[redacted]", Err: &quietError{err.Error(), errors.Unwrap(raw)}}, u)
	assert.EqualError(t, u.Err, err.Error())
	n, ok := errors.AsType[net.Error](err)
	require.True(t, ok)
	assert.EqualError(t, n, err.Error())

	for _, c := range []struct {
		err                error
		timeout, temporary bool
	}{
		{raw, false, false},
		{errors.New("no network's"), false, false},
		{&url.Error{Op: "Post", Err: context.DeadlineExceeded}, true, true},
		{os.ErrDeadlineExceeded, true, true},
		{&net.DNSError{IsTemporary: true}, false, true},
	} {
		quiet := Quiet(c.err).(*quietError)
		assert.Equal(t, c.timeout, quiet.Timeout(), c.err)
		assert.Equal(t, c.temporary, quiet.Temporary(), c.err)
	}
	_, ok = errors.AsType[*url.Error](Quiet(cause))
	assert.False(t, ok)
	assert.NoError(t, Quiet(nil))
	assert.EqualError(t, Quiet((*url.Error)(nil)), "<nil>", "as a careless store returns")
}

func TestASecretThatIsWrittenBackwardsIsNotShown(t *testing.T) {
	assert.Equal(t, "The value [redacted] is bad", Plain("The value emases nepo is bad", "open sesame"))
}

func FuzzPlain(f *testing.F) {
	f.Add("The refresh token %s is invalid.", uint64(1), uint8(0))
	f.Add(`{"access_token":"%s","x":1}`, uint64(2), uint8(1))
	f.Add("https://u:p@example.com/%s?code=%s&state=x#y [redacted] é", uint64(3), uint8(2))
	f.Add("%s%s access_token= pina_ %s\n%s", uint64(4), uint8(3))
	f.Add(strings.Repeat("12:34:ab ", 200), uint64(5), uint8(4))
	kinds := slices.Sorted(func(yield func(string) bool) {
		for kind := range alphabets {
			if !yield(kind) {
				return
			}
		}
	})
	f.Fuzz(func(t *testing.T, text string, seed uint64, how uint8) {
		r := rand.New(rand.NewPCG(seed, 3))
		secret := randomSecret(r, kinds[int(how)%len(kinds)])
		said := strings.ReplaceAll(Plain(strings.ReplaceAll(text, "%s", secret), secret), redacted, "\x00")
		for i := 0; i+piece <= len(secret); i++ {
			if !strings.Contains(text, secret[i:i+piece]) {
				assert.NotContains(t, said, secret[i:i+piece])
			}
		}
	})
}
