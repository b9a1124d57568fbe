package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-pinterest/pinterest"
)

// The exit statuses of the command.
const (
	statusDone        = 0
	statusFailed      = 1
	statusUsage       = 2
	statusReauthorize = 3 // only a new login helps
)

// A failure is an error with a hint of what to do about it.
type failure struct {
	err    error // nil: all was said already
	hint   string
	status int
}

func (f *failure) Error() string {
	if f.err == nil {
		return ""
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

func withHint(err error, hint string) error {
	return &failure{err: err, hint: hint, status: statusFailed}
}

func wrongUsage(message, hint string) error {
	return &failure{err: errors.New(message), hint: hint, status: statusUsage}
}

// advise adds the hint that an error of the library calls for. Login is the
// command line that logs in again.
func advise(err error, login string) error {
	var f *failure
	var e *pinterest.Error
	switch {
	case err == nil || errors.As(err, &f):
		return err
	case errors.Is(err, pinterest.ErrReauthorize):
		return &failure{err: err, hint: "run: " + login, status: statusReauthorize}
	case errors.Is(err, pinterest.ErrClientRejected):
		return withHint(err, "look at the app on https://developers.pinterest.com/apps/: is it approved, are "+envAppID+" and "+envAppSecret+" its own, and is the environment, production or sandbox, the right one?")
	case errors.As(err, &e) && e.Temporary():
		return withHint(err, "nothing is lost; try again later")
	}
	return err
}

func exitStatus(err error) int {
	var f *failure
	switch {
	case err == nil:
		return statusDone
	case errors.As(err, &f):
		return f.status
	case errors.Is(err, pinterest.ErrReauthorize):
		return statusReauthorize
	}
	return statusFailed
}

const prefix = "pinterest: " // of all that goes to standard error; the library's errors have it already

// say tells the user of something that is not data.
func say(w io.Writer, format string, args ...any) {
	fmt.Fprintln(w, prefix+strings.TrimPrefix(fmt.Sprintf(format, args...), prefix))
}

// explain tells the user of an error.
func explain(w io.Writer, err error) {
	if message := err.Error(); message != "" {
		say(w, "%s", message)
	}
	var f *failure
	if errors.As(err, &f) && f.hint != "" {
		say(w, "hint: %s", f.hint)
	}
}
