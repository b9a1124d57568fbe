package api

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// run makes a call with answers by rt.
func run(t *testing.T, rt roundTripper, in io.Reader, out io.Writer, c *Call, args ...string) error {
	require.NoError(t, c.Check(args))
	return c.Run(t.Context(), Access{Client: &http.Client{Transport: rt}, BaseURL: testAPI}, in, out)
}

func answer(status int, header http.Header, body io.Reader) *http.Response {
	if header == nil {
		header = make(http.Header)
	}
	return &http.Response{Proto: "HTTP/1.1", StatusCode: status, Status: http.StatusText(status), Header: header, Body: io.NopCloser(body)}
}

func TestABodyFromAPipeCanBeSentAgain(t *testing.T) {
	err := run(t, func(r *http.Request) (*http.Response, error) {
		for range 3 {
			body, err := r.GetBody()
			require.NoError(t, err)
			data, err := io.ReadAll(body)
			require.NoError(t, err)
			assert.Equal(t, "{}", string(data))
		}
		assert.EqualValues(t, 2, r.ContentLength)
		return answer(200, nil, http.NoBody), nil
	}, strings.NewReader("{}"), io.Discard, &Call{Input: "-"}, "pins")
	require.NoError(t, err)
}

func TestAFilterPrintsTextAsItIsAndAllElseAsJSON(t *testing.T) {
	for filter, want := range map[string]string{
		".items[].name":                          "Köln\nOak\n",
		".items[1]":                              `{"id":813744226420795884,"name":"Oak"}` + "\n",
		"[.items[].id] | add?":                   "813744226420795885\n",
		".items[] | select(.name == \"Oak\").id": "813744226420795884\n",
		"empty":                                  "",
	} {
		var out bytes.Buffer
		rt := func(*http.Request) (*http.Response, error) {
			return answer(200, nil, strings.NewReader(`{"items":[{"id":1,"name":"Köln"},{"id":813744226420795884,"name":"Oak"}]}`)), nil
		}
		require.NoError(t, run(t, rt, nil, &out, &Call{JQ: filter}, "boards"), filter)
		assert.Equal(t, want, out.String(), filter)
	}
}

func TestAFilterThatFailsSaysSo(t *testing.T) {
	assert.Equal(t, say.StatusUsage, say.ExitStatus((&Call{JQ: ".items["}).Check([]string{"boards"})))
	for body, want := range map[string]string{
		`{"items":5}`: "--jq: cannot iterate over: number (5)",
		`<html>`:      "the answer is not JSON, which --jq has to have",
	} {
		rt := func(*http.Request) (*http.Response, error) { return answer(200, nil, strings.NewReader(body)), nil }
		assert.EqualError(t, run(t, rt, nil, io.Discard, &Call{JQ: ".items[]"}, "boards"), want)
	}
}

func TestTheHintSaysWhenToTryAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := time.Now().Add(90 * time.Minute).Format(time.TimeOnly)
		for _, header := range []http.Header{
			{"Retry-After": {"5400"}},
			{"Retry-After": {"5400"}, "X-Ratelimit-Reset": {"1"}},
			{"Retry-After": {time.Now().Add(90 * time.Minute).UTC().Format(http.TimeFormat)}},
			{"X-Ratelimit-Reset": {"5400"}},
			{"X-Ratelimit-Reset": {"5400, 5400;w=60"}},
			{"X-Ratelimit-Reset": {"5400;w=60"}},
			{"X-Ratelimit-Reset": {strconv.FormatInt(time.Now().Add(90*time.Minute).Unix(), 10)}},
		} {
			err := run(t, func(*http.Request) (*http.Response, error) { return answer(429, header, http.NoBody), nil }, nil, io.Discard, &Call{}, "boards")
			var f *say.Failure
			require.ErrorAs(t, err, &f)
			assert.Equal(t, "GET /v5/boards: 429 Too Many Requests", f.Error())
			assert.Equal(t, "try again in 1h30m0s, at "+at, f.Hint)
		}
	})
}

func TestWhatPinterestSaysTakesOneLine(t *testing.T) {
	body := `{"code":"none","message":"a\n\u001b[2Jb\u009b` + strings.Repeat("é", 1000) + `"}`
	err := run(t, func(*http.Request) (*http.Response, error) { return answer(400, nil, strings.NewReader(body)), nil }, nil, io.Discard, &Call{}, "boards")
	assert.EqualError(t, err, "GET /v5/boards: 400 Bad Request: a [2Jb "+strings.Repeat("é", 300-len("a [2Jb "))+"…")
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
