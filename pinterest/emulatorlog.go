package main

import (
	"bytes"
	"io"
	"net/http"
	"net/url"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// logRequests has every request told of on w, without what is secret in it.
func logRequests(h http.Handler, w io.Writer) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		// The handler refuses what is longer.
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(body), failing{err}, r.Body), r.Body}
		form, _ := url.ParseQuery(string(body)) // what is no form has no grant type
		grant := ""
		switch g := form.Get("grant_type"); g {
		case "authorization_code", "refresh_token", "client_credentials":
			grant = " " + g
		}
		seen := &statusWriter{ResponseWriter: rw, status: http.StatusOK}
		defer func() { say.Line(w, "%s %q%s: %d", r.Method, r.URL.Path, grant, seen.status) }()
		h.ServeHTTP(seen, r)
	})
}

// failing is the rest of a body that broke off.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

// A statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
