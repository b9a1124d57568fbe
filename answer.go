package pinterest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

const maxAnswer = 1 << 20 // bytes read of an answer

// send sends req by the context's HTTP client, follows no redirect, and
// returns the JSON object of a 2xx answer.
func (c *Config) send(op string, req *http.Request, secrets redactor) (map[string]any, *Error) {
	client := *contextClient(req.Context())
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		return nil, &Error{Op: op, Err: &noAnswerError{secrets.text(err.Error()), err}}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if resp.StatusCode/100 == 2 {
		if err != nil {
			return nil, &Error{Op: op, Err: &noAnswerError{secrets.text(fmt.Sprintf("the answer broke off: %v", err)), err}}
		}
		if op == opRevoke {
			return nil, nil // 200 with no body
		}
		return readAnswer(op, resp, body, secrets)
	}
	return nil, refusal(op, resp, body, secrets)
}

func contextClient(ctx context.Context) *http.Client {
	if client, ok := ctx.Value(oauth2.HTTPClient).(*http.Client); ok && client != nil {
		return client
	}
	return http.DefaultClient
}

// readAnswer reads a 2xx answer. One that cannot be used is an error whose
// RetrieveError leaves the body out: it may hold live tokens.
func readAnswer(op string, resp *http.Response, body []byte, secrets redactor) (map[string]any, *Error) {
	fail := func(format string, args ...any) (map[string]any, *Error) {
		e := refusal(op, resp, nil, secrets)
		e.Err.(*oauth2.RetrieveError).ErrorDescription = fmt.Sprintf(format, args...)
		return nil, e
	}
	if len(body) > maxAnswer {
		return fail("the answer is longer than %d bytes", maxAnswer)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return fail("the answer is empty")
	}
	var raw map[string]any
	if err := json.Unmarshal(body, &raw); err != nil || raw == nil {
		kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
		return fail("the answer is not a JSON object (%d bytes of %q)", len(body), secrets.text(kind))
	}
	word, _ := raw["error"].(string)
	token, _ := raw["access_token"].(string)
	if word != "" || token == "" {
		e := refusal(op, resp, body, secrets)
		if r := e.Err.(*oauth2.RetrieveError); r.ErrorCode == "" && r.ErrorDescription == "" {
			r.ErrorDescription = "the answer has no access_token"
		}
		return nil, e
	}
	if !printable(token) {
		return fail("the answer's access_token has characters that no header can carry")
	}
	return raw, nil
}

// printable reports whether s is made of the characters that RFC 6749 allows
// in a token (appendix A.12: VSCHAR, here without the space).
func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// refusal reads an answer that carries no token.
func refusal(op string, resp *http.Response, body []byte, secrets redactor) *Error {
	// Each field on its own: a server that gets one wrong still says the others.
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(body, &fields)
	field := func(name string) string {
		var s string
		_ = json.Unmarshal(fields[name], &s)
		return secrets.text(s)
	}
	message := field("message")
	code, _ := strconv.Atoi(strings.Trim(string(fields["code"]), `"`))

	e := &Error{
		Op:         op,
		StatusCode: resp.StatusCode,
		Code:       code,
		Message:    message,
		RequestID:  secrets.text(resp.Header.Get("X-Pinterest-Rid")),
		RetryAfter: retryAfter(resp),
	}
	retrieve := &oauth2.RetrieveError{
		Response:         publicResponse(resp, secrets),
		Body:             []byte(secrets.text(string(body[:min(len(body), maxAnswer)]))),
		ErrorCode:        field("error"),
		ErrorDescription: field("error_description"),
		ErrorURI:         field("error_uri"),
	}
	if retrieve.ErrorCode == "" {
		retrieve.ErrorCode = rfcWord(op, resp.StatusCode, code)
		retrieve.ErrorDescription = message
	}
	if resp.StatusCode/100 == 3 {
		retrieve.ErrorDescription = "the endpoint answered with a redirect, which a token request never follows: check Endpoint.TokenURL"
	} else if retrieve.ErrorDescription == "" && fields == nil && resp.StatusCode/100 != 2 {
		retrieve.ErrorDescription = fmt.Sprintf("the answer is not Pinterest's (%d bytes)", len(body))
	}
	e.Err = retrieve
	return e
}

// publicResponse returns resp without the secrets it or its request carry.
func publicResponse(resp *http.Response, secrets redactor) *http.Response {
	public := *resp
	public.Status = secrets.text(resp.Status)
	public.Body, public.ContentLength, public.TransferEncoding = http.NoBody, 0, nil
	public.Header = secrets.header(resp.Header)
	public.Trailer = nil
	if resp.Request != nil {
		req := *resp.Request
		req.Header = maps.Clone(req.Header)
		req.Header.Del("Authorization")
		req.Body, req.ContentLength, req.GetBody = http.NoBody, 0, nil
		req.Response = nil
		public.Request = &req
	}
	return &public
}

// retryAfter returns how long the server asks to wait. Pinterest often leaves
// Retry-After out of a 429; x-ratelimit-reset then says it, in seconds.
func retryAfter(resp *http.Response) time.Duration {
	after := resp.Header.Get("Retry-After")
	if after == "" && resp.StatusCode == http.StatusTooManyRequests {
		after, _, _ = strings.Cut(resp.Header.Get("X-Ratelimit-Reset"), ",")
	}
	if t, err := http.ParseTime(after); err == nil {
		return max(0, time.Until(t))
	}
	seconds, ok := number(strings.TrimSpace(after))
	if !ok || seconds <= 0 {
		return 0
	}
	return secondsToDuration(seconds)
}
