package say

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-pinterest/pinterest"
)

// The exit statuses of the command.
const (
	StatusDone        = 0
	StatusFailed      = 1
	StatusUsage       = 2
	StatusReauthorize = 3 // only a new login helps
)

// A Failure is an error with a hint of what to do about it.
type Failure struct {
	Err    error // nil: all was said already
	Hint   string
	Status int
}

func (f *Failure) Error() string {
	if f.Err == nil {
		return ""
	}
	return f.Err.Error()
}

func (f *Failure) Unwrap() error { return f.Err }

// WithHint returns a Failure of the command.
func WithHint(err error, hint string) error {
	return &Failure{Err: err, Hint: hint, Status: StatusFailed}
}

// WrongUsage returns a Failure of whoever called the command.
func WrongUsage(message, hint string) error {
	return &Failure{Err: errors.New(message), Hint: hint, Status: StatusUsage}
}

// ExitStatus returns the exit status of a command that ends with err.
func ExitStatus(err error) int {
	var f *Failure
	switch {
	case err == nil:
		return StatusDone
	case errors.As(err, &f):
		return f.Status
	case errors.Is(err, pinterest.ErrReauthorize):
		return StatusReauthorize
	}
	return StatusFailed
}

// Prefix begins all that goes to standard error; the library's errors have it already.
const Prefix = "pinterest: "

// Line tells the user of something that is not data.
func Line(w io.Writer, format string, args ...any) {
	fmt.Fprintln(w, Prefix+strings.TrimPrefix(fmt.Sprintf(format, args...), Prefix))
}

// Hint tells the user what to do.
func Hint(w io.Writer, format string, args ...any) { Line(w, "hint: "+format, args...) }

// Error tells the user of an error.
func Error(w io.Writer, err error) {
	if message := err.Error(); message != "" {
		Line(w, "%s", message)
	}
	var f *Failure
	if errors.As(err, &f) && f.Hint != "" {
		Hint(w, "%s", f.Hint)
	}
}
