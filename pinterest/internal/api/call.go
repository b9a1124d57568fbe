package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/itchyny/gojq"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// An Access is what it takes to call the API as an account.
type Access struct {
	Client  *http.Client // authorizes its requests
	BaseURL string       // as in https://api.pinterest.com/v5
	Login   string       // the command line that logs in again

	// Renew renews the token, or returns at once why there will be no other.
	Renew func(ctx context.Context) error
}

// A Call is a run of "pinterest api". Its exported fields are what the user asked for.
type Call struct {
	Text, Typed []string // fields, as key=value
	Input       string
	Paginate    bool
	Include     bool
	JQ          string

	method  string
	implied bool   // nobody said POST, but there are fields
	path    string // as given
	fields  []field
	filter  *gojq.Code // nil: none

	Access
	url  *url.URL
	body []byte // nil: none
	sent bool
	out  io.Writer
}

// Check checks all that can be checked before anything is opened.
func (a *Call) Check(args []string) error {
	var err error
	if a.method, a.path, err = methodAndPath(args); err != nil {
		return err
	}
	if a.fields, err = readFields(a.Text, a.Typed); err != nil {
		return err
	}
	if a.method == "" {
		if a.Paginate && a.Input != "" {
			return say.WrongUsage("--paginate reads lists by GET, and --input needs a body", "if this list is read by POST, say so: pinterest api POST "+say.ShellWord(a.path))
		}
		a.method = http.MethodGet
		if !a.Paginate && (len(a.fields) > 0 || a.Input != "") {
			a.method, a.implied = http.MethodPost, a.Input == ""
		}
	}
	if a.Paginate && a.method != http.MethodGet && a.method != http.MethodPost {
		return say.WrongUsage("--paginate would "+a.method+" again and again", "lists are read by GET, a few of them by POST")
	}
	if a.JQ != "" {
		a.filter, err = compile(a.JQ)
	}
	return err
}

// Run makes the call, and prints what comes of it on out.
func (a *Call) Run(ctx context.Context, access Access, stdin io.Reader, out io.Writer) error {
	a.Access, a.out = access, out
	var err error
	if a.url, err = apiURL(access.BaseURL, a.path); err != nil {
		return err
	}
	err = a.call(ctx, stdin)
	if err == nil || ctx.Err() == nil {
		return err
	}
	hint := "the output is not complete"
	switch {
	case !a.sent:
		hint = "nothing was sent"
	case a.method != http.MethodGet && a.method != http.MethodHead:
		hint = "what it was to do may have been done"
	}
	return say.WithHint(errors.New("the call was stopped"), hint)
}

func (a *Call) call(ctx context.Context, stdin io.Reader) error {
	if err := a.prepare(&files{ctx, stdin}); err != nil {
		return err
	}
	if a.Paginate {
		return a.pages(ctx)
	}
	_, err := a.send(ctx)
	return err
}

// prepare turns fields and input into query and body.
func (a *Call) prepare(f *files) error {
	var err error
	switch {
	case a.Input != "":
		if a.body, err = f.read(a.Input); err != nil {
			return err
		}
	case len(a.fields) > 0 && slices.Contains([]string{"POST", "PUT", "PATCH"}, a.method):
		a.body, err = bodyOf(a.fields, f.read)
		return err
	}
	query := a.url.Query()
	err = addTo(query, a.fields, f.read)
	a.url.RawQuery = query.Encode()
	return err
}

// send sends the call, prints the answer and returns it, if it is a success.
func (a *Call) send(ctx context.Context) ([]byte, error) {
	var body io.Reader // one that can be had again lets the call be sent again with a new token
	if a.body != nil {
		body = bytes.NewReader(a.body)
	}
	req, err := http.NewRequestWithContext(ctx, a.method, a.url.String(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	a.sent = true
	resp, err := a.Client.Do(req)
	if err != nil {
		return nil, a.noAnswer(err)
	}
	defer resp.Body.Close()
	return a.answer(ctx, resp)
}

// noAnswer explains why there is no answer.
func (a *Call) noAnswer(err error) error {
	var e *pinterest.Error
	var u *url.Error
	switch {
	case errors.As(err, &e):
		err = e // without what net/http says around it
	case errors.As(err, &u):
		err = fmt.Errorf("%s %s: %w", a.method, a.url.Path, u.Err)
	}
	if errors.Is(err, pinterest.ErrReauthorize) {
		return &say.Failure{Err: err, Hint: "run: " + a.Login, Status: say.StatusReauthorize}
	}
	return err
}
