//go:build unix

package fleet_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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
	for {
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := ask(attempt)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
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

// follow makes s a replica of primary, for which each commit waits from then on.
func (s *server) follow(primary *server) error {
	if err := os.RemoveAll(s.data()); err != nil {
		return err
	}
	if err := s.run(postgresProgram("pg_basebackup"), "-D", s.data(), "-h", "127.0.0.1", "-p", primary.port, "-U", "postgres", "-R", "-X", "stream", "-c", "fast", "--no-sync"); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	is := func(what string) func(context.Context) error {
		return func(ctx context.Context) error {
			return execSQL(ctx, "pgx", postgresDSN(primary.addr()), "SELECT 1 / count(*) FROM pg_stat_replication WHERE "+what)
		}
	}
	if err := eventually(is("state = 'streaming'")); err != nil {
		return err
	}
	if err := execSQL(context.Background(), "pgx", postgresDSN(primary.addr()), "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	return eventually(is("sync_state = 'sync'"))
}

// postgresPair starts a primary and its replica, which changes places with it at
// each failover: the primary crashes, and comes back as a replica.
func postgresPair(t *testing.T) (dsn string, failover func() error) {
	t.Helper()
	primary, replica := startPostgres(t), newPostgres(t)
	require.NoError(t, replica.follow(primary))
	return postgresDSN(primary.addr()+","+replica.addr(), "target_session_attrs=read-write"), func() error {
		if err := primary.stop(syscall.SIGQUIT); err != nil {
			return err
		}
		if err := execSQL(context.Background(), "pgx", postgresDSN(replica.addr()), "SELECT pg_promote()"); err != nil {
			return err
		}
		primary, replica = replica, primary
		return replica.follow(primary)
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

func mariaDSN(s *server) string { return "root@tcp(" + s.addr() + ")/test" }

func startMariaDB(t *testing.T, args ...string) *server {
	t.Helper()
	address(t, mysqlVariable)
	s := newServer(t, "mysql")
	require.NoError(t, s.run("mariadb-install-db", "--no-defaults", "--datadir="+s.data(), "--auth-root-authentication-method=normal", "--skip-test-db"))
	s.args = append([]string{"mariadbd", "--no-defaults", "--datadir=" + s.data(), "--bind-address=127.0.0.1", "--port=" + s.port,
		"--socket=" + filepath.Join(s.dir, "socket"), "--pid-file=" + filepath.Join(s.dir, "pid")}, args...)
	s.ask = askSQL("mysql", "root@tcp("+s.addr()+")/")
	require.NoError(t, s.start())
	require.NoError(t, execSQL(t.Context(), "mysql", "root@tcp("+s.addr()+")/", "CREATE DATABASE test"))
	return s
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
