package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
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
			claim, load, update := "", `UPDATE %s SET until = $1 WHERE "key" = $2 RETURNING "value"`, `UPDATE %s SET "value" = $1, until = 0 WHERE "key" = $2`
			if dialect == sqlstore.MySQL {
				claim, load, update = "UPDATE %s SET until = ? WHERE `key` = ?", "SELECT `value` FROM %s WHERE until = ? AND `key` = ?", "UPDATE %s SET `value` = ?, until = 0 WHERE `key` = ?"
			}
			for _, q := range []*string{&claim, &load, &update} {
				*q = strings.Replace(*q, "%s", d.name(place), 1)
			}

			ctx := b.Context()
			var ours, bare []time.Duration
			for i := 0; b.Loop(); i++ {
				value[0] = byte(i) // MySQL does not write what is the same
				began := time.Now()
				require.NoError(b, s.Update(ctx, "ours", func(context.Context, []byte) ([]byte, time.Time, error) { return value, time.Time{}, nil }))
				ours = append(ours, time.Since(began))

				began = time.Now()
				require.NoError(b, bareUpdate(ctx, db, claim, load, update, int64(i+1), []byte("bare"), value))
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

func bareUpdate(ctx context.Context, db *sql.DB, claim, load, update string, until int64, key, value []byte) error {
	if claim != "" {
		if _, err := db.ExecContext(ctx, claim, until, key); err != nil {
			return err
		}
	}
	var old []byte
	if err := db.QueryRowContext(ctx, load, until, key).Scan(&old); err != nil {
		return err
	}
	_, err := db.ExecContext(ctx, update, value, key)
	return err
}

// BenchmarkNoneDue is a sweep that finds nothing to do.
func BenchmarkNoneDue(b *testing.B) {
	for _, dialect := range dialects {
		for _, rows := range []int{1000, 100_000} {
			b.Run(fmt.Sprint(dialect, "/", rows), func(b *testing.B) {
				d := find(b, dialect)
				place := d.table(b)
				d.fillFrom(b, place, rows, 1_000_000)
				s := d.open(b, place)
				for b.Loop() {
					require.NoError(b, s.Each(b.Context(), time.UnixMilli(1_000_000), func(string, []byte) error {
						b.Error("something is due")
						return nil
					}))
				}
			})
		}
	}
}
