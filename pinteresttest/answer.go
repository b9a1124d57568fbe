package pinteresttest

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// An answer is a response before it is written.
type answer struct {
	status  int
	header  http.Header
	body    []byte
	missing int // how many bytes of body are promised but do not come

	code int    // Pinterest's, of a refusal
	why  string // it is refused, in more words than Pinterest has
}

// contentLength is the length of body that is promised.
func (a *answer) contentLength() int { return len(a.body) + a.missing }

// refuse answers with Pinterest's error shape.
func refuse(status, code int, message string) *answer {
	a := jsonAnswer(status, map[string]any{"status": "failure", "code": code, "message": message})
	a.code, a.why = code, message
	return a
}

// because says more of why it is refused than the answer does.
func (a *answer) because(format string, args ...any) *answer {
	a.why = fmt.Sprintf(format, args...)
	return a
}

func jsonAnswer(status int, v any) *answer {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return &answer{status: status, header: http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}}, body: body}
}

func redirect(to string) *answer {
	return &answer{status: http.StatusFound, header: http.Header{"Location": {to}, "Cache-Control": {"no-store"}}}
}

func usual(status, code int) *answer { return refuse(status, code, messages[code]) }

func missing(name string) *answer { return invalid("Missing parameter: " + name + ".") }

func invalid(message string) *answer {
	return refuse(http.StatusBadRequest, codeInvalidRequest, message)
}

// The codes that Pinterest's errors carry.
const (
	codeInvalidRequest = 1
	codeAuthentication = 2
	codeAuthorization  = 3
	codeRateLimit      = 8
	codeServerFault    = 12
	codeExpired        = 28
	codeNotPermitted   = 29
	codeBoardNotFound  = 40
	codePinNotFound    = 50
	codeBoardExists    = 58
	codeInvalidGrant   = 283
)

var messages = map[int]string{
	codeInvalidRequest: "Invalid request.",
	codeAuthentication: "Authentication failed.",
	codeAuthorization:  "Authorization failed.",
	codeRateLimit:      "You have exceeded your rate limit. Try again later.",
	codeServerFault:    "Something went wrong on our end. Sorry about that.",
	codeExpired:        "The refresh token has expired.",
	codeNotPermitted:   "You are not permitted to access that resource.",
	codeBoardNotFound:  "Board not found.",
	codePinNotFound:    "Pin not found.",
	codeBoardExists:    "You already have a board with this name.",
	codeInvalidGrant:   "The authorization grant is invalid",
}

func usualCode(status int) int {
	switch {
	case status == http.StatusBadRequest:
		return codeInvalidRequest
	case status == http.StatusUnauthorized:
		return codeAuthentication
	case status == http.StatusForbidden:
		return codeNotPermitted
	case status == http.StatusTooManyRequests:
		return codeRateLimit
	case status >= 500:
		return codeServerFault
	}
	return status
}
