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
	_ "github.com/lib/pq"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/filestore"
	"github.com/go-pinterest/pinterest/redisstore"
	"github.com/go-pinterest/pinterest/sqlstore"
)

// A place is what any process needs to open a store that all of them share.
type place struct {
	Dialect sqlstore.Dialect // zero: not a database
	Driver  string           // of database/sql; or fileDriver, redisDriver
	DSN     string           // or a directory, or Redis's URL
	Name    string           // of the table, or the prefix
	Pool    int              // how many connections to the database a process may have
	Lease   time.Duration    // zero: the store's default
}

const (
	fileDriver  = "files"
	redisDriver = "redis"

	postgresVariable = "PINTEREST_TEST_POSTGRES"
	mysqlVariable    = "PINTEREST_TEST_MYSQL"
	redisVariable    = "PINTEREST_TEST_REDIS"
)

// stores make an empty place, which is gone after the test. Their leases end soon
// after a process is killed, and not while a busy machine holds one up.
var stores = map[string]func(t *testing.T) place{
	"filestore": func(t *testing.T) place {
		return place{Driver: fileDriver, DSN: filepath.Join(t.TempDir(), "tokens")}
	},
	"sqlstore on SQLite": func(t *testing.T) place {
		file := filepath.Join(t.TempDir(), "tokens.db")
		return withTable(t, sqlstore.SQLite, "sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(1000)")
	},
	"sqlstore on PostgreSQL": func(t *testing.T) place {
		return withTable(t, sqlstore.PostgreSQL, "pgx", address(t, postgresVariable))
	},
	"sqlstore on MariaDB": func(t *testing.T) place {
		return withTable(t, sqlstore.MySQL, "mysql", address(t, mysqlVariable))
	},
	"redisstore": func(t *testing.T) place { return withPrefix(t, address(t, redisVariable)) },
}

// eachStore runs the test on all stores at once.
func eachStore(t *testing.T, test func(t *testing.T, store string)) {
	for name := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, name)
		})
	}
}

// address is where the environment says that a server is.
func address(t *testing.T, variable string) string {
	t.Helper()
	at := os.Getenv(variable)
	if at == "" {
		t.Skipf("%s is not set: no fleet runs there", variable)
	}
	return at
}

// open opens the store at a place, in any process.
func (p place) open() (s pinterest.Store, closeStore func(), err error) {
	switch p.Driver {
	case fileDriver:
		s, err := filestore.New(p.DSN)
		return s, func() {}, err
	case redisDriver:
		client, err := p.dial()
		if err != nil {
			return nil, nil, err
		}
		return &redisstore.Store{Client: client, Prefix: p.Name, Lease: p.Lease}, func() { _ = client.Close() }, nil
	}
	table, err := p.table()
	if err != nil {
		return nil, nil, err
	}
	return table, func() { _ = table.DB.Close() }, nil
}

func (p place) table() (*sqlstore.Store, error) {
	db, err := sql.Open(p.Driver, p.DSN)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(p.Pool)
	return &sqlstore.Store{DB: db, Dialect: p.Dialect, Table: p.Name, Lease: p.Lease}, nil
}

// dial asks a Sentinel who the primary is, if the URL names one.
func (p place) dial() (*redis.Client, error) {
	if strings.Contains(p.DSN, "master_name=") {
		options, err := redis.ParseFailoverURL(p.DSN)
		if err != nil {
			return nil, err
		}
		return redis.NewFailoverClient(options), nil
	}
	options, err := redis.ParseURL(p.DSN)
	if err != nil {
		return nil, err
	}
	return redis.NewClient(options), nil
}

func withTable(t *testing.T, dialect sqlstore.Dialect, driver, dsn string) place {
	t.Helper()
	p := place{Dialect: dialect, Driver: driver, DSN: dsn, Name: "fleet_test_" + strings.ToLower(rand.Text()[:12]),
		Pool:  2, // a process needs no more, and the server's are few
		Lease: 3 * time.Second,
	}
	s, err := p.table()
	require.NoError(t, err)
	s.DB.SetMaxIdleConns(0) // its server is disturbed, or its connections are counted
	t.Cleanup(func() {
		defer s.DB.Close()
		_, err := s.DB.ExecContext(soon(t), "DROP TABLE IF EXISTS "+p.Name)
		assert.NoError(t, err)
	})
	require.NoError(t, s.CreateTable(soon(t)))
	return p
}

func withPrefix(t *testing.T, url string) place {
	t.Helper()
	p := place{Driver: redisDriver, DSN: url, Name: "fleet_test_" + rand.Text() + ":", Lease: time.Second}
	client, err := p.dial()
	require.NoError(t, err)
	t.Cleanup(func() {
		defer client.Close()
		keys := client.Scan(soon(t), 0, p.Name+"*", 1000).Iterator()
		for keys.Next(soon(t)) {
			assert.NoError(t, client.Del(soon(t), keys.Val()).Err())
		}
		assert.NoError(t, keys.Err())
	})
	return p
}

// soon returns a context for what takes no time. It outlives the test's own, so
// that cleaning up may use it.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
