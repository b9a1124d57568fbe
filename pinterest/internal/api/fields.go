package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// A field is a parameter of a call.
type field struct {
	key, value string
	typed      bool // value may stand for something else than text
}

// readFields reads fields that are given as key=value.
func readFields(text, typed []string) (fields []field, err error) {
	for i, s := range slices.Concat(text, typed) {
		key, value, ok := strings.Cut(s, "=")
		switch {
		case !ok || key == "":
			return nil, say.WrongUsage(fmt.Sprintf("%q is no field", s), "write it like key=value")
		case strings.ContainsAny(key, "[]"):
			return nil, say.WrongUsage(fmt.Sprintf("%q is no key of a field", key), `what is nested is written as JSON, like -F 'tags=["a","b"]'`)
		}
		fields = append(fields, field{key, value, i >= len(text)})
	}
	return fields, nil
}

// is returns what f's value stands for: text, or JSON digit for digit, as an id has
// more of them than a float64. Read returns the content of a file.
func (f field) is(read func(name string) ([]byte, error)) (any, error) {
	if !f.typed {
		return f.value, nil
	}
	if name, ok := strings.CutPrefix(f.value, "@"); ok {
		text, err := read(name)
		if err != nil {
			return nil, err
		}
		if !utf8.Valid(text) {
			return nil, say.WithHint(fmt.Errorf("%s is not text, which the value of the field %q has to be", name, f.key), "images are sent in base64")
		}
		return string(text), nil
	}
	if strings.TrimSpace(f.value) == f.value && json.Valid([]byte(f.value)) {
		return json.RawMessage(f.value), nil
	}
	return f.value, nil
}

// bodyOf returns fields as a JSON object.
func bodyOf(fields []field, read func(name string) ([]byte, error)) ([]byte, error) {
	all := make(map[string]any)
	for _, f := range fields {
		if _, twice := all[f.key]; twice {
			return nil, say.WrongUsage(fmt.Sprintf("the field %q is given twice", f.key), "an array is written as JSON, like -F '"+f.key+"=[\"a\",\"b\"]'")
		}
		value, err := f.is(read)
		if err != nil {
			return nil, err
		}
		all[f.key] = value
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(all)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// addTo adds fields to a query, where one may be given several times.
func addTo(query url.Values, fields []field, read func(name string) ([]byte, error)) error {
	for _, f := range fields {
		value, err := f.is(read)
		if err != nil {
			return err
		}
		query.Add(f.key, fmt.Sprintf("%s", value))
	}
	return nil
}
