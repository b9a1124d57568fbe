package pinteresttest

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// controlPath is where the calls are: a path that Pinterest has not.
const controlPath = "/_emulator/"

//go:embed page.html page.css page.js
var pageFiles embed.FS

type control struct {
	*Handler
	start Handler // has the settings that a reset brings back
	hosts []string
	cross *http.CrossOriginProtection
	calls *http.ServeMux
}

// NewControl returns a handler that serves h and its remote control: by calls below /_emulator/ programs in any
// language have the power over h that Go programs have by its methods, and by a page at its root people have it.
// docs/testing.md lists the calls. A reset by one of them brings back the settings that h has now.
//
// A web page from elsewhere can neither make a call nor show the page inside its own. A call or the page is refused
// if it was asked for at a host that is neither an IP address nor localhost nor one of hosts, if another origin asks,
// and if it changes something and its body is not said to be JSON.
func NewControl(h *Handler, hosts ...string) http.Handler {
	c := &control{Handler: h, hosts: hosts, cross: http.NewCrossOriginProtection(), calls: http.NewServeMux()}
	h.Change(func(h *Handler) { copySettings(&c.start, h) })
	calls := map[string]func(r *http.Request) (any, error){
		"GET health":         func(*http.Request) (any, error) { return map[string]string{"status": "ok"}, nil },
		"GET settings":       func(*http.Request) (any, error) { return h, nil },
		"PATCH settings":     func(r *http.Request) (any, error) { return h, readJSON(r, h) },
		"GET counts":         func(*http.Request) (any, error) { return h.Counts(), nil },
		"GET requests":       c.seen,
		"GET grants":         func(*http.Request) (any, error) { return h.latestGrants(100), nil }, // a page cannot show more
		"GET faults":         func(*http.Request) (any, error) { return h.pending(), nil },
		"POST faults":        c.fail,
		"POST login":         c.logIn,
		"POST code":          c.approve,
		"POST expire-access": func(r *http.Request) (any, error) { return ofUser(r, h.ExpireAccess) },
		"POST revoke":        func(r *http.Request) (any, error) { return ofUser(r, h.RevokeGrants) },
		"POST reset":         c.reset,
	}
	for pattern, does := range calls {
		method, name, _ := strings.Cut(pattern, " ")
		c.calls.HandleFunc(method+" "+controlPath+name, func(w http.ResponseWriter, r *http.Request) {
			v, err := does(r)
			if err != nil {
				writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
				return
			}
			writeJSON(w, http.StatusOK, v)
		})
	}
	names := strings.Join(slices.Sorted(maps.Keys(calls)), ", ")
	c.calls.HandleFunc(controlPath, func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusNotFound, map[string]string{"error": fmt.Sprintf("there is no call %s %s; there are %s", r.Method, r.URL.Path, names)})
	})
	for path, name := range map[string]string{"/{$}": "page.html", controlPath + "page.css": "page.css", controlPath + "page.js": "page.js"} {
		c.calls.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, pageFiles, name) })
	}
	return c
}

// ServeHTTP leaves to the Handler what is neither a call nor the page.
func (c *control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" && !strings.HasPrefix(r.URL.Path, controlPath) {
		c.Handler.ServeHTTP(w, r)
		return
	}
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("X-Content-Type-Options", "nosniff")
	if why := c.foreign(r); why != "" {
		writeJSON(w, http.StatusForbidden, map[string]string{"error": why})
		return
	}
	c.calls.ServeHTTP(w, r)
}

// foreign says why r can be the doing of a web page from elsewhere.
func (c *control) foreign(r *http.Request) string {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	named := func(name string) bool { return strings.EqualFold(name, host) }
	// A page can have the name of its own server lead here, but no address.
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err != nil && !named("localhost") && !slices.ContainsFunc(c.hosts, named) {
		return fmt.Sprintf("the host %q is not one of those that this control may be called by: an IP address, localhost%s", host, strings.Join(append([]string{""}, c.hosts...), ", "))
	}
	if err := c.cross.Check(r); err != nil {
		return "this control is not for web pages of other origins"
	}
	if t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); t != "application/json" && r.Method != http.MethodGet && r.Method != http.MethodHead {
		return "a call that changes something needs the header Content-Type: application/json"
	}
	return ""
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// readJSON reads a body that may be empty.
func readJSON(r *http.Request, into any) error {
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil && err != io.EOF {
		return fmt.Errorf("the body cannot be read: %w", err)
	}
	return nil
}

type nothing struct{}

// seen are the requests, or those after the one whose number is asked for.
func (c *control) seen(r *http.Request) (any, error) {
	after := 0
	if s := r.URL.Query().Get("after"); s != "" {
		var err error
		if after, err = strconv.Atoi(s); err != nil {
			return nil, errors.New("after must be the number of a request")
		}
	}
	return slices.DeleteFunc(append([]Request{}, c.Requests()...), func(r Request) bool { return r.Number <= after }), nil
}

func (c *control) fail(r *http.Request) (any, error) {
	asked := struct {
		Path  string `json:"path"`
		Times int    `json:"times"`
		Fault Fault  `json:"fault"`
	}{Times: 1}
	if err := readJSON(r, &asked); err != nil {
		return nil, err
	}
	if err := checkFaultPath(asked.Path); err != nil {
		return nil, err
	}
	if asked.Times < 1 || asked.Times > 1000 {
		return nil, errors.New("times must be from 1 to 1000")
	}
	c.Fail(asked.Path, slices.Repeat([]Fault{asked.Fault}, asked.Times)...)
	return nothing{}, nil
}

// pending are the faults that no request has met yet.
func (h *Handler) pending() any {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := []map[string]any{}
	for _, f := range h.faults {
		list = append(list, map[string]any{"path": f.path, "fault": f.Fault})
	}
	return list
}

// An approvalCall is the body of a call that has a user approve.
type approvalCall struct {
	User        string   `json:"user"` // empty: who approves by itself
	Scopes      []string `json:"scopes"`
	RedirectURL string   `json:"redirect_url"`
}

// read returns the scopes that are asked for.
func (a *approvalCall) read(r *http.Request, h *Handler) (scopeSet, error) {
	if err := readJSON(r, a); err != nil {
		return 0, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if a.User == "" {
		a.User = h.users()[0]
	}
	if len(a.Scopes) == 0 {
		return everyScope, nil
	}
	return scopesOf(a.Scopes)
}

func (c *control) logIn(r *http.Request) (any, error) {
	var asked approvalCall
	set, err := asked.read(r, c.Handler)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.login(asked.User, set, false), nil
}

func (c *control) approve(r *http.Request) (any, error) {
	var asked approvalCall
	set, err := asked.read(r, c.Handler)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, problem := c.checkRedirectURL(asked.RedirectURL); problem != "" {
		return nil, errors.New(strings.Replace(problem, "redirect_uri", "redirect_url", 1))
	}
	return map[string]string{"code": c.newCode(code{user: asked.User, redirectURL: asked.RedirectURL, scopes: set})}, nil
}

// ofUser does something to the user who is named, or to all.
func ofUser(r *http.Request, do func(users ...string)) (any, error) {
	var asked struct {
		User string `json:"user"`
	}
	if err := readJSON(r, &asked); err != nil {
		return nil, err
	}
	if asked.User == "" {
		do()
	} else {
		do(asked.User)
	}
	return nothing{}, nil
}

func (c *control) reset(*http.Request) (any, error) {
	c.Change(func(h *Handler) { copySettings(h, &c.start) })
	c.Reset()
	return nothing{}, nil
}
