package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// A field is a parameter of an API call, given as key=value.
type field struct {
	key   string   // as given
	path  []string // key[sub][] is "key", "sub", ""
	value string
	empty bool // key[] without a value stands for an empty array
	typed bool // value may stand for something else than text
}

// word is f as it is written on a command line.
func (f field) word() string {
	if f.empty {
		return say.ShellWord(f.key)
	}
	if both := f.key + f.value; say.ShellWord(both) == both {
		return f.key + "=" + f.value
	}
	return say.ShellWord(f.key + "=" + f.value)
}

func parseField(s string, typed bool) (field, error) {
	key, value, ok := strings.Cut(s, "=")
	f := field{key: key, value: value, typed: typed}
	name, rest, nested := strings.Cut(key, "[")
	f.path = []string{name}
	wrong := name == "" || strings.Contains(name, "]")
	for nested && !wrong {
		sub, after, closed := strings.Cut(rest, "]")
		last := f.path[len(f.path)-1]
		f.path = append(f.path, sub)
		rest, nested = strings.CutPrefix(after, "[")
		wrong = !closed || rest != "" && !nested || sub == "" && last == ""
	}
	switch {
	case wrong:
		return field{}, fmt.Errorf("%q is no key: write it like name, name[sub] or name[]", key)
	case !ok && f.path[len(f.path)-1] != "":
		return field{}, fmt.Errorf("%q has no value: write it like %s=value", key, key)
	}
	f.empty = !ok
	return f, nil
}

// fieldFlag is a flag that adds a field. The fields of several such flags stay
// in the order in which they were given.
type fieldFlag struct {
	to    *[]field
	typed bool
}

func (v fieldFlag) Set(s string) error {
	f, err := parseField(s, v.typed)
	if err == nil {
		*v.to = append(*v.to, f)
	}
	return err
}

func (v fieldFlag) String() string { return "" }
func (v fieldFlag) Type() string   { return "key=value" }

// gather makes of fields what their keys and values describe. Read returns the
// content of a file.
func gather(fields []field, read func(name string) ([]byte, error)) (map[string]any, error) {
	var all any = map[string]any{}
	for _, f := range fields {
		value, err := f.is(read)
		if err != nil {
			return nil, err
		}
		if all, err = put(all, f.path, value, f.empty); err != nil {
			return nil, say.WrongUsage(fmt.Sprintf("the field %q %v", f.key, err), `"pinterest api --help" shows how nested fields and arrays are written`)
		}
	}
	return all.(map[string]any), nil
}

// is returns what f's value stands for.
func (f field) is(read func(name string) ([]byte, error)) (any, error) {
	if !f.typed {
		return f.value, nil
	}
	switch f.value {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null":
		return nil, nil
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
	if isNumber(f.value) {
		return json.Number(f.value), nil // digit for digit: an id has more of them than a float64
	}
	return f.value, nil
}

// isNumber reports whether s is a number of JSON.
func isNumber(s string) bool {
	return strings.Trim(s, "+-.eE0123456789") == "" && s != "" && json.Valid([]byte(s))
}

var errTaken = errors.New("is given twice")

// put puts a value where path leads to from node, nil if there is nothing yet,
// and returns node, changed. It fails without having changed anything.
func put(node any, path []string, value any, empty bool) (any, error) {
	if path[0] != "" {
		object, ok := node.(map[string]any)
		switch {
		case node == nil:
			object = make(map[string]any)
		case !ok:
			return nil, errors.New("has a name where another field has something else")
		}
		old, taken := object[path[0]]
		if len(path) == 1 {
			if taken {
				return nil, errTaken
			}
			object[path[0]] = value
			return object, nil
		}
		if taken && old == nil {
			return nil, errTaken // by null
		}
		inner, err := put(old, path[1:], value, empty)
		if err != nil {
			return nil, err
		}
		object[path[0]] = inner
		return object, nil
	}

	array, ok := node.([]any)
	switch {
	case node == nil:
		array = []any{}
	case !ok:
		return nil, errors.New("is an array where another field has something else")
	}
	switch {
	case empty && len(path) == 1:
		return array, nil
	case len(path) == 1:
		return append(array, value), nil
	}
	// What a[][b] describes belongs to the array's last object until that has a b.
	if n := len(array); n > 0 {
		last, err := put(array[n-1], path[1:], value, empty)
		if err == nil {
			array[n-1] = last
			return array, nil
		}
		if err != errTaken {
			return nil, err
		}
	}
	next, err := put(nil, path[1:], value, empty)
	return append(array, next), err
}

// queryOf returns fields as parameters of a query, an array as a parameter that
// is given several times.
func queryOf(fields map[string]any) (url.Values, error) {
	query := make(url.Values)
	for key, value := range fields {
		values, ok := value.([]any)
		if !ok {
			values = []any{value}
		}
		for _, v := range values {
			switch v.(type) {
			case string, bool, json.Number:
				query.Add(key, fmt.Sprint(v))
			default:
				return nil, say.WrongUsage(fmt.Sprintf("the field %q is neither text nor a number, true or false, and no query can say it", key),
					"only the body of POST, PUT and PATCH holds nested fields and null")
			}
		}
	}
	return query, nil
}

// hasBody reports whether the fields of a call by method are its body, and not
// its query.
func hasBody(method string) bool {
	return slices.Contains([]string{"POST", "PUT", "PATCH"}, method)
}
