package fleet_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/filestore"
	"github.com/go-pinterest/pinterest/redisstore"
	"github.com/go-pinterest/pinterest/sqlstore"
)

// A kind is a store that processes share.
type kind struct {
	variable string // the environment's, that says where its server is; empty: it has none

	// place makes an empty place, which is gone after the test, and returns what
	// open needs to find it.
	place func(t *testing.T) string

	// open opens the store at a place, in any process.
	open func(place string) (s pinterest.Store, closeStore func(), err error)
}

var stores = map[string]kind{
	"filestore": {
		place: func(t *testing.T) string { return filepath.Join(t.TempDir(), "tokens") },
		open: func(dir string) (pinterest.Store, func(), error) {
			s, err := filestore.New(dir)
			return s, func() {}, err
		},
	},
	"sqlstore on SQLite": {
		place: func(t *testing.T) string {
			file := filepath.Join(t.TempDir(), "tokens.db")
			makeTable(t, openSQLite, file)
			return file
		},
		open: opener(openSQLite),
	},
	"sqlstore on PostgreSQL": onServer(postgresVariable, openPostgres),
	"sqlstore on MariaDB":    onServer(mysqlVariable, openMySQL),
	"redisstore":             {variable: redisVariable, place: newPrefix, open: openRedis},
}

const (
	postgresVariable = "PINTEREST_TEST_POSTGRES"
	mysqlVariable    = "PINTEREST_TEST_MYSQL"
	redisVariable    = "PINTEREST_TEST_REDIS"
)

// eachStore runs the test on all stores at once.
func eachStore(t *testing.T, test func(t *testing.T, store string)) {
	for name, k := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if k.variable != "" && os.Getenv(k.variable) == "" {
				t.Skipf("%s is not set: no fleet runs on %s", k.variable, name)
			}
			test(t, name)
		})
	}
}

func openSQLite(file string) (*sqlstore.Store, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(1000)")
	return &sqlstore.Store{DB: db, Dialect: sqlstore.SQLite}, err
}

func openPostgres(table string) (*sqlstore.Store, error) {
	db, err := sql.Open("pgx", os.Getenv(postgresVariable))
	return &sqlstore.Store{DB: db, Dialect: sqlstore.PostgreSQL, Table: table}, err
}

func openMySQL(table string) (*sqlstore.Store, error) {
	db, err := sql.Open("mysql", os.Getenv(mysqlVariable))
	return &sqlstore.Store{DB: db, Dialect: sqlstore.MySQL, Table: table}, err
}

func opener(open func(place string) (*sqlstore.Store, error)) func(string) (pinterest.Store, func(), error) {
	return func(place string) (pinterest.Store, func(), error) {
		s, err := open(place)
		if err != nil {
			return nil, nil, err
		}
		s.DB.SetMaxOpenConns(2)   // a process needs no more, and the server's are few
		s.Lease = 3 * time.Second // ends soon after a process is killed, and not while a busy disk is waited for
		return s, func() { _ = s.DB.Close() }, nil
	}
}

func onServer(variable string, open func(table string) (*sqlstore.Store, error)) kind {
	return kind{
		variable: variable,
		place: func(t *testing.T) string {
			table := "fleet_test_" + strings.ToLower(rand.Text()[:12])
			t.Cleanup(func() { dropTable(t, open, table) })
			makeTable(t, open, table)
			return table
		},
		open: opener(open),
	}
}

func makeTable(t *testing.T, open func(string) (*sqlstore.Store, error), place string) {
	t.Helper()
	s, err := open(place)
	require.NoError(t, err)
	defer s.DB.Close()
	require.NoError(t, s.CreateTable(soon(t)))
}

func dropTable(t *testing.T, open func(string) (*sqlstore.Store, error), table string) {
	s, err := open(table)
	require.NoError(t, err)
	defer s.DB.Close()
	_, err = s.DB.ExecContext(soon(t), "DROP TABLE IF EXISTS "+table)
	assert.NoError(t, err)
}

func dial() (*redis.Client, error) {
	options, err := redis.ParseURL(os.Getenv(redisVariable))
	if err != nil {
		return nil, err
	}
	return redis.NewClient(options), nil
}

// openRedis opens a store whose leases end soon after a process is killed, and
// not too soon for one that a busy machine holds up.
func openRedis(prefix string) (pinterest.Store, func(), error) {
	client, err := dial()
	if err != nil {
		return nil, nil, err
	}
	return &redisstore.Store{Client: client, Prefix: prefix, Lease: time.Second}, func() { _ = client.Close() }, nil
}

func newPrefix(t *testing.T) string {
	prefix := "fleet_test_" + rand.Text() + ":"
	t.Cleanup(func() {
		client, err := dial()
		require.NoError(t, err)
		defer client.Close()
		keys := client.Scan(soon(t), 0, prefix+"*", 1000).Iterator()
		for keys.Next(soon(t)) {
			assert.NoError(t, client.Del(soon(t), keys.Val()).Err())
		}
		assert.NoError(t, keys.Err())
	})
	return prefix
}

// soon returns a context for what takes no time. It outlives the test's own, so
// that cleaning up may use it.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
