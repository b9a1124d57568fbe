package main

import (
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

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/accounts"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

func newAPI() *cobra.Command {
	var name, store string
	c := newAPICommand(func(c *cobra.Command, call func(apiAccess) error) error {
		return useAccount(c, store, name, func(a *accounts.Account) error {
			src, err := a.Source(c.Context(), false)
			if err != nil {
				return err
			}
			_, problem, err := a.Config()
			if err != nil {
				return err
			}
			return call(apiAccess{
				client:  pinterest.NewClient(c.Context(), src),
				baseURL: a.Server().API(),
				login:   a.Login(),
				renew: func(ctx context.Context) error {
					if problem != nil {
						return problem
					}
					_, err := src.Refresh(ctx)
					return accounts.Advise(err, a.Login())
				},
			})
		})
	})
	accountFlag(c, &name)
	storeFlag(c, &store)
	return c
}

// An apiAccess is what it takes to call the API as an account.
type apiAccess struct {
	client  *http.Client // authorizes its requests
	baseURL string       // as in https://api.pinterest.com/v5
	login   string       // the command line that logs in again

	// renew renews the token, or returns at once why there will be no other.
	renew func(ctx context.Context) error
}

// newAPICommand returns the command that calls Pinterest's API. Use calls back
// with the account that the flags name.
func newAPICommand(use func(c *cobra.Command, call func(apiAccess) error) error) *cobra.Command {
	var a apiCall
	c := &cobra.Command{
		Use:   "api [METHOD] PATH",
		Short: "Call Pinterest's API",
		Long: `Call Pinterest's API with an account's token, and print the answer.

PATH is a path of the API, such as user_account or /v5/boards?page_size=5, and
METHOD is GET, or POST if there are fields or --input. The paths are listed on
https://developers.pinterest.com/docs/api/v5/.

Fields make up the JSON body of POST, PUT and PATCH, and with other methods or
--input they are added to the query.

  -f key=value   the value is text: right for ids, which Pinterest has as text
  -F key=value   the value is true, false, null or a number if it looks like
                 one; of @FILE it is the content of the file, of @- that of
                 standard input; anything else is text
  key[sub]=      a nested field
  key[]=         an element of an array; key[] alone is an empty array
  key[][sub]=    a field of the array's last object, or of a new one if that
                 has it already

Lists come in pages. With --paginate, which makes GET the method, all of them
are printed, each an object of its own as it comes; what jq does with one page
it does with all. With --slurp they become one array of pages. Fewer calls are
needed if pages are large, as with -F page_size=250.

An answer that is not a success goes to standard output all the same, and what
it means to standard error. The exit status is 1 then, or 3 if the account has
to log in again.`,
		Example: `  pinterest api user_account
  pinterest api boards --paginate -F page_size=250 | jq -r '.items[].name'
  pinterest api boards -f name=Kitchens -f privacy=SECRET
  pinterest api POST pins -f board_id=5498 -f title=Oak -f media_source[source_type]=image_url \
    -f media_source[url]=https://example.com/oak.jpg
  pinterest api PATCH pins/8137 --input changes.json
  pinterest api DELETE boards/5498`,
		DisableFlagsInUseLine: true,
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.read(args); err != nil {
				return err
			}
			return use(c, func(access apiAccess) error {
				var err error
				if a.url, err = apiURL(access.baseURL, a.path); err != nil {
					return err
				}
				a.apiAccess, a.out = access, c.OutOrStdout()
				return a.run(c.Context(), c.InOrStdin())
			})
		},
	}
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		var none *pflag.NotExistError
		if errors.As(err, &none) && (none.GetSpecifiedName() == "X" || none.GetSpecifiedName() == "method") {
			return say.WrongUsage(err.Error(), "the method comes first: pinterest api POST boards")
		}
		return c.Parent().FlagErrorFunc()(c, err)
	})
	f := c.Flags()
	f.SortFlags = false
	f.VarP(fieldFlag{to: &a.fields}, "raw-field", "f", "add a field that is text")
	f.VarP(fieldFlag{to: &a.fields, typed: true}, "field", "F", "add a field that is what it looks like")
	f.StringVar(&a.input, "input", "", "send this file as the body, - for standard input")
	f.StringArrayVarP(&a.headers, "header", "H", nil, "add a header, like 'Accept-Language: de'")
	f.BoolVar(&a.paginate, "paginate", false, "print all pages of a list")
	f.BoolVar(&a.slurp, "slurp", false, "print the pages as one JSON array")
	f.BoolVarP(&a.include, "include", "i", false, "print the answer's status and headers, too")
	f.BoolVar(&a.silent, "silent", false, "do not print the answer's body")
	return c
}

// An apiCall is a run of "pinterest api".
type apiCall struct {
	fields          []field
	input           string
	headers         []string
	paginate, slurp bool
	include, silent bool

	method  string
	implied bool   // nobody said POST, but there are fields
	path    string // as given
	header  http.Header

	apiAccess
	url  *url.URL
	body *apiBody // nil: none
	sent bool
	out  io.Writer
}

// read checks all that can be checked before anything is opened.
func (a *apiCall) read(args []string) error {
	var err error
	if a.method, a.path, err = methodAndPath(args); err != nil {
		return err
	}
	if a.method == "" {
		a.method = http.MethodGet
		if len(a.fields) > 0 && !a.paginate || a.input != "" {
			a.method, a.implied = http.MethodPost, a.input == ""
		}
	}
	switch {
	case a.slurp && !a.paginate:
		return say.WrongUsage("--slurp makes an array of pages, and there is but one without --paginate", "add --paginate")
	case a.slurp && a.include:
		return say.WrongUsage("--include has no place in the array of --slurp", "leave out one of the two")
	case a.paginate && a.method != http.MethodGet && a.method != http.MethodPost:
		return say.WrongUsage("--paginate would "+a.method+" again and again", "lists are read by GET, a few of them by POST")
	}
	stdin := 0
	for _, f := range a.fields {
		if f.typed && f.value == "@-" {
			stdin++
		}
	}
	if a.input == "-" {
		stdin++
	}
	if stdin > 1 {
		return say.WrongUsage("standard input can be read only once", "put one of the two into a file")
	}
	a.header, err = readHeaders(a.headers)
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

func (a *apiCall) run(ctx context.Context, stdin io.Reader) error {
	err := a.call(ctx, stdin)
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

func (a *apiCall) call(ctx context.Context, stdin io.Reader) error {
	if err := a.prepare(ctx, stdin); err != nil {
		return err
	}
	if a.paginate {
		return a.pages(ctx)
	}
	resp, err := a.send(ctx, a.url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return a.print(ctx, resp)
}

// prepare turns fields and input into query and body.
func (a *apiCall) prepare(ctx context.Context, stdin io.Reader) error {
	files := apiFiles{ctx, stdin}
	fields, err := gather(a.fields, files.read)
	if err != nil {
		return err
	}
	switch {
	case a.input != "":
		a.body, err = files.body(a.input)
	case len(fields) > 0 && hasBody(a.method):
		a.body, err = jsonBody(fields)
		fields = nil
	}
	if err != nil {
		return err
	}
	query, err := queryOf(fields)
	if err != nil {
		return err
	}
	if len(query) > 0 {
		a.url.RawQuery = strings.TrimPrefix(a.url.RawQuery+"&"+query.Encode(), "&")
	}
	return nil
}

func (a *apiCall) send(ctx context.Context, u *url.URL) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, a.method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, a.header)
	if a.body != nil {
		if err := a.body.attach(req); err != nil {
			return nil, err
		}
		if req.Header.Get("Content-Type") == "" {
			req.Header.Set("Content-Type", "application/json")
		}
	}
	a.sent = true
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, a.noAnswer(err)
	}
	resp.Body = answerBody{resp.Body}
	return resp, nil
}

// noAnswer explains why there is no answer.
func (a *apiCall) noAnswer(err error) error {
	var e *pinterest.Error
	var u *url.Error
	switch {
	case errors.As(err, &e):
		err = e // without what net/http says around it
	case errors.As(err, &u):
		err = fmt.Errorf("%s %s: %w", a.method, a.url.Path, u.Err)
	}
	if errors.Is(err, pinterest.ErrReauthorize) {
		return &say.Failure{Err: err, Hint: "run: " + a.login, Status: say.StatusReauthorize}
	}
	return err
}

// print prints an answer. Its error is what the answer says if that is no success.
func (a *apiCall) print(ctx context.Context, resp *http.Response) error {
	if a.include {
		if err := printHead(a.out, resp); err != nil {
			return err
		}
	}
	out := &lastByte{w: a.printer(resp)}
	if resp.StatusCode >= http.StatusBadRequest {
		var said beginning
		_, _ = io.Copy(out, io.TeeReader(resp.Body, &said)) // the refusal is what matters
		_ = out.endLine()
		return a.refused(ctx, resp, said)
	}
	if _, err := io.Copy(out, resp.Body); err != nil {
		return err
	}
	if say.IsTerminal(a.out) {
		return out.endLine()
	}
	return nil
}

// printer returns what the answer's body is to be written to.
func (a *apiCall) printer(resp *http.Response) io.Writer {
	switch {
	case a.silent:
		return io.Discard
	case say.IsTerminal(a.out) && isJSON(resp.Header.Get("Content-Type")):
		return &indenter{w: a.out}
	}
	return a.out
}

var isJSON = regexp.MustCompile(`(?i)^application/([-.\w]+\+)?json\s*(;|$)`).MatchString

func printHead(w io.Writer, resp *http.Response) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", resp.Proto, resp.Status)
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		for _, value := range resp.Header[name] {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
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
