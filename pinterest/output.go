package main

import "os"

// An output is standard output. It remembers that writing to it failed, so
// that a command whose data was lost, say on a full disk, does not exit as if
// all were well.
type output struct {
	file *os.File
	err  error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.file.Write(p)
	if err != nil && o.err == nil {
		o.err = withHint(err, "the output is not complete")
	}
	return n, err
}

// Fd lets a command find out whether it writes to a terminal.
func (o *output) Fd() uintptr { return o.file.Fd() }
