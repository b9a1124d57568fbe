package redisstore_test

import (
	"context"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/redisstore"
)

// Workers count, in a key that all share and in one of their own, while the primary
// is killed again and again: not before its replica has caught up, as what it had
// answered for and not passed on would be lost, and it comes back only when
// Sentinel sends nobody there any more.
func TestFailoversBySentinel(t *testing.T) {
	const workers, kills = 3, 3
	primary, replica, sentinel := startSentinel(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var mu sync.Mutex // guards done and failed
	done, failed := make(map[string]int), make(map[string]int)
	var wg sync.WaitGroup
	store := func() *redisstore.Store {
		client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "main", SentinelAddrs: []string{sentinel.addr}})
		t.Cleanup(func() { _ = client.Close() })
		return &redisstore.Store{Client: client}
	}
	for w := range workers {
		s := store()
		wg.Go(func() {
			for ctx.Err() == nil {
				for _, key := range []string{"shared", strconv.Itoa(w)} {
					err := s.Update(ctx, key, count)
					mu.Lock()
					if err == nil {
						done[key]++
					} else {
						failed[key]++
					}
					mu.Unlock()
				}
			}
		})
	}
	for range kills {
		mu.Lock()
		before := maps.Clone(done)
		mu.Unlock()
		require.Eventually(t, func() bool {
			mu.Lock()
			defer mu.Unlock()
			for w := range workers {
				if key := strconv.Itoa(w); done[key] < before[key]+10 {
					return false
				}
			}
			return true
		}, 30*time.Second, 10*time.Millisecond, "a worker is not served")

		require.NoError(t, primary.admin.Do(t.Context(), "client", "pause", "60000", "write").Err())
		require.Eventually(t, func() bool {
			return primary.replication(t)["master_repl_offset"] == replica.replication(t)["master_repl_offset"]
		}, 30*time.Second, time.Millisecond, "the replica does not catch up")
		primary.kill()
		sentinel.patience(t, 100*time.Millisecond)
		require.Eventually(t, func() bool {
			addr, err := sentinel.GetMasterAddrByName(t.Context(), "main").Result()
			return err == nil && net.JoinHostPort(addr[0], addr[1]) == replica.addr
		}, 30*time.Second, 10*time.Millisecond, "nobody takes over")
		sentinel.patience(t, time.Minute)
		primary.start(t)
		host, port, err := net.SplitHostPort(replica.addr)
		require.NoError(t, err)
		require.NoError(t, primary.admin.ReplicaOf(t.Context(), host, port).Err()) // Sentinel would take 10 seconds to say so
		require.Eventually(t, func() bool { return primary.replication(t)["master_link_status"] == "up" },
			30*time.Second, 10*time.Millisecond, "what was the primary does not become the replica")
		primary, replica = replica, primary
	}
	stop()
	wg.Wait()

	s := store()
	for key, n := range done {
		got, err := strconv.Atoi(kept(t, s, key))
		require.NoError(t, err)
		assert.GreaterOrEqual(t, got, n, "Updates of %q that returned are lost", key)
		assert.LessOrEqual(t, got, n+failed[key], "Updates of %q came in twice", key)
		t.Logf("%s: %d Updates done, %d failed, %d kept", key, n, failed[key], got)
	}
}

func count(_ context.Context, old []byte) ([]byte, time.Time, error) {
	n, _ := strconv.Atoi(string(old))
	return strconv.AppendInt(nil, int64(n+1), 10), time.Time{}, nil
}

// A member is a server that Sentinel watches.
type member struct {
	*server
	admin *redis.Client
}

// replication returns what the server says of it.
func (m member) replication(t *testing.T) map[string]string {
	info, err := m.admin.InfoMap(t.Context(), "replication").Result()
	require.NoError(t, err)
	return info["Replication"]
}

// A sentinel is where clients learn who the primary is.
type sentinel struct {
	*redis.SentinelClient
	addr string
}

// patience is how long a primary may be silent: as long as it is not killed, a slow
// machine must not make Sentinel believe it was.
func (s sentinel) patience(t *testing.T, d time.Duration) {
	require.NoError(t, s.Set(t.Context(), "main", "down-after-milliseconds", strconv.FormatInt(d.Milliseconds(), 10)).Err())
}

func startSentinel(t *testing.T) (primary, replica member, _ sentinel) {
	start := func(args ...string) member {
		s := startServer(t, append(args, "--repl-diskless-sync-delay", "0")...)
		return member{s, newClient(t, &redis.Options{Addr: s.addr})}
	}
	primary = start()
	at := strings.Replace(primary.addr, ":", " ", 1)
	replica = start("--replicaof", at)

	port := freePort(t)
	conf := filepath.Join(t.TempDir(), "conf")
	require.NoError(t, os.WriteFile(conf, []byte("bind 127.0.0.1\nport "+port+"\ndir "+filepath.Dir(conf)+`
sentinel monitor main `+at+` 1
sentinel failover-timeout main 1000
`), 0o600))
	p := exec.Command("redis-server", conf, "--sentinel")
	require.NoError(t, p.Start())
	t.Cleanup(func() {
		_ = p.Process.Kill()
		_ = p.Wait()
	})
	addr := "127.0.0.1:" + port
	client := redis.NewSentinelClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = client.Close() })
	require.Eventually(t, func() bool {
		replicas, err := client.Replicas(t.Context(), "main").Result()
		return err == nil && len(replicas) == 1 && replicas[0]["flags"] == "slave"
	}, 30*time.Second, 10*time.Millisecond, "Sentinel does not find the replica")
	s := sentinel{client, addr}
	s.patience(t, time.Minute)
	return primary, replica, s
}
