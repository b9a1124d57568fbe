package main

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/sqlite3store"
	"github.com/alexedwards/scs/v2"
	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/login"
	"golang.org/x/oauth2"
)

// sessionsTable is what scs asks for.
const sessionsTable = `
CREATE TABLE IF NOT EXISTS sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL);
CREATE INDEX IF NOT EXISTS sessions_expiry ON sessions (expiry);`

//go:embed page.html
var pageHTML string

var page = template.Must(template.New("page").Parse(pageHTML))

// An app answers browsers. A session says whose browser it is, by Pinterest's id
// of the account, which is also the key of the account's token.
type app struct {
	accounts *pinterest.Accounts
	api      string
	sessions *scs.SessionManager
	logger   *slog.Logger
}

func newApp(accounts *pinterest.Accounts, api string, db *sql.DB, logger *slog.Logger) http.Handler {
	a := &app{accounts: accounts, api: api, sessions: scs.New(), logger: logger}
	a.sessions.Store = sqlite3store.New(db)
	a.sessions.Lifetime = 30 * 24 * time.Hour
	if strings.HasPrefix(accounts.Config.RedirectURL, "https:") {
		a.sessions.Cookie.Secure, a.sessions.Cookie.Name = true, "__Host-session"
	}
	logins := &login.Handler{Config: accounts.Config, Done: a.done}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("GET /login", logins.Start)
	mux.HandleFunc("GET /callback", logins.Callback)
	mux.HandleFunc("POST /disconnect", a.disconnect)
	// Another site must not be able to press the disconnect button.
	return http.NewCrossOriginProtection().Handler(a.sessions.LoadAndSave(mux))
}

// done is where a user comes back from Pinterest.
func (a *app) done(w http.ResponseWriter, r *http.Request, token *oauth2.Token, err error) {
	if err == nil {
		err = a.welcome(r.Context(), token)
	}
	switch {
	case errors.Is(err, login.ErrDenied):
		a.show(w, http.StatusForbidden, view{Notice: "You did not allow it."})
	case err != nil:
		a.logger.Warn("login failed", "error", err)
		a.show(w, http.StatusBadGateway, view{Notice: "The login did not work. Please try again."})
	default:
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

// welcome keeps the token of a user who has just logged in.
func (a *app) welcome(ctx context.Context, token *oauth2.Token) error {
	var user struct{ ID string }
	if err := a.get(ctx, a.accounts.Config.Client(ctx, token), "/v5/user_account", &user); err != nil {
		return err
	}
	if err := a.accounts.Save(ctx, user.ID, token); err != nil {
		return err
	}
	if err := a.sessions.RenewToken(ctx); err != nil { // or whoever knew the former session is logged in, too
		return err
	}
	a.sessions.Put(ctx, "account", user.ID)
	a.logger.Info("logged in", "account", user.ID)
	return nil
}

func (a *app) home(w http.ResponseWriter, r *http.Request) {
	account := a.sessions.GetString(r.Context(), "account")
	if account == "" {
		a.show(w, http.StatusOK, view{})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second) // or a renewal may take two minutes
	defer cancel()
	client := a.accounts.Client(account)
	v := view{Account: account}
	err := a.get(ctx, client, "/v5/user_account", &v.User)
	if err == nil {
		err = a.get(ctx, client, "/v5/boards", &v.Boards)
	}
	if err != nil { // a 401 can be the first that we hear of a user who has disconnected the app; the source knows
		_, reason := a.accounts.Source(account).TokenContext(ctx)
		err = errors.Join(err, reason)
	}
	switch {
	case errors.Is(err, pinterest.ErrReauthorize):
		a.show(w, http.StatusOK, view{Notice: "Pinterest does not let us in any more. Please connect again."})
	case err != nil:
		a.logger.Warn("cannot show the boards", "account", account, "error", err)
		v.Notice = "Pinterest does not answer as it should. Please try later."
		a.show(w, http.StatusBadGateway, v)
	default:
		a.show(w, http.StatusOK, v)
	}
}

// disconnect forgets the token. Pinterest is not told, as it revokes the tokens of
// system users only.
func (a *app) disconnect(w http.ResponseWriter, r *http.Request) {
	account := a.sessions.GetString(r.Context(), "account")
	if account != "" {
		if err := a.accounts.Forget(r.Context(), account); err != nil {
			a.logger.Error("cannot disconnect", "account", account, "error", err)
			a.show(w, http.StatusInternalServerError, view{Account: account, Notice: "That did not work. Please try again."})
			return
		}
		a.logger.Info("disconnected", "account", account)
	}
	if err := a.sessions.Destroy(r.Context()); err != nil {
		a.logger.Error("cannot end the session", "error", err)
	}
	a.show(w, http.StatusOK, view{Notice: "You are disconnected. To take back what you allowed, go to the security settings of your Pinterest account."})
}

// get reads an answer of the API.
func (a *app) get(ctx context.Context, client *http.Client, path string, to any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.api+path, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(to)
}

// A view is what the page shows.
type view struct {
	Notice  string
	Account string // empty: nobody is logged in
	User    struct{ Username string }
	Boards  struct {
		Items []struct{ Name string }
	}
}

func (a *app) show(w http.ResponseWriter, status int, v view) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store") // it is one user's
	w.WriteHeader(status)
	if err := page.Execute(w, v); err != nil {
		a.logger.Warn("cannot show the page", "error", err)
	}
}
