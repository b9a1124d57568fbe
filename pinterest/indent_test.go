package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var layouts = map[string]string{
	"an object":     `{"items":[{"id":"1","tags":[],"more":{}},null,-1.50],"bookmark":null}`,
	"an array":      "[1, 2,\n3]",
	"empty":         `{}`,
	"white space":   " [ { } , [ ] ] ",
	"hard strings":  `{"a\"b":"{[,:]} \\","c":"\\\"","é":"\u00e9 \/"}`,
	"nested arrays": `[[[]],[[1],[]]]`,
}

func TestTheIndenterLaysOutAsEncodingJSONDoes(t *testing.T) {
	for name, text := range layouts {
		var want, got bytes.Buffer
		require.NoError(t, json.Indent(&want, []byte(strings.TrimSpace(text)), "", "  "))
		for _, read := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader} {
			got.Reset()
			_, err := io.Copy(&indenter{w: &got}, read(strings.NewReader(text)))
			require.NoError(t, err)
			assert.Equal(t, want.String()+"\n", got.String(), name)
		}
	}
}

func FuzzIndenter(f *testing.F) {
	for _, text := range layouts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var got bytes.Buffer
		_, err := (&indenter{w: &got}).Write(text)
		require.NoError(t, err) // and no panic, whatever comes
		if !json.Valid(text) {
			return
		}
		var want, is bytes.Buffer
		require.NoError(t, json.Compact(&want, text))
		require.NoError(t, json.Compact(&is, got.Bytes()))
		assert.Equal(t, want.String(), is.String())
	})
}

func TestALineIsEndedOnce(t *testing.T) {
	for text, want := range map[string]string{"": "", "a": "a\n", "a\n": "a\n"} {
		var b bytes.Buffer
		l := &lastByte{w: &b}
		_, err := io.WriteString(l, text)
		require.NoError(t, err)
		require.NoError(t, l.endLine())
		require.NoError(t, l.endLine())
		assert.Equal(t, want, b.String())
	}
}
