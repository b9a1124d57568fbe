package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
)

// An apiBody is the body of an API call.
type apiBody struct {
	open func() (io.ReadCloser, error)
	size int64 // -1: not known
	once bool  // open works once
}

// attach makes b the body of req. A body that can be had again lets the call be
// sent again with a new token.
func (b *apiBody) attach(req *http.Request) error {
	if b.size == 0 {
		req.Body = http.NoBody
		return nil
	}
	body, err := b.open()
	if err != nil {
		return err
	}
	req.Body, req.ContentLength = body, b.size
	if !b.once {
		req.GetBody = b.open
	}
	return nil
}

func bytesBody(data []byte) *apiBody {
	return &apiBody{
		open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil },
		size: int64(len(data)),
	}
}

func jsonBody(fields map[string]any) (*apiBody, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(fields)
	return bytesBody(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), err
}

// apiFiles are the files that a call is told to read.
type apiFiles struct {
	ctx   context.Context // of the run
	stdin io.Reader       // named -
}

// read returns the content of a file.
func (f apiFiles) read(name string) ([]byte, error) {
	if name == "-" {
		return f.wait(f.stdin)
	}
	return os.ReadFile(name)
}

const smallBody = 1 << 20

// body returns what is in a file. Of something that can be read only once,
// what is small is kept, so that it can be sent again; the rest is sent as it comes.
func (f apiFiles) body(name string) (*apiBody, error) {
	in := f.stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		info, err := file.Stat()
		if err != nil {
			file.Close()
			return nil, err
		}
		if info.Mode().IsRegular() {
			file.Close()
			return &apiBody{open: func() (io.ReadCloser, error) { return os.Open(name) }, size: info.Size()}, nil
		}
		in = file
	}
	head, err := f.wait(io.LimitReader(in, smallBody))
	if err != nil {
		return nil, err
	}
	if len(head) < smallBody {
		return bytesBody(head), nil
	}
	rest := io.MultiReader(bytes.NewReader(head), in)
	return &apiBody{open: func() (io.ReadCloser, error) { return io.NopCloser(rest), nil }, size: -1, once: true}, nil
}

// wait reads r to its end, no longer than the run lasts: r may be a terminal.
func (f apiFiles) wait(r io.Reader) ([]byte, error) {
	var data []byte
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		data, err = io.ReadAll(r)
	}()
	select {
	case <-done:
		return data, err
	case <-f.ctx.Done():
		return nil, f.ctx.Err()
	}
}
