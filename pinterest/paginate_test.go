package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestThePagesBookmarkIsFound(t *testing.T) {
	for page, want := range map[string]string{
		`{"items":[{"bookmark":"inner"}],"bookmark":"next"}`:                   "next",
		`{"bookmark":"next","items":[{"a":[1,{"bookmark":"inner"}]}]} ` + "\n": "next",
		`{"items":[],"bookmark":null}`:                                         "",
		`{"items":[],"bookmark":""}`:                                           "",
		`{"items":[{"bookmark":"inner"}]}`:                                     "",
		`{"bookmark":"a\u003db=="}`:                                            "a=b==",
		`{"n":123456789012345678901234567890,"bookmark":"next"}`:               "next",
	} {
		got, err := bookmarkOf(iotest.OneByteReader(strings.NewReader(page)))
		require.NoError(t, err, page)
		assert.Equal(t, want, got, page)
	}
}

func TestWhatIsNoPageIsReadToItsEndAllTheSame(t *testing.T) {
	for _, page := range []string{``, `[]`, `<html>`, `{"bookmark":5}`, `{"bookmark":"next"`, `{"items":[}`, `{"items":["` + strings.Repeat("x", 1<<20)} {
		r := strings.NewReader(page)
		_, err := bookmarkOf(r)
		assert.ErrorContains(t, err, "the answer is no page of a list", page[:min(20, len(page))])
		assert.Zero(t, r.Len())
	}
}

func TestAPageThatBreaksOffSaysSo(t *testing.T) {
	broken := errors.New("cut")
	_, err := bookmarkOf(io.MultiReader(strings.NewReader(`{"items":[`), iotest.ErrReader(broken)))
	assert.ErrorIs(t, err, broken)
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
	require.NoError(t, api(t, rt, nil, &out, "boards?privacy=ALL", "--paginate", "-F", "page_size=1"))
	assert.Equal(t, `{"items":[""],"bookmark":"a+b="}`+"\n"+`{"items":["a+b="],"bookmark":"c&d"}`+"\n"+`{"items":["c&d"],"bookmark":""}`+"\n", out.String())
	assert.Equal(t, []url.Values{
		{"privacy": {"ALL"}, "page_size": {"1"}},
		{"privacy": {"ALL"}, "page_size": {"1"}, "bookmark": {"a+b="}},
		{"privacy": {"ALL"}, "page_size": {"1"}, "bookmark": {"c&d"}},
	}, asked())
}

func TestAListThatLeadsNowhereIsLeft(t *testing.T) {
	rt, asked := list(func(string) string { return "again" })
	err := api(t, rt, nil, io.Discard, "boards", "--paginate")
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
	require.NoError(t, api(t, rt, strings.NewReader(`{"filters":1}`), io.Discard, "products", "--paginate", "--input", "-"))
	assert.Equal(t, []string{
		`POST /v5/products {"filters":1}`,
		`POST /v5/products?bookmark=next {"filters":1}`,
	}, got)

	err := api(t, rt, &flow{left: 2 << 20}, io.Discard, "products", "--paginate", "--input", "-")
	assert.EqualError(t, err, "the body is too large to be kept for every page")
	assert.Len(t, got, 2)
}

func TestALargePageIsNotHeldInMemory(t *testing.T) {
	f := &flow{left: 32 << 20}
	items := &numbers{f} // a page of many small items
	rt := roundTripper(func(*http.Request) (*http.Response, error) {
		return answer(200, nil, io.MultiReader(strings.NewReader(`{"items":[0`), items, strings.NewReader(`]}`))), nil
	})
	require.NoError(t, api(t, rt, nil, f, "boards", "--paginate", "--slurp"))
	assert.Zero(t, f.left+f.underWay)
	assert.Less(t, f.most, 1<<20)
}

// numbers makes of a flow, byte for byte, what a JSON array can hold.
type numbers struct{ f *flow }

func (n *numbers) Read(p []byte) (int, error) {
	got, err := n.f.Read(p[:len(p)/8*8])
	for i := range got {
		p[i] = `,"xxxx" `[i%8]
	}
	n.f.underWay -= got / 2 // only every second byte is an x now
	return got, err
}
