package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/internal/wire"
	"github.com/go-pinterest/pinterest/login"
	"github.com/go-pinterest/pinterest/pinterest/internal/accounts"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// DefaultRedirectURL is that of an app whose owner followed the README.
const DefaultRedirectURL = "http://localhost:8085/"

// A Login is a run of "pinterest login". Its fields are what the user asked for.
type Login struct {
	Account     string
	Scopes      []string
	Sandbox     bool
	App         bool // the app's own account: no user is asked
	RedirectURL string
	NoBrowser   bool
	Timeout     time.Duration
	Store       string
	JSON        bool

	In        io.Reader
	Out, Told io.Writer // Told is for all that is not data
}

// Run logs in, and keeps the token.
func (l *Login) Run(ctx context.Context) error {
	at, err := l.check()
	if err != nil {
		return err
	}
	v, err := accounts.Open(ctx, l.Told, l.Store, true)
	if err != nil {
		return err
	}
	defer v.Close()
	if err := l.mayReplace(ctx, v, at); err != nil {
		return err
	}
	id, secret, typed, err := l.app(ctx)
	if err != nil {
		return l.explained(ctx, err)
	}
	conf := &pinterest.Config{
		ClientID:     id,
		ClientSecret: secret,
		Endpoint:     oauth2.Endpoint(at),
		RedirectURL:  l.RedirectURL,
		Scopes:       l.Scopes,
	}
	kept := &accounts.App{ID: id, API: at.TokenURL, OAuth: at.AuthURL}
	if typed {
		kept.Secret = secret
	}
	t, err := l.token(ctx, conf)
	if err == nil {
		err = v.Save(ctx, l.Account, kept, t)
	}
	if err != nil {
		return accounts.Advise(err, v.Login(l.Account))
	}
	a, err := v.Account(ctx, l.Account)
	if err != nil {
		return err
	}
	if kept.User = userOf(ctx, conf, at, t); kept.User != "" {
		a.App = kept
		if err := v.SaveApp(ctx, l.Account, kept); err != nil {
			return err
		}
	}
	say.Line(l.Told, "logged in: account %q in %s", a.Name, v.Name)
	if granted := pinterest.GrantedScopes(a.Token); granted != nil {
		if missing := slices.DeleteFunc(slices.Clone(l.Scopes), func(s string) bool { return slices.Contains(granted, s) }); len(missing) > 0 {
			say.Line(l.Told, "Pinterest did not grant %s", strings.Join(missing, ", "))
		}
	}
	if !typed {
		say.Line(l.Told, "the app secret is not kept: have %s set whenever the token is to be renewed", accounts.EnvAppSecret)
	}
	if l.JSON {
		return say.JSON(l.Out, a.Report())
	}
	return nil
}

// userOf returns the name of the user whose token it is, empty if Pinterest does not
// tell: it is for people to recognize the account by, and no login fails for it.
func userOf(ctx context.Context, conf *pinterest.Config, at accounts.Server, t *oauth2.Token) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.API()+"/user_account", nil)
	if err != nil {
		return ""
	}
	fixed := *conf
	fixed.RefreshAhead = -1
	onlyAccess := *t
	onlyAccess.RefreshToken = "" // nothing is renewed behind the store
	resp, err := fixed.Client(ctx, &onlyAccess).Do(r)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	var user struct {
		Username string `json:"username"`
	}
	if resp.StatusCode != http.StatusOK || json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&user) != nil {
		return ""
	}
	return say.OneLine(user.Username)
}

// check returns the server to log in to, after a look at all that was asked for.
func (l *Login) check() (at accounts.Server, err error) {
	if err := accounts.CheckName(l.Account); err != nil {
		return at, err
	}
	if l.Timeout <= 0 {
		return at, say.WrongUsage("--timeout must be positive", "write it like 5m")
	}
	if l.App && l.NoBrowser {
		return at, say.WrongUsage("--client-credentials needs no browser anyway", "leave out --no-browser")
	}
	if err := checkScopes(l.Told, l.Scopes); err != nil {
		return at, err
	}
	at, named, err := accounts.ServerOfEnv()
	switch {
	case err != nil:
		return at, err
	case named && l.Sandbox && at.TokenURL != accounts.Sandbox.TokenURL:
		return at, say.WrongUsage(fmt.Sprintf("--sandbox is one server, and %s names another", accounts.EnvAPI), "leave out --sandbox, or unset "+accounts.EnvAPI+" and "+accounts.EnvOAuth)
	case !named && l.Sandbox:
		at = accounts.Sandbox
	case !named:
		at = accounts.Production
	}
	return at, nil
}

// mayReplace refuses to replace the token of another server, and finds out
// whether a new one could be kept before the user is bothered.
func (l *Login) mayReplace(ctx context.Context, v *accounts.Store, at accounts.Server) error {
	a, err := v.Account(ctx, l.Account)
	if err == nil && a.Server().TokenURL != at.TokenURL && a.Known() {
		return say.WithHint(fmt.Errorf("account %q belongs to %s, and this login is at %s", l.Account, a.Server().Name(), at.Name()),
			"give this one another name by --account, or run pinterest logout --account "+say.ShellWord(l.Account)+v.Args()+" first")
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && say.ExitStatus(err) != say.StatusReauthorize {
		say.Line(l.Told, "what is kept of account %q will be replaced: %v", l.Account, err)
	}
	return v.CanSave(ctx, l.Account)
}

// token gets the token, from the user or for the app itself.
func (l *Login) token(ctx context.Context, conf *pinterest.Config) (t *oauth2.Token, err error) {
	if l.App {
		return conf.ClientCredentials(ctx).TokenContext(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.Timeout, errNobodyCame)
	defer cancel()
	if l.NoBrowser {
		t, err = l.paste(ctx, conf)
	} else if err = l.checkRedirectURL(); err == nil {
		t, err = login.Loopback(ctx, conf, l.open)
	}
	if err != nil {
		return nil, l.explained(ctx, err)
	}
	return t, nil
}

// open shows the page, or says how the user can.
func (l *Login) open(page string) error {
	at := place()
	switch {
	case at == overSSH && os.Getenv("BROWSER") == "":
		say.Line(l.Told, "this is an SSH session; open this page in a browser on this machine: %s", page)
		say.Hint(l.Told, "a browser on another machine cannot come back here; for that, stop this and run: pinterest login --no-browser")
		return nil
	case at == container && os.Getenv("BROWSER") == "":
		say.Line(l.Told, "this is a container; open this page in a browser: %s", page)
		say.Hint(l.Told, "a browser outside comes back only if %s leads in here; if it does not, stop this and run: pinterest login --no-browser", l.RedirectURL)
		return nil
	}
	say.Line(l.Told, "opening this page in your browser: %s", page)
	if at != here {
		say.Hint(l.Told, "this is %s: if the browser cannot come back here, stop this and run: pinterest login --no-browser", at)
	}
	if err := openPage(page); err != nil {
		say.Line(l.Told, "no browser could be opened: %s", say.OneLine(err.Error()))
		say.Hint(l.Told, "open the page above yourself, or stop this and run: pinterest login --no-browser")
	}
	return nil
}

// paste has the user open the page anywhere, and paste the address that it ends
// on: it is what a web app's callback would get, and is looked at like that.
func (l *Login) paste(ctx context.Context, conf *pinterest.Config) (t *oauth2.Token, err error) {
	h := &login.Handler{Config: conf, Done: func(_ http.ResponseWriter, _ *http.Request, token *oauth2.Token, why error) { t, err = token, why }}
	begun, ended := make(unseenAnswer), make(unseenAnswer)
	h.Start(begun, (&http.Request{Method: http.MethodHead, URL: new(url.URL)}).WithContext(ctx))
	if err != nil {
		return nil, err
	}
	say.Line(l.Told, "open this page in any browser: %s", begun.Header().Get("Location"))
	say.Line(l.Told, "paste the address that it ends on, which begins with %s, and press Enter:", l.RedirectURL)
	pasted, err := readLine(ctx, l.In, "paste the address, or pipe it in")
	if err != nil {
		return nil, err
	}
	_, query, _ := strings.Cut(pasted, "?")
	query, _, _ = strings.Cut(query, "#")
	back := &http.Request{Method: http.MethodGet, URL: &url.URL{RawQuery: query}, Header: make(http.Header)}
	for _, c := range (&http.Response{Header: begun.Header()}).Cookies() {
		back.AddCookie(c)
	}
	h.Callback(ended, back.WithContext(ctx))
	if errors.Is(err, login.ErrForeign) {
		return nil, say.WithHint(errors.New("what was pasted is not the address that the page of this login ended on"),
			"run pinterest login --no-browser again, use the page that it prints, and paste all of the address, with code= and state= in it")
	}
	return t, err
}

// An unseenAnswer is what a browser would get, of which the headers alone matter.
type unseenAnswer http.Header

func (a unseenAnswer) Header() http.Header       { return http.Header(a) }
func (unseenAnswer) WriteHeader(int)             {}
func (unseenAnswer) Write(p []byte) (int, error) { return len(p), nil }

func (l *Login) checkRedirectURL() error {
	u, err := url.Parse(l.RedirectURL)
	switch {
	case err != nil || u.Scheme == "" || u.Host == "" || u.Fragment != "":
		return say.WrongUsage("--redirect-url is not a URL", "write it like "+DefaultRedirectURL)
	case u.Scheme != "http" || !wire.IsLoopback(u.Hostname()):
		return say.WrongUsage(fmt.Sprintf("--redirect-url %s does not lead to this program, which can only wait on http://localhost", l.RedirectURL),
			"add --no-browser and paste the address yourself, or register "+DefaultRedirectURL+" for the app, too")
	}
	return nil
}

var errNobodyCame = errors.New("nobody came back from Pinterest's page")

// explained says why a login ended without a token, and what to do.
func (l *Login) explained(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, login.ErrDenied):
		return say.WithHint(errors.New("access was denied on Pinterest's page"), "nothing has changed; run pinterest login again to try once more")
	case errors.Is(err, syscall.EADDRINUSE):
		return say.WithHint(fmt.Errorf("the port of %s is taken by another program", l.RedirectURL),
			"stop that program (is it another pinterest login?), name another registered URL by --redirect-url, or add --no-browser")
	case errors.Is(err, login.ErrForeign):
		return say.WithHint(fmt.Errorf("%w within %v, except with the state of another login", errNobodyCame, l.Timeout),
			"run pinterest login again, and approve on the page that it opens, not on an older one")
	case context.Cause(ctx) == errNobodyCame && (errors.Is(err, errNobodyCame) || errors.Is(err, ctx.Err())):
		return say.WithHint(fmt.Errorf("%w within %v", errNobodyCame, l.Timeout),
			"if that page showed an error, see to it that "+l.RedirectURL+" is registered for the app, letter for letter; --timeout gives more time")
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return errors.New("the login was stopped; nothing has changed")
	}
	return err
}
