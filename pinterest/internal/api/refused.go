package api

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
	"github.com/go-pinterest/pinterest/internal/wire"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// refused says what an answer means that is no success.
func (a *Call) refused(ctx context.Context, resp *http.Response, said []byte) error {
	// Each field on its own: whatever is wrong with one, the other says something.
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(said, &fields)
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
	case status == http.StatusUnauthorized && code == 2:
		return a.dead(ctx, f)
	case status == http.StatusUnauthorized:
		f.Hint = "the token may lack a scope that this call needs; log in again with it: " + a.Login + " --scopes ..."
	case status == http.StatusForbidden:
		f.Hint = "either the account or the app may not do this; apps with trial access are limited, see https://developers.pinterest.com/apps/"
	case status == http.StatusMethodNotAllowed && a.implied:
		f.Hint = "fields make it POST; for a query begin with GET, as in: pinterest api GET " + say.ShellWord(a.path)
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		f.Hint = "https://developers.pinterest.com/docs/api/v5/ lists paths and methods; ids of other accounts are not found, either"
	case status == http.StatusTooManyRequests:
		f.Hint = "try again in a minute: Pinterest did not say when"
		if after := wire.RetryAfter(resp).Round(time.Second); after > 0 {
			f.Hint = fmt.Sprintf("try again in %v, at %s", after, time.Now().Add(after).Format(time.TimeOnly))
		}
	case status >= http.StatusInternalServerError, status == http.StatusBadRequest && code == 12:
		f.Hint = "the fault is Pinterest's; try again later, or quote the request id to their support"
		if after := wire.RetryAfter(resp).Round(time.Second); after > 0 {
			f.Hint = fmt.Sprintf("the fault is Pinterest's; try again in %v", after)
		}
	case status == http.StatusBadRequest && len(a.fields) > 0:
		f.Hint = "-f sends text, which ids are, too; -F sends true, false, null and numbers as such"
		if a.implied {
			f.Hint += "; if a query was meant, begin with GET, as in: pinterest api GET " + say.ShellWord(a.path)
		}
	}
	return f
}

// dead adds to a refusal why the client has no better token, which is not
// always that the account has to log in again.
func (a *Call) dead(ctx context.Context, f *say.Failure) error {
	err := a.Renew(ctx)
	var why *say.Failure
	switch {
	case err == nil:
		f.Hint = "the token was dead and is renewed now; call again"
	case errors.Is(err, pinterest.ErrReauthorize):
		f.Hint, f.Status = "the account's token is dead, and there is no new one; run: "+a.Login, say.StatusReauthorize
	default:
		f.Hint = "the account's token is dead, and a new one is not to be had: " + strings.TrimPrefix(err.Error(), say.Prefix)
		if errors.As(err, &why) && why.Hint != "" {
			f.Hint += "; " + why.Hint
		}
	}
	return f
}
