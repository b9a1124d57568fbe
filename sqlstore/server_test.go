package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/lib/pq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/sqlstore"
)

// as returns a command that runs in dir and is not root's: servers refuse that.
func as(t *testing.T, user, dir, name string, args ...string) *exec.Cmd {
	t.Helper()
	if os.Getuid() == 0 {
		args = append([]string{"--reuid", user, "--regid", user, "--init-groups", name}, args...)
		name = "setpriv"
		require.NoError(t, exec.Command("chown", user, dir).Run())
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	return cmd
}

// serverDir makes a directory that the server's user may enter.
func serverDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sqlstore")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// ownPostgres starts a server of the test's own, and returns what restarts it.
func ownPostgres(t *testing.T) (d database, restart func()) {
	t.Helper()
	find(t, sqlstore.PostgreSQL)
	bin := ""
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin"); len(found) > 0 {
		slices.Sort(found)
		bin = found[len(found)-1] + "/"
	}
	dir, port := serverDir(t), freePort(t)
	run := func(name string, args ...string) {
		cmd := as(t, "postgres", dir, bin+name, args...)
		out, err := os.CreateTemp(t.TempDir(), name) // a pipe would be the server's for as long as it lives
		require.NoError(t, err)
		defer out.Close()
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Run(); err != nil {
			said, _ := os.ReadFile(out.Name())
			require.NoError(t, err, "%s: %s", name, said)
		}
	}
	data := filepath.Join(dir, "data")
	run("initdb", "-D", data, "--username=postgres", "--auth=trust", "--no-sync", "--no-locale", "--encoding=UTF8")
	options := "-p " + port + " -c listen_addresses=127.0.0.1 -c unix_socket_directories=" + dir
	run("pg_ctl", "-D", data, "-w", "-l", filepath.Join(dir, "log"), "-o", options, "start")
	t.Cleanup(func() { run("pg_ctl", "-D", data, "-m", "immediate", "stop") })
	return database{dialect: sqlstore.PostgreSQL, driver: "pgx", dsn: "postgres://postgres@127.0.0.1:" + port + "/postgres?sslmode=disable"},
		func() {
			run("pg_ctl", "-D", data, "-w", "-m", "immediate", "-l", filepath.Join(dir, "log"), "-o", options, "restart")
		}
}

func TestARestartOfTheDatabaseCostsNothing(t *testing.T) {
	d, restart := ownPostgres(t)
	place := d.table(t)
	s, other := d.open(t, place), d.open(t, place)
	keep(t, s, "key", "old")
	for _, key := range []string{"key", "missing"} {
		require.NoError(t, s.Update(patient(t), key, func(ctx context.Context, _ []byte) ([]byte, time.Time, error) {
			restart()
			require.NoError(t, ctx.Err())
			wait, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer stop()
			require.ErrorIs(t, other.Update(wait, key, returning("other")), context.DeadlineExceeded)
			return []byte("new"), time.Time{}, nil
		}))
		require.Equal(t, "new", kept(t, other, key))
	}

	done := make(chan error)
	require.NoError(t, s.Update(patient(t), "key", func(context.Context, []byte) ([]byte, time.Time, error) {
		go func() {
			restart()
			done <- nil
		}()
		return []byte("kept meanwhile"), time.Time{}, nil
	}))
	<-done
	require.Eventually(t, func() bool { return kept(t, other, "key") == "kept meanwhile" }, 10*time.Second, 10*time.Millisecond)
}

// Settings of drivers, behind PgBouncer. Its two-step queries, and prepared
// statements that it does not know, meet those of other clients.
var behindPgBouncer = map[string]struct{ driver, settings string }{
	"pgx, exec":            {"pgx", "default_query_exec_mode=exec"},
	"pgx, simple_protocol": {"pgx", "default_query_exec_mode=simple_protocol"},
	"pgx, cache_describe":  {"pgx", "default_query_exec_mode=cache_describe"},
	"pgx, describe_exec":   {"pgx", "default_query_exec_mode=describe_exec"},
	"pq":                   {"postgres", ""},
	"pq, binary":           {"postgres", "binary_parameters=yes"},
}

// pgBouncer starts one with few connections, for which its clients take turns.
func pgBouncer(t *testing.T, mode string) (dsn string) {
	t.Helper()
	d := find(t, sqlstore.PostgreSQL)
	conf := d.postgresConfig(t)
	dir, port, password := serverDir(t), freePort(t), ""
	if conf.Password != "" {
		password = " password='" + conf.Password + "'"
	}
	ini := fmt.Sprintf(`[databases]
%s = host=%s port=%d user=%s%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = %s
default_pool_size = %d
max_client_conn = 200
ignore_startup_parameters = extra_float_digits,search_path
`, conf.Database, conf.Host, conf.Port, conf.User, password, port, mode, map[string]int{"transaction": 2, "session": 40}[mode])
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ini"), []byte(ini), 0o644))
	cmd := as(t, "postgres", dir, "pgbouncer", "-q", "ini")
	require.NoError(t, cmd.Start(), "PgBouncer is needed: apt-get install pgbouncer")
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
		_ = cmd.Wait()
	})
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, 20*time.Second, 20*time.Millisecond)
	return "postgres://postgres@127.0.0.1:" + port + "/" + conf.Database + "?sslmode=disable"
}

// Two stores, in tables of the same keys, must not get each other's values.
func TestStoresBehindPgBouncerAreKeptApart(t *testing.T) {
	dsn := pgBouncer(t, "transaction")
	direct := find(t, sqlstore.PostgreSQL)
	for name, c := range behindPgBouncer {
		t.Run(name, func(t *testing.T) {
			var wg sync.WaitGroup
			d := database{dialect: sqlstore.PostgreSQL, driver: c.driver, dsn: dsn, settings: c.settings}
			for _, mine := range []string{"one", "other"} {
				place := direct.table(t)
				s := d.open(t, place)
				for _, key := range []string{"a", "b"} {
					keep(t, direct.open(t, place), key, mine+key)
				}
				for _, key := range []string{"a", "b"} {
					for range 2 {
						wg.Go(func() {
							for range 10 {
								value, err := s.Load(patient(t), key)
								assert.NoError(t, err)
								assert.Equal(t, mine+key, string(value))
								assert.NoError(t, s.Update(patient(t), key, func(_ context.Context, old []byte) ([]byte, time.Time, error) {
									assert.Equal(t, mine+key, string(old))
									return old, time.Unix(1, 0), nil
								}))
								n := 0
								assert.NoError(t, s.Each(patient(t), time.Time{}, func(key string, value []byte) error {
									n++
									assert.Equal(t, mine+key, string(value))
									return nil
								}))
								assert.Equal(t, 2, n)
							}
						})
					}
				}
			}
			wg.Wait()
		})
	}
}

func TestPgBouncerInSessionMode(t *testing.T) {
	dsn := pgBouncer(t, "session")
	place := find(t, sqlstore.PostgreSQL).table(t)
	for _, driver := range []string{"pgx", "postgres"} {
		s := database{dialect: sqlstore.PostgreSQL, driver: driver, dsn: dsn}.open(t, place)
		keep(t, s, "key", driver)
		require.Equal(t, driver, kept(t, s, "key"))
	}
}

func refused(t *testing.T, s *sqlstore.Store, key, why string) {
	t.Helper()
	err := s.Update(patient(t), key, func(context.Context, []byte) ([]byte, time.Time, error) {
		assert.Fail(t, "f runs")
		return nil, time.Time{}, nil
	})
	require.ErrorContains(t, err, why)
	require.Less(t, len(strings.Split(err.Error(), why)), 3, "said once: %v", err)
}

func TestALackOfLeaveToWriteIsFoundOutBeforeFRuns(t *testing.T) {
	t.Run("PostgreSQL", func(t *testing.T) {
		d := find(t, sqlstore.PostgreSQL)
		place := d.table(t)
		keep(t, d.open(t, place), "key", "value")
		d.settings = "default_transaction_read_only=on"
		s := d.open(t, place)
		refused(t, s, "key", "read-only")
		require.Equal(t, "value", kept(t, s, "key"))
		require.NoError(t, s.CreateTable(patient(t)), "it is there")
	})
	t.Run("MySQL", func(t *testing.T) {
		d := find(t, sqlstore.MySQL)
		place := d.table(t)
		keep(t, d.open(t, place), "key", "value")
		db := d.connect(t, place)
		conf := d.mysqlConfig(t)
		for _, query := range []string{"CREATE USER " + place + " IDENTIFIED BY 'secret'", "GRANT SELECT ON " + place + " TO " + place} {
			_, err := db.Exec(query)
			require.NoError(t, err)
		}
		t.Cleanup(func() { _, _ = d.connect(t, place).Exec("DROP USER " + place) })
		conf.User, conf.Passwd = place, "secret"
		d.dsn = conf.FormatDSN()
		s := d.open(t, place)
		refused(t, s, "key", "denied")
		require.Equal(t, "value", kept(t, s, "key"))
		require.NoError(t, s.CreateTable(patient(t)), "it is there")
	})
	t.Run("SQLite", func(t *testing.T) {
		d := find(t, sqlstore.SQLite)
		place := d.table(t)
		keep(t, d.open(t, place), "key", "value")
		d.settings = "mode=ro"
		s := d.open(t, place)
		refused(t, s, "key", "readonly")
		require.Equal(t, "value", kept(t, s, "key"))
		require.NoError(t, s.CreateTable(patient(t)), "it is there")
	})
}

func TestAConnectionThatProvedReadOnlyIsReplaced(t *testing.T) {
	eachServer(t, func(t *testing.T, d database) {
		place := d.table(t)
		db := d.connect(t, place)
		db.SetMaxIdleConns(4)
		var conns []*sql.Conn
		for range 4 {
			conn, err := db.Conn(t.Context())
			require.NoError(t, err)
			demote := "SET default_transaction_read_only = on"
			if d.dialect == sqlstore.MySQL {
				demote = "SET SESSION TRANSACTION READ ONLY"
			}
			_, err = conn.ExecContext(t.Context(), demote)
			require.NoError(t, err)
			conns = append(conns, conn)
		}
		for _, conn := range conns {
			require.NoError(t, conn.Close())
		}
		keep(t, d.store(db, place), "key", "value")
	})
}

// A database that may have no more pages is a full disk.
func TestAFullDisk(t *testing.T) {
	d := find(t, sqlstore.SQLite)
	place := d.table(t)
	db := d.connect(t, place)
	db.SetMaxOpenConns(1)
	s := d.store(db, place)
	keep(t, s, "key", "value")
	limit := func(pages int) {
		_, err := db.Exec(fmt.Sprint("PRAGMA max_page_count = ", pages))
		require.NoError(t, err)
	}
	limit(1) // which SQLite takes for as many as there are

	refused(t, s, strings.Repeat("k", sqlstore.MaxKey), "full")

	large := strings.Repeat("v", 100_000)
	require.NoError(t, s.Update(patient(t), "key", func(context.Context, []byte) ([]byte, time.Time, error) {
		time.AfterFunc(200*time.Millisecond, func() { limit(1_000_000) })
		return []byte(large), time.Time{}, nil
	}), "it is tried again")
	require.True(t, large == kept(t, s, "key"))
}

func TestSettingsThatWouldLoseWhatIsKeptAreRefused(t *testing.T) {
	for setting, why := range map[string]string{"autocommit=0": "autocommit is off", "tx_isolation='READ-UNCOMMITTED'": "READ UNCOMMITTED"} {
		t.Run("MySQL with "+setting, func(t *testing.T) {
			d := find(t, sqlstore.MySQL)
			place := d.table(t)
			d.settings = setting
			refused(t, d.open(t, place), "key", why)
			require.ErrorContains(t, d.open(t, place).CreateTable(t.Context()), why)
		})
	}
	t.Run("SQLite in memory, with a pool", func(t *testing.T) {
		db, err := sql.Open("sqlite", ":memory:")
		require.NoError(t, err)
		defer db.Close()
		s := &sqlstore.Store{DB: db, Dialect: sqlstore.SQLite}
		require.ErrorContains(t, s.CreateTable(t.Context()), "SetMaxOpenConns(1)")
		refused(t, s, "key", "SetMaxOpenConns(1)")
	})
}
