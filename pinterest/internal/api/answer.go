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
	"slices"

	"github.com/itchyny/gojq"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// answer prints an answer, and returns it if it is a success. Its error is else what
// the answer says.
func (a *Call) answer(ctx context.Context, resp *http.Response) ([]byte, error) {
	if a.Include {
		if err := printHead(a.out, resp); err != nil {
			return nil, err
		}
	}
	data, broken := io.ReadAll(resp.Body)
	if broken != nil {
		broken = say.WithHint(fmt.Errorf("the answer broke off: %w", broken), "the output is not complete")
	}
	refused := resp.StatusCode >= http.StatusBadRequest
	var err error
	if a.filter == nil || refused || broken != nil {
		err = a.print(data)
	} else {
		err = a.printFiltered(ctx, data)
	}
	switch {
	case refused:
		return nil, a.refused(ctx, resp, data)
	case err != nil:
		return nil, err
	}
	return data, broken
}

// print prints text with a line break at its end, and on a terminal lays it out if it is JSON.
func (a *Call) print(text []byte) error {
	var laidOut bytes.Buffer
	if say.IsTerminal(a.out) && json.Indent(&laidOut, text, "", "  ") == nil {
		text = laidOut.Bytes()
	}
	if len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) {
		text = append(text, '\n')
	}
	_, err := a.out.Write(text)
	return err
}

// printFiltered prints what --jq makes of an answer.
func (a *Call) printFiltered(ctx context.Context, data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return say.WithHint(errors.New("the answer is not JSON, which --jq has to have"), "leave out --jq to see it")
	}
	results := a.filter.RunWithContext(ctx, value)
	for {
		v, ok := results.Next()
		if !ok {
			return nil
		}
		var err error
		switch v := v.(type) {
		case error:
			if halt, ok := errors.AsType[*gojq.HaltError](v); ok && halt.Value() == nil {
				return nil
			}
			return say.WithHint(fmt.Errorf("--jq: %s", say.OneLine(v.Error())), "leave out --jq to see the answer")
		case string:
			_, err = fmt.Fprintln(a.out, v)
		default:
			var text []byte
			if text, err = gojq.Marshal(v); err == nil {
				err = a.print(text)
			}
		}
		if err != nil {
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
	bookmark := ""
	for {
		data, err := a.send(ctx)
		var page struct {
			Bookmark string `json:"bookmark"`
		}
		if err == nil && json.Unmarshal(data, &page) != nil {
			err = errors.New("the answer is no page of a list")
		}
		if err == nil && page.Bookmark != "" && page.Bookmark == bookmark {
			err = errors.New("the list would have no end: the page after this one is this one again")
		}
		if err != nil {
			return goOn(err, bookmark)
		}
		if page.Bookmark == "" {
			return nil
		}
		bookmark = page.Bookmark
		query := a.url.Query()
		query.Set("bookmark", bookmark)
		a.url.RawQuery = query.Encode()
	}
}

// goOn adds to an error how to go on where it happened.
func goOn(err error, bookmark string) error {
	if bookmark == "" {
		return err
	}
	f := &say.Failure{Err: err, Status: say.StatusFailed}
	errors.As(err, &f)
	hint := "to go on after the last whole page, add bookmark=" + url.QueryEscape(bookmark) + " to the query of the path"
	if f.Hint != "" {
		hint = f.Hint + "; " + hint
	}
	return &say.Failure{Err: f.Err, Hint: hint, Status: f.Status}
}
