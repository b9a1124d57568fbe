package sqlstore_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/sqlstore"
)

func files(t *testing.T, place string) (names []string) {
	entries, err := os.ReadDir(filepath.Dir(place))
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestSQLiteHasOneLockFileAtMost(t *testing.T) {
	d := find(t, sqlstore.SQLite)
	place := d.table(t)
	s := d.open(t, place)
	for _, key := range []string{"one", "other"} {
		keep(t, s, key, "value")
	}
	require.NoError(t, s.Delete(patient(t), "one"))
	require.Panics(t, func() {
		_ = s.Update(patient(t), "key", func(context.Context, []byte) ([]byte, time.Time, error) { panic("f panics") })
	})
	// The lock file stays on Linux alone.
	require.Subset(t, []string{"test.db", "test.db-lock", "test.db-shm", "test.db-wal"}, files(t, place))
}

func TestSQLiteLocksAreAsPrivateAsTheDatabase(t *testing.T) {
	d := find(t, sqlstore.SQLite)
	place := d.table(t)
	require.NoError(t, os.Chmod(place, 0o600))
	s := d.open(t, place)
	require.NoError(t, s.Update(patient(t), "key", func(context.Context, []byte) ([]byte, time.Time, error) {
		for _, name := range files(t, place) {
			if strings.Contains(name, "lock") {
				info, err := os.Stat(filepath.Join(filepath.Dir(place), name))
				require.NoError(t, err)
				assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
			}
		}
		return nil, time.Time{}, nil
	}))
}

// requireOneLock shows that two stores exclude each other.
func requireOneLock(t *testing.T, one, other *sqlstore.Store) {
	t.Helper()
	require.NoError(t, one.Update(patient(t), "key", func(ctx context.Context, _ []byte) ([]byte, time.Time, error) {
		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		assert.ErrorIs(t, other.Update(ctx, "key", func(context.Context, []byte) ([]byte, time.Time, error) {
			assert.Fail(t, "two Updates of one key run at once")
			return nil, time.Time{}, nil
		}), context.DeadlineExceeded)
		return []byte("value"), time.Time{}, nil
	}))
}

func TestSQLiteLocksAFileByWhateverName(t *testing.T) {
	d := find(t, sqlstore.SQLite)
	place := d.table(t)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(place, link); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	requireOneLock(t, d.open(t, place), d.open(t, link))
}

func TestSQLiteLocksATableByWhateverName(t *testing.T) {
	d := find(t, sqlstore.SQLite)
	place := d.table(t)
	one, other := d.open(t, place), d.open(t, place)
	one.Table, other.Table = "pinterest_tokens", "MAIN.Pinterest_Tokens"
	requireOneLock(t, one, other)

	// Another table of the database is another store.
	third := d.open(t, place)
	third.Table = "others"
	require.NoError(t, third.CreateTable(t.Context()))
	require.NoError(t, one.Update(patient(t), "key", func(ctx context.Context, _ []byte) ([]byte, time.Time, error) {
		return nil, time.Time{}, third.Update(ctx, "key", returning("value"))
	}))
}

func TestSQLiteWaitsUnderTheContextWhileSomebodyWrites(t *testing.T) {
	for _, timeout := range []string{"0", "60000"} {
		t.Run("busy_timeout "+timeout, func(t *testing.T) {
			d := find(t, sqlstore.SQLite)
			place := d.table(t)
			d.settings = "_pragma=journal_mode(WAL)&_pragma=busy_timeout(" + timeout + ")"
			s := d.open(t, place)
			keep(t, s, "key", "before")

			writer, err := d.connect(t, place).Conn(t.Context())
			require.NoError(t, err)
			defer writer.Close()
			_, err = writer.ExecContext(t.Context(), "BEGIN IMMEDIATE")
			require.NoError(t, err)

			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			require.ErrorIs(t, s.Delete(ctx, "key"), context.DeadlineExceeded)
			require.Less(t, time.Since(began), 10*time.Second)
			require.Equal(t, "before", kept(t, s, "key"), "a Load does not wait")

			// What f has returned outlives its context, and the writer.
			ctx, cancel = context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				done <- s.Update(ctx, "key", func(context.Context, []byte) ([]byte, time.Time, error) {
					cancel()
					return []byte("after"), time.Time{}, nil
				})
			}()
			select {
			case err := <-done:
				require.FailNow(t, "Update returned before the value could be kept", "%v", err)
			case <-time.After(200 * time.Millisecond):
			}
			_, err = writer.ExecContext(t.Context(), "ROLLBACK")
			require.NoError(t, err)
			require.NoError(t, <-done)
			require.Equal(t, "after", kept(t, s, "key"))
		})
	}
}
