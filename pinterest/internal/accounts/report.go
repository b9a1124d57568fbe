package accounts

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// A Report is what is told of an account: no secrets.
type Report struct {
	Account       string     `json:"account"`
	User          string     `json:"username"`    // empty: not known
	Environment   string     `json:"environment"` // "production", "sandbox", or the URL of another server
	AppID         string     `json:"app_id"`      // empty: not known
	AppSecretKept bool       `json:"app_secret_kept"`
	OwnAccount    bool       `json:"client_credentials"`
	Scopes        []string   `json:"scopes"`                   // null: not known
	AccessExpiry  *time.Time `json:"access_token_expires_at"`  // null: not known
	RefreshExpiry *time.Time `json:"refresh_token_expires_at"` // null: not known, or there is none
	Refreshable   bool       `json:"has_refresh_token"`
}

// Report returns what is told of a.
func (a *Account) Report() Report {
	r := Report{
		Account:     a.Name,
		Environment: a.Server().Name(),
		Scopes:      pinterest.GrantedScopes(a.Token),
		Refreshable: a.Token.RefreshToken != "",
		OwnAccount:  a.OwnedByApp(),
	}
	if a.App != nil {
		r.AppID, r.AppSecretKept, r.User = a.App.ID, a.App.Secret != "", a.App.User
	}
	second := func(t time.Time) *time.Time { t = t.UTC().Truncate(time.Second); return &t }
	if !a.Token.Expiry.IsZero() {
		r.AccessExpiry = second(a.Token.Expiry)
	}
	if at, ok := pinterest.RefreshExpiry(a.Token); ok {
		r.RefreshExpiry = second(at)
	}
	return r
}

// Print writes r for people.
func (r Report) Print(w io.Writer) {
	line := func(name, text string) { fmt.Fprintf(w, "  %-14s %s\n", name, text) }
	fmt.Fprintln(w, r.Account)
	if r.User != "" {
		line("user", say.OneLine(r.User))
	}
	line("environment", r.Environment)
	switch {
	case r.AppID == "":
		line("app", "that of the environment")
	case r.AppSecretKept:
		line("app", r.AppID)
	case secretOfEnv(r.AppID) != "":
		line("app", r.AppID+", its secret is not kept: "+EnvAppSecret+" has it")
	case os.Getenv(EnvAppSecret) != "": // which is another app's
		line("app", r.AppID+", its secret is not kept: "+EnvAppID+" names another app")
	default:
		line("app", r.AppID+", its secret is not kept: "+EnvAppSecret+" is not set")
	}
	scopes := "not known"
	if r.Scopes != nil {
		scopes = strings.Join(r.Scopes, " ")
	}
	line("scopes", scopes)
	line("access token", say.Expires(r.AccessExpiry))
	switch {
	case r.OwnAccount:
		line("refresh token", "none; the app asks for another access token")
	case !r.Refreshable:
		line("refresh token", "none")
	default:
		line("refresh token", say.Expires(r.RefreshExpiry))
	}
}
