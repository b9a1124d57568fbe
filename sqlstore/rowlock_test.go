package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/sqlstore"
)

// killable returns a store with one connection, and what ends that as an
// operator would.
func (d database) killable(t *testing.T, place string) (s *sqlstore.Store, kill func(t *testing.T)) {
	self, end := "SELECT pg_backend_pid()", "SELECT pg_terminate_backend(%d)"
	if d.dialect == sqlstore.MySQL {
		self, end = "SELECT CONNECTION_ID()", "KILL %d"
	}
	// The driver would print that the connection broke.
	require.NoError(t, mysql.SetLogger(&mysql.NopLogger{}))
	db, admin := d.connect(t, place), d.connect(t, place)
	db.SetMaxOpenConns(1)
	var id int
	require.NoError(t, db.QueryRow(self).Scan(&id))
	return d.store(db, place), func(t *testing.T) {
		_, err := admin.Exec(fmt.Sprintf(end, id))
		require.NoError(t, err)
	}
}

func TestALostConnectionEndsTheContextOfF(t *testing.T) {
	eachServer(t, func(t *testing.T, d database) {
		place := d.table(t)
		other := d.open(t, place)
		keep(t, other, "key", "before")
		for _, key := range []string{"key", "missing"} {
			s, kill := d.killable(t, place)
			err := s.Update(patient(t), key, func(ctx context.Context, _ []byte) ([]byte, time.Time, error) {
				kill(t)
				select {
				case <-ctx.Done():
				case <-time.After(10 * time.Second):
					assert.Fail(t, "f is not told that the lock is lost")
				}
				assert.ErrorContains(t, context.Cause(ctx), "the connection that held the lock is lost")
				return nil, time.Time{}, ctx.Err()
			})
			require.ErrorIs(t, err, context.Canceled, "f's error")
			require.ErrorContains(t, err, "the connection that held the lock is lost")
			keep(t, s, "other", "the pool mends itself")
		}
		require.Equal(t, "before", kept(t, other, "key"))
		_, err := other.Load(patient(t), "missing")
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
}

func TestALostConnectionKeepsNothing(t *testing.T) {
	eachServer(t, func(t *testing.T, d database) {
		place := d.table(t)
		other := d.open(t, place)
		keep(t, other, "key", "before")
		for _, key := range []string{"key", "missing"} {
			s, kill := d.killable(t, place)
			runs := 0
			err := s.Update(patient(t), key, func(context.Context, []byte) ([]byte, time.Time, error) {
				runs++
				kill(t)
				// Another has come in since: what f returns must not undo it.
				keep(t, other, key, "newer")
				return []byte("stale"), time.Time{}, nil
			})
			require.Error(t, err)
			require.NotErrorIs(t, err, fs.ErrNotExist)
			require.Equal(t, 1, runs, "how often f ran")
			require.Equal(t, "newer", kept(t, other, key))
		}
	})
}

func TestAConnectionThatDiedInThePoolIsReplaced(t *testing.T) {
	eachServer(t, func(t *testing.T, d database) {
		place := d.table(t)
		for _, use := range []func(s *sqlstore.Store){
			func(s *sqlstore.Store) { keep(t, s, "key", "value") },
			func(s *sqlstore.Store) { require.Equal(t, "value", kept(t, s, "key")) },
			func(s *sqlstore.Store) { require.NoError(t, s.Delete(patient(t), "key")) },
		} {
			s, kill := d.killable(t, place)
			kill(t)
			use(s)
		}
	})
}

func TestALockTimeoutOfTheServerDoesNotEndTheWait(t *testing.T) {
	for _, settings := range []struct {
		dialect  sqlstore.Dialect
		settings string
		hold     time.Duration
	}{
		{sqlstore.PostgreSQL, "lock_timeout=50", 300 * time.Millisecond},
		{sqlstore.PostgreSQL, "statement_timeout=50", 300 * time.Millisecond},
		{sqlstore.MySQL, "innodb_lock_wait_timeout=1", 1500 * time.Millisecond},
	} {
		t.Run(settings.settings, func(t *testing.T) {
			d := find(t, settings.dialect)
			place := d.table(t)
			holder := d.open(t, place)
			d.settings = settings.settings
			waiter := d.open(t, place)
			for _, key := range []string{"missing", "missing"} { // the second time it is there
				done := make(chan error, 1)
				require.NoError(t, holder.Update(patient(t), key, func(context.Context, []byte) ([]byte, time.Time, error) {
					go func() {
						done <- waiter.Update(patient(t), key, func(_ context.Context, old []byte) ([]byte, time.Time, error) {
							assert.Equal(t, "first", string(old))
							return []byte("second"), time.Time{}, nil
						})
					}()
					select {
					case err := <-done:
						done <- fmt.Errorf("it did not wait: %w", err)
					case <-time.After(settings.hold):
					}
					return []byte("first"), time.Time{}, nil
				}))
				require.NoError(t, <-done)
				require.Equal(t, "second", kept(t, holder, key))
			}
		})
	}
}

func TestAPoolOfOneConnectionIsEnough(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		place := d.table(t)
		db := d.connect(t, place)
		db.SetMaxOpenConns(1)
		s := d.store(db, place)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for n := range 5 {
					assert.NoError(t, s.Update(patient(t), fmt.Sprint("key ", i%3), returning(fmt.Sprint(n))))
					_, err := s.Load(patient(t), fmt.Sprint("key ", i%3))
					assert.NoError(t, err)
				}
			})
		}
		wg.Wait()
		n := 0
		require.NoError(t, s.Each(patient(t), time.Time{}, func(key string, _ []byte) error {
			keep(t, s, key, "swept")
			n++
			return nil
		}))
		require.Equal(t, 3, n)

		// Within f there is no connection left, and its context is the way out.
		err := s.Update(patient(t), "key 0", func(ctx context.Context, _ []byte) ([]byte, time.Time, error) {
			ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			defer cancel()
			_, err := s.Load(ctx, "key 1")
			return []byte("value"), time.Time{}, err
		})
		if d.dialect == sqlstore.SQLite { // it has none while f runs
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		keep(t, s, "key 0", "value")
	})
}

func TestManyWaitersForOneKeyLeaveThePoolToOthers(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		place := d.table(t)
		db := d.connect(t, place)
		db.SetMaxOpenConns(3)
		s := d.store(db, place)
		var wg sync.WaitGroup
		require.NoError(t, s.Update(patient(t), "key", func(ctx context.Context, _ []byte) ([]byte, time.Time, error) {
			for range 20 {
				wg.Go(func() { assert.NoError(t, s.Update(patient(t), "key", returning("waiter's"))) })
			}
			for i := range 10 {
				ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
				defer cancel()
				if err := s.Update(ctx, fmt.Sprint("other ", i), returning("value")); err != nil {
					return nil, time.Time{}, err
				}
			}
			return []byte("value"), time.Time{}, nil
		}))
		wg.Wait()
	})
}

// TestNoDeadlock lets everything happen at once to few keys, through stores that
// know nothing of each other, as those of several processes do.
func TestNoDeadlock(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		const stores, goroutines, each = 4, 2, 40
		place := d.table(t)
		keys := []string{"a", "b", "c"}
		type state struct {
			inside atomic.Int32
			value  string // what the last f returned; a Delete may have taken it
		}
		states := map[string]*state{}
		for _, key := range keys {
			states[key] = new(state)
		}
		var wg sync.WaitGroup
		var ran, refused, left atomic.Int32
		errRefused := errors.New("refused")
		for range stores {
			s := d.open(t, place)
			for range goroutines {
				wg.Go(func() {
					for range each {
						key := keys[rand.N(len(keys))]
						st := states[key]
						err := error(nil)
						entered := false
						update := func(ctx context.Context, refuse bool) error {
							return s.Update(ctx, key, func(_ context.Context, old []byte) ([]byte, time.Time, error) {
								entered = true
								assert.EqualValues(t, 1, st.inside.Add(1), "how many Updates of %q run at once", key)
								defer st.inside.Add(-1)
								if old != nil {
									assert.Equal(t, st.value, string(old))
								}
								time.Sleep(rand.N(time.Millisecond))
								if refuse {
									return nil, time.Time{}, errRefused
								}
								st.value = fmt.Sprint(rand.Uint64())
								return []byte(st.value), time.Time{}, nil
							})
						}
						switch rand.N(6) {
						case 0:
							err = s.Delete(patient(t), key)
						case 1:
							assert.ErrorIs(t, update(patient(t), true), errRefused)
							refused.Add(1)
						case 2: // may leave at any moment
							ctx, cancel := context.WithTimeout(context.Background(), rand.N(8*time.Millisecond))
							if e := update(ctx, false); entered {
								err = e // and then it is kept all the same
							} else if assert.ErrorIs(t, e, context.DeadlineExceeded) {
								left.Add(1)
							}
							cancel()
						default:
							err = update(patient(t), false)
							ran.Add(1)
						}
						assert.NoError(t, err)
					}
				})
			}
		}
		wg.Wait()
		t.Logf("%d Updates, %d refused, %d left early", ran.Load(), refused.Load(), left.Load())
	})
}

func TestTheLongestKeysMayDifferInTheirLastByte(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		s := d.open(t, d.table(t))
		// Random bytes, which no index can compress.
		stem := make([]byte, sqlstore.MaxKey-1)
		source := rand.NewChaCha8([32]byte{1})
		_, _ = source.Read(stem)
		keys := []string{string(stem), string(stem[:len(stem)-1])}
		for _, last := range []byte{0, 1, ' ', 'a', 'A', 0xfe, 0xff} {
			keys = append(keys, string(stem)+string([]byte{last}))
		}
		for i, key := range keys {
			keep(t, s, key, fmt.Sprint(i))
		}
		for i, key := range keys {
			require.Equal(t, fmt.Sprint(i), kept(t, s, key))
		}
		var all []string
		require.NoError(t, s.Each(patient(t), time.Time{}, func(key string, _ []byte) error {
			all = append(all, key)
			return nil
		}))
		require.ElementsMatch(t, keys, all)

		long := string(stem) + "xy"
		_, err := s.Load(patient(t), long)
		require.ErrorContains(t, err, "a key of 1025 bytes is too long: 1024 is the most")
		require.NotErrorIs(t, err, fs.ErrNotExist)
		require.ErrorContains(t, s.Update(patient(t), long, returning("")), "too long")
		require.ErrorContains(t, s.Delete(patient(t), long), "too long")
	})
}

func TestAServerThatIsNotThereIsNoMissingKey(t *testing.T) {
	for driver, dsn := range map[string]string{
		"pgx":   "postgres:///test?host=/nonexistent",
		"mysql": "root@unix(/nonexistent/socket)/test",
	} {
		db, err := sql.Open(driver, dsn)
		require.NoError(t, err)
		s := &sqlstore.Store{DB: db, Dialect: sqlstore.PostgreSQL}
		_, err = s.Load(patient(t), "key")
		require.Error(t, err)
		require.NotErrorIs(t, err, fs.ErrNotExist)
		err = s.Update(patient(t), "key", returning("value"))
		require.Error(t, err)
		require.NotErrorIs(t, err, fs.ErrNotExist)
		err = s.Each(patient(t), time.Time{}, nil)
		require.Error(t, err)
		require.NotErrorIs(t, err, fs.ErrNotExist)
		require.NoError(t, db.Close())
	}
}
