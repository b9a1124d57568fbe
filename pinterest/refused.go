package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// A beginning keeps the beginning of what is written to it.
type beginning struct{ data []byte }

func (b *beginning) Write(p []byte) (int, error) {
	b.data = append(b.data, p[:min(len(p), 64<<10-len(b.data))]...)
	return len(p), nil
}

// refused says what an answer means that is no success.
func (a *apiCall) refused(ctx context.Context, resp *http.Response, said beginning) error {
	// Each field on its own: whatever is wrong with one, the other says something.
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(said.data, &fields)
	var message string
	_ = json.Unmarshal(fields["message"], &message)
	code, _ := strconv.Atoi(string(fields["code"]))

	text := fmt.Sprintf("%s %s: %d %s", a.method, a.url.Path, resp.StatusCode, http.StatusText(resp.StatusCode))
	if message = say.OneLine(message); message != "" {
		text += ": " + message
	}
	var quote []string
	if code != 0 {
		quote = append(quote, fmt.Sprintf("code %d", code))
	}
	if id := resp.Header.Get("X-Pinterest-Rid"); id != "" {
		quote = append(quote, "request id "+say.OneLine(id))
	}
	if len(quote) > 0 {
		text += " (" + strings.Join(quote, ", ") + ")"
	}
	f := &say.Failure{Err: errors.New(text), Status: say.StatusFailed}
	switch status := resp.StatusCode; {
	case status == http.StatusUnauthorized && (code == 2 || a.body != nil && a.body.once):
		return a.dead(ctx, f)
	case status == http.StatusUnauthorized:
		f.Hint = "the token may lack a scope that this call needs; log in again with it: " + a.login + " --scopes ..."
	case status == http.StatusForbidden:
		f.Hint = "either the account or the app may not do this; apps with trial access are limited, see https://developers.pinterest.com/apps/"
	case status == http.StatusMethodNotAllowed && a.implied:
		f.Hint = "fields make it POST; for a query say: " + a.asQuery()
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		f.Hint = "https://developers.pinterest.com/docs/api/v5/ lists paths and methods; ids of other accounts are not found, either"
	case status == http.StatusTooManyRequests:
		f.Hint = "try again in a minute: Pinterest did not say when"
		if after := retryAfter(resp); after > 0 {
			f.Hint = fmt.Sprintf("try again in %v, at %s", after, time.Now().Add(after).Format(time.TimeOnly))
		}
	case status >= http.StatusInternalServerError, status == http.StatusBadRequest && code == 12:
		f.Hint = "the fault is Pinterest's; try again later, or quote the request id to their support"
		if after := retryAfter(resp); after > 0 {
			f.Hint = fmt.Sprintf("the fault is Pinterest's; try again in %v", after)
		}
	case status == http.StatusBadRequest && len(a.fields) > 0:
		f.Hint = "-f sends text, which ids are, too; -F sends true, false, null and numbers as such"
	}
	return f
}

// asQuery is the command line that puts the fields of a into the query.
func (a *apiCall) asQuery() string {
	line := "pinterest api GET " + say.ShellWord(a.path)
	for _, f := range a.fields {
		flag := " -f "
		if f.typed {
			flag = " -F "
		}
		line += flag + f.word()
	}
	return say.OneLine(line)
}

// dead adds to a refusal why the client has no better token, which is not
// always that the account has to log in again. A body that could not be sent
// twice has left the renewal under way; it is waited for.
func (a *apiCall) dead(ctx context.Context, f *say.Failure) error {
	err := a.renew(ctx)
	var why *say.Failure
	switch {
	case err == nil:
		f.Hint = "the token was dead and is renewed now; call again"
	case errors.Is(err, pinterest.ErrReauthorize):
		f.Hint, f.Status = "the account's token is dead, and there is no new one; run: "+a.login, say.StatusReauthorize
	default:
		f.Hint = "the account's token is dead, and a new one is not to be had: " + strings.TrimPrefix(err.Error(), say.Prefix)
		if errors.As(err, &why) && why.Hint != "" {
			f.Hint += "; " + why.Hint
		}
	}
	return f
}

// retryAfter returns how long Pinterest asks to wait, zero if it does not.
func retryAfter(resp *http.Response) time.Duration {
	after := resp.Header.Get("Retry-After")
	if after == "" && resp.StatusCode == http.StatusTooManyRequests {
		after, _, _ = strings.Cut(resp.Header.Get("X-Ratelimit-Reset"), ",") // seconds, too
	}
	if t, err := http.ParseTime(after); err == nil {
		return max(0, time.Until(t).Round(time.Second))
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(after), 64)
	if err != nil || !(seconds > 0) {
		return 0
	}
	return time.Duration(min(seconds, 1e9) * float64(time.Second)).Round(time.Second)
}
