package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// pages makes the call for each page of a list, from a.url's to the last, and
// prints each as it comes: whoever reads them need not wait for the last, and
// what works on one page works on all. With slurp they are one JSON array.
func (a *apiCall) pages(ctx context.Context) error {
	if a.body != nil && a.body.once {
		return say.WithHint(errors.New("the body is too large to be kept for every page"), "give it by the name of a file: --input FILE")
	}
	var array *lastByte
	if a.slurp {
		array = &lastByte{w: a.arrayPrinter()}
	}
	for u, bookmark := *a.url, ""; ; {
		resp, err := a.send(ctx, &u)
		if err != nil {
			return goOn(err, bookmark)
		}
		next, err := a.page(ctx, resp, array)
		resp.Body.Close()
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
		query := u.Query()
		query.Set("bookmark", bookmark)
		u.RawQuery = query.Encode()
	}
	if array != nil {
		_, err := io.WriteString(array, "]\n")
		return err
	}
	return nil
}

// page prints a page, be it as an element of an array, and returns its bookmark.
func (a *apiCall) page(ctx context.Context, resp *http.Response, array *lastByte) (bookmark string, err error) {
	if resp.StatusCode >= http.StatusBadRequest {
		if array != nil {
			_ = array.endLine() // and no more, lest the array be taken for the whole list
		}
		return "", a.print(ctx, resp)
	}
	if array != nil {
		sep := ","
		if array.last == 0 {
			sep = "["
		}
		if _, err := io.WriteString(array, sep); err != nil {
			return "", err
		}
		return bookmarkOf(io.TeeReader(resp.Body, array))
	}
	if a.include {
		if err := printHead(a.out, resp); err != nil {
			return "", err
		}
	}
	out := &lastByte{w: a.printer(resp)}
	if bookmark, err = bookmarkOf(io.TeeReader(resp.Body, out)); err != nil {
		return "", err
	}
	return bookmark, out.endLine()
}

func (a *apiCall) arrayPrinter() io.Writer {
	switch {
	case a.silent:
		return io.Discard
	case say.IsTerminal(a.out):
		return &indenter{w: a.out}
	}
	return a.out
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

// bookmarkOf returns the bookmark of a page, which leads to the next one; on
// the last it is empty. It reads the page to its end and keeps none of it.
func bookmarkOf(page io.Reader) (string, error) {
	bookmark, err := findBookmark(json.NewDecoder(page))
	if _, rest := io.Copy(io.Discard, page); rest != nil {
		return "", rest
	}
	switch err {
	case nil:
		return bookmark, nil
	case io.EOF, io.ErrUnexpectedEOF:
		err = errors.New("it ends too soon")
	}
	return "", fmt.Errorf("the answer is no page of a list: %w", err)
}

func findBookmark(d *json.Decoder) (string, error) {
	if begin, err := d.Token(); err != nil {
		return "", err
	} else if begin != json.Delim('{') {
		return "", fmt.Errorf("it begins with %v", begin)
	}
	var bookmark *string
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return "", err
		}
		if name == "bookmark" {
			err = d.Decode(&bookmark)
		} else {
			err = skipValue(d)
		}
		if err != nil {
			return "", err
		}
	}
	if _, err := d.Token(); err != nil || bookmark == nil {
		return "", err
	}
	return *bookmark, nil
}

// skipValue reads the next value piece by piece, as it may be large.
func skipValue(d *json.Decoder) error {
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}
