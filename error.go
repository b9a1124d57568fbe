package pinterest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest/internal/wire"
)

// The two decisions a caller takes on an error are tested with [errors.Is].
// Whether any other can pass by itself, [Error.Temporary] says.
var (
	// ErrReauthorize means that the refresh token (or the code) is dead: only
	// the user can mend it, by authorizing the app again.
	ErrReauthorize = errors.New("the user must authorize the app again")

	// ErrClientRejected means that Pinterest does not accept the app: only
	// its operator can mend it, by looking at the app id, the secret, the
	// environment (production or sandbox), the scopes and the app's approval.
	// Tokens need not be thrown away.
	ErrClientRejected = errors.New("the app's operator must act: check app id, secret, environment, scopes and approval")
)

// The values of [Error.Op].
const (
	opExchange          = "exchange"
	opRefresh           = "refresh"
	opClientCredentials = "client_credentials"
	opRevoke            = "revoke"
	opConversionToken   = "conversion_token"
)

// An Error is why an operation on a token failed. It holds no secret, code or
// token, whatever the server echoed.
//
// Use errors.Is with [ErrReauthorize] and [ErrClientRejected] to decide what
// to do, and Temporary to tell whether trying again can help. It wraps the
// [*oauth2.RetrieveError] of an answer, which errors.As finds and a type assertion
// does not.
type Error struct {
	Op         string        // "exchange", "refresh", "client_credentials", "revoke" or "conversion_token"
	StatusCode int           // of the answer; zero if none came
	Code       int           // Pinterest's number; it says little without Op and StatusCode
	Message    string        // Pinterest's words
	RequestID  string        // x-pinterest-rid, to quote to Pinterest's support
	RetryAfter time.Duration // how long Pinterest asked to wait; zero if it did not say
	Err        error         // the *oauth2.RetrieveError, or why no answer came
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("pinterest: " + e.Op + ": ")
	if e.StatusCode == 0 {
		fmt.Fprint(&b, e.Err)
		return b.String()
	}
	b.WriteString(strings.TrimSpace(fmt.Sprint(e.StatusCode, " ", http.StatusText(e.StatusCode))))
	if m := e.detail(); m != "" {
		b.WriteString(": " + m)
	}
	var quote []string
	if e.Code != 0 {
		quote = append(quote, fmt.Sprintf("code %d", e.Code))
	}
	if e.RequestID != "" {
		quote = append(quote, "request id "+e.RequestID)
	}
	if e.RetryAfter > 0 {
		quote = append(quote, fmt.Sprintf("retry after %v", e.RetryAfter))
	}
	if len(quote) > 0 {
		b.WriteString(" (" + strings.Join(quote, ", ") + ")")
	}
	if hint := e.decision(); hint != nil {
		b.WriteString("; " + hint.Error())
	}
	return b.String()
}

// detail is what the answer said of itself, in no more than a line.
func (e *Error) detail() string {
	m := e.Message
	var r *oauth2.RetrieveError
	if m == "" && errors.As(e.Err, &r) {
		m = r.ErrorDescription
		if m == "" {
			m = r.ErrorCode
		}
	}
	m = strings.Join(strings.Fields(m), " ")
	if len(m) > 200 {
		m = strings.ToValidUTF8(m[:200], "") + "…"
	}
	return m
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the decision, [ErrReauthorize] or
// [ErrClientRejected], that e calls for.
func (e *Error) Is(target error) bool {
	return target == e.decision()
}

// Temporary reports whether the same call may succeed later: no answer came, unless
// the caller's context was cancelled, or the answer was a rate limit or a fault of the
// server, or the store failed.
func (e *Error) Temporary() bool {
	if e.StatusCode == 0 {
		var p *passingError
		return errors.As(e.Err, &p) && !errors.Is(e.Err, context.Canceled)
	}
	return e.StatusCode == http.StatusRequestTimeout ||
		slices.Contains([]string{"temporarily_unavailable", "server_error", "slow_down"}, e.word())
}

func (e *Error) decision() error {
	switch e.word() {
	case "invalid_grant":
		return ErrReauthorize
	case "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope":
		return ErrClientRejected
	}
	return nil
}

// word returns the RFC 6749 word for e.
func (e *Error) word() string {
	var r *oauth2.RetrieveError
	if errors.As(e.Err, &r) && r.ErrorCode != "" {
		return r.ErrorCode
	}
	return rfcWord(e.Op, e.StatusCode, e.Code)
}

// rfcWord returns the error word of RFC 6749 (section 5.2, and 4.1.2.1 for the
// passing ones) or RFC 6750 that says what Pinterest's number says. One number
// means different things at different endpoints and statuses; a combination
// that nobody has shown gets no word, as a verdict must never rest on a guess.
func rfcWord(op string, status, code int) string {
	refused := status == http.StatusUnauthorized || status == http.StatusForbidden
	switch {
	case code == 2 && status == http.StatusUnauthorized:
		if op == opConversionToken {
			return "invalid_token"
		}
		return "invalid_client"
	case (code == 283 || code == 28) && (refused || status == http.StatusBadRequest):
		return "invalid_grant"
	case (code == 3 || code == 29) && refused:
		return "unauthorized_client"
	case status == http.StatusTooManyRequests, code == 8 && status/100 == 4:
		return "temporarily_unavailable"
	case status/100 == 5, code == 12 && status == http.StatusBadRequest:
		return "server_error"
	}
	return ""
}

// rfcWords are the error words of RFC 6749 (5.2, 4.1.2.1), RFC 6750 and RFC
// 8628 that are taken for one. Other servers on the way say "error" for much else.
var rfcWords = []string{
	"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
	"access_denied", "unsupported_response_type", "server_error", "temporarily_unavailable",
	"invalid_token", "insufficient_scope", "slow_down",
}

// refusal is the error of an answer that carries no token.
func refusal(op string, a *wire.Answer) *Error {
	r := &oauth2.RetrieveError{Response: a.Response, Body: a.Body, ErrorCode: a.Word, ErrorDescription: a.Description, ErrorURI: a.URI}
	if !slices.Contains(rfcWords, a.Word) || a.StatusCode/100 == 5 {
		r.ErrorCode = rfcWord(op, a.StatusCode, a.Code)
	}
	switch {
	case r.ErrorDescription != "":
	case a.Message != "":
		r.ErrorDescription = a.Message
	case r.ErrorCode == "" || a.StatusCode/100 != 2:
		r.ErrorDescription = a.Problem
	}
	return &Error{Op: op, StatusCode: a.StatusCode, Code: a.Code, Message: a.Message, RequestID: a.RequestID, RetryAfter: a.RetryAfter, Err: r}
}

// A passingError is what may be over the next time. Its cause can be anything,
// an error of this package's for one, but is no verdict on the token.
type passingError struct{ err error }

func (e *passingError) Error() string { return e.err.Error() }

func (e *passingError) Is(target error) bool {
	return target != ErrReauthorize && target != ErrClientRejected && errors.Is(e.err, target)
}

func (e *passingError) As(target any) bool {
	switch target.(type) {
	case **Error, **oauth2.RetrieveError:
		return false
	}
	return errors.As(e.err, target)
}

// An uncancelled error is of somebody who was not cancelled by a caller of ours,
// whatever it says.
type uncancelled struct{ error }

func (e uncancelled) Is(target error) bool {
	return target != context.Canceled && errors.Is(e.error, target)
}
func (e uncancelled) As(target any) bool { return errors.As(e.error, target) }

// misconfigured says what the operator has to change before anything is sent.
func misconfigured(what string) error {
	return &decided{what, ErrClientRejected}
}

// decided is an error that no server had to be asked for.
type decided struct {
	message string
	verdict error
}

func (e *decided) Error() string { return e.message }
func (e *decided) Unwrap() error { return e.verdict }
