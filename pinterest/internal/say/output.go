package say

import (
	"io"
	"os"

	"golang.org/x/term"
)

// An Output is standard output. It remembers that writing to it failed, so
// that a command whose data was lost, say on a full disk, does not exit as if
// all were well.
type Output struct {
	File *os.File
	Err  error
}

func (o *Output) Write(p []byte) (int, error) {
	n, err := o.File.Write(p)
	if err != nil && o.Err == nil {
		o.Err = WithHint(err, "the output is not complete")
	}
	return n, err
}

// Fd lets a command find out whether it writes to a terminal.
func (o *Output) Fd() uintptr { return o.File.Fd() }

// IsTerminal reports whether people read what is written to w.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}
