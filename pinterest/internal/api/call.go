package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"

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
	Fields          []Field
	Input           string
	Headers         []string
	Paginate, Slurp bool
	Include, Silent bool
	JQ              string

	method  string
	implied bool   // nobody said POST, but there are fields
	path    string // as given
	header  http.Header
	filter  *gojq.Code // nil: none

	Access
	url   *url.URL
	body  []byte // nil: none
	sent  bool
	first bool // of the pages nothing is printed yet
	out   io.Writer
}

// Check checks all that can be checked before anything is opened.
func (a *Call) Check(args []string) error {
	var err error
	if a.method, a.path, err = methodAndPath(args); err != nil {
		return err
	}
	if a.method == "" {
		a.method = http.MethodGet
		if len(a.Fields) > 0 && !a.Paginate || a.Input != "" {
			a.method, a.implied = http.MethodPost, a.Input == ""
		}
	}
	switch {
	case a.Slurp && !a.Paginate:
		return say.WrongUsage("--slurp makes an array of pages, and there is but one without --paginate", "add --paginate")
	case a.Slurp && a.Include:
		return say.WrongUsage("--include has no place in the array of --slurp", "leave out one of the two")
	case a.Slurp && a.JQ != "":
		return say.WrongUsage("--slurp makes an array, and --jq filters the pages one by one", "leave out one of the two")
	case a.Paginate && a.method != http.MethodGet && a.method != http.MethodPost:
		return say.WrongUsage("--paginate would "+a.method+" again and again", "lists are read by GET, a few of them by POST")
	}
	stdin := 0
	for _, f := range a.Fields {
		if f.typed && f.value == "@-" {
			stdin++
		}
	}
	if a.Input == "-" {
		stdin++
	}
	if stdin > 1 {
		return say.WrongUsage("standard input can be read only once", "put one of the two into a file")
	}
	if a.JQ != "" {
		if a.filter, err = compile(a.JQ); err != nil {
			return err
		}
	}
	a.header, err = readHeaders(a.Headers)
	return err
}

// ownHeaders are those that an apiCall or its client sees to.
var ownHeaders = []string{"Authorization", "Connection", "Content-Length", "Host", "Transfer-Encoding"}

func readHeaders(lines []string) (http.Header, error) {
	h := http.Header{"Accept": {"application/json"}}
	given := make(http.Header)
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		name, value = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case !ok || !isHeaderName(name) || strings.ContainsAny(value, "\r\n\x00"):
			return nil, say.WrongUsage("a --header is no header", `write it like "Accept-Language: de"`) // not quoted: it may be a secret
		case slices.Contains(ownHeaders, name):
			return nil, say.WrongUsage("the header "+name+" cannot be set", "whose token is sent depends on the account, and the rest on the request")
		}
		given.Add(name, value)
	}
	maps.Copy(h, given)
	return h, nil
}

var isHeaderName = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+$").MatchString

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
	if err := a.prepare(files{ctx, stdin}); err != nil {
		return err
	}
	if a.Paginate {
		return a.pages(ctx)
	}
	resp, err := a.send(ctx, a.url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = a.answer(ctx, resp, "")
	return err
}

// prepare turns fields and input into query and body.
func (a *Call) prepare(f files) error {
	fields := a.Fields
	var err error
	switch {
	case a.Input != "":
		a.body, err = f.read(a.Input)
	case len(fields) > 0 && hasBody(a.method):
		a.body, err = bodyOf(fields, f.read)
		fields = nil
	}
	if err != nil {
		return err
	}
	query, err := queryOf(fields, f.read)
	if len(query) > 0 {
		a.url.RawQuery = strings.TrimPrefix(a.url.RawQuery+"&"+query.Encode(), "&")
	}
	return err
}

func (a *Call) send(ctx context.Context, u *url.URL) (*http.Response, error) {
	var body io.Reader // one that can be had again lets the call be sent again with a new token
	if a.body != nil {
		body = bytes.NewReader(a.body)
	}
	req, err := http.NewRequestWithContext(ctx, a.method, u.String(), body)
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, a.header)
	if body != nil && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	a.sent = true
	resp, err := a.Client.Do(req)
	if err != nil {
		return nil, a.noAnswer(err)
	}
	resp.Body = answerBody{resp.Body}
	return resp, nil
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

// An answerBody tells a broken answer from a broken output.
type answerBody struct{ io.ReadCloser }

func (b answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = say.WithHint(fmt.Errorf("the answer broke off: %w", err), "the output is not complete")
	}
	return n, err
}
