package pinteresttest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
)

// Client returns a client whose requests, to whatever host, h answers without a socket. It works inside a
// [testing/synctest] bubble, where sixty days pass in no time.
//
// A lost answer is an error that wraps [io.EOF]; reading a cut body ends in [io.ErrUnexpectedEOF]. A redirect to
// the app's callback is answered by h as well, namely 404; use [Handler.Code], or set CheckRedirect.
func (h *Handler) Client() *http.Client { return &http.Client{Transport: transport{h}} }

type transport struct{ h *Handler }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	if r.URL == nil || r.URL.Host == "" || r.URL.Scheme != "http" && r.URL.Scheme != "https" {
		return nil, errors.New("pinteresttest: the request has no http or https URL with a host")
	}
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	in.Host = r.Host
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	a, err := t.h.answer(in)
	if err != nil {
		return nil, err
	}

	header := maps.Clone(a.header)
	header.Set("Content-Length", strconv.Itoa(a.contentLength()))
	b := &body{ctx: r.Context(), rest: bytes.NewReader(a.body), end: io.EOF}
	if a.missing > 0 {
		b.end = io.ErrUnexpectedEOF
	}
	if r.Method == http.MethodHead {
		b = &body{ctx: r.Context(), rest: bytes.NewReader(nil), end: io.EOF}
	}
	return &http.Response{
		Status:        strconv.Itoa(a.status) + " " + http.StatusText(a.status),
		StatusCode:    a.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          b,
		ContentLength: int64(a.contentLength()),
		Request:       r,
	}, nil
}

// A body is read as from a connection: no further once the request's context is done.
type body struct {
	ctx  context.Context // the request's
	rest *bytes.Reader
	end  error
}

func (b *body) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.rest.Read(p)
	if err == io.EOF {
		err = b.end
	}
	return n, err
}

func (b *body) Close() error {
	b.rest, b.end = bytes.NewReader(nil), http.ErrBodyReadAfterClose
	return nil
}
