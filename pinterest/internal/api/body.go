package api

import (
	"context"
	"io"
	"os"
)

// files are those that a call is told to read.
type files struct {
	ctx   context.Context // of the run
	stdin io.Reader       // named -
}

// read returns the content of a file. It waits no longer than the run lasts: what is
// typed on a terminal may never end.
func (f files) read(name string) ([]byte, error) {
	if name != "-" && name != "/dev/stdin" {
		return os.ReadFile(name)
	}
	var data []byte
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		data, err = io.ReadAll(f.stdin)
	}()
	select {
	case <-done:
		return data, err
	case <-f.ctx.Done():
		return nil, f.ctx.Err()
	}
}
