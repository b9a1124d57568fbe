package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/go-pinterest/pinterest/pinterest/internal/accounts"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// setupFake gives a script a fake Pinterest and a user directory of its own. The
// user approves, unless $BROWSER_DOES is something else; $REDIRECT is a redirect
// URL that no other script uses.
func setupFake(env *testscript.Env) error {
	fake := &pinteresttest.Handler{StrictRotation: true, AutoApprove: true}
	server := httptest.NewServer(withEcho(withOtherApp(fake)))
	env.Defer(server.Close)
	env.Values["fake"] = fake
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	home := filepath.Join(env.WorkDir, "home")
	for name, value := range map[string]string{
		"HOME":                home,
		"XDG_CONFIG_HOME":     filepath.Join(home, ".config"),
		"AppData":             filepath.Join(home, "AppData"),
		"REDIRECT":            fmt.Sprintf("http://localhost:%d/", l.Addr().(*net.TCPAddr).Port),
		"FAKE":                server.URL,
		accounts.EnvAPI:       server.URL,
		accounts.EnvOAuth:     server.URL,
		accounts.EnvAppID:     pinteresttest.DefaultAppID,
		accounts.EnvAppSecret: pinteresttest.DefaultAppSecret,
		accounts.EnvStore:     "",
		"BROWSER":             "xdg-open",
		"SSH_CONNECTION":      "",
		"SSH_TTY":             "",
	} {
		env.Setenv(name, value)
	}
	return nil
}

// set WHAT [VALUE...] changes the script's fake Pinterest.
func setFake(ts *testscript.TestScript, neg bool, args []string) {
	fake := ts.Value("fake").(*pinteresttest.Handler)
	if neg || len(args) == 0 {
		ts.Fatalf("usage: set what [value]")
	}
	switch args[0] {
	case "access-life": // of tokens from now on
		life, err := time.ParseDuration(args[1])
		ts.Check(err)
		fake.Change(func(h *pinteresttest.Handler) { h.AccessLife = life })
	case "system-user":
		fake.Change(func(h *pinteresttest.Handler) { h.SystemUser = true })
	case "latency":
		latency, err := time.ParseDuration(args[1])
		ts.Check(err)
		fake.Change(func(h *pinteresttest.Handler) { h.Latency = latency })
	case "disconnect":
		fake.RevokeGrants()
	case "expire-code":
		fake.Change(func(h *pinteresttest.Handler) { h.CodeLife = time.Nanosecond })
	case "down":
		for range 4 { // the tries of one renewal
			fake.Fail(accounts.TokenPath, pinteresttest.Fault{Status: http.StatusServiceUnavailable})
		}
	case "expired": // all access tokens
		fake.ExpireAccess()
	case "fail": // PATH STATUS [HEADER...], the next request
		f := pinteresttest.Fault{Header: make(http.Header)}
		var err error
		f.Status, err = strconv.Atoi(args[2])
		ts.Check(err)
		for _, line := range args[3:] {
			name, value, _ := strings.Cut(line, ": ")
			f.Header.Set(name, value)
		}
		fake.Fail(args[1], f)
	case "break": // PATH, the next answer
		fake.Fail(args[1], pinteresttest.Fault{Cut: true})
	case "pass": // PATH N, before that answer so many
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		for range n {
			fake.Fail(args[1], pinteresttest.Fault{})
		}
	default:
		ts.Fatalf("the fake knows nothing of %s", args[0])
	}
}

// login ACCOUNT [SCOPE...] saves an account, as "pinterest login" does where a
// browser can be played.
func logIn(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: login account [scope...]")
	}
	name := "file:" + ts.MkAbs("tokens") // wherever this system has the user's settings
	ts.Setenv(accounts.EnvStore, name)
	v, err := accounts.Open(context.Background(), io.Discard, name, true)
	ts.Check(err)
	at := ts.Getenv("FAKE")
	token := ts.Value("fake").(*pinteresttest.Handler).Login(args[1:]...)
	ts.Check(v.Save(context.Background(), args[0], &accounts.App{ID: ts.Getenv(accounts.EnvAppID), API: at + accounts.TokenPath, OAuth: at + "/oauth/"}, token))
}

// The fake knows a second app, too, which has its own users.
const (
	otherAppID     = "7654321"
	otherAppSecret = "another-apps-secret"
)

func withOtherApp(h http.Handler) http.Handler {
	other := &pinteresttest.Handler{AppID: otherAppID, AppSecret: otherAppSecret, StrictRotation: true, AutoApprove: true}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, _, _ := r.BasicAuth(); id == otherAppID || r.URL.Query().Get("client_id") == otherAppID {
			other.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// withEcho adds /v5/echo, which answers with the request if its token is good
// for user_account, and /v5/stuck, which begins to answer and gets no further.
func withEcho(h http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", h)
	mux.HandleFunc("/v5/echo", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		probe, account := httptest.NewRequest(http.MethodGet, "/v5/user_account", nil), httptest.NewRecorder()
		probe.Header.Set("Authorization", r.Header.Get("Authorization"))
		if h.ServeHTTP(account, probe); account.Code != http.StatusOK {
			w.WriteHeader(account.Code)
			return
		}
		fmt.Fprintf(w, "%s %s\n", r.Method, r.RequestURI)
		r.Header.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10)) // -1: in pieces
		for _, name := range []string{"Accept", "Content-Type", "Content-Length"} {
			if value := r.Header.Get(name); value != "" {
				fmt.Fprintf(w, "%s: %s\n", name, value)
			}
		}
		fmt.Fprintf(w, "\n%s\n", body)
	})
	mux.HandleFunc("/v5/stuck", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"items":[`)
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	return mux
}

// silence SOCKET listens there, and never says anything.
func silence(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: silence socket")
	}
	l, err := net.Listen("unix", args[0])
	ts.Check(err)
	ts.Defer(func() { l.Close() })
}

// counts NAME N... compares what the fake Pinterest has counted.
func countsOfFake(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 || len(args)%2 != 0 {
		ts.Fatalf("usage: counts name number...")
	}
	seen := reflect.ValueOf(ts.Value("fake").(*pinteresttest.Handler).Counts())
	for ; len(args) > 0; args = args[2:] {
		want, err := strconv.ParseInt(args[1], 10, 64)
		ts.Check(err)
		if got := seen.FieldByName(args[0]).Int(); got != want {
			ts.Fatalf("Pinterest counted %d of %s, and not %d", got, args[0], want)
		}
	}
}

// visit URL is the browser of a user who does what $BROWSER_DOES says: approve
// (what empty means), or something else.
func visit() {
	check := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	open := func(u string) *http.Response {
		r, err := http.NewRequest(http.MethodGet, u, nil)
		check(err)
		resp, err := http.DefaultTransport.RoundTrip(r) // follows no redirect
		check(err)
		return resp
	}
	page, err := url.Parse(os.Args[1])
	check(err)
	asked := page.Query()
	does := os.Getenv("BROWSER_DOES")
	if does == "nothing" {
		return
	}
	_ = os.Remove("answered")
	check(os.WriteFile("page", []byte(os.Args[1]), 0o600))
	resp := open(os.Args[1])
	back := resp.Header.Get("Location")
	with := func(params url.Values) string { return asked.Get("redirect_uri") + "?" + params.Encode() }
	switch does {
	case "deny":
		back = with(url.Values{"error": {"access_denied"}, "state": {asked.Get("state")}})
	case "no-code":
		back = with(url.Values{"state": {asked.Get("state")}})
	case "wrong-state":
		back = with(url.Values{"code": {"1"}, "state": {"2"}})
	case "no-state":
		back = with(url.Values{"code": {"1"}})
	case "spent-code":
		code, err := url.Parse(back)
		check(err)
		// Somebody was faster.
		form := url.Values{"grant_type": {"authorization_code"}, "code": {code.Query().Get("code")}, "redirect_uri": {asked.Get("redirect_uri")}}
		r, err := http.NewRequest(http.MethodPost, os.Getenv(accounts.EnvAPI)+accounts.TokenPath, strings.NewReader(form.Encode()))
		check(err)
		r.SetBasicAuth(os.Getenv(accounts.EnvAppID), os.Getenv(accounts.EnvAppSecret))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		_, err = http.DefaultTransport.RoundTrip(r)
		check(err)
	case "wrong-state-first":
		open(with(url.Values{"code": {"1"}, "state": {"2"}})).Body.Close()
		open(asked.Get("redirect_uri") + "favicon.ico").Body.Close()
	}
	if does == "twice" {
		other := make(chan *http.Response)
		go func() { other <- open(back) }()
		one := open(back)
		if resp = <-other; one.StatusCode != http.StatusOK {
			resp = one
		}
	} else {
		resp = open(back)
	}
	body, err := os.Create("answering")
	check(err)
	check(resp.Write(body))
	check(body.Close())
	check(os.Rename("answering", "answered"))
}

// answered waits for what the browser was answered on the redirect URL, and
// makes it answer.html. The browser can take longer than the login.
func answered(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: answered")
	}
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err := os.Rename(ts.MkAbs("answered"), ts.MkAbs("answer.html"))
		if err == nil {
			return
		}
		if time.Since(begun) > 10*time.Second {
			ts.Fatalf("the browser got no answer: %v", err)
		}
	}
}
