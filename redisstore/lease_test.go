package redisstore_test

import (
	"context"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/redisstore"
)

func TestTheLeaseIsExtendedForAsLongAsFRuns(t *testing.T) {
	const lease = 300 * time.Millisecond
	prefix := newPrefix(t)
	holder := &redisstore.Store{Client: dial(t), Prefix: prefix, Lease: lease}
	other := &redisstore.Store{Client: dial(t), Prefix: prefix, Lease: lease}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	require.NoError(t, holder.Update(ctx, "key", func(fctx context.Context, _ []byte) ([]byte, time.Time, error) {
		wait, stop := context.WithTimeout(t.Context(), 3*lease)
		defer stop()
		require.ErrorIs(t, other.Update(wait, "key", returning("other")), context.DeadlineExceeded)
		require.NoError(t, fctx.Err())

		// Nor does a caller that has left let anybody in.
		cancel()
		wait, stop = context.WithTimeout(t.Context(), 3*lease)
		defer stop()
		require.ErrorIs(t, other.Update(wait, "key", returning("other")), context.DeadlineExceeded)
		require.ErrorIs(t, context.Cause(fctx), context.Canceled)
		return []byte("holder"), time.Time{}, nil
	}))
	require.Equal(t, "holder", kept(t, other, "key"))
}

// Time stands still in miniredis: a lease lapses when the test says so.
func TestALapsedHolderCannotOverwriteWhatIsNewer(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(t *testing.T, other *redisstore.Store, inside func())
		want      string // empty: nothing
	}{
		"another has updated": {func(t *testing.T, other *redisstore.Store, inside func()) {
			keep(t, other, "key", "newer")
			inside()
		}, "newer"},
		"another has kept the same value": {func(t *testing.T, other *redisstore.Store, inside func()) {
			keep(t, other, "key", "old")
			inside()
		}, "old"},
		"another has deleted": {func(t *testing.T, other *redisstore.Store, inside func()) {
			require.NoError(t, other.Delete(t.Context(), "key"))
			inside()
		}, ""},
		"another is inside": {func(t *testing.T, other *redisstore.Store, inside func()) {
			require.NoError(t, other.Update(t.Context(), "key", func(_ context.Context, old []byte) ([]byte, time.Time, error) {
				assert.Equal(t, "old", string(old))
				inside()
				return []byte("newer"), time.Time{}, nil
			}))
		}, "newer"},
	} {
		t.Run(name, func(t *testing.T) {
			mini, client := newMini(t)
			holder, other := &redisstore.Store{Client: client}, &redisstore.Store{Client: client}
			keep(t, holder, "key", "old")

			entered, leave, done := make(chan bool), make(chan bool), make(chan error)
			go func() {
				done <- holder.Update(t.Context(), "key", func(context.Context, []byte) ([]byte, time.Time, error) {
					entered <- true
					<-leave
					return []byte("stale"), time.Time{}, nil
				})
			}()
			receive(t, entered, "the holder")
			mini.FastForward(time.Minute)
			c.meanwhile(t, other, func() {
				leave <- true
				err := receive(t, done, "the holder that has lapsed")
				require.ErrorIs(t, err, redisstore.ErrLeaseLost)
				require.EqualError(t, err, `redisstore: cannot keep what is new under "key": redisstore: lease lost: another was in`)
			})
			if c.want == "" {
				requireMissing(t, holder, "key")
			} else {
				require.Equal(t, c.want, kept(t, holder, "key"))
			}
			keep(t, holder, "key", "no lock was left behind")
		})
	}
}

func TestALapseThatNobodyUsedLosesNothing(t *testing.T) {
	mini, client := newMini(t)
	s, other := &redisstore.Store{Client: client}, &redisstore.Store{Client: client}
	for _, old := range []string{"", "old"} {
		if old != "" {
			keep(t, s, "key", old)
		}
		require.NoError(t, s.Update(t.Context(), "key", func(context.Context, []byte) ([]byte, time.Time, error) {
			mini.FastForward(time.Minute)
			assert.ErrorIs(t, other.Update(t.Context(), "key", func(context.Context, []byte) ([]byte, time.Time, error) {
				return nil, time.Time{}, errRefused // it was in, and changed nothing
			}), errRefused)
			return []byte("a refresh token that exists nowhere else"), time.Time{}, nil
		}))
		require.Equal(t, "a refresh token that exists nowhere else", kept(t, s, "key"))
		require.NoError(t, s.Delete(t.Context(), "key"))
	}
}

func TestFIsToldThatItsLeaseIsLost(t *testing.T) {
	for name, lose := range map[string]func(*testing.T, *redis.Client, func(string)){
		"Redis has it no more": func(t *testing.T, client *redis.Client, _ func(string)) {
			keys, err := client.Keys(t.Context(), "*lease*").Result()
			require.NoError(t, err)
			require.NoError(t, client.Del(t.Context(), keys...).Err())
		},
		"not extended in time: ": func(_ *testing.T, _ *redis.Client, fail func(string)) { fail("ERR down") },
	} {
		t.Run(name, func(t *testing.T) {
			mini, client := newMini(t)
			s := &redisstore.Store{Client: client, Lease: 200 * time.Millisecond}
			err := s.Update(t.Context(), "key", func(ctx context.Context, _ []byte) ([]byte, time.Time, error) {
				require.NoError(t, ctx.Err())
				lose(t, client, mini.SetError)
				receive(t, ctx.Done(), "the end of f's context")
				require.ErrorIs(t, context.Cause(ctx), redisstore.ErrLeaseLost)
				require.ErrorContains(t, context.Cause(ctx), name)
				return nil, time.Time{}, ctx.Err()
			})
			require.ErrorIs(t, err, context.Canceled, "f's own error")
			require.ErrorIs(t, err, redisstore.ErrLeaseLost)
			mini.SetError("")
			requireMissing(t, s, "key")
		})
	}
}

// A deafness is a client that does not hear so many answers of Redis, which has
// done what it was asked.
type deafness struct{ answers atomic.Int32 }

func (d *deafness) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err == nil && d.answers.Add(-1) >= 0 {
			cmd.SetErr(io.ErrUnexpectedEOF)
			return io.ErrUnexpectedEOF
		}
		return err
	}
}

func (d *deafness) DialHook(next redis.DialHook) redis.DialHook { return next }

func (d *deafness) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func TestAnAnswerThatIsLostIsNotTheEnd(t *testing.T) {
	_, client := newMini(t)
	deaf := new(deafness)
	client.AddHook(deaf)
	s := &redisstore.Store{Client: client}
	for range 3 {
		require.NoError(t, s.Update(t.Context(), "key", func(context.Context, []byte) ([]byte, time.Time, error) {
			deaf.answers.Store(2) // that say that the value is kept
			return []byte("value"), time.Time{}, nil
		}))
		require.Equal(t, "value", kept(t, s, "key"))

		// Time stands still: a lease that nobody knows he has would never lapse.
		deaf.answers.Store(1) // that says that the lease is had
		require.ErrorIs(t, s.Update(t.Context(), "key", func(context.Context, []byte) ([]byte, time.Time, error) {
			assert.Fail(t, "f runs without a lease")
			return nil, time.Time{}, nil
		}), io.ErrUnexpectedEOF)
	}
}

// A slowness is a client whose next request is stuck until it is let through.
type slowness struct {
	deafness
	stuck   atomic.Pointer[chan bool]
	scripts atomic.Int32 // that have run
}

func (l *slowness) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if stuck := l.stuck.Swap(nil); stuck != nil {
			<-*stuck
			ctx = context.WithoutCancel(ctx) // what has been sent is not called back
		}
		err := next(ctx, cmd)
		if err == nil && cmd.Name() != "hello" {
			l.scripts.Add(1)
		}
		return err
	}
}

func TestALeaseThatComesTooLateIsLetGo(t *testing.T) {
	_, client := newMini(t) // whose time stands still: a lease lasts for ever
	slow := new(slowness)
	client.AddHook(slow)
	s := &redisstore.Store{Client: client}
	keep(t, s, "key", "value")

	before, stuck := slow.scripts.Load(), make(chan bool)
	slow.stuck.Store(&stuck)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Update(ctx, "key", returning("")), context.DeadlineExceeded)
	// What is let go now has not been had yet.
	require.Eventually(t, func() bool { return slow.scripts.Load() > before }, 10*time.Second, time.Millisecond)
	stuck <- true
	require.Eventually(t, func() bool { return slow.scripts.Load() > before+1 }, 10*time.Second, time.Millisecond)
	keep(t, s, "key", "newer")
}

// A repeater sends a script again when it has run, as go-redis does when the answer
// was lost, and does something in between.
type repeater struct {
	deafness
	between atomic.Pointer[func()]
}

func (r *repeater) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if between := r.between.Swap(nil); between != nil {
			(*between)()
			err = next(ctx, cmd)
		}
		return err
	}
}

func TestALogoutStandsThoughTheLoginBeforeItIsSentAgain(t *testing.T) {
	mini, client := newMini(t)
	again := new(repeater)
	client.AddHook(again)
	s, other := &redisstore.Store{Client: client}, &redisstore.Store{Client: redis.NewClient(&redis.Options{Addr: client.Options().Addr})}
	logout := func() { assert.NoError(t, other.Delete(t.Context(), "key")) }
	require.ErrorIs(t, s.Update(t.Context(), "key", func(context.Context, []byte) ([]byte, time.Time, error) {
		again.between.Store(&logout)
		return []byte("value"), time.UnixMilli(1), nil
	}), redisstore.ErrLeaseLost)
	requireMissing(t, s, "key")
	require.Empty(t, due(t, s, time.Time{}))

	keep(t, s, "key", "of the next login")
	mini.FastForward(time.Hour)
	require.Equal(t, "of the next login", kept(t, s, "key"), "what a logout left behind ends, and nothing else")
	require.NoError(t, s.Delete(t.Context(), "key"))
	mini.FastForward(time.Hour)
	for _, name := range mini.Keys() {
		assert.NotContains(t, name, "record:")
	}
}
