package pinterest_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
)

// answerer is the in-memory base that every transport below sends by.
type answerer struct{ answer *http.Response }

func (a answerer) RoundTrip(*http.Request) (*http.Response, error) { return a.answer, nil }

// floor does the least that a transport which adds a header can do: it copies
// the request and its header map and sets a constant.
type floor struct{ base http.RoundTripper }

func (f floor) RoundTrip(req *http.Request) (*http.Response, error) {
	r := *req
	r.Header = make(http.Header, len(req.Header)+1)
	for k, v := range req.Header {
		r.Header[k] = v
	}
	r.Header["Authorization"] = constantHeader
	return f.base.RoundTrip(&r)
}

var constantHeader = []string{"Bearer pina_0123456789"}

func benchToken() *oauth2.Token {
	return &oauth2.Token{AccessToken: "pina_0123456789", RefreshToken: "pinr.0123456789", Expiry: time.Now().Add(30 * 24 * time.Hour), ExpiresIn: 30 * 24 * 3600}
}

// contenders are compared pair by pair, in turns short enough that a machine
// whose speed drifts treats all of them alike.
type contender struct {
	name string
	run  func(n int)
}

// race runs the contenders in turn until b is done, reports the time per
// operation of each and the ratio of the first to each of the others.
func race(b *testing.B, parallel bool, contenders ...contender) {
	const turn = 2000
	spent := make([]time.Duration, len(contenders))
	var ops int
	for b.Loop() {
		for i, c := range contenders {
			start := time.Now()
			if parallel {
				var wg sync.WaitGroup
				for range 8 {
					wg.Go(func() { c.run(turn) })
				}
				wg.Wait()
			} else {
				c.run(turn)
			}
			spent[i] += time.Since(start)
		}
		ops += turn
		if parallel {
			ops += 7 * turn
		}
	}
	b.ReportMetric(0, "ns/op") // of a whole round: says nothing
	for i, c := range contenders {
		b.ReportMetric(float64(spent[i].Nanoseconds())/float64(ops), c.name+"-ns")
		if i > 0 {
			b.ReportMetric(spent[0].Seconds()/spent[i].Seconds(), "x-of-"+c.name)
		}
	}
}

// BenchmarkRequest compares a request through Transport with one through
// oauth2.Transport and with the floor.
func BenchmarkRequest(b *testing.B) {
	base := answerer{&http.Response{StatusCode: http.StatusOK, Body: http.NoBody}}
	conf := &pinterest.Config{ClientID: "id", ClientSecret: "secret"}
	ours := &pinterest.Transport{Source: conf.TokenSource(b.Context(), benchToken()), Base: base}
	theirs := &oauth2.Transport{Source: oauth2.ReuseTokenSource(benchToken(), nil), Base: base}
	req, err := http.NewRequest(http.MethodGet, "https://api.pinterest.com/v5/user_account", nil)
	require.NoError(b, err)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "bench")

	send := func(rt http.RoundTripper) func(int) {
		return func(n int) {
			for range n {
				resp, err := rt.RoundTrip(req)
				if err != nil || resp.StatusCode != http.StatusOK {
					panic(err)
				}
			}
		}
	}
	contenders := []contender{{"pinterest", send(ours)}, {"x/oauth2", send(theirs)}, {"floor", send(floor{base})}, {"floor2", send(floor2{base})}}
	allocs := func(rt http.RoundTripper) float64 {
		return testing.AllocsPerRun(1000, func() { _, _ = rt.RoundTrip(req) })
	}
	for _, parallel := range []bool{false, true} {
		b.Run(map[bool]string{false: "serial", true: "parallel"}[parallel], func(b *testing.B) {
			race(b, parallel, contenders...)
			b.ReportMetric(allocs(ours)-allocs(base), "pinterest-allocs")
			b.ReportMetric(allocs(theirs)-allocs(base), "x/oauth2-allocs")
			b.ReportMetric(allocs(floor{base})-allocs(base), "floor-allocs")
		})
	}
}

// BenchmarkToken compares asking for a good token with oauth2.ReuseTokenSource.
func BenchmarkToken(b *testing.B) {
	conf := &pinterest.Config{ClientID: "id", ClientSecret: "secret"}
	ask := func(src oauth2.TokenSource) func(int) {
		return func(n int) {
			for range n {
				if _, err := src.Token(); err != nil {
					panic(err)
				}
			}
		}
	}
	contenders := []contender{
		{"pinterest", ask(conf.TokenSource(b.Context(), benchToken()))},
		{"x/oauth2", ask(oauth2.ReuseTokenSource(benchToken(), nil))},
	}
	b.Run("serial", func(b *testing.B) { race(b, false, contenders...) })
	b.Run("parallel", func(b *testing.B) { race(b, true, contenders...) })
}

var _ = io.Discard
var _ = context.Background

type floor2 struct{ base http.RoundTripper }

func (f floor2) RoundTrip(req *http.Request) (*http.Response, error) {
	r := *req
	r.Header = maps.Clone(req.Header)
	r.Header["Authorization"] = constantHeader
	return f.base.RoundTrip(&r)
}
