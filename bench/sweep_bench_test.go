package bench_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
	"github.com/go-pinterest/pinterest/sqlstore"
)

// BenchmarkSweep compares what KeepAlive costs an account with what cannot be
// done without, at the same parallelism and with records of the same size. The
// fake answers in this process and at once, so that the cost is all to be seen.
//
// Of accounts that are due the contenders are
//
//	KeepAlive  the sweep
//	sql        the statements that it needs, without a request
//	requests   the token requests alone, through the fake
//	by-hand    the statements with the requests in the midst of them: the
//	           sweep of an app that has no library, and checks nothing
//
// and of accounts that are not due, which most are on most days, KeepAlive and
// the SELECT that tells it so.
func BenchmarkSweep(b *testing.B) {
	const n, parallel = 400, 8
	const always = 100 * 24 * time.Hour // is due what lives for sixty days
	for _, dialect := range dialects {
		b.Run(dialect.String(), func(b *testing.B) {
			needs(b, dialect)
			fake := newFake()
			keepAlive := func(p place, within time.Duration, want int) func() {
				a := newAccounts(p.open(b, parallel), fake.Client().Transport)
				return func() {
					yielded := 0
					for key, err := range a.KeepAlive(b.Context(), &pinterest.KeepAliveOptions{Parallel: parallel, Within: within}) {
						require.NoError(b, err, key)
						yielded++
					}
					require.Equal(b, want, yielded)
				}
			}

			b.Run("due", func(b *testing.B) {
				swept, bare, mine := newPlace(b, dialect), newPlace(b, dialect), newPlace(b, dialect)
				for _, p := range []place{swept, bare, mine} {
					p.seed(b, fake, n)
				}
				tokens := make([]string, n)
				values := make([][]byte, n+1) // one more, or each round would write what is there
				for i := range values {
					record, err := pinterest.MarshalToken(fake.Login())
					require.NoError(b, err)
					values[i] = record
				}
				for i := range tokens {
					tokens[i] = fake.Login().RefreshToken
				}

				var turn atomic.Int64
				inTurns(b, n,
					contender{"KeepAlive", keepAlive(swept, always, n)},
					contender{"sql", bare.byHand(b, parallel, func([]byte) ([]byte, error) {
						return values[int(turn.Add(1))%len(values)], nil
					})},
					contender{"requests", func() {
						var next atomic.Int64
						atOnce(parallel, func() {
							for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
								var t oauth2.Token
								answer, err := request(b.Context(), fake.Client(), tokens[i])
								if err == nil {
									err = json.Unmarshal(answer, &t)
								}
								if err != nil {
									b.Error(err)
									return
								}
								tokens[i] = t.RefreshToken
							}
						})
					}},
					contender{"by-hand", mine.byHand(b, parallel, func(old []byte) ([]byte, error) {
						var t oauth2.Token
						if err := json.Unmarshal(old, &t); err != nil {
							return nil, err
						}
						return request(b.Context(), fake.Client(), t.RefreshToken)
					})},
				)
				require.Zero(b, fake.Counts().Replays)
			})

			b.Run("not due", func(b *testing.B) {
				p := newPlace(b, dialect)
				p.seed(b, fake, n)
				inTurns(b, n,
					contender{"KeepAlive", keepAlive(p, time.Second, 0)},
					contender{"sql", p.byHand(b, parallel, nil)},
				)
			})
		})
	}
}

// A contender does the same as the others.
type contender struct {
	name string
	run  func()
}

// inTurns runs the contenders over n accounts each, in turns so short that a
// machine whose speed drifts treats all alike. It reports what each takes an
// account, and the first's time as a multiple of the others'.
func inTurns(b *testing.B, n int, contenders ...contender) {
	b.Helper()
	spent := make([]time.Duration, len(contenders))
	allocs := make([]uint64, len(contenders))
	for _, c := range contenders {
		c.run() // dials, and prepares statements
	}
	var before, after runtime.MemStats
	for b.Loop() {
		for i, c := range contenders {
			runtime.ReadMemStats(&before)
			start := time.Now()
			c.run()
			spent[i] += time.Since(start)
			runtime.ReadMemStats(&after)
			allocs[i] += after.Mallocs - before.Mallocs
		}
	}
	accounts := float64(n * b.N)
	b.ReportMetric(0, "ns/op") // a whole round's says nothing: not shown
	for i, c := range contenders {
		b.ReportMetric(float64(spent[i].Nanoseconds())/accounts, c.name+"-ns/account")
		b.ReportMetric(float64(allocs[i])/accounts, c.name+"-allocs/account")
		if i > 0 {
			b.ReportMetric(spent[0].Seconds()/spent[i].Seconds(), "x-of-"+c.name)
		}
	}
}

func atOnce(parallel int, run func()) {
	var wg sync.WaitGroup
	for range parallel {
		wg.Go(run)
	}
	wg.Wait()
}

// byHand returns a function that goes over all the keys, by the bare statements.
// Without renew it only reads each value. A transaction that has the row locked
// is open while renew runs. SQLite, which would lock all rows, has none: of the
// statements that leaves the fewest.
func (p place) byHand(b *testing.B, parallel int, renew func(old []byte) ([]byte, error)) func() {
	db := p.open(b, parallel).DB
	page := "SELECT key FROM " + p.table + " WHERE key > $1 ORDER BY key LIMIT 500"
	load := "SELECT value FROM " + p.table + " WHERE key = $1"
	update := "UPDATE " + p.table + " SET value = $1 WHERE key = $2"
	ctx := b.Context()

	locked := func(key []byte) error {
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
			return err
		}
		var value []byte
		if err := conn.QueryRowContext(ctx, load+" FOR UPDATE", key).Scan(&value); err != nil {
			return err
		}
		if value, err = renew(value); err != nil {
			return err
		}
		if _, err := conn.ExecContext(ctx, update, value, key); err != nil {
			return err
		}
		_, err = conn.ExecContext(ctx, "COMMIT")
		return err
	}
	unlocked := func(key []byte) error {
		var value []byte
		err := db.QueryRowContext(ctx, load, key).Scan(&value)
		if err != nil {
			return err
		}
		if value, err = renew(value); err != nil {
			return err
		}
		_, err = db.ExecContext(ctx, update, value, key)
		return err
	}
	one := func(key []byte) error {
		var value []byte
		err := db.QueryRowContext(ctx, load, key).Scan(&value)
		switch {
		case err != nil || renew == nil:
			return err
		case p.dialect == sqlstore.SQLite:
			return unlocked(key)
		}
		return locked(key)
	}
	return func() {
		keys := make(chan []byte)
		go func() {
			defer close(keys)
			for after := []byte{}; ; {
				these, err := column(ctx, db, page, after)
				if err != nil {
					b.Error(err)
				}
				if len(these) == 0 {
					return
				}
				for _, key := range these {
					keys <- key
				}
				after = these[len(these)-1]
			}
		}()
		atOnce(parallel, func() {
			for key := range keys {
				if err := one(key); err != nil {
					b.Errorf("%s: %v", key, err)
				}
			}
		})
	}
}

func column(ctx context.Context, db *sql.DB, query string, args ...any) (values [][]byte, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var value []byte
		if err := rows.Scan(&value); err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, rows.Err()
}

// request asks for the tokens that come after a refresh token, and returns the
// answer as it came.
func request(ctx context.Context, client *http.Client, refreshToken string) ([]byte, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, pinterest.Endpoint.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(pinteresttest.DefaultAppID, pinteresttest.DefaultAppSecret)
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the fake answered %s: %s", resp.Status, answer)
	}
	return answer, err
}
