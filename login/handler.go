package login

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
)

const (
	loginTime   = 30 * time.Minute // for the user to come back
	finishTime  = 2 * time.Minute  // for the exchange of the code, and Done
	answerKept  = time.Minute
	cookieBegin = "pinterest_login_"
)

// A Handler logs the users of a web app in. Start begins a login, and Callback
// ends it: Config.RedirectURL has to lead there, on the same host as Start. Any
// number of logins may be under way at once, in one browser too.
//
// What is known of a login is in a cookie of the browser that began it, so any
// process of the app can end it. A Handler must not be copied, nor its fields
// changed, once it is in use; it may be used by several goroutines at once.
type Handler struct {
	// Config is the app.
	Config *pinterest.Config

	// Done answers the user who comes back: t is their token, or err says why there is none.
	// It keeps t, as by [pinterest.Accounts.Save], and writes the response.
	//
	// The error is [ErrDenied], [ErrForeign], an error of
	// [pinterest.Config.Exchange], or says with what else Pinterest ended the login,
	// or what Config lacks for one to begin.
	// R is the request without what Pinterest added to its URL. As the browser comes from
	// another site, it has no cookies that are SameSite=Strict. Unless the error is
	// ErrForeign, its context is not over when the browser leaves, as a code works but
	// once: it ends two minutes after the user came. W is written to the browser when Done returns.
	Done func(w http.ResponseWriter, r *http.Request, t *oauth2.Token, err error)

	mu      sync.Mutex // guards answers
	answers map[string]*answer
}

// Start sends the user to Pinterest, and has their browser keep a cookie for half an
// hour. If Config lacks what a login needs, Done is called in its place.
func (h *Handler) Start(w http.ResponseWriter, r *http.Request) {
	if err := check(h.Config); err != nil {
		h.Done(w, r, nil, err)
		return
	}
	id, secret := rand.Text(), rand.Text()
	http.SetCookie(w, h.cookie(id, secret, int(loginTime/time.Second)))
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, h.Config.AuthCodeURL(id+secret), http.StatusSeeOther)
}

// Callback is where Pinterest sends the user back to: Config.RedirectURL. It
// compares the state with the browser's cookie before it looks at anything else,
// exchanges the code, and has Done answer. The token request goes by the HTTP client
// in the context of r under [oauth2.HTTPClient], or else by http.DefaultClient.
//
// A browser that comes again before it has the answer, as those that load pages
// ahead do, gets the same one, if it comes to the same process. The answer takes the
// cookie away: whoever comes after that gets ErrForeign.
func (h *Handler) Callback(w http.ResponseWriter, r *http.Request) {
	if err := check(h.Config); err != nil {
		h.Done(w, withoutAnswer(r, r.Context()), nil, err)
		return
	}
	state := r.URL.Query().Get("state")
	if !h.began(r, state) {
		private(w.Header())
		h.Done(w, withoutAnswer(r, r.Context()), nil, fmt.Errorf("login: %w", ErrForeign))
		return
	}
	h.mu.Lock()
	a, again := h.answers[state]
	if !again {
		if h.answers == nil {
			h.answers = make(map[string]*answer)
		}
		a = &answer{header: make(http.Header), done: make(chan struct{})}
		h.answers[state] = a
	}
	h.mu.Unlock()
	if !again {
		h.finish(a, r, state)
	}
	select {
	case <-a.done:
		a.send(w)
	case <-r.Context().Done():
	}
}

// finish ends a login, and has a hold what the user is answered.
func (h *Handler) finish(a *answer, r *http.Request, state string) {
	answered := false
	defer func() {
		if !answered { // Done panicked
			a.status = http.StatusInternalServerError
			a.body.Reset()
		}
		close(a.done)
	}()
	defer time.AfterFunc(answerKept, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.answers, state)
	})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), finishTime)
	defer cancel()
	id, _ := split(state)
	http.SetCookie(a, h.cookie(id, "", -1))
	private(a.header)
	var t *oauth2.Token
	code, err := codeIn(r.URL.Query())
	if err == nil {
		t, err = h.Config.Exchange(ctx, code)
	}
	h.Done(a, withoutAnswer(r, ctx), t, err)
	answered = true
}

// began reports whether the browser of r began the login with this state.
func (h *Handler) began(r *http.Request, state string) bool {
	id, secret := split(state)
	c, err := r.Cookie(h.cookie(id, "", 0).Name)
	return err == nil && secret != "" && subtle.ConstantTimeCompare([]byte(c.Value), []byte(secret)) == 1
}

// split returns the two halves of a state: which login it is, and its secret.
func split(state string) (id, secret string) { return state[:len(state)/2], state[len(state)/2:] }

// cookie returns the cookie of one login. Lax lets it come along from Pinterest's
// page; __Host- keeps others of the same domain from setting it.
func (h *Handler) cookie(id, secret string, seconds int) *http.Cookie {
	c := &http.Cookie{Name: cookieBegin + id, Value: secret, Path: "/", MaxAge: seconds, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if strings.HasPrefix(h.Config.RedirectURL, "https:") {
		c.Name, c.Secure = "__Host-"+c.Name, true
	}
	return c
}

// withoutAnswer returns r with ctx, and without what Pinterest added to its URL.
func withoutAnswer(r *http.Request, ctx context.Context) *http.Request {
	r = r.Clone(ctx)
	q := r.URL.Query()
	for _, name := range []string{"code", "state", "error", "error_description", "error_uri"} {
		q.Del(name)
	}
	r.URL.RawQuery = q.Encode()
	r.RequestURI = r.URL.RequestURI()
	r.Form, r.PostForm = nil, nil
	return r
}

// private keeps the callback's URL out of caches and of requests to others.
func private(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
}

// An answer is what Done wrote.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
	done   chan struct{} // closed when it is whole
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK { // and not one that comes before
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

func (a *answer) send(w http.ResponseWriter) {
	for name, values := range a.header {
		if name == "Set-Cookie" { // others may have set theirs
			values = append(w.Header()[name], values...)
		}
		w.Header()[name] = values
	}
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	_, _ = w.Write(a.body.Bytes()) // a browser that has left needs none
}
