package main

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// api runs "pinterest api" with answers by rt.
func api(t *testing.T, rt roundTripper, in io.Reader, out io.Writer, args ...string) error {
	c := newAPICommand(func(_ *cobra.Command, call func(apiAccess) error) error {
		return call(apiAccess{client: &http.Client{Transport: rt}, baseURL: testAPI})
	})
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetIn(in)
	c.SetOut(out)
	c.SetErr(t.Output())
	c.SetArgs(args)
	return c.ExecuteContext(t.Context())
}

func answer(status int, header http.Header, body io.Reader) *http.Response {
	if header == nil {
		header = make(http.Header)
	}
	return &http.Response{Proto: "HTTP/1.1", StatusCode: status, Status: http.StatusText(status), Header: header, Body: io.NopCloser(body)}
}

// A flow is bytes on their way through the command, of which there are never
// many that were read and not written.
type flow struct {
	left, underWay, most int
}

func (f *flow) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), f.left)
	for i := range n {
		p[i] = 'x'
	}
	f.left -= n
	f.underWay += n
	f.most = max(f.most, f.underWay)
	return n, nil
}

func (f *flow) Write(p []byte) (int, error) {
	f.underWay -= bytes.Count(p, []byte("x"))
	return len(p), nil
}

func TestALargeAnswerIsNotHeldInMemory(t *testing.T) {
	for _, status := range []int{200, 500} {
		f := &flow{left: 32 << 20}
		err := api(t, func(*http.Request) (*http.Response, error) { return answer(status, nil, f), nil }, nil, f, "reports/1")
		assert.Equal(t, status == 200, err == nil)
		assert.Zero(t, f.left+f.underWay)
		assert.Less(t, f.most, 1<<20)
	}
}

func TestALargeBodyIsNotHeldInMemory(t *testing.T) {
	f := &flow{left: 32 << 20}
	err := api(t, func(r *http.Request) (*http.Response, error) {
		assert.Nil(t, r.GetBody, "what came through a pipe cannot be had again")
		_, err := io.Copy(struct{ io.Writer }{f}, r.Body)
		return answer(200, nil, http.NoBody), err
	}, f, io.Discard, "media", "--input", "-")
	require.NoError(t, err)
	assert.Zero(t, f.left+f.underWay)
	assert.Less(t, f.most, 2<<20)
}

func TestASmallBodyFromAPipeCanBeSentAgain(t *testing.T) {
	err := api(t, func(r *http.Request) (*http.Response, error) {
		for range 3 {
			body, err := r.GetBody()
			require.NoError(t, err)
			data, err := io.ReadAll(body)
			require.NoError(t, err)
			assert.Equal(t, "{}", string(data))
		}
		assert.EqualValues(t, 2, r.ContentLength)
		return answer(200, nil, http.NoBody), nil
	}, strings.NewReader("{}"), io.Discard, "pins", "--input", "-")
	require.NoError(t, err)
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
		} {
			err := api(t, func(*http.Request) (*http.Response, error) { return answer(429, header, http.NoBody), nil }, nil, io.Discard, "boards")
			var f *say.Failure
			require.ErrorAs(t, err, &f)
			assert.Equal(t, "GET /v5/boards: 429 Too Many Requests", f.Error())
			assert.Equal(t, "try again in 1h30m0s, at "+at, f.Hint)
		}
	})
}

func TestWhatPinterestSaysTakesOneLine(t *testing.T) {
	body := `{"code":"none","message":"a\n\u001b[2Jb\u009b` + strings.Repeat("é", 1000) + `"}`
	err := api(t, func(*http.Request) (*http.Response, error) { return answer(400, nil, strings.NewReader(body)), nil }, nil, io.Discard, "boards")
	assert.EqualError(t, err, "GET /v5/boards: 400 Bad Request: a [2Jb "+strings.Repeat("é", 300-len("a [2Jb "))+"…")
}

func TestHTMLIsNoJSON(t *testing.T) {
	for kind, want := range map[string]bool{
		"application/json": true, "Application/JSON; charset=utf-8": true, "application/problem+json": true,
		"text/html": false, "": false, "application/jsonl": false,
	} {
		assert.Equal(t, want, isJSON(kind), kind)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
