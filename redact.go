package pinterest

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

const redacted = "[redacted]"

// secretPattern matches what can only be a secret, whoever it was issued to: a
// value by the name before it, a token of Pinterest's by its prefix.
var secretPattern = regexp.MustCompile(
	`((?i:access_token|refresh_token|client_secret)\\?["']?\s*[:=]\s*\\?["']?|pin[acr][_.])[^\s"'&,}<\\]+`)

// A redactor takes secrets out of what a server said.
type redactor struct{ exact *strings.Replacer }

// newRedactor knows the secrets of one request, in each form in which the
// request carried them.
func newRedactor(c *Config, secrets ...string) redactor {
	basic := basicUser(c.ClientID) + ":" + basicUser(c.ClientSecret)
	secrets = append(secrets, c.ClientSecret, base64.StdEncoding.EncodeToString([]byte(basic)))
	var pairs []string
	for _, s := range secrets {
		for _, form := range []string{s, url.QueryEscape(s), url.PathEscape(s)} {
			if form != "" {
				pairs = append(pairs, form, redacted)
			}
		}
	}
	return redactor{strings.NewReplacer(pairs...)}
}

func (r redactor) text(s string) string {
	return secretPattern.ReplaceAllString(r.exact.Replace(s), "${1}"+redacted)
}

func (r redactor) header(h http.Header) http.Header {
	clean := make(http.Header, len(h))
	for k, vs := range h {
		for _, v := range vs {
			clean.Add(k, r.text(v))
		}
	}
	return clean
}
