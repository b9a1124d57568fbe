//go:build unix

package fleet_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// A server is one of a test's own, in a directory of its own, which the test may
// stop, start and pause. Those of PostgreSQL and Redis keep what they have
// answered for, as they are set up here; so does MariaDB's by default.
type server struct {
	dir, port string
	user      string // whose it is: some refuse to be root's
	args      []string
	ask       func(context.Context) error // fails if it does not answer
	cmd       *exec.Cmd
}

const patience = 30 * time.Second

func newServer(t *testing.T, user string) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "fleet")
	require.NoError(t, err)
	s := &server{dir: dir, port: freePort(t), user: user}
	t.Cleanup(func() {
		_ = s.stop(syscall.SIGKILL)
		require.NoError(t, os.RemoveAll(dir))
	})
	return s
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func (s *server) addr() string { return "127.0.0.1:" + s.port }
func (s *server) log() string  { return filepath.Join(s.dir, "log") }

// as returns a command that runs as the server does.
func (s *server) as(args ...string) (*exec.Cmd, error) {
	if os.Getuid() == 0 && s.user != "root" {
		if err := exec.Command("chown", s.user, s.dir).Run(); err != nil {
			return nil, err
		}
		args = append([]string{"setpriv", "--reuid", s.user, "--regid", s.user, "--init-groups"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "TMPDIR="+s.dir) // MariaDB's get in each other's way
	return cmd, nil
}

// run runs a command to its end.
func (s *server) run(args ...string) error {
	cmd, err := s.as(args...)
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", args[0], err, out)
	}
	return nil
}

// start returns when the server answers.
func (s *server) start() error {
	cmd, err := s.as(s.args...)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd = cmd
	if err := eventually(s.ask); err != nil {
		said, _ := os.ReadFile(s.log())
		return fmt.Errorf("%s does not answer: %w\n%s", s.args[0], err, said)
	}
	return nil
}

// eventually asks until the answer is no error.
func eventually(ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var why error
	for {
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := ask(attempt)
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return errors.Join(why, err)
		}
		why = err
		<-time.After(20 * time.Millisecond)
	}
}

// stop returns when the server has ended.
func (s *server) stop(sig syscall.Signal) error {
	if s.cmd == nil {
		return nil
	}
	// PostgreSQL's processes outlive a killed one that they belong to.
	if s.user == "postgres" && sig == syscall.SIGKILL {
		sig = syscall.SIGQUIT
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		return err
	}
	_ = s.cmd.Wait() // it was killed
	s.cmd = nil
	return nil
}

// restart stops the server by a signal, and starts it again at once.
func (s *server) restart(sig syscall.Signal) func() error {
	return func() error {
		if err := s.stop(sig); err != nil {
			return err
		}
		return s.start()
	}
}

// pause has the server stand still, with all its processes, for so long.
func (s *server) pause(d time.Duration) func() error {
	return func() (err error) {
		pid := s.cmd.Process.Pid
		pids := []int{pid}
		for i := 0; i < len(pids) && err == nil; i++ { // who stands still starts no more
			err = syscall.Kill(pids[i], syscall.SIGSTOP)
			if pids[i] != pid {
				if errors.Is(err, syscall.ESRCH) {
					err = nil // it ended meanwhile
				}
				continue
			}
			out, _ := exec.Command("pgrep", "-P", strconv.Itoa(pid)).Output() // fails if there are none
			for child := range strings.FieldsSeq(string(out)) {
				n, _ := strconv.Atoi(child)
				pids = append(pids, n)
			}
		}
		if err == nil {
			<-time.After(d)
		}
		for _, p := range slices.Backward(pids) {
			_ = syscall.Kill(p, syscall.SIGCONT)
		}
		return err
	}
}

func askSQL(driver, dsn string) func(context.Context) error {
	return func(ctx context.Context) error { return execSQL(ctx, driver, dsn, "SELECT 1") }
}

// execSQL runs statements, each for itself, on a connection of their own.
func execSQL(ctx context.Context, driver, dsn string, statements ...string) error {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, text := range statements {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return nil
}

// isOne asks whether the answer to a query is 1.
func isOne(driver, dsn, query string) func(context.Context) error {
	return func(ctx context.Context) error {
		db, err := sql.Open(driver, dsn)
		if err != nil {
			return err
		}
		defer db.Close()
		var n int
		if err := db.QueryRowContext(ctx, query).Scan(&n); err != nil {
			return err
		}
		if n != 1 {
			return fmt.Errorf("%s: %d", query, n)
		}
		return nil
	}
}

// postgresProgram finds one of the newest PostgreSQL.
func postgresProgram(name string) string {
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); len(found) > 0 {
		slices.Sort(found)
		return found[len(found)-1]
	}
	return name
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

func postgresDSN(host string, settings ...string) string {
	return "postgres://postgres@" + host + "/postgres?" + strings.Join(append([]string{"sslmode=disable"}, settings...), "&")
}

// newPostgres makes a server that has no data yet.
func newPostgres(t *testing.T) *server {
	t.Helper()
	address(t, postgresVariable)
	s := newServer(t, "postgres")
	s.args = []string{postgresProgram("postgres"), "-D", s.data(), "-p", s.port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=" + s.dir}
	s.ask = askSQL("pgx", postgresDSN(s.addr()))
	return s
}

func startPostgres(t *testing.T) *server {
	t.Helper()
	s := newPostgres(t)
	require.NoError(t, s.run(postgresProgram("initdb"), "-D", s.data(), "--username=postgres", "--auth=trust", "--no-sync", "--no-locale", "--encoding=UTF8"))
	require.NoError(t, s.start())
	return s
}

// followPostgres makes s a replica of primary, for which each commit waits from then on.
func (s *server) followPostgres(primary *server) error {
	if err := os.RemoveAll(s.data()); err != nil {
		return err
	}
	if err := s.run(postgresProgram("pg_basebackup"), "-D", s.data(), "-h", "127.0.0.1", "-p", primary.port, "-U", "postgres", "-R", "-X", "stream", "-c", "fast", "--no-sync"); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	dsn, of := postgresDSN(primary.addr()), "SELECT count(*) FROM pg_stat_replication WHERE "
	if err := eventually(isOne("pgx", dsn, of+"state = 'streaming'")); err != nil {
		return err
	}
	if err := execSQL(context.Background(), "pgx", dsn, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	return eventually(isOne("pgx", dsn, of+"sync_state = 'sync'"))
}

// postgresPair starts a primary and its replica, which changes places with it at
// each failover: the primary crashes, and comes back as a replica.
func postgresPair(t *testing.T) (dsn string, failover func() error) {
	t.Helper()
	primary, replica := startPostgres(t), newPostgres(t)
	require.NoError(t, replica.followPostgres(primary))
	return postgresDSN(primary.addr()+","+replica.addr(), "target_session_attrs=read-write"), func() error {
		if err := primary.stop(syscall.SIGQUIT); err != nil {
			return err
		}
		if err := execSQL(context.Background(), "pgx", postgresDSN(replica.addr()), "SELECT pg_promote()"); err != nil {
			return err
		}
		primary, replica = replica, primary
		return replica.followPostgres(primary)
	}
}

// startPgBouncer starts one before the server that the environment names, with
// fewer connections to it than clients in transaction mode.
func startPgBouncer(t *testing.T, mode string) *server {
	t.Helper()
	conf, err := pgx.ParseConfig(address(t, postgresVariable))
	require.NoError(t, err)
	password := ""
	if conf.Password != "" {
		password = " password='" + conf.Password + "'"
	}
	s := newServer(t, "postgres")
	s.args = []string{"pgbouncer", "-q", "ini"}
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "ini"), fmt.Appendf(nil, `[databases]
postgres = dbname=%s host=%s port=%d user=%s%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = %s
default_pool_size = %d
ignore_startup_parameters = extra_float_digits
`, conf.Database, conf.Host, conf.Port, conf.User, password, s.port, mode, map[string]int{"transaction": 3, "session": 20}[mode]), 0o644))
	s.ask = askSQL("postgres", postgresDSN(s.addr()))
	require.NoError(t, s.start(), "PgBouncer is needed: apt-get install pgbouncer")
	return s
}

func mariaDSN(addr string) string { return "root@tcp(" + addr + ")/test" }

// newMariaDB makes a server that has no data yet.
func newMariaDB(t *testing.T) *server {
	t.Helper()
	address(t, mysqlVariable)
	s := newServer(t, "mysql")
	s.args = []string{"mariadbd", "--no-defaults", "--datadir=" + s.data(), "--bind-address=127.0.0.1", "--port=" + s.port,
		"--socket=" + filepath.Join(s.dir, "socket"), "--pid-file=" + filepath.Join(s.dir, "pid"),
		"--log-bin=binlog", "--log-slave-updates", "--sync-binlog=1",
		"--rpl-semi-sync-slave-enabled=ON", "--rpl-semi-sync-master-wait-point=AFTER_SYNC", "--rpl-semi-sync-master-timeout=60000"}
	s.ask = askSQL("mysql", "root@tcp("+s.addr()+")/")
	return s
}

// startEmptyMariaDB starts it with nothing but the database test, and with an id
// that none before it has had: a replica leaves out what it takes for its own.
func (s *server) startEmptyMariaDB() error {
	if err := os.RemoveAll(s.data()); err != nil {
		return err
	}
	if err := s.run("mariadb-install-db", "--no-defaults", "--datadir="+s.data(), "--auth-root-authentication-method=normal", "--skip-test-db"); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	return execSQL(context.Background(), "mysql", "root@tcp("+s.addr()+")/", "SET GLOBAL server_id = UNIX_TIMESTAMP()", "CREATE DATABASE IF NOT EXISTS test")
}

func startMariaDB(t *testing.T) *server {
	t.Helper()
	s := newMariaDB(t)
	require.NoError(t, s.startEmptyMariaDB())
	return s
}

// followMariaDB makes s a replica of primary, for which each commit waits from
// then on.
func (s *server) followMariaDB(primary *server) error {
	if err := s.startEmptyMariaDB(); err != nil {
		return err
	}
	dsn := mariaDSN(primary.addr())
	if err := execSQL(context.Background(), "mysql", dsn, "SET GLOBAL rpl_semi_sync_master_enabled = ON"); err != nil {
		return err
	}
	if err := execSQL(context.Background(), "mysql", mariaDSN(s.addr()),
		"CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = "+primary.port+", MASTER_USER = 'root', MASTER_USE_GTID = slave_pos", "START SLAVE"); err != nil {
		return err
	}
	return eventually(isOne("mysql", dsn, "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'Rpl_semi_sync_master_clients'"))
}

// mariaDBPair starts a primary and its replica, which changes places with it at
// each failover: the primary crashes, and comes back as a replica that was made
// anew. A proxy leads to the primary, as the driver knows of one address.
func mariaDBPair(t *testing.T) (dsn string, failover func() error) {
	t.Helper()
	primary, replica := startMariaDB(t), newMariaDB(t)
	require.NoError(t, replica.followMariaDB(primary))
	p := startProxy(t, primary.addr())
	return mariaDSN(p.addr), func() error {
		if err := primary.stop(syscall.SIGKILL); err != nil {
			return err
		}
		if err := eventually(isOne("mysql", mariaDSN(replica.addr()),
			"SELECT count(*) FROM information_schema.PROCESSLIST WHERE COMMAND = 'Slave_SQL' AND STATE LIKE 'Slave has read all relay log%'")); err != nil {
			return err
		}
		if err := execSQL(context.Background(), "mysql", mariaDSN(replica.addr()), "STOP SLAVE", "RESET SLAVE ALL"); err != nil {
			return err
		}
		primary, replica = replica, primary
		p.target.Store(primary.addr())
		return replica.followMariaDB(primary)
	}
}

// A proxy hands connections on to the target of the moment.
type proxy struct {
	addr   string
	target atomic.Value // string
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	p := &proxy{addr: l.Addr().String()}
	p.target.Store(target)
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target.Load().(string))
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		server.Close()
	}()
	_, _ = io.Copy(client, server)
}

func redisURL(s *server) string { return "redis://" + s.addr() + "/0" }

func startRedis(t *testing.T, args ...string) *server {
	t.Helper()
	address(t, redisVariable)
	s := newServer(t, "root")
	s.args = append([]string{"redis-server", "--bind", "127.0.0.1", "--port", s.port, "--dir", s.dir,
		"--appendonly", "yes", "--appendfsync", "always", "--save", "", "--repl-diskless-sync-delay", "0"}, args...)
	s.ask = func(ctx context.Context) error {
		return s.redis(func(c *redis.Client) error { return c.Ping(ctx).Err() })
	}
	require.NoError(t, s.start())
	return s
}

// redis has do use a client of the server.
func (s *server) redis(do func(c *redis.Client) error) error {
	c := redis.NewClient(&redis.Options{Addr: s.addr()})
	defer c.Close()
	return do(c)
}

// sentinelPair starts a primary and its replica, which changes places with it at
// each failover. The primary crashes, but not before the replica has caught up, as
// Redis would lose what it had answered for and not passed on; and it comes back
// only when Sentinel sends nobody there any more.
func sentinelPair(t *testing.T) (url string, failover func() error) {
	t.Helper()
	primary := startRedis(t)
	replica := startRedis(t, "--replicaof", "127.0.0.1 "+primary.port)
	sentinel := newServer(t, "root")
	require.NoError(t, os.WriteFile(filepath.Join(sentinel.dir, "conf"), fmt.Appendf(nil, `bind 127.0.0.1
port %s
sentinel monitor main 127.0.0.1 %s 1
sentinel failover-timeout main 1000
sentinel down-after-milliseconds main 60000
`, sentinel.port, primary.port), 0o600))
	sentinel.args = []string{"redis-server", "conf", "--sentinel"}
	client := redis.NewSentinelClient(&redis.Options{Addr: sentinel.addr()})
	t.Cleanup(func() { _ = client.Close() })
	knowsReplica := func(ctx context.Context) error {
		replicas, err := client.Replicas(ctx, "main").Result()
		if err == nil && (len(replicas) != 1 || replicas[0]["flags"] != "slave") {
			err = fmt.Errorf("Sentinel knows of %d replicas", len(replicas))
		}
		return err
	}
	sentinel.ask = knowsReplica
	require.NoError(t, sentinel.start())

	// A slow machine must not make Sentinel believe that the primary was killed.
	wait := func(ms string) error {
		return client.Set(context.Background(), "main", "down-after-milliseconds", ms).Err()
	}
	return "redis://" + sentinel.addr() + "/0?master_name=main", func() error {
		if err := primary.redis(func(c *redis.Client) error {
			return c.Do(context.Background(), "client", "pause", "60000", "write").Err()
		}); err != nil {
			return err
		}
		if err := eventually(func(ctx context.Context) error {
			is, should := replica.replication(ctx)["master_repl_offset"], primary.replication(ctx)["master_repl_offset"]
			if is == "" || is != should {
				return fmt.Errorf("the replica is at %q of %q", is, should)
			}
			return nil
		}); err != nil {
			return err
		}
		if err := errors.Join(primary.stop(syscall.SIGKILL), wait("100")); err != nil {
			return err
		}
		if err := eventually(func(ctx context.Context) error {
			at, err := client.GetMasterAddrByName(ctx, "main").Result()
			if err == nil && at[1] != replica.port {
				err = errors.New("nobody takes over")
			}
			return err
		}); err != nil {
			return err
		}
		primary, replica = replica, primary
		if err := errors.Join(wait("60000"), replica.start()); err != nil {
			return err
		}
		if err := replica.redis(func(c *redis.Client) error {
			return c.ReplicaOf(context.Background(), "127.0.0.1", primary.port).Err() // Sentinel would take 10 seconds to say so
		}); err != nil {
			return err
		}
		if err := eventually(func(ctx context.Context) error {
			if replica.replication(ctx)["master_link_status"] != "up" {
				return errors.New("what was the primary does not become the replica")
			}
			return nil
		}); err != nil {
			return err
		}
		return eventually(knowsReplica)
	}
}

// replication returns what a Redis says of it, nothing if it does not answer.
func (s *server) replication(ctx context.Context) (says map[string]string) {
	_ = s.redis(func(c *redis.Client) error {
		info, err := c.InfoMap(ctx, "replication").Result()
		says = info["Replication"]
		return err
	})
	return says
}
