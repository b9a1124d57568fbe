package pinterest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest/internal/wire"
)

// Config describes a Pinterest app. It stands in for [oauth2.Config]: the
// fields and methods that both have mean the same.
//
// A Config must not be modified once it is in use; it may then be used by
// several goroutines at once. Formatting or logging it leaves the secret out,
// unless it is a value in an unexported field of something else, where package
// fmt calls no methods: keep a pointer to it there.
type Config struct {
	// ClientID is the app id.
	ClientID string

	// ClientSecret is the app secret key.
	ClientSecret string

	// Endpoint is where Pinterest is. The zero value means [Endpoint].
	// Its AuthStyle is not looked at: Pinterest documents HTTP Basic alone.
	Endpoint oauth2.Endpoint

	// RedirectURL is where Pinterest sends the user after the authorization,
	// exactly as registered for the app.
	RedirectURL string

	// Scopes are the permissions to ask for; Pinterest demands at least one.
	// It can grant more: all that the user ever approved. See [GrantedScopes].
	Scopes []string

	// RefreshOn is the kind of refresh token to ask for. The zero value is
	// continuous refresh.
	RefreshOn RefreshOn

	// RefreshAhead is how long before its expiry an access token is renewed,
	// in the background, while it is still handed out. Zero means a tenth of
	// the token's life, if the refresh token that comes of it is kept: by
	// Accounts or OnRefresh, or because there is none. Negative, and zero
	// otherwise, means only once it has expired. More than half of the token's
	// life counts as half, if the token says how long it lives (ExpiresIn).
	RefreshAhead time.Duration

	// OnRefresh, if set, is told of every token that a source renewed before
	// anyone is handed it: the place to save it. The token is the callee's
	// own, its Expiry the true one. OnRefresh must not ask the source, or a
	// client over it, for a token: it would wait for itself.
	//
	// If OnRefresh fails, the new token is used all the same, OnRefresh is
	// called again with it until it succeeds, and until then the source sends
	// no further renewal. Of a token that Accounts keep it is told once, after
	// it is saved, and its failure is logged. Calls of one source never overlap.
	// The context carries the values of the source's, and a deadline of half a
	// minute. The token of Exchange is not a renewed one: keep that yourself.
	OnRefresh func(ctx context.Context, t *oauth2.Token) error

	// Logger is told of renewals and of what went wrong with them, never with
	// a secret. It is waited for, and must not ask the source for a token. Nil
	// means silent.
	Logger *slog.Logger
}

// AuthCodeURL returns the URL of Pinterest's page that asks the user for
// permission, as [oauth2.Config.AuthCodeURL] does, with the scopes joined by
// commas.
//
// State is the only protection against cross-site request forgery: make an
// unguessable one for every login and compare it when the user comes back, or
// have package login do both. Nothing is sent, and nothing is checked: a ClientID or
// RedirectURL that is wrong shows the user an error page of Pinterest's.
func (c *Config) AuthCodeURL(state string, opts ...oauth2.AuthCodeOption) string {
	std := c.OAuth2()
	std.Scopes = nil
	if scope := joinScopes(c.Scopes); scope != "" {
		std.Scopes = []string{scope}
	}
	return std.AuthCodeURL(state, opts...)
}

// Exchange turns the code that Pinterest sent to the redirect URL into a
// token. A code works once and for about ten minutes.
//
// Ctx bounds how long it takes, and half a minute each request. A request is sent
// again only if it certainly never left this machine; otherwise the code may be used up
// after an error: send the user to AuthCodeURL again. The error is an [*Error].
// The token is the caller's own, to be kept by [Accounts.Save] or [MarshalToken].
// Ctx carries the HTTP client under [oauth2.HTTPClient].
func (c *Config) Exchange(ctx context.Context, code string, opts ...oauth2.AuthCodeOption) (*oauth2.Token, error) {
	v := url.Values{"grant_type": {grantAuthorizationCode}, "code": {code}, "redirect_uri": {c.RedirectURL}}
	c.RefreshOn.ask(grantAuthorizationCode, v)
	for k, vs := range optionValues(opts) {
		v[k] = vs
	}
	if err := checkInput("the authorization code", v.Get("code"), "pass the code parameter of the redirect, and look for its error parameter first"); err != nil {
		return nil, &Error{Op: opExchange, Err: err}
	}
	if err := checkInput("RedirectURL", v.Get("redirect_uri"), "set it to the one the code was asked for with"); err != nil {
		return nil, &Error{Op: opExchange, Err: misconfigured(err.Error())}
	}
	return c.retrieve(ctx, opExchange, v, nil)
}

// optionValues returns what the options set. Only x/oauth2 can apply them, and
// only to a URL of its own.
func optionValues(opts []oauth2.AuthCodeOption) url.Values {
	u := (&oauth2.Config{}).AuthCodeURL("", opts...)
	v, _ := url.ParseQuery(strings.TrimPrefix(u, "?")) // x/oauth2 encoded it
	for k, unset := range map[string]string{"client_id": "", "response_type": "code"} {
		if v.Get(k) == unset {
			v.Del(k)
		}
	}
	return v
}

// TokenSource returns a source of tokens that begins with t and renews it by
// its refresh token. The source holds the renewed tokens in memory: they are
// handed to whoever asks, and OnRefresh is told of them. An app with users works
// with [Accounts] instead, which keep them in a store.
//
// T may be as x/oauth2 left it, may hold nothing but a refresh token, and may
// have no expiry, in which case it is used as it is. It is not modified. What is
// wrong with it, or with c, is an error when a token is asked for. Make one source
// for each account, and keep it: two would renew by the same refresh token.
//
// The context carries the HTTP client under [oauth2.HTTPClient]. It bounds how
// long Token waits, but not a renewal, which always runs to its end.
func (c *Config) TokenSource(ctx context.Context, t *oauth2.Token) *TokenSource {
	if t != nil {
		t = copyToken(t)
	}
	return newSource(origin{conf: c, ctx: orBackground(ctx), op: opRefresh}, t)
}

// ClientCredentials returns a source of tokens that act for the app's own
// account: nobody logs in, and there is no refresh token. Nothing is sent
// before the first token is asked for. Scopes must not be empty. To have processes
// share one token, keep it by [Accounts.Save], which then renew it by this grant.
// The context is as with TokenSource.
func (c *Config) ClientCredentials(ctx context.Context) *TokenSource {
	return newSource(origin{conf: c, ctx: orBackground(ctx), op: opClientCredentials}, nil)
}

// orBackground stands for a nil context, which x/oauth2 takes, too.
func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

// host returns the host of the token endpoint, with its port if it names one.
func (c *Config) host() string {
	u, err := c.tokenURL()
	if err != nil {
		return ""
	}
	return u.Host
}

// Client returns an HTTP client that authorizes its requests to Pinterest's
// API with t and renews it as needed: NewClient(ctx, c.TokenSource(ctx, t)). Make
// one for each account, and keep it.
func (c *Config) Client(ctx context.Context, t *oauth2.Token) *http.Client {
	return NewClient(ctx, c.TokenSource(ctx, t))
}

// OAuth2 returns the closest [oauth2.Config], for libraries that insist on
// one. It can ask for authorization and exchange a code, but cannot ask for
// continuous refresh, and its token sources do not keep this package's
// promises.
func (c *Config) OAuth2() *oauth2.Config {
	endpoint := c.endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	return &oauth2.Config{
		ClientID:     c.ClientID,
		ClientSecret: c.ClientSecret,
		Endpoint:     endpoint,
		RedirectURL:  c.RedirectURL,
		Scopes:       c.Scopes,
	}
}

// Format implements [fmt.Formatter]: it leaves the secret out, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "pinterest.Config{ClientID: %q, Host: %q, RedirectURL: %q, Scopes: %q, RefreshOn: %v, RefreshAhead: %v}",
		c.ClientID, c.host(), c.RedirectURL, c.Scopes, c.RefreshOn, c.RefreshAhead)
}

// LogValue implements [slog.LogValuer]: it leaves the secret out.
func (c Config) LogValue() slog.Value {
	return slog.StringValue(fmt.Sprint(c))
}

func (c *Config) endpoint() oauth2.Endpoint {
	if c.Endpoint == (oauth2.Endpoint{}) {
		return Endpoint
	}
	return c.Endpoint
}

func (c *Config) tokenEndpoint() string {
	return c.endpoint().TokenURL
}

// issued reports whether t can be of the server that c speaks to.
func (c *Config) issued(t *oauth2.Token) bool {
	from := extraText(t, extraIssuer)
	return from == "" || sameServer(from, c.host())
}

// notIssued is the error of a token that c did not issue.
func (c *Config) notIssued(t *oauth2.Token) error {
	if _, err := c.tokenURL(); err != nil {
		return err
	}
	return misconfigured(fmt.Sprintf("the token was issued by %q and Endpoint is that of %q: use the endpoint that issued it", extraText(t, extraIssuer), c.host()))
}

// check returns the URL of the token endpoint, or what keeps c from sending it
// any request.
func (c *Config) check() (*url.URL, error) {
	const shown = " that Pinterest's developer page shows"
	if err := checkInput("ClientID", c.ClientID, "set it to the app id"+shown); err != nil {
		return nil, misconfigured(err.Error())
	}
	if err := checkInput("ClientSecret", c.ClientSecret, "set it to the app secret key"+shown); err != nil {
		return nil, misconfigured(err.Error())
	}
	return c.tokenURL()
}

// checkInput finds fault with an id, a secret, a code, a token or a key: it must
// not be empty and must hold no white space and no control character. These
// come with a value that was read from a file or pasted.
func checkInput(name, s, hint string) error {
	if hint != "" {
		hint = ": " + hint
	}
	i := strings.IndexFunc(s, wire.Unseen)
	switch {
	case strings.TrimSpace(s) == "" && s != "":
		return errors.New(name + " is blank" + hint)
	case s == "":
		return errors.New(name + " is empty" + hint)
	case i < 0:
		return nil
	}
	where := "holds"
	if i == 0 {
		where = "begins with"
	} else if strings.TrimRightFunc(s[i:], wire.Unseen) == "" {
		where = "ends in"
	}
	what := map[byte]string{' ': "a space", '\n': "a line break", '\r': "a carriage return", '\t': "a tab"}[s[i]]
	if what == "" {
		r, _ := utf8.DecodeRuneInString(s[i:])
		what = fmt.Sprintf("the character %U", r)
	}
	return fmt.Errorf("%s %s %s%s", name, where, what, hint)
}

// checkTokens finds fault with those that t holds.
func checkTokens(t *oauth2.Token) error {
	if t.AccessToken != "" {
		if err := checkInput("the access token", t.AccessToken, ""); err != nil {
			return err
		}
	}
	if t.RefreshToken != "" {
		return checkInput("the refresh token", t.RefreshToken, "")
	}
	return nil
}

// tokenURL returns the URL of the token endpoint, if a secret may travel there.
func (c *Config) tokenURL() (*url.URL, error) {
	if raw := c.tokenEndpoint(); raw != "" {
		if err := checkInput("Endpoint.TokenURL", raw, "leave Endpoint zero for Pinterest's own"); err != nil {
			return nil, misconfigured(err.Error())
		}
	}
	u, err := url.Parse(c.tokenEndpoint())
	if err != nil || u.Hostname() == "" {
		return nil, misconfigured("Endpoint.TokenURL is not an absolute URL: leave Endpoint zero for Pinterest's own")
	}
	if u.User != nil {
		return nil, misconfigured("Endpoint.TokenURL must not hold a user or password: the app id and secret are sent by themselves")
	}
	if !confidential(u) {
		return nil, misconfigured("Endpoint.TokenURL must be https, as secrets travel in the request (plain http is for loopback alone)")
	}
	return u, nil
}

// confidential reports whether a secret may travel to u.
func confidential(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && wire.IsLoopback(u.Hostname())
}

// joinScopes puts commas between scopes. Pinterest's description allows
// commas or single spaces; nearly every production integration sends commas.
func joinScopes(scopes []string) string { return strings.Join(scopesOf(scopes), ",") }
