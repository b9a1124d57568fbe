package api

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

func fieldsOf(t *testing.T, typed bool, texts ...string) (fields []Field) {
	t.Helper()
	for _, text := range texts {
		require.NoError(t, FieldFlag{To: &fields, Typed: typed}.Set(text))
	}
	return fields
}

func readFile(name string) ([]byte, error) {
	switch name {
	case "words.txt":
		return []byte("true\n"), nil
	case "pin.png":
		return []byte("\x89PNG"), nil
	}
	return nil, errors.New("no such file")
}

func TestATypedFieldIsWhatItLooksLike(t *testing.T) {
	for value, want := range map[string]string{
		"true":               `true`,
		"false":              `false`,
		"null":               `null`,
		"0":                  `0`,
		"-1.50":              `-1.50`,
		"1e3":                `1e3`,
		"813744226420795884": `813744226420795884`, // and no float64's 813744226420795900
		"007":                `"007"`,
		"+1":                 `"+1"`,
		"1 ":                 `"1 "`,
		"-":                  `"-"`,
		"NaN":                `"NaN"`,
		"True":               `"True"`,
		"":                   `""`,
		"a=b & c":            `"a=b & c"`,
		`{"a":[1,"x"]}`:      `{"a":[1,"x"]}`,
		`["<&>"]`:            `["<&>"]`,
		"@words.txt":         `"true\n"`,
	} {
		got, err := bodyOf(fieldsOf(t, true, "x="+value), readFile)
		require.NoError(t, err, value)
		assert.Equal(t, `{"x":`+want+`}`, string(got))
	}
}

func TestARawFieldIsText(t *testing.T) {
	for _, value := range []string{"true", "5", "null", "@words.txt", "{}", ""} {
		got, err := bodyOf(fieldsOf(t, false, "x="+value), nil)
		require.NoError(t, err)
		var body map[string]string
		require.NoError(t, json.Unmarshal(got, &body))
		assert.Equal(t, value, body["x"])
	}
}

func TestFieldsThatMakeNoSenseAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"a":      `"a" has no value: write it like a=value`,
		"=1":     `"=1" has no key: write it like key=value`,
		"a[b]=1": `"a[b]" is no key: what is nested is written as JSON, like -F 'tags=["a","b"]'`,
		"a[]=1":  `"a[]" is no key: what is nested is written as JSON, like -F 'tags=["a","b"]'`,
	} {
		assert.EqualError(t, FieldFlag{To: new([]Field)}.Set(text), want)
	}
	for want, fields := range map[string][]string{
		`the field "a" is given twice`:                                    {"a=1", "a=2"},
		`pin.png is not text, which the value of the field "a" has to be`: {"a=@pin.png"},
		`no such file`: {"a=@missing"},
	} {
		_, err := bodyOf(fieldsOf(t, true, fields...), readFile)
		assert.EqualError(t, err, want)
	}
}

func TestAQueryMayHaveAFieldSeveralTimes(t *testing.T) {
	query, err := queryOf(fieldsOf(t, true, "ids=1", "ids=2", "q=a&b", "live=true"), nil)
	require.NoError(t, err)
	assert.Equal(t, "ids=1&ids=2&live=true&q=a%26b", query.Encode())
}

func TestWhatAQueryCannotSayIsRefused(t *testing.T) {
	for _, value := range []string{"null", `{"b":"c"}`, "[]"} {
		_, err := queryOf(fieldsOf(t, true, "a="+value), nil)
		assert.Equal(t, say.StatusUsage, say.ExitStatus(err))
	}
}
