package pinteresttest

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Fault is what goes wrong with one request; see [Handler.Fail].
//
// A fault with none of Status, Code, Message, Body, EmptyBody and Lose leaves the true answer standing, merely
// late, cut, or with more headers. Any other fault takes its place; unless After is set, nothing is then done
// about the request.
type Fault struct {
	Status  int    `json:"status"`  // the answer's status; zero: 200 with a Body or EmptyBody, else 500
	Code    int    `json:"code"`    // Pinterest's code in the body; zero: the one usual for Status
	Message string `json:"message"` // Pinterest's message in the body; empty: the one usual for Code

	RetryAfter     string      `json:"retry_after"`      // the Retry-After header, verbatim; empty: none
	RateLimitReset string      `json:"rate_limit_reset"` // the x-ratelimit-reset header, verbatim
	Header         http.Header `json:"header"`           // more headers, verbatim

	Body        string `json:"body"`         // the answer's body, verbatim, in place of Pinterest's error shape
	ContentType string `json:"content_type"` // the body's type; empty with a Body: "text/html; charset=utf-8"
	EmptyBody   bool   `json:"empty_body"`   // no body at all

	Latency time.Duration `json:"latency"` // passes before the work, or, if After is set, after it

	After bool `json:"after"` // do what was asked first, then fail: the refresh token was rotated, but nobody learns the new one
	Lose  bool `json:"lose"`  // no answer: the connection is cut
	Cut   bool `json:"cut"`   // the answer's body ends in the middle of what Content-Length promises
}

type pathFault struct {
	path string
	Fault
}

// Fail makes the next requests to path, such as "/v5/oauth/token", each meet one of the faults, in order. An
// empty path means requests to any. Faults from earlier calls are met first. A fault or path that no request could
// meet panics.
//
// An [http.Transport] by itself repeats a GET whose answer was lost on a connection that had served before.
func (h *Handler) Fail(path string, faults ...Fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range faults {
		if err := errors.Join(checkFaultPath(path), f.check()); err != nil {
			panic("pinteresttest: " + err.Error())
		}
		h.faults = append(h.faults, pathFault{path, f})
	}
}

// checkFaultPath says why no request could ever meet a fault.
func checkFaultPath(path string) error {
	if path != "" && !strings.HasPrefix(path, "/") || strings.Contains(path, "?") {
		return fmt.Errorf("a fault's path begins with /, and has no query: %q", path)
	}
	return nil
}

func (f Fault) check() error {
	if s := f.Status; s != 0 && (s < 200 || s > 599 || s == http.StatusNoContent || s == http.StatusNotModified) {
		return fmt.Errorf("a fault cannot have status %d: it says something, so from 200 to 599 but 204 and 304", s)
	}
	return nil
}

// nextFault takes the fault that a request to path meets; the zero Fault is none.
func (h *Handler) nextFault(path string) Fault {
	i := slices.IndexFunc(h.faults, func(f pathFault) bool { return f.path == "" || f.path == path })
	if i < 0 {
		return Fault{}
	}
	f := h.faults[i].Fault
	h.faults = slices.Delete(h.faults, i, i+1)
	return f
}

// replaces tells whether the true answer is not given.
func (f Fault) replaces() bool {
	return f.Status != 0 || f.Code != 0 || f.Message != "" || f.Body != "" || f.EmptyBody || f.Lose
}

// spoil makes the answer that is given of the true one, which is nil if it was never sought.
func (f Fault) spoil(a *answer) *answer {
	if f.replaces() {
		a = f.answer()
		a.why = "a fault"
	}
	for k, v := range f.Header {
		a.header[http.CanonicalHeaderKey(k)] = v
	}
	if f.RetryAfter != "" {
		a.header.Set("Retry-After", f.RetryAfter)
	}
	if f.RateLimitReset != "" {
		a.header.Set("X-Ratelimit-Reset", f.RateLimitReset)
	}
	if f.Cut {
		a.why = "a fault: the answer ends too early"
		whole := max(1, len(a.body))
		a.body = a.body[:len(a.body)/2]
		a.missing = whole - len(a.body)
	}
	return a
}

func (f Fault) answer() *answer {
	if f.Body != "" || f.EmptyBody {
		a := &answer{status: cmp.Or(f.Status, http.StatusOK), header: http.Header{}}
		if !f.EmptyBody {
			a.header.Set("Content-Type", cmp.Or(f.ContentType, "text/html; charset=utf-8"))
			a.body = []byte(f.Body)
		}
		return a
	}
	status := cmp.Or(f.Status, http.StatusInternalServerError)
	code := cmp.Or(f.Code, usualCode(status))
	a := refuse(status, code, cmp.Or(f.Message, messages[code], "Request failed."))
	a.header.Set("Content-Type", cmp.Or(f.ContentType, "application/json"))
	return a
}
