package main

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
	"github.com/go-pinterest/pinterest/sqlstore"
)

// accounts is how many a sweep has before it. The gate tries a few, which are more
// than a sweep that renews four at a time reads ahead.
func accounts() int {
	if os.Getenv("PINTEREST_TEST_SWEEP") == "full" {
		return 100_000
	}
	return 300
}

const parallel = 4

var fourAtATime = &pinterest.KeepAliveOptions{Parallel: parallel}

func eachDatabase(t *testing.T, test func(t *testing.T, e engine)) {
	for _, e := range engines(options{postgres: os.Getenv("PINTEREST_TEST_POSTGRES")}) {
		if e.dialect != sqlstore.SQLite && e.dialect != sqlstore.PostgreSQL {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			if e.missing != "" {
				t.Skip("PINTEREST_TEST_POSTGRES is not set: nothing is tried on PostgreSQL")
			}
			test(t, e)
		})
	}
}

// seeded returns a place where n accounts are due, until the test is over.
func seeded(t *testing.T, e engine, fake *pinteresttest.Handler, n int) *place {
	p, err := e.newPlace(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.close()) })
	require.NoError(t, p.seed(t.Context(), fake, n, n))
	return p
}

// opened returns a Store as a process of its own would have it.
func opened(t *testing.T, p *place, parallel int) *sqlstore.Store {
	s, err := p.open(parallel)
	require.NoError(t, err)
	return s.(*sqlstore.Store)
}

// A tally says how often each account was yielded. It is as large before a sweep
// as after it, so that it cannot be taken for the sweep's own memory.
type tally []uint8

func (c tally) add(t *testing.T, key string) {
	digits, ok := strings.CutPrefix(key, "account-")
	i, err := strconv.Atoi(digits)
	if assert.True(t, ok && err == nil && i < len(c), "the sweep made up the key %q", key) {
		c[i]++
	}
}

func (c tally) total() (n int) {
	for _, times := range c {
		n += int(times)
	}
	return n
}

// requireOnce fails unless every account was yielded once by one of the sweeps.
func requireOnce(t *testing.T, shares ...tally) {
	t.Helper()
	for i := range shares[0] {
		times := 0
		for _, share := range shares {
			times += int(share[i])
		}
		require.Equal(t, 1, times, "how often %s was yielded", key(i))
	}
}

// sweep runs one to its end and requires that it fails nobody.
func sweep(t *testing.T, a *pinterest.Accounts, opts *pinterest.KeepAliveOptions, each func(key string)) time.Duration {
	start := time.Now()
	for key, err := range a.KeepAlive(t.Context(), opts) {
		require.NoError(t, err, key)
		each(key)
	}
	return time.Since(start)
}

func perSecond(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }

func TestEveryAccountIsRenewedOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, e engine) {
		fake, n := newFake(), accounts()
		p := seeded(t, e, fake, n)
		a := newAccounts(opened(t, p, parallel), fake.Client().Transport)

		yielded := make(tally, n)
		took := sweep(t, a, fourAtATime, func(key string) { yielded.add(t, key) })
		requireOnce(t, yielded)
		assert.Equal(t, n, fake.Counts().Refresh)
		assert.Zero(t, fake.Counts().Replays)
		t.Logf("%d accounts in %.1f s, %.0f a second", n, took.Seconds(), perSecond(n, took))

		took = sweep(t, a, fourAtATime, func(key string) { yielded.add(t, key) })
		requireOnce(t, yielded)
		assert.Equal(t, n, fake.Counts().Refresh, "the next sweep finds nothing to do")
		t.Logf("%d accounts none of which is due in %.1f s, %.0f a second", n, took.Seconds(), perSecond(n, took))
	})
}

func TestSweepsAtTheSameTimeShareTheWork(t *testing.T) {
	eachDatabase(t, func(t *testing.T, e engine) {
		fake, n := newFake(), accounts()
		p := seeded(t, e, fake, n)
		fake.Latency = 5 * time.Millisecond
		m := &meter{base: fake.Client().Transport}

		shares := []tally{make(tally, n), make(tally, n)}
		start := time.Now()
		var wg sync.WaitGroup
		for _, share := range shares {
			a := newAccounts(opened(t, p, parallel), m) // as another process has them
			wg.Go(func() {
				for key, err := range a.KeepAlive(t.Context(), fourAtATime) {
					if assert.NoError(t, err, key) {
						share.add(t, key)
					}
				}
			})
		}
		wg.Wait()
		took := time.Since(start)
		requireOnce(t, shares...)
		assert.Equal(t, n, fake.Counts().Refresh)
		assert.Zero(t, fake.Counts().Replays)
		t.Logf("%d accounts in %.1f s, %.0f a second; the shares are %.1f %% and %.1f %%; %.1f requests in flight",
			n, took.Seconds(), perSecond(n, took),
			100*float64(shares[0].total())/float64(n), 100*float64(shares[1].total())/float64(n), m.mean())
	})
}

func TestARateLimitSlowsTheSweepAndFailsNobody(t *testing.T) {
	limits := map[string]limit{
		"with Retry-After":            {closed: time.Second, retryAfter: "1"},
		"without":                     {closed: time.Second},
		"longer than a renewal tries": {closed: 2500 * time.Millisecond},
	}
	eachDatabase(t, func(t *testing.T, e engine) {
		t.Parallel() // they wait most of the time
		for name, limit := range limits {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				fake, n := newFake(), accounts()/5
				p := seeded(t, e, fake, n)
				limit.open = n/2 - 1 // so that it closes twice
				l := &limiter{limit: limit, base: fake.Client().Transport, fake: fake}

				yielded := make(tally, n)
				took := sweep(t, newAccounts(opened(t, p, parallel), l), fourAtATime, func(key string) { yielded.add(t, key) })
				requireOnce(t, yielded)
				assert.Equal(t, n+l.refused, fake.Counts().Refresh)
				assert.Zero(t, fake.Counts().Replays)
				assert.GreaterOrEqual(t, took, 2*limit.closed)
				t.Logf("%d accounts in %.1f s of which the limit took %.1f; %d answers were 429", n, took.Seconds(), 2*limit.closed.Seconds(), l.refused)
			})
		}
	})
}

// TestMemoryDoesNotGrowWithTheAccounts compares what a sweep adds to the live
// heap over few accounts and over four times as many, by the least of what is
// found towards the end: in it is all that piled up, and little of what is in
// work at the moment, which is now this and now that. The endpoint is not in it, as
// it keeps nothing. Nor is SQLite's page cache, which is outside Go's heap and has
// a limit of its own.
func TestMemoryDoesNotGrowWithTheAccounts(t *testing.T) {
	eachDatabase(t, func(t *testing.T, e engine) {
		const parallel = 2
		few := max(160, accounts()/8) // more than such a sweep reads ahead
		p, err := e.newPlace(t.Context())
		require.NoError(t, err)
		defer func() { require.NoError(t, p.close()) }()
		s := opened(t, p, parallel)
		added := func(n int) int {
			_, err := s.DB.ExecContext(t.Context(), "DELETE FROM "+p.table)
			require.NoError(t, err)
			require.NoError(t, p.seed(t.Context(), newFake(), n, n))
			yielded := make(tally, n)
			before, peak, left, done := liveHeap(), 0, math.MaxInt, 0
			sweep(t, newAccounts(s, forgetful{}), &pinterest.KeepAliveOptions{Parallel: parallel}, func(key string) {
				yielded.add(t, key)
				if done++; done%max(1, n/16) == 0 {
					live := liveHeap()
					peak = max(peak, live)
					if done > n*3/4 {
						left = min(left, live)
					}
				}
			})
			requireOnce(t, yielded)
			t.Logf("%d accounts: %d KiB before the sweep, at most %d KiB more, and %d more towards its end", n, before>>10, (peak-before)>>10, (left-before)>>10)
			return left - before
		}
		dialAll(t, s.DB)
		added(100) // what the connections keep is there from now on
		a, b := added(few), added(4*few)
		const slack = 64 << 10 // a list of the keys, which are long, would be more
		assert.LessOrEqual(t, b-a, slack, "bytes more for %d accounts more", 3*few)
	})
}

// forgetful is a token endpoint that keeps nothing.
type forgetful struct{}

func (forgetful) RoundTrip(*http.Request) (*http.Response, error) {
	body := fmt.Sprintf(`{"access_token":"pina_%s","expires_in":2592000,"refresh_token":"pinr.%s","refresh_token_expires_in":5184000}`, rand.Text(), rand.Text())
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// dialAll opens all the connections that a pool may have, so that it does not
// matter whether a sweep needs the last of them.
func dialAll(t *testing.T, db *sql.DB) {
	for range db.Stats().MaxOpenConnections {
		conn, err := db.Conn(t.Context())
		require.NoError(t, err)
		defer conn.Close()
	}
}

func TestASweepRenewsAsManyAtATimeAsItMay(t *testing.T) {
	eachDatabase(t, func(t *testing.T, e engine) {
		const parallel = 16
		fake, n := newFake(), accounts()/2
		p := seeded(t, e, fake, n)
		all := &gathering{base: fake.Client().Transport, missing: parallel, there: make(chan struct{})}
		yielded := make(tally, n)
		sweep(t, newAccounts(opened(t, p, parallel), all), &pinterest.KeepAliveOptions{Parallel: parallel},
			func(key string) { yielded.add(t, key) })
		requireOnce(t, yielded)
	})
}

// A gathering lets no request through before so many are there.
type gathering struct {
	base    http.RoundTripper
	mu      sync.Mutex // guards missing
	missing int
	there   chan struct{}
}

func (g *gathering) RoundTrip(r *http.Request) (*http.Response, error) {
	g.mu.Lock()
	if g.missing--; g.missing == 0 {
		close(g.there)
	}
	g.mu.Unlock()
	select {
	case <-g.there:
		return g.base.RoundTrip(r)
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// A meter measures how many requests are in flight.
type meter struct {
	base http.RoundTripper

	mu        sync.Mutex // guards what follows
	inFlight  int
	most      int
	changed   time.Time     // when inFlight did
	spent     time.Duration // in flight, by all requests together
	first     time.Time     // when a request first started
	last      time.Time     // when one last did
	spentThen time.Duration // at last
}

func (m *meter) RoundTrip(r *http.Request) (*http.Response, error) {
	m.change(+1)
	defer m.change(-1)
	return m.base.RoundTrip(r)
}

func (m *meter) change(by int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if m.first.IsZero() {
		m.first = now
	}
	m.spent += time.Duration(m.inFlight) * now.Sub(m.changed)
	m.changed = now
	m.inFlight += by
	m.most = max(m.most, m.inFlight)
	if by > 0 {
		m.last, m.spentThen = now, m.spent
	}
}

// mean is over the time in which there was a request left to start.
func (m *meter) mean() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.spentThen.Seconds() / m.last.Sub(m.first).Seconds()
}

// A limit lets some requests pass and then closes for a while.
type limit struct {
	open       int
	closed     time.Duration
	retryAfter string
}

// A limiter makes its fake answer 429 to requests beyond the limit.
type limiter struct {
	limit
	base http.RoundTripper
	fake *pinteresttest.Handler

	mu      sync.Mutex // guards what follows
	passed  int        // since it was opened
	until   time.Time  // it is closed
	refused int
}

func (l *limiter) RoundTrip(r *http.Request) (*http.Response, error) {
	l.admit(r.URL.Path)
	return l.base.RoundTrip(r)
}

func (l *limiter) admit(path string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.passed == l.open && l.until.IsZero() {
		l.until = now.Add(l.closed)
	}
	if now.Before(l.until) {
		l.refused++
		l.fake.Fail(path, pinteresttest.Fault{Status: http.StatusTooManyRequests, RetryAfter: l.retryAfter})
		return
	}
	if !l.until.IsZero() {
		l.passed, l.until = 0, time.Time{}
	}
	l.passed++
}
