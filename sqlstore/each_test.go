package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/sqlstore"
)

func TestASweepPassesOverWhatIsHeld(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		place := d.table(t)
		s, other := d.open(t, place), d.open(t, place)
		past := time.Now().Add(-time.Hour)
		for _, key := range []string{"held", "free"} {
			require.NoError(t, s.Update(patient(t), key, func(context.Context, []byte) ([]byte, time.Time, error) { return nil, past, nil }))
		}
		require.NoError(t, s.Update(patient(t), "held", func(context.Context, []byte) ([]byte, time.Time, error) {
			require.Equal(t, []string{"free"}, due(t, other, time.Now()))
			require.Equal(t, []string{"free", "held"}, due(t, other, time.Time{}))
			d.lapse(t, place, "held") // as if the holder had died
			require.Equal(t, []string{"free", "held"}, due(t, other, time.Now()))
			return nil, past, nil
		}))
		require.Equal(t, []string{"free", "held"}, due(t, other, time.Now()))
	})
}

func TestAThousandKeysMayBeDueAtOnce(t *testing.T) {
	const keys = 1000
	eachDatabase(t, func(t *testing.T, d database) {
		place := d.table(t)
		d.fill(t, place, keys)
		db := d.connect(t, place)
		_, err := db.Exec("UPDATE " + d.name(place) + " SET due = 500")
		require.NoError(t, err)
		require.Len(t, due(t, d.store(db, place), time.UnixMilli(501)), keys)
		require.Empty(t, due(t, d.store(db, place), time.UnixMilli(500)))
	})
}

// It would go on for ever if what f moves ahead were met again.
func TestAKeyThatStaysDueIsSeenOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		const many = 600
		place := d.table(t)
		d.fill(t, place, many)
		s, now, n := d.open(t, place), time.Now(), 0
		require.NoError(t, s.Each(patient(t), now.Add(time.Hour), func(key string, _ []byte) error {
			if n++; n > many {
				return errors.New("a key was seen twice")
			}
			return s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, time.Time, error) {
				return nil, now.Add(time.Duration(n) * time.Millisecond), nil
			})
		}))
		require.Equal(t, many, n)
	})
}

// fill makes n rows in one statement, each due a millisecond after the other.
func (d database) fill(t testing.TB, place string, n int) { d.fillFrom(t, place, n, 0) }

func (d database) fillFrom(t testing.TB, place string, n, from int) {
	db := d.connect(t, place)
	query := `WITH RECURSIVE seq(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < ?)
		INSERT INTO pinterest_tokens ("key", "value", due) SELECT CAST(printf('account %08d', n) AS BLOB), zeroblob(500), n + FROM_ FROM seq`
	switch d.dialect {
	case sqlstore.PostgreSQL:
		query = "INSERT INTO " + place + ` ("key", "value", due) SELECT convert_to('account ' || lpad(n::text, 8, '0'), 'UTF8'), convert_to(repeat('x', 500), 'UTF8'), n + FROM_ FROM generate_series(1, $1::int) n`
	case sqlstore.MySQL:
		query = "INSERT INTO " + place + " (`key`, `value`, due) " + `WITH RECURSIVE seq(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < ?) SELECT concat('account ', lpad(n, 8, '0')), repeat('x', 500), n + FROM_ FROM seq`
	}
	query = strings.Replace(query, "FROM_", fmt.Sprint(from), 1)
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	if d.dialect == sqlstore.MySQL {
		_, err = conn.ExecContext(t.Context(), "SET max_recursive_iterations = 10000000")
		require.NoError(t, err)
	}
	_, err = conn.ExecContext(t.Context(), query, n)
	require.NoError(t, err)
}

func TestAHundredThousandAccountsTakeLittleMemory(t *testing.T) {
	const accounts = 100_000 // a multiple of the page's size, where an end is easily missed
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	eachDatabase(t, func(t *testing.T, d database) {
		place := d.table(t)
		d.fill(t, place, accounts)
		s := d.open(t, place)
		keep(t, s, "account", "with a connection made")
		require.NoError(t, s.Delete(patient(t), "account"))

		for want, due := range map[int]time.Time{accounts: {}, accounts / 2: time.UnixMilli(accounts/2 + 1)} {
			before, n, last := heap(), 0, ""
			require.NoError(t, s.Each(patient(t), due, func(key string, value []byte) error {
				if n++; n%10_000 == 0 {
					require.Less(t, heap(), before+4<<20, "the heap after %d keys", n)
					require.Len(t, value, 500)
				}
				if key <= last {
					require.Greater(t, key, last, "a key comes twice or in between")
				}
				last = key
				return nil
			}))
			require.Equal(t, want, n)
		}
	})
}

func TestOnlyWhatIsDueIsRead(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		s := d.open(t, d.table(t))
		now := time.Now()
		for key, due := range map[string]time.Time{"never": {}, "past": now.Add(-time.Minute), "future": now.Add(time.Minute)} {
			require.NoError(t, s.Update(patient(t), key, func(context.Context, []byte) ([]byte, time.Time, error) {
				return []byte(key), due, nil
			}))
		}
		require.Equal(t, []string{"past"}, due(t, s, now))
		require.Equal(t, []string{"future", "past"}, due(t, s, now.Add(time.Hour)))
		require.Equal(t, []string{"future", "never", "past"}, due(t, s, time.Time{}))
		keep(t, s, "past", "never again")
		require.Empty(t, due(t, s, now))
	})
}

func due(t *testing.T, s *sqlstore.Store, before time.Time) (keys []string) {
	t.Helper()
	require.NoError(t, s.Each(patient(t), before, func(key string, _ []byte) error {
		require.NotContains(t, keys, key)
		keys = append(keys, key)
		return nil
	}))
	slices.Sort(keys)
	return keys
}

func TestPagesOfLargeValuesAreShort(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		s := d.open(t, d.table(t))
		large := strings.Repeat("x", 700<<10)
		for i := range 5 {
			keep(t, s, fmt.Sprint(i), large)
		}
		var keys []string
		require.NoError(t, s.Each(patient(t), time.Time{}, func(key string, value []byte) error {
			require.True(t, large == string(value))
			keys = append(keys, key)
			return nil
		}))
		require.Equal(t, []string{"0", "1", "2", "3", "4"}, keys)
	})
}
