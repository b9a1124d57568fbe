package wire

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const tokenAnswer = `{"access_token":"pina_new","refresh_token":"pinr.new","response_type":"authorization_code","token_type":"bearer","expires_in":2592000,"refresh_token_expires_in":5184000,"scope":"boards:read pins:read"}`

func jsonOf(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return data
}

func fieldsOf(t *testing.T, object string) (fields map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(object), &fields))
	return fields
}

func packed(t *testing.T, how string, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if how == "zlib" {
		w = zlib.NewWriter(&b)
	}
	_, err := w.Write(body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// readBody reads an answer of status 200, its body followed by end.
func readBody(kind string, body []byte, end error) (fields map[string]any, problem string) {
	var r io.Reader = bytes.NewReader(body)
	if end != nil {
		r = io.MultiReader(r, iotest.ErrReader(end))
	}
	fields, problem, _ = read(&http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(r)}, new(hider))
	return fields, problem
}

func TestAnAnswerThatHoldsAnAccessTokenIsKeptWhateverIsOddAboutIt(t *testing.T) {
	gzipped, zlibbed := packed(t, "gzip", []byte(tokenAnswer)), packed(t, "zlib", []byte(tokenAnswer))
	for name, body := range map[string][]byte{
		"as it should be":          []byte(tokenAnswer),
		"a byte order mark":        []byte("\ufeff" + tokenAnswer),
		"white space":              []byte("\r\n\t " + tokenAnswer + " \n"),
		"a guard before":           []byte(")]}',\n" + tokenAnswer),
		"garbage after":            []byte(tokenAnswer + "\n<!-- 12 ms -->}"),
		"garbage round it":         []byte(`<style>a { b: c }</style> {} {"x" ` + "\n" + tokenAnswer + "</html>"),
		"a list of one":            []byte("[" + tokenAnswer + "]"),
		"another object before":    []byte(`{"level":"info","message":"hello"}` + "\n" + tokenAnswer),
		"another object after":     []byte(tokenAnswer + `{"access_token":"pina_other"}`),
		"no brace at the end":      []byte(strings.TrimSuffix(tokenAnswer, "}")),
		"a comma at the end":       []byte(strings.TrimSuffix(tokenAnswer, "}") + ",}"),
		"a name twice":             []byte(`{"access_token":"pina_old",` + tokenAnswer[1:]),
		"cut in a later field":     []byte(strings.TrimSuffix(tokenAnswer, "}") + `,"more":"and mo`),
		"cut in a later name":      []byte(strings.TrimSuffix(tokenAnswer, "}") + `,"mor`),
		"cut before a later value": []byte(strings.TrimSuffix(tokenAnswer, "}") + `,"more": `),
		"cut in a later number":    []byte(strings.TrimSuffix(tokenAnswer, "}") + `,"more":12`),
		"cut in a later object":    []byte(strings.TrimSuffix(tokenAnswer, "}") + `,"more":{"access_token":"pina_inner","x":`),
		"no value JSON knows":      []byte(`{"more":NaN,"and":undefined,"x":'y',` + tokenAnswer[1:]),
		"gzip":                     gzipped,
		"gzip without trailer":     gzipped[:len(gzipped)-8],
		"gzip with a wrong sum":    append(bytes.Clone(gzipped[:len(gzipped)-8]), "wrongsum"...),
		"zlib":                     zlibbed,
		"zlib without trailer":     zlibbed[:len(zlibbed)-4],
		"gzip twice":               packed(t, "gzip", gzipped),
		"gzip in zlib":             packed(t, "zlib", gzipped),
		"more than is read":        []byte(tokenAnswer + strings.Repeat(" ", 2*maxAnswer)),
		"more than is unpacked":    packed(t, "gzip", []byte(tokenAnswer+strings.Repeat(" ", 2*maxAnswer))),
	} {
		for _, end := range []error{nil, io.ErrUnexpectedEOF, errors.New("connection reset by peer")} {
			fields, problem := readBody("text/plain", body, end)
			assert.Equal(t, fieldsOf(t, tokenAnswer), fields, name)
			assert.Empty(t, problem, name)
		}
	}
}

func TestAnAnswerThatBrokeOffKeepsEveryFieldThatCameWhole(t *testing.T) {
	all := fieldsOf(t, tokenAnswer)
	for i := range len(tokenAnswer) {
		fields, problem := readBody("application/json", []byte(tokenAnswer[:i]), io.ErrUnexpectedEOF)
		for name, v := range fields {
			assert.Equal(t, all[name], v, "%s after %d bytes", name, i)
		}
		assert.Equal(t, i >= len(`{"access_token":"pina_new"`), fields["access_token"] != nil)
		assert.Equal(t, fields["access_token"] == nil, problem == "the answer broke off: unexpected EOF")
	}
}

func TestWhatIsOddAboutAFieldLosesNoneOfTheOthers(t *testing.T) {
	fields, problem := readBody("application/json", []byte("{\"code\":1e999,\"n\":-1e999,\"message\":\"two\nlines\",\"x\":nul,\"s\":\"bad \\q\",\"list\":[1,{\"a\":null}],\"code2\":\"283\"}"), nil)
	assert.Empty(t, problem)
	assert.Equal(t, map[string]any{
		"code": math.Inf(1), "n": math.Inf(-1), "message": "two lines", "list": []any{1.0, map[string]any{"a": nil}}, "code2": "283",
	}, fields)
}

func TestAFormIsReadAsOAuth2Does(t *testing.T) {
	for _, kind := range []string{"application/x-www-form-urlencoded", "text/plain; charset=utf-8"} {
		fields, problem := readBody(kind, []byte("access_token=pina_new&expires_in=3600&bad=%zz&scope=a+b"), nil)
		assert.Equal(t, map[string]any{"access_token": "pina_new", "expires_in": "3600", "scope": "a b"}, fields)
		assert.Empty(t, problem)
		fields, _ = readBody(kind, []byte("error=invalid_grant"), nil)
		assert.Equal(t, map[string]any{"error": "invalid_grant"}, fields)
	}
}

func TestABodyThatSaysNothingIsAProblemInWords(t *testing.T) {
	for _, c := range []struct {
		body    string
		end     error
		problem string
	}{
		{"", nil, "the answer is empty"},
		{" \n", nil, "the answer is empty"},
		{"", io.ErrUnexpectedEOF, "the answer broke off: unexpected EOF"},
		{"<html>", nil, `the answer is not a JSON object (6 bytes of "text/html")`},
		{"<p>{\"page\":1}</p>", nil, `the answer is not a JSON object (17 bytes of "text/html")`},
		{"Service unavailable", nil, `the answer is not a JSON object (19 bytes of "text/html")`},
		{"[]", nil, `the answer is not a JSON object (2 bytes of "text/html")`},
		{"null", nil, `the answer is not a JSON object (4 bytes of "text/html")`},
		{"\x1f\x8b\x08", nil, `the answer is not a JSON object (3 bytes of "text/html")`},
		{"x\x9c", nil, `the answer is not a JSON object (2 bytes of "text/html")`},
		{`{"access_token":"pina_ne`, nil, "the answer broke off"},
		{`{"code":28`, nil, "the answer broke off"},
		{"<html>", errors.New("read tcp 127.0.0.1:1->127.0.0.1:2: connection reset by peer"), "the answer broke off: read tcp 127.0.0.1:1->127.0.0.1:2: connection reset by peer"},
		{strings.Repeat("x", 3<<20), nil, "the answer is longer than 1048576 bytes"},
	} {
		fields, problem := readBody("text/html", []byte(c.body), c.end)
		assert.Nil(t, fields, "%.30s", c.body)
		assert.Equal(t, c.problem, problem, "%.30s", c.body)
	}
	_, problem := readBody("application/"+"q8Zk3v9Tt0aXp2", []byte("x"), nil)
	assert.Equal(t, `the answer is not a JSON object (1 bytes of "application/[redacted]")`, problem)
	fields, problem := readBody("", []byte("{}"), nil)
	assert.Equal(t, map[string]any{}, fields)
	assert.Empty(t, problem)
	fields, problem = readBody("", []byte(`{"code":283,"message":"cut he`), nil)
	assert.Nil(t, fields, "no verdict rests on half an answer")
	assert.Equal(t, "the answer broke off", problem)
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(tokenAnswer), "", "", uint8(0), "application/json")
	f.Add([]byte(`{"access_token":"x","expires_in":1e999,"refresh_token":"\u0000"}`), ")]}',", "</html>", uint8(1), "text/html")
	f.Add([]byte(`{"code":283,"error":{"a":[1,"}{"]},"access_token":"x"}`), "<{}", "{", uint8(2), "text/plain")
	f.Add([]byte("access_token=x"), "", "", uint8(3), formType)
	f.Add([]byte("\x1f\x8b\x08"), "x\x9c", "", uint8(4), "")
	f.Fuzz(func(t *testing.T, object []byte, before, after string, how uint8, kind string) {
		wrapped := append(append([]byte(before), object...), after...)
		switch how % 4 {
		case 1:
			wrapped = packed(t, "gzip", wrapped)
		case 2:
			wrapped = packed(t, "zlib", packed(t, "gzip", wrapped))
		case 3:
			wrapped = packed(t, "gzip", wrapped)
			wrapped = wrapped[:len(wrapped)-8]
		}
		fields, problem := readBody(kind, wrapped, nil)
		if fields == nil {
			assert.NotEmpty(t, problem)
		}

		var want map[string]any
		if json.Unmarshal(object, &want) != nil || stringOf(want, "access_token") == "" {
			return
		}
		// What may hold another object, or be a form or packed, is not garbage.
		if !strings.ContainsAny(before, "{=\x1f") && !strings.HasPrefix(before, "x") && (before == "" || kind == "") && len(wrapped) <= maxAnswer {
			assert.Equal(t, want, fields)
			assert.Empty(t, problem)
		}
		once := jsonOf(t, want) // each name once
		fields, _ = readBody(kind, once[:len(once)*int(how)/256], io.ErrUnexpectedEOF)
		for name, v := range fields {
			assert.Equal(t, want[name], v, name)
		}
	})
}
