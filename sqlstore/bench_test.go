package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/sqlstore"
)

// BenchmarkUpdate takes turns between Update and the statements it cannot do
// without, and reports the medians' ratio as x-bare. The ns/op are of the pair.
func BenchmarkUpdate(b *testing.B) {
	for _, dialect := range dialects {
		b.Run(dialect.String(), func(b *testing.B) {
			d := find(b, dialect)
			place := d.table(b)
			db := d.connect(b, place)
			s := d.store(db, place)
			value := []byte(strings.Repeat("v", 700)) // a token's record
			for _, key := range []string{"ours", "bare"} {
				keep(b, s, key, string(value))
			}
			begin, load, table := "BEGIN ISOLATION LEVEL READ COMMITTED", "SELECT value FROM %s WHERE key = $1 FOR UPDATE", place
			update := "UPDATE %s SET value = $1 WHERE key = $2"
			switch dialect {
			case sqlstore.MySQL:
				begin, load, update = "START TRANSACTION", "SELECT value FROM %s WHERE `key` = ? FOR UPDATE", "UPDATE %s SET value = ? WHERE `key` = ?"
			case sqlstore.SQLite:
				begin, load, table = "BEGIN IMMEDIATE", "SELECT value FROM %s WHERE key = $1", "pinterest_tokens"
			}
			load, update = fmt.Sprintf(load, table), fmt.Sprintf(update, table)

			ctx := b.Context()
			var ours, bare []time.Duration
			for i := 0; b.Loop(); i++ {
				value[0] = byte(i) // MySQL does not write what is the same
				began := time.Now()
				require.NoError(b, s.Update(ctx, "ours", func(context.Context, []byte) ([]byte, time.Time, error) { return value, time.Time{}, nil }))
				ours = append(ours, time.Since(began))

				began = time.Now()
				require.NoError(b, bareUpdate(ctx, db, begin, load, update, []byte("bare"), value))
				bare = append(bare, time.Since(began))
			}
			median := func(d []time.Duration) float64 {
				slices.Sort(d)
				return float64(d[len(d)/2].Nanoseconds())
			}
			b.ReportMetric(median(ours), "ns/Update")
			b.ReportMetric(median(bare), "ns/bare")
			b.ReportMetric(median(ours)/median(bare), "x-bare")
		})
	}
}

func bareUpdate(ctx context.Context, db *sql.DB, begin, load, update string, key, value []byte) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, begin); err != nil {
		return err
	}
	var old []byte
	if err := conn.QueryRowContext(ctx, load, key).Scan(&old); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, update, value, key); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}

var errEnough = errors.New("enough")

// BenchmarkSweep updates accounts, eight at a time, whose f waits fifty
// milliseconds for the network. Not held up it takes 6.25 ms an account.
func BenchmarkSweep(b *testing.B) {
	for _, dialect := range dialects {
		b.Run(dialect.String(), func(b *testing.B) {
			const parallel, network = 8, 50 * time.Millisecond
			d := find(b, dialect)
			place := d.table(b)
			d.fill(b, place, 1000)
			db := d.connect(b, place)
			db.SetMaxOpenConns(parallel + 1)
			s := d.store(db, place)

			keys := make(chan string)
			var wg sync.WaitGroup
			for range parallel {
				wg.Go(func() {
					for key := range keys {
						err := s.Update(b.Context(), key, func(_ context.Context, old []byte) ([]byte, time.Time, error) {
							time.Sleep(network)
							return old, time.Time{}, nil
						})
						if err != nil {
							b.Error(err)
						}
					}
				})
			}
			b.ResetTimer()
			for n := 0; n < b.N; {
				err := s.Each(b.Context(), time.Time{}, func(key string, _ []byte) error {
					if n++; n > b.N {
						return errEnough
					}
					keys <- key
					return nil
				})
				if err != nil {
					require.ErrorIs(b, err, errEnough)
				}
			}
			close(keys)
			wg.Wait()
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/account")
		})
	}
}
