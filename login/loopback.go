package login

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/internal/wire"
)

// Loopback has the user log in with a browser on this machine, and waits on Config.RedirectURL for them to come back.
//
// The redirect URL must be http on localhost or another loopback address, with a
// port that is free: Loopback listens there, and nowhere else, until it returns.
// Open is called once, in a goroutine of its own, with the page that the user has
// to see, and may return before or after they have; its error ends the login. The
// user is told in the browser what became of it.
//
// Ctx bounds how long the user is waited for, and carries the HTTP client under
// [oauth2.HTTPClient]. A code that has come is exchanged though ctx be over, which
// takes half a minute at most for each request. The token is the caller's own. The
// error is [ErrDenied], ctx's (and [ErrForeign], too, if somebody came back from
// another login meanwhile), one of open, of listening, or of
// [pinterest.Config.Exchange].
func Loopback(ctx context.Context, c *pinterest.Config, open func(url string) error) (*oauth2.Token, error) {
	if err := check(c); err != nil {
		return nil, err
	}
	u, err := url.Parse(c.RedirectURL)
	if err != nil || u.Scheme != "http" || !wire.IsLoopback(u.Hostname()) || u.Fragment != "" {
		return nil, errors.New("login: Config.RedirectURL does not lead to this program: register one for the app that begins with http://localhost and a port, such as http://localhost:8085/")
	}
	listeners, err := listen(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	l := &loopback{path: u.EscapedPath(), state: rand.Text(), came: make(chan url.Values, 1), answered: make(chan struct{})}
	if l.path == "" {
		l.path = "/"
	}
	server := http.Server{Handler: l, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	server.SetKeepAlivesEnabled(false)
	for _, l := range listeners {
		go server.Serve(l)
	}
	defer func() { // once the browser has its page
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
		for _, l := range listeners {
			l.Close() // which a server that has just begun does later
		}
	}()
	failed := make(chan error, 1)
	go func() {
		if err := open(c.AuthCodeURL(l.state)); err != nil {
			failed <- err
		}
	}()
	t, err := l.wait(ctx, c, failed)
	l.outcome = err
	close(l.answered)
	return t, err
}

// A loopback waits for the user of one login.
type loopback struct {
	path  string
	state string

	came     chan url.Values // the first parameters with the right state
	foreign  atomic.Bool     // others came as well
	answered chan struct{}   // closed when outcome is known
	outcome  error
}

func (l *loopback) wait(ctx context.Context, c *pinterest.Config, failed <-chan error) (*oauth2.Token, error) {
	var q url.Values
	select {
	case q = <-l.came:
	case err := <-failed:
		return nil, fmt.Errorf("login: the page could not be opened: %w", err)
	case <-ctx.Done():
		select {
		case q = <-l.came: // at the last moment
		default:
			if l.foreign.Load() {
				return nil, fmt.Errorf("login: nobody came back from the page that was opened (%w), but from that of another: %w", context.Cause(ctx), ErrForeign)
			}
			return nil, fmt.Errorf("login: nobody came back from the page that was opened: %w", context.Cause(ctx))
		}
	}
	code, err := codeIn(q)
	if err != nil {
		return nil, err
	}
	return c.Exchange(context.WithoutCancel(ctx), code)
}

// ServeHTTP implements [http.Handler].
func (l *loopback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.EscapedPath() != l.path:
		http.NotFound(w, r) // a browser asks for an icon, too
		return
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "only GET is for this page", http.StatusMethodNotAllowed)
		return
	}
	q := r.URL.Query()
	if subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(l.state)) != 1 {
		l.foreign.Store(true)
		showPage(w, http.StatusBadRequest, page{Title: "This is not the login that is waiting",
			Text: "It was begun elsewhere, or earlier. Nothing has changed. Go to the page that the running program opened."})
		return
	}
	select {
	case l.came <- q:
	default: // it came twice, as from a browser that loads pages ahead
	}
	select {
	case <-l.answered:
	case <-r.Context().Done():
		return
	}
	switch {
	case l.outcome == nil:
		showPage(w, http.StatusOK, page{Title: "You are logged in", Text: "You can close this page and go back to the program.", Done: true})
	case errors.Is(l.outcome, ErrDenied):
		showPage(w, http.StatusOK, page{Title: "You did not give access", Text: "Nothing was kept. You can close this page."})
	default:
		showPage(w, http.StatusOK, page{Title: "The login did not work", Text: "The program says why. You can close this page."})
	}
}

// listen listens wherever a browser on this machine looks for u's host: localhost
// is an address of either family.
func listen(ctx context.Context, u *url.URL) (listeners []net.Listener, err error) {
	hosts, port := []string{u.Hostname()}, u.Port()
	if u.Hostname() == "localhost" {
		hosts = []string{"127.0.0.1", "::1"}
	}
	if port == "" {
		port = "80"
	}
	var missing error
	for _, host := range hosts {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, port))
		switch {
		case err == nil:
			listeners = append(listeners, l)
		case is(err, syscall.EADDRNOTAVAIL, 10049), is(err, syscall.EAFNOSUPPORT, 10047):
			missing = errors.Join(missing, err) // the machine has no such address
		default:
			for _, l := range listeners {
				l.Close() // the other family's port belongs to somebody else, who could be sent the code
			}
			if is(err, syscall.EADDRINUSE, 10048) {
				err = fmt.Errorf("port %s of Config.RedirectURL is taken by another program: stop that, or register another port for the app (%w)", port, syscall.EADDRINUSE)
			}
			return nil, err
		}
	}
	if len(listeners) == 0 {
		return nil, missing
	}
	return listeners, nil
}

// is reports whether err is what Windows has another number for.
func is(err error, unix, windows syscall.Errno) bool {
	return errors.Is(err, unix) || errors.Is(err, windows)
}

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// A page is what the user sees in the browser.
type page struct {
	Title, Text string
	Done        bool
}

func showPage(w http.ResponseWriter, status int, p page) {
	h := w.Header()
	private(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = pageTemplate.Execute(w, p) // a browser that has left needs no page
}
