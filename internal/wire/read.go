package wire

import (
	"bytes"
	"cmp"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	maxAnswer = 1 << 20 // bytes read of an answer, as it came and unpacked
	formType  = "application/x-www-form-urlencoded"
)

var errTooLong = fmt.Errorf("the answer is longer than %d bytes", maxAnswer)

// read returns the fields of the answer, or what is wrong with it, and whether
// that is that it ended too early. An answer that holds an access token is taken
// as it is: the server may have used up a refresh token for it.
func read(resp *http.Response, hide *hider) (fields map[string]any, problem string, cut bool) {
	body, err := readUpTo(resp.Body)
	body, err = unpack(body, err, resp.Header.Get("Content-Encoding") == "deflate")
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	fields, whole := readFields(body, kind)
	switch {
	case fields != nil && whole, stringOf(fields, "access_token") != "":
		return fields, "", false
	case errors.Is(err, errTooLong):
		return nil, err.Error(), false
	case err != nil:
		return nil, "the answer broke off: " + hide.text(err.Error()), true
	case len(bytes.TrimSpace(body)) == 0:
		return nil, "the answer is empty", false
	case !whole:
		return nil, "the answer broke off", true
	}
	return nil, fmt.Sprintf("the answer is not a JSON object (%d bytes of %q)", len(body), hide.text(kind)), false
}

// readUpTo returns what can be read, and why it ended too early.
func readUpTo(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxAnswer+1))
	if len(body) > maxAnswer {
		err = errTooLong
	}
	return body, err
}

// unpack undoes compression, which is known by how the body begins: it may
// come unasked, unnamed, twice, and without its end. Many servers leave out how
// one that is deflated begins.
func unpack(body []byte, err error, deflated bool) ([]byte, error) {
	for range 2 {
		var r io.Reader
		if z, no := gzip.NewReader(bytes.NewReader(body)); no == nil {
			r = z
		} else if z, no := zlib.NewReader(bytes.NewReader(body)); no == nil {
			r = z
		} else if deflated && !utf8.Valid(body) {
			r = flate.NewReader(bytes.NewReader(body))
		} else {
			break
		}
		unpacked, end := readUpTo(r)
		body, err = unpacked, cmp.Or(err, end)
	}
	return body, err
}

// readFields finds the fields of a JSON object, or of a form as x/oauth2 reads
// one. Whole is false if the object did not end.
func readFields(body []byte, kind string) (fields map[string]any, whole bool) {
	body = bytes.Map(func(r rune) rune { // JSON has no others, save raw ones in a careless server's strings
		if r < ' ' {
			return ' '
		}
		return r
	}, body)
	body = bytes.Trim(body, " \ufeff")
	whole = true
	isObject := bytes.HasPrefix(body, []byte("{"))
	for rest := body; stringOf(fields, "access_token") == ""; {
		i := bytes.IndexByte(rest, '{')
		if i < 0 {
			break
		}
		object, after, ended := readObject(rest[i:])
		rest = after
		// A token is worth more than what came first.
		if len(fields) == 0 && (isObject || telling(object)) || stringOf(object, "access_token") != "" {
			fields, whole = object, ended
		}
	}
	if fields == nil && (kind == formType || kind == "text/plain") {
		values, _ := url.ParseQuery(string(body)) // with those that it could read
		form := make(map[string]any)
		for name := range values {
			form[name] = values.Get(name)
		}
		if telling(form) {
			return form, true
		}
	}
	return fields, whole
}

// telling reports whether fields are those of an OAuth answer.
func telling(fields map[string]any) bool {
	for _, name := range []string{"access_token", "error", "code", "message"} {
		if _, ok := fields[name]; ok {
			return true
		}
	}
	return false
}

// nextField is where the next field may begin, or an object begin or end.
var nextField = regexp.MustCompile(`[{}]|"[\w.-]+" *:`)

// readObject reads the JSON object that data begins with field by field, so
// that what is odd about one field, or how the object ends, loses none of the
// others. The last of a name wins that says something. Rest is what follows.
func readObject(data []byte) (fields map[string]any, rest []byte, whole bool) {
	fields = make(map[string]any)
	rest = data[1:]
	for {
		rest = bytes.TrimLeft(rest, " ,")
		if after, ok := bytes.CutPrefix(rest, []byte("}")); ok {
			return fields, after, true
		}
		var name string
		var v any
		text, after := cutValue(rest)
		after, colon := bytes.CutPrefix(bytes.TrimLeft(after, " "), []byte(":"))
		odd := json.Unmarshal(text, &name) != nil || !colon
		var err error
		if !odd {
			text, after = cutValue(bytes.TrimLeft(after, " "))
			err = json.Unmarshal(text, &v)
			_, odd = errors.AsType[*json.SyntaxError](err)
		}
		if odd {
			next := nextField.FindIndex(after)
			if next == nil || after[next[0]] == '{' { // which may be the answer
				return fields, after, false
			}
			rest = after[next[0]:]
			continue
		}
		if err != nil {
			v = json.Number(text) // out of range
		} else if _, isNumber := v.(float64); isNumber && len(after) == 0 {
			return fields, nil, false // it may go on
		}
		if stringOf(fields, name) == "" || v != nil && v != "" {
			fields[name] = v
		}
		rest = after
	}
}

// cutValue returns the JSON value that data begins with, or what stands in its
// place, and what follows it.
func cutValue(data []byte) (value, rest []byte) {
	end := bytes.IndexAny(data, `,;"}] `)
	if len(data) > 0 && strings.IndexByte(`"{[`, data[0]) >= 0 {
		end = endOf(data)
	}
	if end < 0 {
		end = len(data)
	}
	return data[:end], data[end:]
}

// endOf returns where the string, object or list ends that data begins with; -1
// if it does not.
func endOf(data []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			depth++
		case c == '}', c == ']':
			depth--
		}
		if depth == 0 && !quoted {
			return i + 1
		}
	}
	return -1
}
