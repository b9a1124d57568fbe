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

// A Field is a parameter of a call, given as key=value.
type Field struct {
	key, value string
	typed      bool // value may stand for something else than text
}

// word is f as it is written on a command line.
func (f Field) word() string {
	if both := f.key + f.value; say.ShellWord(both) == both {
		return f.key + "=" + f.value
	}
	return say.ShellWord(f.key + "=" + f.value)
}

// A FieldFlag is a flag that adds a field. The fields of several such flags stay
// in the order in which they were given.
type FieldFlag struct {
	To    *[]Field
	Typed bool
}

// Set reads key=value.
func (v FieldFlag) Set(s string) error {
	key, value, ok := strings.Cut(s, "=")
	switch {
	case !ok:
		return fmt.Errorf("%q has no value: write it like %s=value", key, key)
	case key == "":
		return fmt.Errorf("%q has no key: write it like key=value", s)
	case strings.ContainsAny(key, "[]"):
		return fmt.Errorf("%q is no key: what is nested is written as JSON, like -F 'tags=[\"a\",\"b\"]'", key)
	}
	*v.To = append(*v.To, Field{key, value, v.Typed})
	return nil
}

func (v FieldFlag) String() string { return "" }

// Type is what help calls the flag's value.
func (v FieldFlag) Type() string { return "key=value" }

// is returns what f's value stands for: text, or JSON digit for digit, as an id has
// more of them than a float64. Read returns the content of a file.
func (f Field) is(read func(name string) ([]byte, error)) (any, error) {
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
func bodyOf(fields []Field, read func(name string) ([]byte, error)) ([]byte, error) {
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

// queryOf returns fields as parameters of a query, where one may be given several times.
func queryOf(fields []Field, read func(name string) ([]byte, error)) (url.Values, error) {
	query := make(url.Values)
	for _, f := range fields {
		value, err := f.is(read)
		if err != nil {
			return nil, err
		}
		text := fmt.Sprintf("%s", value)
		if _, isJSON := value.(json.RawMessage); isJSON && (text == "null" || strings.ContainsAny(text[:1], `[{"`)) {
			return nil, say.WrongUsage(fmt.Sprintf("the field %q is neither text nor a number, true or false, and no query can say it", f.key),
				"only the body of POST, PUT and PATCH holds nested values and null; for several values give the field several times")
		}
		query.Add(f.key, text)
	}
	return query, nil
}

// hasBody reports whether the fields of a call by method are its body, and not
// its query.
func hasBody(method string) bool {
	return slices.Contains([]string{"POST", "PUT", "PATCH"}, method)
}
