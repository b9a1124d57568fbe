package pinterest_test

import (
	"crypto/rand"
	"maps"
	"net/http"
	"runtime"
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
	r.Header = maps.Clone(req.Header)
	r.Header.Set("Authorization", "Bearer pina_0123456789")
	return f.base.RoundTrip(&r)
}

func benchToken() *oauth2.Token {
	return &oauth2.Token{AccessToken: "pina_0123456789", RefreshToken: "pinr.0123456789", Expiry: time.Now().Add(30 * 24 * time.Hour), ExpiresIn: 30 * 24 * 3600}
}

// A contender does the same as the others n times.
type contender struct {
	name string
	run  func(n int)
}

// race runs the contenders in turns, so short that a machine whose speed drifts
// treats all alike. It reports the time per operation of each, and that of the
// first as a multiple of each other's.
func race(b *testing.B, parallel bool, contenders ...contender) {
	const turn = 2000
	// A service has a heap. With the smallest that the collector knows, 4 MiB, it
	// would run every few milliseconds, and of that we measured the most.
	heap := make([]byte, 64<<20)
	defer runtime.KeepAlive(heap)
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
	b.ReportMetric(0, "ns/op") // a whole round's says nothing: not shown
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
	contenders := []contender{{"pinterest", send(ours)}, {"x/oauth2", send(theirs)}, {"floor", send(floor{base})}}
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

// BenchmarkClient compares asking Accounts for a client at every request with
// keeping it.
func BenchmarkClient(b *testing.B) {
	accounts := &pinterest.Accounts{Config: testConfig(), Store: pinterest.NewMemoryStore()}
	kept := accounts.Client("alice")
	var client *http.Client
	race(b, false,
		contender{"asked-for", func(n int) {
			for range n {
				client = accounts.Client("alice")
			}
		}},
		contender{"kept", func(n int) {
			for range n {
				client = kept
			}
		}})
	runtime.KeepAlive(client)
}

// BenchmarkSourceSize reports what an idle source costs, its token included,
// beside one of x/oauth2.
func BenchmarkSourceSize(b *testing.B) {
	const many = 100_000
	conf, theirs := testConfig(), new(oauth2.Config)
	size := func(source func(*oauth2.Token) oauth2.TokenSource) float64 {
		var before, after runtime.MemStats
		sources := make([]oauth2.TokenSource, many)
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range sources {
			id := rand.Text()
			sources[i] = source(&oauth2.Token{AccessToken: "pina_" + id, RefreshToken: "pinr." + id, Expiry: time.Now().Add(time.Hour)})
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(sources)
		return float64(after.HeapAlloc-before.HeapAlloc) / many
	}
	var ours, other float64
	for b.Loop() {
		ours = size(func(t *oauth2.Token) oauth2.TokenSource { return conf.TokenSource(b.Context(), t) })
		other = size(func(t *oauth2.Token) oauth2.TokenSource { return theirs.TokenSource(b.Context(), t) })
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ours, "bytes")
	b.ReportMetric(other, "x/oauth2-bytes")
}

// BenchmarkExpired lets a thousand goroutines meet an expired token.
func BenchmarkExpired(b *testing.B) {
	const callers = 1000
	for name, c := range map[string]struct {
		status int
		body   string
	}{
		"success": {http.StatusOK, goodAnswer},
		"failure": {http.StatusUnauthorized, `{"code":283,"message":"Invalid refresh token"}`},
	} {
		b.Run(name, func(b *testing.B) {
			conf := testConfig()
			var requests int
			for b.Loop() {
				var met sync.WaitGroup
				met.Add(callers)
				w := &wire{answer: func(*http.Request) (*http.Response, error) {
					met.Wait() // nobody is answered before all have come
					return answer(c.status, c.body), nil
				}}
				src := conf.TokenSource(w.context(b.Context()), expiredToken())
				var wg sync.WaitGroup
				for range callers {
					wg.Go(func() {
						met.Done()
						if _, err := src.Token(); (err == nil) != (c.status == http.StatusOK) {
							panic(err)
						}
					})
				}
				wg.Wait()
				requests += len(w.requests())
			}
			b.ReportMetric(float64(requests)/float64(b.N), "token-requests/op")
		})
	}
}
