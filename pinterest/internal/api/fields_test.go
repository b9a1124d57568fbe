package api

import (
	"encoding/json"
	"errors"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func typed(t *testing.T, texts ...string) []field {
	t.Helper()
	fields, err := readFields(nil, texts)
	require.NoError(t, err)
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
		got, err := bodyOf(typed(t, "x="+value), readFile)
		require.NoError(t, err, value)
		assert.Equal(t, `{"x":`+want+`}`, string(got))
	}
}

func TestARawFieldIsText(t *testing.T) {
	for _, value := range []string{"true", "5", "null", "@words.txt", "{}", ""} {
		fields, err := readFields([]string{"x=" + value}, nil)
		require.NoError(t, err)
		got, err := bodyOf(fields, nil)
		require.NoError(t, err)
		var body map[string]string
		require.NoError(t, json.Unmarshal(got, &body))
		assert.Equal(t, value, body["x"])
	}
}

func TestFieldsThatMakeNoSenseAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"a":      `"a" is no field`,
		"=1":     `"=1" is no field`,
		"a[b]=1": `"a[b]" is no key of a field`,
		"a[]=1":  `"a[]" is no key of a field`,
	} {
		_, err := readFields([]string{text}, nil)
		assert.EqualError(t, err, want)
		_, err = readFields(nil, []string{text})
		assert.EqualError(t, err, want)
	}
	for want, fields := range map[string][]string{
		`the field "a" is given twice`:                                    {"a=1", "a=2"},
		`pin.png is not text, which the value of the field "a" has to be`: {"a=@pin.png"},
		`no such file`: {"a=@missing"},
	} {
		_, err := bodyOf(typed(t, fields...), readFile)
		assert.EqualError(t, err, want)
	}
}

func TestAQueryMayHaveAFieldSeveralTimes(t *testing.T) {
	query := make(url.Values)
	require.NoError(t, addTo(query, typed(t, "ids=1", "ids=2", "q=a&b", "live=true", "words=@words.txt"), readFile))
	assert.Equal(t, "ids=1&ids=2&live=true&q=a%26b&words=true%0A", query.Encode())
}
