package wire

import (
	"bytes"
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
	"strconv"
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
	body, err = unpack(body, err)
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
		return body[:maxAnswer], errTooLong
	}
	return body, err
}

// unpack undoes compression, which is known by how the body begins: it may
// come unasked, unnamed, twice, and without its end.
func unpack(body []byte, err error) ([]byte, error) {
	for range 3 {
		var r io.Reader
		var no error
		switch {
		case bytes.HasPrefix(body, []byte{0x1f, 0x8b}):
			r, no = gzip.NewReader(bytes.NewReader(body))
		case len(body) > 2 && body[0] == 0x78 && (int(body[0])<<8|int(body[1]))%31 == 0:
			r, no = zlib.NewReader(bytes.NewReader(body))
		default:
			return body, err
		}
		if no != nil {
			return body, err
		}
		unpacked, end := readUpTo(r)
		if len(unpacked) == 0 {
			return body, err
		}
		body = unpacked
		if err == nil {
			err = end
		}
	}
	return body, err
}

// readFields finds the fields of a JSON object, or of a form as x/oauth2 reads
// one. Whole is false if the object did not end.
func readFields(body []byte, kind string) (fields map[string]any, whole bool) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	if (kind == formType || kind == "text/plain") && !bytes.HasPrefix(body, []byte("{")) {
		values, _ := url.ParseQuery(string(body)) // with those that it could read
		form := make(map[string]any, len(values))
		for name := range values {
			form[name] = values.Get(name)
		}
		if telling(form) {
			return form, true
		}
	}
	body = bytes.Map(func(r rune) rune { // JSON has no others, save raw ones in a careless server's strings
		if r < ' ' {
			return ' '
		}
		return r
	}, body)
	whole = true
	rest := body
	for range 1000 {
		i := bytes.IndexByte(rest, '{')
		if i < 0 {
			break
		}
		first := len(rest) == len(body) && i == 0
		object, after, ended := readObject(rest[i:])
		rest = after
		switch {
		case stringOf(object, "access_token") != "": // worth more than what came first
			return object, ended
		case fields == nil && (first || telling(object)):
			fields, whole = object, ended
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

var nextField = regexp.MustCompile(`,\s*"|}`)

// readObject reads the JSON object that data begins with field by field, so
// that what is odd about one field, or how the object ends, loses none of the
// others. The last of a name wins. Rest is what follows.
func readObject(data []byte) (fields map[string]any, rest []byte, whole bool) {
	rest = data[1:]
	for {
		rest = bytes.TrimLeft(rest, " ,")
		if after, ok := bytes.CutPrefix(rest, []byte("}")); ok {
			if fields == nil {
				fields = make(map[string]any)
			}
			return fields, after, true
		}
		if !bytes.HasPrefix(rest, []byte(`"`)) {
			return fields, rest, false
		}
		var name string
		after, err := decode(rest, &name)
		after, colon := bytes.CutPrefix(bytes.TrimLeft(after, " "), []byte(":"))
		if err != nil || !colon {
			return fields, rest[1:], false
		}
		after = bytes.TrimLeft(after, " ")
		var raw json.RawMessage
		rest, err = decode(after, &raw)
		if _, odd := errors.AsType[*json.SyntaxError](err); odd && !bytes.ContainsAny(after[:1], "{[") {
			next := nextField.FindIndex(after)
			if next == nil {
				return fields, nil, false
			}
			rest = after[next[0]:]
			continue
		}
		if err != nil || len(rest) == 0 && bytes.ContainsAny(raw[:1], "-0123456789") {
			return fields, nil, false // a number may go on
		}
		var v any
		if json.Unmarshal(raw, &v) != nil {
			v, _ = strconv.ParseFloat(string(raw), 64) // infinite, as it is out of range
		}
		if fields == nil {
			fields = make(map[string]any)
		}
		fields[name] = v
	}
}

// decode reads the JSON value that data begins with.
func decode(data []byte, v any) (rest []byte, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	err = d.Decode(v)
	return data[d.InputOffset():], err
}
