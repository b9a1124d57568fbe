package main

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// bodyOf returns the JSON of typed fields.
func bodyOf(t *testing.T, texts ...string) (string, error) {
	t.Helper()
	var fields []field
	for _, text := range texts {
		f, err := parseField(text, true)
		if err != nil {
			return "", err
		}
		fields = append(fields, f)
	}
	all, err := gather(fields, func(name string) ([]byte, error) {
		switch name {
		case "words.txt":
			return []byte("true\n"), nil
		case "pin.png":
			return []byte("\x89PNG"), nil
		}
		return nil, errors.New("no such file")
	})
	if err != nil {
		return "", err
	}
	data, err := json.Marshal(all)
	require.NoError(t, err)
	return string(data), nil
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
		"a=b":                `"a=b"`,
		`{"a":1}`:            `"{\"a\":1}"`,
		"@words.txt":         `"true\n"`,
	} {
		got, err := bodyOf(t, "x="+value)
		require.NoError(t, err, value)
		assert.Equal(t, `{"x":`+want+`}`, got)
	}
}

func TestARawFieldIsText(t *testing.T) {
	for _, value := range []string{"true", "5", "null", "@words.txt", ""} {
		f, err := parseField("x="+value, false)
		require.NoError(t, err)
		got, err := f.is(nil)
		require.NoError(t, err)
		assert.Equal(t, value, got)
	}
}

func TestFieldsNest(t *testing.T) {
	for _, test := range []struct {
		fields []string
		want   string
	}{
		{[]string{"a=1", "b=x"}, `{"a":1,"b":"x"}`},
		{[]string{"a[b]=1", "a[c][d]=2"}, `{"a":{"b":1,"c":{"d":2}}}`},
		{[]string{"a[]=1", "a[]=x"}, `{"a":[1,"x"]}`},
		{[]string{"a[]"}, `{"a":[]}`},
		{[]string{"a[]", "a[]=1"}, `{"a":[1]}`},
		{[]string{"a[b][]"}, `{"a":{"b":[]}}`},
		{[]string{"a[b][]=1", "a[b][]=2"}, `{"a":{"b":[1,2]}}`},
		{[]string{"a[][b]=1", "a[][c]=2", "a[][b]=3"}, `{"a":[{"b":1,"c":2},{"b":3}]}`},
		{[]string{"a[][b][c]=1", "a[][b][d]=2", "a[][b][c]=3"}, `{"a":[{"b":{"c":1,"d":2}},{"b":{"c":3}}]}`},
		{[]string{"a[][t][]=1", "a[][t][]=2", "a[][n]=x", "a[][n]=y", "a[][t][]=3"}, `{"a":[{"n":"x","t":[1,2]},{"n":"y","t":[3]}]}`},
	} {
		got, err := bodyOf(t, test.fields...)
		require.NoError(t, err, test.fields)
		assert.Equal(t, test.want, got)
	}
}

func TestFieldsThatMakeNoSenseAreRefused(t *testing.T) {
	for want, fields := range map[string][]string{
		`"a" has no value: write it like a=value`:                              {"a"},
		`"a[b]" has no value: write it like a[b]=value`:                        {"a[b]"},
		`"" is no key: write it like name, name[sub] or name[]`:                {"=1"},
		`"[]" is no key: write it like name, name[sub] or name[]`:              {"[]=1"},
		`"a[" is no key: write it like name, name[sub] or name[]`:              {"a[=1"},
		`"a[b" is no key: write it like name, name[sub] or name[]`:             {"a[b=1"},
		`"a]" is no key: write it like name, name[sub] or name[]`:              {"a]=1"},
		`"a[b]c" is no key: write it like name, name[sub] or name[]`:           {"a[b]c=1"},
		`"a[][]" is no key: write it like name, name[sub] or name[]`:           {"a[][]=1"},
		`the field "a" is given twice`:                                         {"a=1", "a=2"},
		`the field "a[b]" is given twice`:                                      {"a=null", "a[b]=1"},
		`the field "a[b]" has a name where another field has something else`:   {"a[]=1", "a[b]=1"},
		`the field "a[c]" has a name where another field has something else`:   {"a=x", "a[c]=1"},
		`the field "a[]" is an array where another field has something else`:   {"a[b]=1", "a[]=1"},
		`the field "a[][b]" has a name where another field has something else`: {"a[]=1", "a[][b]=1"},
		`pin.png is not text, which the value of the field "a" has to be`:      {"a=@pin.png"},
		`no such file`: {"a=@missing"},
	} {
		_, err := bodyOf(t, fields...)
		assert.EqualError(t, err, want)
	}
}

func TestAQueryRepeatsWhatIsAnArray(t *testing.T) {
	query, err := queryOf(map[string]any{"ids": []any{"1", json.Number("2")}, "q": "a&b", "live": true, "none": []any{}})
	require.NoError(t, err)
	assert.Equal(t, "ids=1&ids=2&live=true&q=a%26b", query.Encode())
}

func TestWhatAQueryCannotSayIsRefused(t *testing.T) {
	for _, value := range []any{nil, map[string]any{"b": "c"}, []any{[]any{}}} {
		_, err := queryOf(map[string]any{"a": value})
		assert.Equal(t, say.StatusUsage, say.ExitStatus(err))
	}
}
