package redisstore_test

import (
	"context"
	"io/fs"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/redisstore"
)

func TestARedisThatIsDownIsNoEmptyStore(t *testing.T) {
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, nobody.Close())
	for name, options := range map[string]*redis.Options{
		"a port where nobody listens":  {Addr: nobody.Addr().String()},
		"a socket that does not exist": {Network: "unix", Addr: filepath.Join(t.TempDir(), "socket")},
	} {
		t.Run(name, func(t *testing.T) {
			options.MaxRetries, options.DialerRetries = -1, 1 // a test has no time for more
			for name, err := range tryAll(patient(t), &redisstore.Store{Client: newClient(t, options)}) {
				require.ErrorContains(t, err, options.Addr, name)
				require.NotErrorIs(t, err, fs.ErrNotExist, name)
			}
		})
	}
}

func TestARedisThatIsSilentIsLeftWithTheContext(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts, and nobody reads
	require.NoError(t, err)
	defer silent.Close()
	s := &redisstore.Store{Client: newClient(t, &redis.Options{Addr: silent.Addr().String()})}

	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = s.Load(ctx, "key")
	require.EqualError(t, err, `redisstore: cannot load "key": no answer from Redis yet: context deadline exceeded`)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	for name, err := range tryAll(ctx, s) {
		assert.ErrorIs(t, err, context.Canceled, name)
		assert.NotErrorIs(t, err, fs.ErrNotExist, name)
	}
	require.Less(t, time.Since(began), 2*time.Second, "go-redis would wait for three seconds, thrice")
}
