package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/filestore"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

const envFake = "PINTEREST_TEST_FAKE" // where the script's fake Pinterest is

// mainWithAccounts is main, with the commands that use accounts if the script
// has a fake Pinterest. The accounts are those that "fake login" made.
func mainWithAccounts() {
	if os.Getenv(envFake) == "" {
		main()
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	out := &output{file: os.Stdout}
	root := newRoot()
	api := newAPICommand(openTestClient)
	api.Flags().String("account", "default", "the account to use")
	root.AddCommand(api, newKeepaliveCommand(openTestStore))
	root.SetOut(out)
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = out.err
	}
	if err != nil {
		explain(os.Stderr, err)
	}
	os.Exit(exitStatus(err))
}

func openTestClient(c *cobra.Command) (*http.Client, string, error) {
	conf, store, err := openTestStore(c)
	if err != nil {
		return nil, "", err
	}
	account := c.Flag("account").Value.String()
	return pinterest.NewClient(c.Context(), conf.StoredTokenSource(c.Context(), store, account)), os.Getenv(envFake) + "/v5", nil
}

func openTestStore(*cobra.Command) (*pinterest.Config, pinterest.Store, error) {
	at := os.Getenv(envFake)
	store, err := filestore.New(filepath.Join(os.Getenv("WORK"), "tokens"))
	return &pinterest.Config{
		ClientID:     pinteresttest.DefaultAppID,
		ClientSecret: pinteresttest.DefaultAppSecret,
		Endpoint:     oauth2.Endpoint{AuthURL: at + "/oauth/", TokenURL: at + "/v5/oauth/token"},
	}, store, err
}

var fakes sync.Map // from a script's directory to its *pinteresttest.Handler

// fake tells the script's fake Pinterest what to do. The first use starts it.
//
//	fake login ACCOUNT [SCOPE...]      keep the token of a new login
//	fake fail PATH STATUS [HEADER...]  let the next request to PATH fail
//	fake break PATH                    let the next answer at PATH break off
//	fake pass PATH N                   before that, answer N requests to PATH
//	fake expire                        drop all access tokens
//	fake revoke                        end all logins so far
//	fake delay DURATION                let every answer take that long
//	fake refreshed N                   check the number of refreshes so far
func fake(ts *testscript.TestScript, neg bool, args []string) {
	work := ts.Getenv("WORK")
	h, running := fakes.Load(work)
	if !running {
		h = new(pinteresttest.Handler)
		server := httptest.NewServer(withEcho(h.(*pinteresttest.Handler)))
		ts.Setenv(envFake, server.URL)
		ts.Defer(func() {
			server.Close()
			fakes.Delete(work)
		})
		fakes.Store(work, h)
	}
	pin := h.(*pinteresttest.Handler)
	if neg || len(args) == 0 {
		ts.Fatalf("usage: fake login|fail|break|pass|expire|revoke|delay|refreshed [arg...]")
	}
	switch do, args := args[0], args[1:]; do {
	case "login":
		store, err := filestore.New(filepath.Join(work, "tokens"))
		ts.Check(err)
		ts.Check(pinterest.SaveToken(context.Background(), store, args[0], pin.Login(args[1:]...)))
	case "fail":
		f := pinteresttest.Fault{Header: make(http.Header)}
		var err error
		f.Status, err = strconv.Atoi(args[1])
		ts.Check(err)
		for _, line := range args[2:] {
			name, value, _ := strings.Cut(line, ": ")
			f.Header.Set(name, value)
		}
		pin.Fail(args[0], f)
	case "break":
		pin.Fail(args[0], pinteresttest.Fault{Cut: true})
	case "pass":
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		for range n {
			pin.Fail(args[0], pinteresttest.Fault{})
		}
	case "expire":
		pin.ExpireAccess()
	case "revoke":
		pin.RevokeGrants()
	case "delay":
		d, err := time.ParseDuration(args[0])
		ts.Check(err)
		pin.Change(func(h *pinteresttest.Handler) { h.Latency = d })
	case "refreshed":
		if got := strconv.Itoa(pin.Counts().Refresh); got != args[0] {
			ts.Fatalf("there were %s refreshes, want %s", got, args[0])
		}
	default:
		ts.Fatalf("unknown: fake %s", do)
	}
}

// withEcho adds /v5/echo, which answers with the request if its token is good
// for user_account; /v5/stuck, which begins to answer and gets no further; and
// /v5/endless.
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
		for _, name := range []string{"Accept", "Content-Type", "Content-Length", "X-Test"} {
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
	mux.HandleFunc("/v5/endless", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			io.WriteString(w, strings.Repeat("and so on\n", 1000))
		}
	})
	return mux
}
