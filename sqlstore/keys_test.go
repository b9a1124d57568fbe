package sqlstore_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/sqlstore"
)

// fill makes n rows in one statement.
func (d database) fill(t testing.TB, place string, n int) {
	db := d.connect(t, place)
	query := `WITH RECURSIVE seq(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < ?)
		INSERT INTO pinterest_tokens SELECT CAST(printf('account %08d', n) AS BLOB), zeroblob(500) FROM seq`
	switch d.dialect {
	case sqlstore.PostgreSQL:
		query = "INSERT INTO " + place + ` SELECT convert_to('account ' || lpad(n::text, 8, '0'), 'UTF8'), convert_to(repeat('x', 500), 'UTF8') FROM generate_series(1, $1::int) n`
	case sqlstore.MySQL:
		query = "INSERT INTO " + place + ` WITH RECURSIVE seq(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < ?) SELECT concat('account ', lpad(n, 8, '0')), repeat('x', 500) FROM seq`
	}
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

func TestKeysOfAHundredThousandAccountsTakeLittleMemory(t *testing.T) {
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

		before, n, last := heap(), 0, ""
		for key, err := range s.Keys(patient(t)) {
			require.NoError(t, err)
			if n++; n%10_000 == 0 {
				require.Less(t, heap(), before+4<<20, "the heap after %d keys", n)
				keep(t, s, key, "swept") // the loop may use the store
			}
			if key <= last {
				require.Greater(t, key, last, "a key comes twice or in between")
			}
			last = key
		}
		require.Equal(t, accounts, n)
	})
}
