package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// The exit statuses of the command.
const (
	statusDone   = 0
	statusFailed = 1
	statusUsage  = 2
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

func exitStatus(err error) int {
	var f *failure
	switch {
	case err == nil:
		return statusDone
	case errors.As(err, &f):
		return f.status
	}
	return statusFailed
}

// explain tells the user of an error.
func explain(w io.Writer, err error) {
	const prefix = "pinterest: " // the library's errors have it already
	if message := err.Error(); message != "" {
		fmt.Fprintln(w, prefix+strings.TrimPrefix(message, prefix))
	}
	var f *failure
	if errors.As(err, &f) && f.hint != "" {
		fmt.Fprintln(w, prefix+"hint: "+f.hint)
	}
}
