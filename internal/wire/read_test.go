package wire

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// A said is what read returns.
type said struct {
	fields  map[string]any
	problem string
	cut     bool
}

// readBody reads an answer of the given type, its body followed by end.
func readBody(kind string, body []byte, end error) (s said) {
	var r io.Reader = bytes.NewReader(body)
	if end != nil {
		r = io.MultiReader(r, iotest.ErrReader(end))
	}
	s.fields, s.problem, s.cut = read(&http.Response{Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(r)}, new(hider))
	return s
}

func TestAnAnswerThatHoldsAnAccessTokenIsKeptWhateverIsOddAboutIt(t *testing.T) {
	gzipped, zlibbed := packed(t, "gzip", []byte(tokenAnswer)), packed(t, "zlib", []byte(tokenAnswer))
	for name, body := range map[string][]byte{
		"as it should be":          []byte(tokenAnswer),
		"a byte order mark":        []byte("\ufeff" + tokenAnswer),
		"white space":              []byte("\r\n\t " + tokenAnswer + " \n"),
		"spaces round all":         []byte(strings.NewReplacer(`":`, `" : `, `,"`, " ,\n\"").Replace(tokenAnswer)),
		"a guard before":           []byte(")]}',\n" + tokenAnswer),
		"garbage after":            []byte(tokenAnswer + "\n<!-- 12 ms -->}"),
		"garbage round it":         []byte(`<style>a { b: c }</style> {} {"x" ` + "\n" + tokenAnswer + "</html>"),
		"a list of one":            []byte("[" + tokenAnswer + "]"),
		"another object before":    []byte(`{"level":"info","message":"hello"}` + "\n" + tokenAnswer),
		"an error before":          []byte(`{"error":"invalid_grant"}` + tokenAnswer),
		"half an object before":    []byte(`{"message" {"code":1,;` + tokenAnswer),
		"another object after":     []byte(tokenAnswer + `{"access_token":"pina_other"}`),
		"a link in it":             []byte(`[{"more":"/?a=b&error=c&d=",` + tokenAnswer[1:]),
		"no brace at the end":      []byte(strings.TrimSuffix(tokenAnswer, "}")),
		"a comma at the end":       []byte(strings.TrimSuffix(tokenAnswer, "}") + ",}"),
		"a name twice":             []byte(`{"access_token":"pina_old",` + tokenAnswer[1:]),
		"cut in a later field":     []byte(strings.TrimSuffix(tokenAnswer, "}") + `,"more":"and mo`),
		"cut in a later name":      []byte(strings.TrimSuffix(tokenAnswer, "}") + `,"mor`),
		"cut before a later value": []byte(strings.TrimSuffix(tokenAnswer, "}") + `,"more": `),
		"cut in a later number":    []byte(strings.TrimSuffix(tokenAnswer, "}") + `,"more":12`),
		"cut in a later object":    []byte(strings.TrimSuffix(tokenAnswer, "}") + `,"more":{"access_token":"pina_inner","x":`),
		"a name twice, then empty": []byte(`{"access_token":"pina_new",` + strings.TrimSuffix(tokenAnswer[1:], "}") + `,"access_token":"","refresh_token":null}`),
		"an odd object in it":      []byte(`{"more":{"x":NaN,"access_token":"pina_inner","y":"}"},` + tokenAnswer[1:]),
		"an odd list in it":        []byte(`{"more":[1,"\"]",[2,],],` + tokenAnswer[1:]),
		"no value JSON knows":      []byte(`{"more":NaN,"and":undefined,"x":'y',` + tokenAnswer[1:]),
		"no comma":                 []byte(strings.Replace(tokenAnswer, `,"refresh`, ` "refresh`, 1)),
		"another comma":            []byte(strings.Replace(tokenAnswer, `,"refresh`, `;"refresh`, 1)),
		"a comment":                []byte(strings.Replace(tokenAnswer, `,"refresh`, `, /* new */ "refresh`, 1)),
		"a name without a value":   []byte(strings.Replace(tokenAnswer, `,"refresh`, `,"more","refresh`, 1)),
		"a name without quotes":    []byte(strings.Replace(tokenAnswer, `,"refresh`, `,more:"x","refresh`, 1)),
		"a name that is none":      []byte(strings.Replace(tokenAnswer, `,"refresh`, `,1:"x","refresh`, 1)),
		"a number for a name":      []byte(strings.Replace(tokenAnswer, `,"refresh`, `,1 :"x","refresh`, 1)),
		"an odd number":            []byte(strings.Replace(tokenAnswer, `,"refresh`, `,"more":03600,"refresh`, 1)),
		"a number with a comma":    []byte(strings.Replace(tokenAnswer, `,"refresh`, `,"more":3,600,"refresh`, 1)),
		"quotes in quotes":         []byte(strings.Replace(tokenAnswer, `,"refresh`, `,"more":"a "b" c","refresh`, 1)),
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
			got := readBody("text/plain", body, end)
			delete(got.fields, "more")
			assert.Equal(t, said{fields: fieldsOf(t, tokenAnswer)}, got, name)
		}
	}
}

func TestADeflatedAnswerIsReadWithoutItsHeader(t *testing.T) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	require.NoError(t, err)
	_, err = w.Write([]byte(tokenAnswer))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	for _, body := range []string{b.String(), tokenAnswer, string(packed(t, "zlib", []byte(tokenAnswer)))} {
		fields, _, _ := read(&http.Response{Header: http.Header{"Content-Encoding": {"deflate"}}, Body: io.NopCloser(strings.NewReader(body))}, new(hider))
		assert.Equal(t, fieldsOf(t, tokenAnswer), fields)
	}
}

func TestAnAnswerThatBrokeOffKeepsEveryFieldThatCameWhole(t *testing.T) {
	all := fieldsOf(t, tokenAnswer)
	for i := range len(tokenAnswer) {
		got := readBody("application/json", []byte(tokenAnswer[:i]), io.ErrUnexpectedEOF)
		if i < len(`{"access_token":"pina_new"`) {
			assert.Equal(t, said{nil, "the answer broke off: unexpected EOF", true}, got)
			continue
		}
		want := map[string]any{}
		for name, v := range all {
			field := `"` + name + `":` + string(jsonOf(t, v))
			if at := strings.Index(tokenAnswer[:i], field); at >= 0 && (v != any(2592000.0) && v != any(5184000.0) || at+len(field) < i) {
				want[name] = v
			}
		}
		assert.Equal(t, said{fields: want}, got, "after %d bytes", i)
	}
	for end, kept := range map[string]any{`"2"`: "2", `true`: true, `[2]`: []any{2.0}, `2`: nil, `2 `: nil} {
		got := readBody("", []byte(`{"access_token":"pina_new","more":`+end), nil)
		assert.Equal(t, kept, got.fields["more"], end)
	}
}

func TestWhatIsOddAboutAFieldLosesNoneOfTheOthers(t *testing.T) {
	assert.Equal(t, said{fields: map[string]any{
		"code": json.Number("1e999"), "n": json.Number("-1e999"), "message": "two lines", "list": []any{1.0, map[string]any{"a": nil}}, "code2": "283", "last": nil,
	}}, readBody("application/json", []byte("{\"code\":1e999,\"n\":-1e999,\"message\":\"two\nlines\",\"x\":nul,\"s\":\"{bad \\q\",\"list\":[1,{\"a\":null}],\"code2\":\"283\",\"y\":undefined , \"last\":null,\"z\":NaN}"), nil))
}

func TestNoFieldOfAnInnerObjectIsTakenForTheAnswers(t *testing.T) {
	for _, more := range []string{`{"x":NaN,"access_token":"pina_inner"}`, `[NaN,"access_token",{"access_token":"pina_inner"}]`, `{"x":{"access_token":"pina_inner"`} {
		assert.Equal(t, said{problem: "the answer broke off", cut: true}, readBody("", []byte(`{"message":"hello","more": `+more), nil), more)
	}
}

func TestAFormIsReadAsOAuth2Does(t *testing.T) {
	for _, kind := range []string{"application/x-www-form-urlencoded", "text/plain; charset=utf-8"} {
		for body, want := range map[string]map[string]any{
			"\ufeffaccess_token=pina_new&expires_in=3600&bad=%zz&scope=a+b\r\n": {"access_token": "pina_new", "expires_in": "3600", "scope": "a b"},
			"error=invalid_grant":                  {"error": "invalid_grant"},
			"access_token=pina_new&more={\"x\":1}": {"access_token": "pina_new", "more": `{"x":1}`},
			`{"message":"/?a=b&error=c"}`:          {"message": "/?a=b&error=c"},
		} {
			assert.Equal(t, said{fields: want}, readBody(kind, []byte(body), nil), body)
		}
	}
	assert.Equal(t, said{problem: `the answer is not a JSON object (19 bytes of "text/plain")`}, readBody("text/plain", []byte("Service unavailable"), nil), "a sentence is no form")
	const link = `<a href="/?x=y&error=invalid_grant&z=">`
	assert.Equal(t, said{problem: `the answer is not a JSON object (39 bytes of "text/html")`}, readBody("text/html", []byte(link), nil), "a page is no form")
}

func TestAnErrorIsFoundInWhateverIsAroundIt(t *testing.T) {
	for body, want := range map[string]map[string]any{
		"{}":                    {},
		"\ufeff{}":              {},
		"\r\n\t {\"page\":1}\n": {"page": 1.0},
		"{a} {\"page\":1}":      {"page": 1.0},
		`<script>f({"page":1})</script>{"code":2}`:  {"code": 2.0},
		`[{"message":"no"}]`:                        {"message": "no"},
		`)]}'` + "\n" + `{"error":"invalid_grant"}`: {"error": "invalid_grant"},
		`{"error":"a"}{"error":"b"}{"page":1}`:      {"error": "a"},
	} {
		assert.Equal(t, said{fields: want}, readBody("text/html", []byte(body), nil), body)
	}
}

func TestABodyThatSaysNothingIsAProblemInWords(t *testing.T) {
	reset := errors.New("read tcp 127.0.0.1:1->127.0.0.1:2 of 9f8e7d6c5b4a by peer")
	bomb := packed(t, "gzip", bytes.Repeat([]byte(" "), 3<<20))
	nothing := packed(t, "gzip", nil)
	for _, c := range []struct {
		body    string
		end     error
		problem string
		cut     bool
	}{
		{"", nil, "the answer is empty", false},
		{" \n", nil, "the answer is empty", false},
		{string(nothing), nil, "the answer is empty", false},
		{"<html>", nil, `the answer is not a JSON object (6 bytes of "text/html")`, false},
		{"<p>{\"page\":1}</p>", nil, `the answer is not a JSON object (17 bytes of "text/html")`, false},
		{"Service unavailable", nil, `the answer is not a JSON object (19 bytes of "text/html")`, false},
		{"[]", nil, `the answer is not a JSON object (2 bytes of "text/html")`, false},
		{"null", nil, `the answer is not a JSON object (4 bytes of "text/html")`, false},
		{"\x1f\x8b\x08", nil, `the answer is not a JSON object (3 bytes of "text/html")`, false},
		{string(packed(t, "gzip", packed(t, "gzip", nothing))), nil, fmt.Sprintf(`the answer is not a JSON object (%d bytes of "text/html")`, len(nothing)), false},
		{strings.Repeat("x", maxAnswer), nil, `the answer is not a JSON object (1048576 bytes of "text/html")`, false},
		{strings.Repeat("x", maxAnswer+1), nil, "the answer is longer than 1048576 bytes", false},
		{string(bomb), nil, "the answer is longer than 1048576 bytes", false},
		{string(bomb), reset, "the answer broke off: read tcp 127.0.0.1:1->127.0.0.1:2 of [redacted] by peer", true},
		{string(packed(t, "gzip", []byte(`{"code":283,"message":"gone"}`))[:20]), nil, "the answer broke off: unexpected EOF", true},
		{"", io.ErrUnexpectedEOF, "the answer broke off: unexpected EOF", true},
		{"<html>", reset, "the answer broke off: read tcp 127.0.0.1:1->127.0.0.1:2 of [redacted] by peer", true},
		{`{"access_token":"pina_ne`, nil, "the answer broke off", true},
		{`{"code":28`, nil, "the answer broke off", true},
		{`{"code":283,"mess`, nil, "the answer broke off", true},
		{`{"code":283,"message"`, nil, "the answer broke off", true},
		{`{"code":283,"message":nul`, nil, "the answer broke off", true},
		{`{"code":283,"message":undefined`, nil, "the answer broke off", true},
		{`{"code":283,"message":"cut he`, nil, "the answer broke off", true},
		{`<p>{"code":283,"message":"cut he`, nil, "the answer broke off", true},
	} {
		assert.Equal(t, said{nil, c.problem, c.cut}, readBody("text/html", []byte(c.body), c.end), "%.40q", c.body)
	}
	assert.Equal(t, said{problem: `the answer is not a JSON object (1 bytes of "application/[redacted]")`}, readBody("application/q8Zk3v9Tt0aXp2", []byte("x"), nil))
}

func TestNoMoreIsReadThanAnAnswerCanBeLong(t *testing.T) {
	body := strings.NewReader(tokenAnswer + strings.Repeat(" ", 3*maxAnswer))
	before := body.Len()
	fields, _, _ := read(&http.Response{Body: io.NopCloser(body)}, new(hider))
	assert.Equal(t, fieldsOf(t, tokenAnswer), fields)
	assert.LessOrEqual(t, before-body.Len(), maxAnswer+1)
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
		got := readBody(kind, wrapped, nil)
		assert.Equal(t, got.fields == nil, got.problem != "")

		var want map[string]any
		if json.Unmarshal(object, &want) != nil || stringOf(want, "access_token") == "" {
			return
		}
		// What may hold another object, or be a form or packed, is not garbage.
		if !strings.ContainsAny(before, "{=\x1f") && (before == "" || before[0]&0xf != 8 && kind == "") && len(wrapped) <= maxAnswer {
			assert.Equal(t, said{fields: want}, got)
		}
		once := jsonOf(t, want) // each name once
		for name, v := range readBody(kind, once[:len(once)*int(how)/256], io.ErrUnexpectedEOF).fields {
			assert.Equal(t, want[name], v, name)
		}
	})
}
