package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"pinterest": main,
		"get":       get,
		"post":      post,
		"xdg-open":  visit, // what opens a browser on Linux
	})
}

func TestSessions(t *testing.T) { testscript.Run(t, sessions("testdata")) }

// sessions are the scripts of a directory.
func sessions(dir string) testscript.Params {
	return testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", "atexit_sleep_ms=0") // or each command would take a second more under -race
			return setupFake(env)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "set": setFake, "answered": answered, "counts": countsOfFake, "login": logIn, "silence": silence},
	}
}

// exits STATUS COMMAND [ARG...] executes a command that is to exit with the status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits status command [arg...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// get URL [TOKEN] prints what a GET is answered.
func get() {
	r, err := http.NewRequest(http.MethodGet, os.Args[1], nil)
	if err == nil && len(os.Args) > 2 {
		r.Header.Set("Authorization", "Bearer "+os.Args[2])
	}
	request(r, err)
}

// post URL ID:SECRET [NAME=VALUE...] prints what a POST of a form is answered.
func post() {
	form := make(url.Values)
	for _, arg := range os.Args[3:] {
		name, value, _ := strings.Cut(arg, "=")
		form.Set(name, value)
	}
	r, err := http.NewRequest(http.MethodPost, os.Args[1], strings.NewReader(form.Encode()))
	if err == nil {
		id, secret, _ := strings.Cut(os.Args[2], ":")
		r.SetBasicAuth(id, secret)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	request(r, err)
}

func request(r *http.Request, err error) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	fail(err)
	resp, err := http.DefaultTransport.RoundTrip(r) // follows no redirect
	fail(err)
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	if to := resp.Header.Get("Location"); to != "" {
		fmt.Println("Location:", to)
	}
	_, err = io.Copy(os.Stdout, resp.Body)
	fail(err)
	fmt.Println()
}
