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
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

const maxAnswer = 1 << 20 // bytes read of an answer

// send sends req by the context's HTTP client, follows no redirect, and
// returns the JSON object of a 2xx answer.
func (c *Config) send(op string, req *http.Request, secrets *redactor) (map[string]any, *Error) {
	client := *contextClient(req.Context())
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		return nil, &Error{Op: op, Err: &passingError{secrets.error(err)}}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if resp.StatusCode/100 != 2 {
		return nil, refusal(op, resp, body, secrets)
	}
	if err != nil {
		return nil, &Error{Op: op, Err: &passingError{fmt.Errorf("the answer broke off: %w", secrets.error(err))}}
	}
	if op == opRevoke {
		return nil, nil // 200 with no body
	}
	return readAnswer(op, resp, body, secrets)
}

func contextClient(ctx context.Context) *http.Client {
	if ctx != nil {
		if client, ok := ctx.Value(oauth2.HTTPClient).(*http.Client); ok && client != nil {
			return client
		}
	}
	return http.DefaultClient
}

// readAnswer reads a 2xx answer.
func readAnswer(op string, resp *http.Response, body []byte, secrets *redactor) (map[string]any, *Error) {
	fail := func(format string, args ...any) (map[string]any, *Error) {
		e := refusal(op, resp, body, secrets)
		if r := e.Err.(*oauth2.RetrieveError); r.ErrorCode == "" && r.ErrorDescription == "" {
			r.ErrorDescription = fmt.Sprintf(format, args...)
		}
		return nil, e
	}
	if len(body) > maxAnswer {
		return fail("the answer is longer than %d bytes", maxAnswer)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return fail("the answer is empty")
	}
	answer := jsonObject(body)
	if answer == nil {
		kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
		return fail("the answer is not a JSON object (%d bytes of %q)", len(body), secrets.text(kind))
	}
	word, _ := answer["error"].(string)
	token, _ := answer["access_token"].(string)
	if word != "" || token == "" {
		return fail("the answer has no access_token")
	}
	if !printable(token) {
		return fail("the answer's access_token has characters that no header can carry")
	}
	return answer, nil
}

// jsonObject reads a JSON object as json.Unmarshal would, field by field: what
// is odd about one, a number out of range for one, loses none of the others.
func jsonObject(body []byte) map[string]any {
	var fields map[string]json.RawMessage
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if json.Unmarshal(body, &fields) != nil || fields == nil {
		return nil
	}
	object := make(map[string]any, len(fields))
	for name, raw := range fields {
		var v any
		if json.Unmarshal(raw, &v) != nil {
			f, _ := strconv.ParseFloat(string(raw), 64) // infinite, as it is out of range
			v = f
		}
		object[name] = v
	}
	return object
}

// printable reports whether s is made of the characters that RFC 6749 allows
// in a token (appendix A.12: VSCHAR, here without the space).
func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// refusal reads an answer that carries no token. What it keeps of the answer
// are the fields it knows, without secrets: an unusable answer may hold tokens.
func refusal(op string, resp *http.Response, body []byte, secrets *redactor) *Error {
	answer := jsonObject(body)
	text := func(name string) string {
		s, _ := answer[name].(string)
		return secrets.text(s)
	}
	number, _ := number(answer["code"])
	code := int(number)
	message := text("message")
	retrieve := &oauth2.RetrieveError{
		Response:         publicResponse(resp, secrets),
		ErrorDescription: text("error_description"),
		ErrorURI:         text("error_uri"),
	}
	if word, _ := answer["error"].(string); isRFCWord(word) && resp.StatusCode/100 != 5 {
		retrieve.ErrorCode = word
	} else {
		retrieve.ErrorCode = rfcWord(op, resp.StatusCode, code)
	}
	if retrieve.ErrorDescription == "" {
		retrieve.ErrorDescription = message
	}
	switch {
	case resp.StatusCode/100 == 3:
		retrieve.ErrorDescription = "the endpoint answered with a redirect, which a token request never follows: check Endpoint.TokenURL"
	case retrieve.ErrorDescription == "" && answer == nil && resp.StatusCode/100 != 2:
		retrieve.ErrorDescription = fmt.Sprintf("the answer is not Pinterest's (%d bytes)", len(body))
	}

	public := make(map[string]any)
	for _, name := range []string{"status", "message", "error", "error_description", "error_uri"} {
		if s := text(name); s != "" {
			public[name] = s
		}
	}
	if code != 0 {
		public["code"] = code
	}
	if len(public) > 0 {
		retrieve.Body, _ = json.Marshal(public)
	}
	return &Error{
		Op:         op,
		StatusCode: resp.StatusCode,
		Code:       code,
		Message:    message,
		RequestID:  retrieve.Response.Header.Get("X-Pinterest-Rid"),
		RetryAfter: retryAfter(resp),
		Err:        retrieve,
	}
}

// publicResponse returns what can be shown of resp and its request.
func publicResponse(resp *http.Response, secrets *redactor) *http.Response {
	public := *resp
	public.Status = fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	public.Body, public.ContentLength, public.TransferEncoding = http.NoBody, 0, nil
	public.Trailer = nil
	public.Header = make(http.Header)
	for name, values := range resp.Header {
		if slices.Contains([]string{"Content-Type", "Date", "Retry-After", "X-Pinterest-Rid"}, name) ||
			strings.HasPrefix(name, "X-Ratelimit-") {
			for _, v := range values {
				public.Header.Add(name, secrets.text(v[:min(len(v), 256)]))
			}
		}
	}
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
// Retry-After out of a 429; x-ratelimit-reset then says it, in seconds. What
// cannot be meant, such as years, is taken for nothing.
func retryAfter(resp *http.Response) time.Duration {
	headers := []string{resp.Header.Get("Retry-After")}
	if resp.StatusCode == http.StatusTooManyRequests {
		headers = append(headers, resp.Header.Get("X-Ratelimit-Reset"))
	}
	const most = 30 * 24 * time.Hour
	for _, header := range headers {
		var wait time.Duration
		if t, err := http.ParseTime(header); err == nil {
			wait = time.Until(t)
		} else if i := strings.IndexAny(header, ",;"); i >= 0 {
			header = header[:i]
		}
		if seconds, ok := number(header); ok {
			wait = secondsToDuration(seconds)
		}
		if wait > 0 && wait <= most {
			return wait
		}
	}
	return 0
}
