package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"

	"github.com/itchyny/gojq"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// answer prints an answer, and returns it if it is a page. Its error is what the
// answer says if that is no success.
func (a *Call) answer(ctx context.Context, resp *http.Response, before string) ([]byte, error) {
	if a.Include {
		if err := printHead(a.out, resp); err != nil {
			return nil, err
		}
	}
	refused := resp.StatusCode >= http.StatusBadRequest
	terminal := say.IsTerminal(a.out)
	if !refused && !a.Paginate && a.filter == nil && !terminal { // a report may be large
		w := a.out
		if a.Silent {
			w = io.Discard
		}
		_, err := io.Copy(w, resp.Body)
		return nil, err
	}
	data, broken := io.ReadAll(resp.Body)
	if a.Silent {
		before = ""
	}
	var err error
	switch {
	case refused || broken != nil || a.filter == nil:
		text := data
		if terminal && isJSON(resp.Header.Get("Content-Type")) {
			indent := ""
			if a.Slurp && !refused {
				before, indent = before+"\n  ", "  "
			}
			var laidOut bytes.Buffer
			if json.Indent(&laidOut, data, indent, "  ") == nil {
				text = laidOut.Bytes()
			}
		}
		if refused && a.Slurp {
			before = "\n" // and no more, lest the array be taken for the whole list
			if a.first {
				before = ""
			}
		}
		end := ""
		if len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) && (refused || !a.Slurp) {
			end = "\n"
		}
		if !a.Silent {
			_, err = fmt.Fprintf(a.out, "%s%s%s", before, text, end)
		}
	case !a.Silent:
		err = a.printFiltered(ctx, data, terminal)
	}
	a.first = false
	switch {
	case refused:
		return nil, a.refused(ctx, resp, data)
	case err != nil:
		return nil, err
	}
	return data, broken
}

// printFiltered prints what --jq makes of an answer.
func (a *Call) printFiltered(ctx context.Context, data []byte, terminal bool) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return say.WithHint(errors.New("the answer is not JSON, which --jq has to have"), "leave out --jq to see it")
	}
	results := a.filter.RunWithContext(ctx, value)
	for {
		result, ok := results.Next()
		if !ok {
			return nil
		}
		var text []byte
		switch v := result.(type) {
		case error:
			return say.WithHint(fmt.Errorf("--jq: %s", say.OneLine(v.Error())), "leave out --jq to see the answer")
		case string:
			text = []byte(v)
		default:
			var err error
			if text, err = gojq.Marshal(v); err != nil {
				return err
			}
			var laidOut bytes.Buffer
			if terminal && json.Indent(&laidOut, text, "", "  ") == nil {
				text = laidOut.Bytes()
			}
		}
		if _, err := fmt.Fprintf(a.out, "%s\n", text); err != nil {
			return err
		}
	}
}

func compile(filter string) (*gojq.Code, error) {
	query, err := gojq.Parse(filter)
	if err == nil {
		var code *gojq.Code
		if code, err = gojq.Compile(query); err == nil {
			return code, nil
		}
	}
	return nil, say.WrongUsage("--jq: "+say.OneLine(err.Error()), "https://jqlang.org/manual/ explains filters; quote it for the shell, like --jq '.items[].name'")
}

var isJSON = regexp.MustCompile(`(?i)^application/([-.\w]+\+)?json\s*(;|$)`).MatchString

func printHead(w io.Writer, resp *http.Response) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s\n", resp.Proto, resp.Status)
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		for _, value := range resp.Header[name] {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	b.WriteString("\n")
	_, err := w.Write(b.Bytes())
	return err
}

// pages makes the call for each page of a list, from a.url's to the last, and
// prints each as it comes: whoever reads them need not wait for the last.
func (a *Call) pages(ctx context.Context) error {
	bookmark, before := "", ""
	if a.Slurp {
		before = "["
	}
	a.first = true
	for u := *a.url; ; {
		next, err := a.page(ctx, &u, before)
		if err == nil && next != "" && next == bookmark {
			err = errors.New("the list would have no end: the page after this one is this one again")
		}
		if err != nil {
			return goOn(err, bookmark)
		}
		if next == "" {
			break
		}
		bookmark = next
		if a.Slurp {
			before = ","
		}
		query := u.Query()
		query.Set("bookmark", bookmark)
		u.RawQuery = query.Encode()
	}
	if !a.Slurp || a.Silent {
		return nil
	}
	end := "]\n"
	if say.IsTerminal(a.out) {
		end = "\n]\n"
	}
	_, err := io.WriteString(a.out, end)
	return err
}

// page prints a page and returns its bookmark, which leads to the next one; on the
// last it is empty.
func (a *Call) page(ctx context.Context, u *url.URL, before string) (string, error) {
	resp, err := a.send(ctx, u)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	data, err := a.answer(ctx, resp, before)
	if err != nil {
		return "", err
	}
	var page struct {
		Bookmark string `json:"bookmark"`
	}
	if err := json.Unmarshal(data, &page); err != nil {
		return "", errors.New("the answer is no page of a list")
	}
	return page.Bookmark, nil
}

// goOn adds to an error how to go on where it happened.
func goOn(err error, bookmark string) error {
	if bookmark == "" {
		return err
	}
	f := &say.Failure{Err: err, Status: say.StatusFailed}
	errors.As(err, &f)
	hint := "to go on after the last whole page, add -f bookmark=" + say.ShellWord(bookmark)
	if f.Hint != "" {
		hint = f.Hint + "; " + hint
	}
	return &say.Failure{Err: f.Err, Hint: hint, Status: f.Status}
}
