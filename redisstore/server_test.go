package redisstore_test

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// A server is a redis-server of the test's own, which loses nothing that it has
// answered for.
type server struct {
	addr string
	args []string
	cmd  *exec.Cmd
}

// startServer starts a server, with its data in a directory of its own.
func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		_, must := os.LookupEnv("PINTEREST_TEST_REDIS")
		require.False(t, must, "PINTEREST_TEST_REDIS is set: the tests need the redis-server binary as well: %v", err)
		t.Skipf("this needs a Redis to kill: %v", err)
	}
	port := freePort(t)
	s := &server{addr: "127.0.0.1:" + port, args: append([]string{
		"--bind", "127.0.0.1", "--port", port, "--dir", t.TempDir(),
		"--appendonly", "yes", "--appendfsync", "always", "--save", "",
	}, args...)}
	t.Cleanup(s.kill)
	s.start(t)
	return s
}

func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}

// start returns when the server answers.
func (s *server) start(t *testing.T) {
	t.Helper()
	var noise bytes.Buffer
	s.cmd = exec.Command("redis-server", s.args...)
	s.cmd.Stdout, s.cmd.Stderr = &noise, &noise
	require.NoError(t, s.cmd.Start())
	client := redis.NewClient(&redis.Options{Addr: s.addr})
	defer client.Close()
	for ctx := patient(t); client.Ping(ctx).Err() != nil; {
		if ctx.Err() != nil {
			s.kill() // which also ends the writing of noise
			require.FailNow(t, "redis-server does not answer", "%s", &noise)
		}
	}
}

// kill ends the server as a crash does.
func (s *server) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// startCluster returns a client for a Redis Cluster of three nodes, whose user may
// do what the package's comment says, and the nodes' own clients, who may all.
func startCluster(t *testing.T) (*redis.ClusterClient, []*redis.Client) {
	t.Helper()
	ctx := patient(t)
	user := append([]string{"--user", "app", "on", ">secret", "resetchannels", "~pinterest:*", "-@all", "+info", "+cluster|slots", "+command"}, documentedCommands(t)...)
	var nodes []*redis.Client
	var addrs []string
	for _, slots := range [][2]int{{0, 5460}, {5461, 10922}, {10923, 16383}} {
		bus := freePort(t)
		s := startServer(t, append(user, "--cluster-enabled", "yes", "--cluster-port", bus)...)
		node := newClient(t, &redis.Options{Addr: s.addr})
		require.NoError(t, node.ClusterAddSlotsRange(ctx, slots[0], slots[1]).Err())
		nodes, addrs = append(nodes, node), append(addrs, s.addr)
		host, port, err := net.SplitHostPort(s.addr)
		require.NoError(t, err)
		require.NoError(t, nodes[0].Do(ctx, "cluster", "meet", host, port, bus).Err())
	}
	for _, node := range nodes {
		require.Eventually(t, func() bool {
			info, err := node.ClusterInfo(ctx).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_size:3")
		}, 30*time.Second, 20*time.Millisecond, "the nodes do not meet")
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, Username: "app", Password: "secret"})
	t.Cleanup(func() { _ = client.Close() })
	return client, nodes
}
