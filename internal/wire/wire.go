// Package wire sends one POST to Pinterest's OAuth endpoints and reads what
// comes back. It reads with the will to keep what an answer holds, however odd
// its form, and tells of it in words that hold no secret. What the answer means
// for a token is not its business.
package wire

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Request is one POST.
type Request struct {
	URL           string
	Form          url.Values // the body; nil: none
	Authorization string     // the header; empty: the client's transport sets it
	Secrets       []string   // more that an answer may echo; those of Form and Authorization are known
}

// An Answer is what the endpoint said. Its words hold no secret; only Fields
// are raw. One that [Answer.Grants] has no words: they take longer to make than
// all the rest of a renewal, and nobody would read them.
type Answer struct {
	StatusCode  int
	Fields      map[string]any // of the JSON object or form, its strings trimmed, as secret as a token; nil if there is none
	Problem     string         // what is wrong with the body; empty: nothing, so far as Fields go
	Cut         bool           // the body ended too early, and held no access token: Fields is nil
	Code        int            // Pinterest's number
	Message     string         // Pinterest's words
	Word        string         // RFC 6749's "error"; empty unless made of [a-z_]
	Description string         // error_description
	URI         string         // error_uri
	RequestID   string         // x-pinterest-rid
	RetryAfter  time.Duration  // see the function RetryAfter
	Body        []byte         // what of the body can be shown, as JSON; nil if nothing
	Response    *http.Response // what of the response and its request can be shown
}

// Basic returns the Authorization header of RFC 6749, section 2.3.1.
func Basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

type sendingKey struct{}

// Sending reports whether ctx is that of a request which Post sends with an
// Authorization header of its own. A transport that adds tokens must leave
// such a request as it is.
func Sending(ctx context.Context) bool { return ctx.Value(sendingKey{}) != nil }

// Post sends r by client (nil: http.DefaultClient) and reads the answer,
// whatever its status. It follows no redirect, and client's Timeout does not
// cut it short: an answer that is lost may have cost a token. Ctx alone bounds
// it. The error says why no answer came, in words without secrets.
func Post(ctx context.Context, client *http.Client, r Request) (*Answer, error) {
	c := *cmp.Or(client, http.DefaultClient)
	c.Timeout = 0
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if r.Authorization != "" {
		ctx = context.WithValue(ctx, sendingKey{}, true)
	}
	hide := &hider{secrets: r.secrets()}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, strings.NewReader(r.Form.Encode()))
	if err != nil {
		return nil, hide.error(err)
	}
	req.Header.Set("Accept", "application/json")
	if r.Form != nil {
		req.Header.Set("Content-Type", formType)
	}
	if r.Authorization != "" {
		req.Header.Set("Authorization", r.Authorization)
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, hide.error(err)
	}
	defer resp.Body.Close()
	return newAnswer(req, resp, hide), nil
}

// secrets are those that the request itself carries, and those it names.
func (r Request) secrets() []string {
	var secrets []string
	for name, values := range r.Form {
		switch name {
		case "grant_type", "redirect_uri", "scope", "continuous_refresh", "refresh_on", "token_type_hint", "client_id":
		default:
			secrets = append(secrets, values...)
		}
	}
	_, credentials, _ := strings.Cut(r.Authorization, " ")
	basic, _ := base64.StdEncoding.DecodeString(credentials)
	_, secret, _ := strings.Cut(string(basic), ":") // the id is public
	raw, _ := url.QueryUnescape(secret)
	return slices.Concat(secrets, r.Secrets, []string{credentials, secret, raw})
}

var (
	errorWord = regexp.MustCompile(`^[a-z_]{1,40}$`)
	requestID = regexp.MustCompile(`^(\d{1,20}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$`)
)

func newAnswer(req *http.Request, resp *http.Response, hide *hider) *Answer {
	a := &Answer{StatusCode: resp.StatusCode, RetryAfter: RetryAfter(resp)}
	a.Fields, a.Problem, a.Cut = read(resp, hide)
	for name, v := range a.Fields {
		if s, ok := v.(string); ok {
			a.Fields[name] = strings.TrimSpace(s)
		}
	}
	if a.Grants() {
		return a
	}
	hide.secrets = append(hide.secrets, stringOf(a.Fields, "access_token"), stringOf(a.Fields, "refresh_token"))
	if a.StatusCode/100 == 3 {
		a.Problem = "the endpoint answered with a redirect, which a token request never follows: check Endpoint.TokenURL"
	}

	public := make(map[string]any)
	for _, name := range []string{"status", "message", "error", "error_description", "error_uri"} {
		if s := hide.text(stringOf(a.Fields, name)); s != "" {
			public[name] = s
		}
	}
	a.Message, a.Description, a.URI = stringOf(public, "message"), stringOf(public, "error_description"), stringOf(public, "error_uri")
	if n, _ := Number(a.Fields["code"]); n != 0 && math.Abs(n) <= math.MaxInt32 {
		a.Code = int(n)
		public["code"] = a.Code
	}
	if len(public) > 0 {
		a.Body, _ = json.Marshal(public)
	}
	// The verdict must not be lost to somebody who chose a code such as "grant".
	if word := stringOf(a.Fields, "error"); errorWord.MatchString(word) && !hide.quotes(word) {
		a.Word = word
	}

	a.Response = &http.Response{
		Status:     fmt.Sprint(a.StatusCode, " ", http.StatusText(a.StatusCode)),
		StatusCode: a.StatusCode,
		Header:     make(http.Header),
		Body:       http.NoBody,
		Request:    publicRequest(req),
	}
	for _, name := range []string{"Content-Type", "Date", "Retry-After", "X-Pinterest-Rid", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"} {
		for _, v := range resp.Header[name] {
			if !requestID.MatchString(v) || hide.quotes(v) {
				v = hide.text(v)
			}
			a.Response.Header.Add(name, v)
		}
	}
	a.RequestID = a.Response.Header.Get("X-Pinterest-Rid")
	return a
}

// Grants reports whether the endpoint issued an access token that can be used.
func (a *Answer) Grants() bool {
	token := stringOf(a.Fields, "access_token")
	return a.StatusCode/100 == 2 && token != "" && Printable(token)
}

// publicRequest has no context either: it may hold anything. Nor has it the
// headers that a cookie jar or a transport added.
func publicRequest(req *http.Request) *http.Request {
	to := *req.URL
	to.User, to.RawQuery = nil, ""
	header := make(http.Header)
	for _, name := range []string{"Accept", "Content-Type"} {
		if v, ok := req.Header[name]; ok {
			header[name] = v
		}
	}
	return &http.Request{Method: req.Method, URL: &to, Header: header, Body: http.NoBody}
}

// stringOf returns the field of the given name, if it is a string.
func stringOf(fields map[string]any, name string) string {
	s, _ := fields[name].(string)
	return s
}

// Unseen reports whether r is one that nobody sees and that no id, secret or token
// holds. A byte that is no UTF-8 is one, too. It comes with what was read from a file
// or pasted.
func Unseen(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError
}

// Printable reports whether s is made of the characters that RFC 6749 allows
// in a token (appendix A.12: VSCHAR, here without the space).
func Printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
