package redisstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/redisstore"
)

var _ pinterest.Store = (*redisstore.Store)(nil)

var errRefused = errors.New("f refuses")

// redisURL returns where the machine's Redis is, and skips the test if the
// machine has none.
func redisURL(t testing.TB) string {
	url, ok := os.LookupEnv("PINTEREST_TEST_REDIS")
	if !ok {
		t.Skip("PINTEREST_TEST_REDIS is not set: this needs a real Redis")
	}
	return url
}

// dial returns a client for the machine's Redis.
func dial(t testing.TB) *redis.Client {
	options, err := redis.ParseURL(redisURL(t))
	require.NoError(t, err)
	return newClient(t, options)
}

func newClient(t testing.TB, options *redis.Options) *redis.Client {
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// newPrefix returns a prefix of the test's own on the machine's Redis, and
// removes in the end what is under it.
func newPrefix(t testing.TB) string {
	prefix := "redisstore-test-" + rand.Text() + ":"
	client := dial(t)
	t.Cleanup(func() {
		ctx := context.Background()
		for it := client.Scan(ctx, 0, prefix+"*", 1000).Iterator(); it.Next(ctx); {
			require.NoError(t, client.Del(ctx, it.Val()).Err())
		}
	})
	return prefix
}

// newMini returns a Redis in this process, whose time stands still, and a
// client of it.
func newMini(t testing.TB) (*miniredis.Miniredis, *redis.Client) {
	mini := miniredis.RunT(t)
	return mini, newClient(t, &redis.Options{Addr: mini.Addr()})
}

// patient returns a context that ends before the test binary's patience does.
func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func receive[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(30 * time.Second):
		require.FailNow(t, "waited in vain for "+what)
		panic("unreachable")
	}
}

func returning(value string) func(context.Context, []byte) ([]byte, time.Time, error) {
	return returningDue(value, time.Time{})
}

func returningDue(value string, due time.Time) func(context.Context, []byte) ([]byte, time.Time, error) {
	return func(context.Context, []byte) ([]byte, time.Time, error) { return []byte(value), due, nil }
}

func keep(t testing.TB, s pinterest.Store, key, value string) {
	t.Helper()
	require.NoError(t, s.Update(patient(t), key, returning(value)))
}

func kept(t testing.TB, s pinterest.Store, key string) string {
	t.Helper()
	value, err := s.Load(patient(t), key)
	require.NoError(t, err)
	return string(value)
}

func requireMissing(t testing.TB, s pinterest.Store, key string) {
	t.Helper()
	_, err := s.Load(patient(t), key)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// silence keeps go-redis from telling what a test that takes Redis away knows.
type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

func init() { redis.SetLogger(silence{}) }
