package api

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestThePagesBookmarkIsFound(t *testing.T) {
	for page, want := range map[string]string{
		`{"items":[{"bookmark":"inner"}],"bookmark":"next"}`:     "next",
		`{"items":[],"bookmark":null}`:                           "",
		`{"items":[{"bookmark":"inner"}]}`:                       "",
		`{"bookmark":"a\u003db=="}`:                              "a=b==",
		`{"n":123456789012345678901234567890,"bookmark":"next"}`: "next",
	} {
		answers := []string{page, `{}`}
		rt := func(*http.Request) (*http.Response, error) {
			defer func() { answers = answers[1:] }()
			return answer(200, nil, strings.NewReader(answers[0])), nil
		}
		require.NoError(t, run(t, rt, nil, io.Discard, &Call{Paginate: true}, "boards"), page)
		assert.Equal(t, want == "", len(answers) == 1, page)
	}
}

func TestWhatIsNoPageSaysSo(t *testing.T) {
	for _, page := range []string{``, `[]`, `<html>`, `{"bookmark":5}`, `{"bookmark":"next"`, `{"items":[}`} {
		var out bytes.Buffer
		rt := func(*http.Request) (*http.Response, error) { return answer(200, nil, strings.NewReader(page)), nil }
		err := run(t, rt, nil, &out, &Call{Paginate: true}, "boards")
		assert.EqualError(t, err, "the answer is no page of a list", page)
		assert.Equal(t, page, strings.TrimSuffix(out.String(), "\n"), "it is printed all the same")
	}
}

// list answers with pages that bear the bookmark of their request; after is
// the bookmark that follows on one.
func list(after func(bookmark string) string) (rt roundTripper, asked func() []url.Values) {
	var all []url.Values
	return func(r *http.Request) (*http.Response, error) {
		query := r.URL.Query()
		all = append(all, query)
		at := query.Get("bookmark")
		return answer(200, nil, strings.NewReader(fmt.Sprintf(`{"items":[%q],"bookmark":%q}`, at, after(at)))), nil
	}, func() []url.Values { return all }
}

func TestEachPageIsAskedForByTheBookmarkOfTheOneBefore(t *testing.T) {
	follow := map[string]string{"": "a+b=", "a+b=": "c&d", "c&d": ""}
	rt, asked := list(func(at string) string { return follow[at] })
	var out bytes.Buffer
	require.NoError(t, run(t, rt, nil, &out, &Call{Paginate: true, Typed: []string{"page_size=1"}}, "boards?privacy=ALL"))
	assert.Equal(t, `{"items":[""],"bookmark":"a+b="}`+"\n"+`{"items":["a+b="],"bookmark":"c&d"}`+"\n"+`{"items":["c&d"],"bookmark":""}`+"\n", out.String())
	assert.Equal(t, []url.Values{
		{"privacy": {"ALL"}, "page_size": {"1"}},
		{"privacy": {"ALL"}, "page_size": {"1"}, "bookmark": {"a+b="}},
		{"privacy": {"ALL"}, "page_size": {"1"}, "bookmark": {"c&d"}},
	}, asked())
}

func TestAListThatLeadsNowhereIsLeft(t *testing.T) {
	rt, asked := list(func(string) string { return "again" })
	err := run(t, rt, nil, io.Discard, &Call{Paginate: true}, "boards")
	assert.EqualError(t, err, "the list would have no end: the page after this one is this one again")
	assert.Len(t, asked(), 2)
}

func TestAListThatIsReadByPOSTGetsItsBodyEachTime(t *testing.T) {
	var got []string
	rt := roundTripper(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+r.URL.RequestURI()+" "+string(body))
		if len(got) == 2 {
			return answer(200, nil, strings.NewReader(`{}`)), err
		}
		return answer(200, nil, strings.NewReader(`{"bookmark":"next"}`)), err
	})
	require.NoError(t, run(t, rt, strings.NewReader(`{"filters":1}`), io.Discard, &Call{Paginate: true, Input: "-"}, "POST", "products"))
	assert.Equal(t, []string{
		`POST /v5/products {"filters":1}`,
		`POST /v5/products?bookmark=next {"filters":1}`,
	}, got)
}
