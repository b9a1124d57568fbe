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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/sqlstore"
)

// lapse ends the lease on key, as time does.
func (d database) lapse(t *testing.T, place, key string) {
	t.Helper()
	query := "UPDATE " + d.name(place) + ` SET until = 0 WHERE "key" = $1`
	if d.dialect == sqlstore.MySQL {
		query = "UPDATE " + place + " SET until = 0 WHERE `key` = ?"
	}
	result, err := d.connect(t, place).Exec(query, []byte(key))
	require.NoError(t, err)
	n, err := result.RowsAffected()
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}

func TestALapsedHolderCannotOverwriteWhatIsNewer(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		for name, c := range map[string]struct {
			meanwhile func(t *testing.T, other *sqlstore.Store, key string, inside func())
			want      string // empty: nothing
		}{
			"another has updated": {func(t *testing.T, other *sqlstore.Store, key string, inside func()) {
				keep(t, other, key, "newer")
				inside()
			}, "newer"},
			"another has deleted": {func(t *testing.T, other *sqlstore.Store, key string, inside func()) {
				require.NoError(t, other.Delete(t.Context(), key))
				inside()
			}, ""},
			"another is inside": {func(t *testing.T, other *sqlstore.Store, key string, inside func()) {
				require.NoError(t, other.Update(t.Context(), key, func(context.Context, []byte) ([]byte, time.Time, error) {
					inside()
					return []byte("newer"), time.Time{}, nil
				}))
			}, "newer"},
		} {
			t.Run(name, func(t *testing.T) {
				place := d.table(t)
				holder, other := d.open(t, place), d.open(t, place)
				keep(t, holder, "key", "old")
				for _, key := range []string{"key", "missing"} {
					entered, leave, done := make(chan bool), make(chan bool), make(chan error)
					go func() {
						done <- holder.Update(patient(t), key, func(context.Context, []byte) ([]byte, time.Time, error) {
							entered <- true
							<-leave
							return []byte("stale"), time.Time{}, nil
						})
					}()
					<-entered
					d.lapse(t, place, key)
					c.meanwhile(t, other, key, func() {
						leave <- true
						err := <-done
						require.ErrorIs(t, err, sqlstore.ErrLeaseLost)
						require.EqualError(t, err, fmt.Sprintf("sqlstore: keeping the new value of %q: sqlstore: lease lost: another was in", key))
					})
					if c.want == "" {
						_, err := other.Load(patient(t), key)
						require.ErrorIs(t, err, fs.ErrNotExist)
					} else {
						require.Equal(t, c.want, kept(t, other, key))
					}
					keep(t, holder, key, "no lease was left behind")
				}
			})
		}
	})
}

func TestALapseThatNobodyUsedLosesNothing(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		place := d.table(t)
		s := d.open(t, place)
		for range 2 {
			require.NoError(t, s.Update(patient(t), "key", func(context.Context, []byte) ([]byte, time.Time, error) {
				d.lapse(t, place, "key")
				return []byte("a refresh token that exists nowhere else"), time.Time{}, nil
			}))
			require.Equal(t, "a refresh token that exists nowhere else", kept(t, s, "key"))
		}
	})
}

func TestTheLeaseIsExtendedForAsLongAsFRuns(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		t.Parallel()
		const lease = 2 * time.Second
		place := d.table(t)
		holder, other := d.open(t, place), d.open(t, place)
		holder.Lease, other.Lease = lease, lease
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		require.NoError(t, holder.Update(ctx, "key", func(fctx context.Context, _ []byte) ([]byte, time.Time, error) {
			wait, stop := context.WithTimeout(t.Context(), 2*lease)
			defer stop()
			require.ErrorIs(t, other.Update(wait, "key", returning("other")), context.DeadlineExceeded)
			require.NoError(t, fctx.Err())

			// Nor does a caller that has left let anybody in.
			cancel()
			wait, stop = context.WithTimeout(t.Context(), 2*lease)
			defer stop()
			require.ErrorIs(t, other.Delete(wait, "key"), context.DeadlineExceeded)
			require.ErrorIs(t, context.Cause(fctx), context.Canceled)
			return []byte("holder"), time.Time{}, nil
		}))
		require.Equal(t, "holder", kept(t, other, "key"))
	})
}

func TestFIsToldThatItsLeaseIsLost(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, d database, place string, p *proxy){
		"another was in": func(t *testing.T, d database, place string, _ *proxy) {
			d.lapse(t, place, "key")
			require.NoError(t, d.open(t, place).Delete(patient(t), "key"))
		},
		"not extended in time: ": func(_ *testing.T, _ database, _ string, p *proxy) { p.set(cut) },
	} {
		t.Run(name, func(t *testing.T) {
			eachServer(t, func(t *testing.T, d database) {
				t.Parallel()
				place := d.table(t)
				other := d
				p := d.behindProxy(t)
				s := d.open(t, place)
				s.Lease = 4 * time.Second
				err := s.Update(patient(t), "key", func(ctx context.Context, _ []byte) ([]byte, time.Time, error) {
					require.NoError(t, ctx.Err())
					lose(t, other, place, p)
					select {
					case <-ctx.Done():
					case <-time.After(20 * time.Second):
						assert.Fail(t, "f is not told")
					}
					require.ErrorIs(t, context.Cause(ctx), sqlstore.ErrLeaseLost)
					require.ErrorContains(t, context.Cause(ctx), name)
					return nil, time.Time{}, ctx.Err()
				})
				require.ErrorIs(t, err, context.Canceled, "f's own error")
				require.ErrorIs(t, err, sqlstore.ErrLeaseLost)
				p.set(open)
				_, err = s.Load(patient(t), "key")
				require.ErrorIs(t, err, fs.ErrNotExist)
			})
		})
	}
}

// A database that is not reached for a moment, while Pinterest answers or the
// answer is saved, costs nothing.
func TestADatabaseThatIsAwayForAMomentLosesNothing(t *testing.T) {
	for name, how := range map[string]int32{"it cannot be reached": cut, "its answers are lost": deaf} {
		t.Run(name, func(t *testing.T) {
			eachServer(t, func(t *testing.T, d database) {
				t.Parallel()
				place := d.table(t)
				other := d.open(t, place)
				p := d.behindProxy(t)
				s := d.open(t, place)
				s.Lease = 5 * time.Second
				keep(t, s, "key", "old")
				for _, key := range []string{"key", "missing"} {
					require.NoError(t, s.Update(patient(t), key, func(context.Context, []byte) ([]byte, time.Time, error) {
						p.set(how)
						wait, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
						defer stop()
						require.ErrorIs(t, other.Update(wait, key, returning("other")), context.DeadlineExceeded)
						time.AfterFunc(time.Second/2, func() { p.set(open) })
						return []byte("new"), time.Time{}, nil
					}))
					require.Equal(t, "new", kept(t, other, key))
				}
				p.set(how)
				time.AfterFunc(time.Second/2, func() { p.set(open) })
				require.Eventually(t, func() bool { return s.Delete(patient(t), "key") == nil }, 20*time.Second, time.Millisecond)
				_, err := other.Load(patient(t), "key")
				require.ErrorIs(t, err, fs.ErrNotExist)
			})
		})
	}
}

// Nobody died, so nobody has to wait for the end of a lease.
func TestAKeyIsFreeSoonAfterItCouldNotBeLetGo(t *testing.T) {
	eachServer(t, func(t *testing.T, d database) {
		place := d.table(t)
		other := d.open(t, place)
		keep(t, other, "key", "old")
		p := d.behindProxy(t)
		s := d.open(t, place)
		s.Lease = 0
		failed := errors.New("f fails")
		for _, key := range []string{"key", "missing"} {
			require.ErrorIs(t, s.Update(patient(t), key, func(context.Context, []byte) ([]byte, time.Time, error) {
				p.set(cut)
				time.AfterFunc(time.Second/2, func() { p.set(open) })
				return nil, time.Time{}, failed
			}), failed)
			keep(t, other, key, "new")
		}

		p.set(deaf)
		time.AfterFunc(time.Second/4, func() { p.set(cut) })
		time.AfterFunc(3*time.Second, func() { p.set(open) })
		require.Error(t, s.Update(patient(t), "key", returning("never")), "the answer to the claim is lost")
		keep(t, other, "key", "newer")
	})
}

func TestAFailedUpdateLeavesNoRow(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		place := d.table(t)
		db := d.connect(t, place)
		s := d.store(db, place)
		errRefused := errors.New("refused")
		require.ErrorIs(t, s.Update(patient(t), "key", func(context.Context, []byte) ([]byte, time.Time, error) {
			return nil, time.Time{}, errRefused
		}), errRefused)
		require.Panics(t, func() {
			_ = s.Update(patient(t), "key", func(context.Context, []byte) ([]byte, time.Time, error) { panic("f panics") })
		})
		require.NoError(t, s.Delete(patient(t), "key"))
		var n int
		require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM "+d.name(place)).Scan(&n))
		require.Zero(t, n)
	})
}

// killable returns a store with one connection, and what ends that as an
// operator would.
func (d database) killable(t *testing.T, place string) (s *sqlstore.Store, kill func(t *testing.T)) {
	self, end := "SELECT pg_backend_pid()", "SELECT pg_terminate_backend(%d)"
	if d.dialect == sqlstore.MySQL {
		self, end = "SELECT CONNECTION_ID()", "KILL %d"
	}
	db, admin := d.connect(t, place), d.connect(t, place)
	db.SetMaxOpenConns(1)
	var id int
	require.NoError(t, db.QueryRow(self).Scan(&id))
	return d.store(db, place), func(t *testing.T) {
		_, err := admin.Exec(fmt.Sprintf(end, id))
		require.NoError(t, err)
	}
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

		require.NoError(t, s.Update(patient(t), "key 0", func(ctx context.Context, _ []byte) ([]byte, time.Time, error) {
			var one int
			require.NoError(t, db.QueryRowContext(ctx, "SELECT 1").Scan(&one), "the app's own query")
			keep(t, s, "key 1", "kept meanwhile")
			return []byte("value"), time.Time{}, nil
		}))
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
