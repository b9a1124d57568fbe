package api

import (
	"context"
	"io"
	"os"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// files are those that a call is told to read.
type files struct {
	ctx   context.Context // of the run
	stdin io.Reader       // named -; nil: it was read
}

// read returns the content of a file. It waits no longer than the run lasts: what is
// typed on a terminal, or comes by a pipe, may never end.
func (f *files) read(name string) ([]byte, error) {
	stdin := f.stdin
	if name == "-" {
		if stdin == nil {
			return nil, say.WrongUsage("standard input can be read only once", "put one of the two into a file")
		}
		f.stdin = nil
	}
	var data []byte
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		if name == "-" {
			data, err = io.ReadAll(stdin)
		} else {
			data, err = os.ReadFile(name)
		}
	}()
	select {
	case <-done:
		return data, err
	case <-f.ctx.Done():
		return nil, f.ctx.Err()
	}
}
