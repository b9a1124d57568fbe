package main

import (
	"context"
	"crypto/subtle"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A callback listens on the redirect URL for the user who comes back from
// Pinterest's page. The first who brings the state ends the wait.
type callback struct {
	state  string
	path   string
	w      io.Writer
	server http.Server

	came     chan url.Values // the first parameters with the right state
	answered chan struct{}   // closed when outcome is settled
	outcome  error

	mu      sync.Mutex // guards what follows
	claimed bool
	refused int // callbacks with a wrong state
}

// listenCallback listens on the redirect URL's port, on loopback alone.
func listenCallback(ctx context.Context, redirectURL, state string, w io.Writer) (*callback, error) {
	u, err := url.Parse(redirectURL)
	if err != nil || u.Scheme == "" || u.Host == "" || u.Fragment != "" {
		return nil, wrongUsage("--redirect-url is not a URL", "write it like "+defaultRedirectURL)
	}
	if u.Scheme != "http" || !isLoopback(u.Hostname()) {
		return nil, wrongUsage(fmt.Sprintf("--redirect-url %s does not lead to this program, which can only wait on http://localhost", redirectURL),
			"add --no-browser and paste the address yourself, or register "+defaultRedirectURL+" for the app, too")
	}
	listeners, err := listenLoopback(ctx, u)
	if err != nil {
		return nil, err
	}
	b := &callback{state: state, path: u.Path, w: w, came: make(chan url.Values, 1), answered: make(chan struct{})}
	if b.path == "" {
		b.path = "/"
	}
	b.server = http.Server{Handler: b, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	b.server.SetKeepAlivesEnabled(false)
	for _, l := range listeners {
		go b.server.Serve(l)
	}
	return b, nil
}

// listenLoopback listens wherever a browser on this machine looks for u's host:
// localhost is an address of either family.
func listenLoopback(ctx context.Context, u *url.URL) ([]net.Listener, error) {
	hosts, port := []string{u.Hostname()}, u.Port()
	if u.Hostname() == "localhost" {
		hosts = []string{"127.0.0.1", "::1"}
	}
	if port == "" {
		port = "80"
	}
	var listeners []net.Listener
	var failed error
	for _, host := range hosts {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, port))
		if err == nil {
			listeners = append(listeners, l)
			continue
		}
		if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) {
			failed = errors.Join(failed, err) // the machine has no such address
			continue
		}
		for _, l := range listeners {
			l.Close() // the other family's port belongs to somebody else, who could be sent the code
		}
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, withHint(fmt.Errorf("port %s is taken by another program", port),
				"stop that program (is it another pinterest login?), name another registered URL by --redirect-url, or add --no-browser")
		}
		return nil, withHint(err, "name another registered URL by --redirect-url, or add --no-browser")
	}
	if len(listeners) == 0 {
		return nil, withHint(failed, "add --no-browser")
	}
	return listeners, nil
}

// Wait returns the code that the user brings.
func (b *callback) Wait(ctx context.Context) (code string, err error) {
	select {
	case q := <-b.came:
		return codeIn(q)
	case <-ctx.Done():
	}
	select {
	case q := <-b.came: // at the last moment
		return codeIn(q)
	default:
		return "", ctx.Err()
	}
}

// Answer tells the user in the browser what became of the login.
func (b *callback) Answer(err error) {
	b.outcome = err
	close(b.answered)
}

// Refused returns how many came with a wrong state.
func (b *callback) Refused() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refused
}

// Close ends the listening, once the browser has its page.
func (b *callback) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if b.server.Shutdown(ctx) == nil {
		return nil
	}
	return b.server.Close()
}

// ServeHTTP implements [http.Handler].
func (b *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != b.path:
		http.NotFound(w, r) // a browser asks for an icon, too
		return
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "only GET is for this page", http.StatusMethodNotAllowed)
		return
	}
	q := r.URL.Query()
	right := subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(b.state)) == 1
	b.mu.Lock()
	first := right && !b.claimed
	b.claimed = b.claimed || right
	if !right {
		b.refused++
	}
	tell := !right && b.refused == 1 // once: any page can have a browser come here
	b.mu.Unlock()

	switch {
	case !right:
		if tell {
			say(b.w, "refused somebody who came with the state of another login; still waiting")
			say(b.w, "hint: approve on the page that this login opened, not on an older one")
		}
		showPage(w, http.StatusBadRequest, page{Title: "This is not the login that is waiting",
			Text: "It was begun elsewhere, or earlier. Nothing has changed. Go to the page that the running “pinterest login” opened."})
		return
	case !first:
		showPage(w, http.StatusConflict, page{Title: "This login is over", Text: "It was answered already. To log in again, run “pinterest login” again."})
		return
	}
	b.came <- q
	select {
	case <-b.answered:
	case <-r.Context().Done():
		return
	}
	if b.outcome == nil {
		showPage(w, http.StatusOK, page{Title: "You are logged in", Text: "The token is kept. You can close this page and go back to your terminal.", Done: true})
		return
	}
	denied := errors.Is(b.outcome, errDenied)
	p := page{Title: "The login did not work", Text: "Your terminal says why. You can close this page."}
	if denied {
		p = page{Title: "You did not give access", Text: "Nothing was kept. You can close this page."}
	}
	showPage(w, http.StatusOK, p)
}

var errDenied = errors.New("access was denied on Pinterest's page")

// codeIn returns the code among the parameters of a callback whose state is right.
func codeIn(q url.Values) (string, error) {
	switch code, problem := q.Get("code"), q.Get("error"); {
	case problem == "access_denied":
		return "", withHint(errDenied, "nothing has changed; run pinterest login again to try once more")
	case problem != "":
		return "", withHint(fmt.Errorf("the login ended at Pinterest with the error %q", shorten(problem)), "run pinterest login again to try once more")
	case code == "":
		return "", withHint(errors.New("the login ended at Pinterest without a code"), "run pinterest login again to try once more")
	default:
		return code, nil
	}
}

func shorten(s string) string {
	if len(s) > 100 {
		s = strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}

// codeOf returns the code in the address that a user pasted.
func codeOf(pasted, state string) (string, error) {
	_, query, _ := strings.Cut(pasted, "?")
	query, _, _ = strings.Cut(query, "#")
	q, err := url.ParseQuery(query)
	if subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(state)) != 1 {
		if err != nil || !q.Has("state") {
			return "", withHint(errors.New("what was pasted is not the address that Pinterest's page ended on"),
				"run pinterest login --no-browser again, and paste all of the address, with code= and state= in it")
		}
		return "", withHint(errors.New("what was pasted has the state of another login"),
			"run pinterest login --no-browser again, and use the page that it prints")
	}
	return codeIn(q)
}

//go:embed callback.html
var pageHTML string

var pageTemplate = template.Must(template.New("callback").Parse(pageHTML))

// A page is what the user sees in the browser.
type page struct {
	Title, Text string
	Done        bool
}

func showPage(w http.ResponseWriter, status int, p page) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = pageTemplate.Execute(w, p) // a browser that has left needs no page
}
