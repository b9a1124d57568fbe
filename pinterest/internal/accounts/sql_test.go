package accounts

import (
	"crypto/rand"
	"database/sql"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
	"github.com/go-pinterest/pinterest/pinteresttest"
	"github.com/go-pinterest/pinterest/sqlstore"
)

// An emptyDatabase is a database of its own, named as --store names it.
type emptyDatabase struct {
	name    string
	db      *sql.DB
	dialect sqlstore.Dialect
	tables  string // asks for their number
}

func emptyDatabases(t *testing.T) map[string]emptyDatabase {
	own := "t" + strings.ToLower(rand.Text())
	open := func(driver, dsn string) *sql.DB {
		db, err := sql.Open(driver, dsn)
		require.NoError(t, err)
		t.Cleanup(func() { db.Close() })
		return db
	}
	exec := func(db *sql.DB, text string) {
		_, err := db.Exec(text)
		require.NoError(t, err)
	}
	all := make(map[string]emptyDatabase)
	file := filepath.Join(t.TempDir(), "app.db")
	lite := open("sqlite", file)
	exec(lite, "CREATE TABLE of_the_app (a)")
	all["sqlite"] = emptyDatabase{"sqlite:" + file, lite, sqlstore.SQLite, "SELECT count(*) - 1 FROM sqlite_master WHERE type = 'table'"}
	if dsn := os.Getenv("PINTEREST_TEST_POSTGRES"); dsn != "" {
		admin := open("pgx", dsn)
		exec(admin, "CREATE SCHEMA "+own)
		t.Cleanup(func() { _, _ = admin.Exec("DROP SCHEMA " + own + " CASCADE") })
		dsn += "&search_path=" + own
		all["postgres"] = emptyDatabase{dsn, open("pgx", dsn), sqlstore.PostgreSQL, "SELECT count(*) FROM pg_tables WHERE schemaname = '" + own + "'"}
	}
	if dsn := os.Getenv("PINTEREST_TEST_MYSQL"); dsn != "" {
		admin := open("mysql", dsn)
		exec(admin, "CREATE DATABASE "+own)
		t.Cleanup(func() { _, _ = admin.Exec("DROP DATABASE " + own) })
		conf, err := mysql.ParseDSN(dsn)
		require.NoError(t, err)
		conf.DBName = own
		u := url.URL{Scheme: "mysql", User: url.UserPassword(conf.User, conf.Passwd), Host: conf.Addr, Path: own}
		all["mysql"] = emptyDatabase{u.String(), open("mysql", conf.FormatDSN()), sqlstore.MySQL, "SELECT count(*) FROM information_schema.tables WHERE table_schema = '" + own + "'"}
	}
	return all
}

func TestWhoReadsCreatesNothingInADatabaseAndTheAppsTableIsEnough(t *testing.T) {
	for kind, database := range emptyDatabases(t) {
		t.Run(kind, func(t *testing.T) {
			t.Setenv(EnvStore, database.name)
			tables := func() (n int) {
				require.NoError(t, database.db.QueryRow(database.tables).Scan(&n))
				return n
			}
			v, err := Open(t.Context(), io.Discard, "", false)
			require.NoError(t, err)
			names, err := v.Names(t.Context())
			require.NoError(t, err)
			assert.Empty(t, names)
			require.NoError(t, v.Close())
			assert.Zero(t, tables())

			table := &sqlstore.Store{DB: database.db, Dialect: database.dialect}
			require.NoError(t, table.CreateTable(t.Context()))
			token := new(pinteresttest.Handler).Login()
			app := pinterest.Accounts{Config: new(pinterest.Config), Store: table}
			require.NoError(t, app.Save(t.Context(), "alice", token))
			v, err = Open(t.Context(), io.Discard, "", false)
			require.NoError(t, err)
			a, err := v.Account(t.Context(), "alice")
			require.NoError(t, err)
			assert.Equal(t, token.AccessToken, a.Token.AccessToken)
			require.NoError(t, v.Close())
			assert.Equal(t, 1, tables())
			if kind == "sqlite" {
				var mode string
				require.NoError(t, database.db.QueryRow("PRAGMA journal_mode").Scan(&mode))
				assert.Equal(t, "delete", mode, "nor is the file changed")
			}
		})
	}
}

func TestAParameterOfAStoreIsHeededOrRefused(t *testing.T) {
	for name, want := range map[string]string{
		"mysql://a@127.0.0.1:1/db?ssl-mode=REQUIRED":  `the store has a parameter "ssl-mode", which is not known for MySQL`,
		"mysql://a@127.0.0.1:1/db?nonsense=1":         `the store has a parameter "nonsense", which is not known for MySQL`,
		"mysql://a@127.0.0.1:1/db?tls=perhaps":        "the store is not the address of a MySQL database, or a parameter has no such value",
		"mysql:a@tcp(127.0.0.1:1)/db?nonsense=1":      `the store has a parameter "nonsense", which is not known for MySQL`,
		"mysql://a@127.0.0.1:1/db#tls=true":           "the address of the store has a #, and what follows it would not be heeded",
		"postgres://a@127.0.0.1:1/db#sslmode=require": "the address of the store has a #, and what follows it would not be heeded",
		"postgres://a@127.0.0.1:1/db?sslmode=perhaps": "the store is not the address of a PostgreSQL database",
		"redis://127.0.0.1:1/0?tls=true":              "the store has a parameter that is not known for Redis: tls",
		"sqlite:file.db?_pragma=query_only":           "the store is not the path of an SQLite database",
		"keyring:?service=mine":                       "there is one key ring only",
	} {
		t.Setenv(EnvStore, name)
		_, err := Open(t.Context(), io.Discard, "", false)
		require.EqualError(t, err, want, name)
		assert.Equal(t, say.StatusUsage, say.ExitStatus(err), name)
	}
}

// What the server is to judge is told by it.
func TestAParameterThatTheServerDoesNotHaveIsAnErrorAtOnce(t *testing.T) {
	with := func(dsn, parameter string) string {
		u, err := url.Parse(dsn)
		require.NoError(t, err)
		u.RawQuery = parameter
		return u.String()
	}
	names := make(map[string]string)
	if dsn := os.Getenv("PINTEREST_TEST_POSTGRES"); dsn != "" {
		names[with(dsn, "nonsense=1")] = "nonsense"
	}
	if dsn := os.Getenv("PINTEREST_TEST_MYSQL"); dsn != "" {
		conf, err := mysql.ParseDSN(dsn)
		require.NoError(t, err)
		names["mysql://"+conf.User+"@"+conf.Addr+"/"+conf.DBName+"?tls=true"] = "TLS"
	}
	if at := os.Getenv("PINTEREST_TEST_REDIS"); at != "" {
		names["rediss"+strings.TrimPrefix(at, "redis")] = "and it does not encrypt"
	}
	for name, want := range names {
		t.Setenv(EnvStore, name)
		_, err := Open(t.Context(), io.Discard, "", false)
		assert.ErrorContains(t, err, want, name)
	}
}
