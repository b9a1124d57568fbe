package sqlstore_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/sqlstore"
	"github.com/go-pinterest/pinterest/storetest"
)

var _ pinterest.Store = (*sqlstore.Store)(nil)

// The driver would print that connections break.
var _ = mysql.SetLogger(&mysql.NopLogger{})

// Apps set their drivers up in ways that must not matter.
func TestStoreIsAStoreWhateverTheSettings(t *testing.T) {
	for name, settings := range map[string]struct {
		dialect  sqlstore.Dialect
		settings string
	}{
		"PostgreSQL without prepared statements": {sqlstore.PostgreSQL, "default_query_exec_mode=simple_protocol"},
		"PostgreSQL, serializable":               {sqlstore.PostgreSQL, "default_transaction_isolation=serializable"},
		"MySQL that counts found rows":           {sqlstore.MySQL, "clientFoundRows=true&interpolateParams=true"},
		"MySQL, serializable":                    {sqlstore.MySQL, "tx_isolation='SERIALIZABLE'"},
		"SQLite without WAL":                     {sqlstore.SQLite, "_pragma=journal_mode(DELETE)&_pragma=busy_timeout(0)"},
	} {
		t.Run(name, func(t *testing.T) {
			d := find(t, settings.dialect)
			d.settings = settings.settings
			storetest.TestStore(t, func(t *testing.T) pinterest.Store { return d.open(t, d.place(t)) })
		})
	}
}

func TestStoreIsAStoreInMemory(t *testing.T) {
	storetest.TestStore(t, func(t *testing.T) pinterest.Store {
		db, err := sql.Open("sqlite", ":memory:")
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		db.SetMaxOpenConns(1) // another connection would be another database
		s := &sqlstore.Store{DB: db, Dialect: sqlstore.SQLite}
		require.NoError(t, s.CreateTable(t.Context()))
		return s
	})
}

func TestStoreIsASharedStore(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		t.Parallel() // much of it waits for leases
		storetest.TestSharedStore(t, storetest.Shared{
			Place: d.place,
			Open: func(t *testing.T, place string) pinterest.Store {
				s := d.open(t, place)
				s.Lease = 2 * time.Second
				return s
			},
			Takeover: 10 * time.Second,
		})
	})
}

// A database is one that tests run on. A place is a table there, or the file of
// a SQLite database.
type database struct {
	dialect  sqlstore.Dialect
	driver   string
	dsn      string
	settings string // added to the DSN
}

var dialects = []sqlstore.Dialect{sqlstore.PostgreSQL, sqlstore.MySQL, sqlstore.SQLite}

func eachDatabase(t *testing.T, test func(t *testing.T, d database)) {
	t.Helper()
	for _, dialect := range dialects {
		t.Run(dialect.String(), func(t *testing.T) { test(t, find(t, dialect)) })
	}
}

// eachServer leaves out SQLite.
func eachServer(t *testing.T, test func(t *testing.T, d database)) {
	t.Helper()
	for _, dialect := range dialects[:2] {
		t.Run(dialect.String(), func(t *testing.T) { test(t, find(t, dialect)) })
	}
}

// find skips the test if the database is not there.
func find(t testing.TB, dialect sqlstore.Dialect) database {
	t.Helper()
	if dialect == sqlstore.SQLite {
		return database{dialect: dialect, driver: "sqlite", settings: "_pragma=journal_mode(WAL)&_pragma=busy_timeout(1000)"}
	}
	d, variable := database{dialect: dialect, driver: "pgx"}, "PINTEREST_TEST_POSTGRES"
	if dialect == sqlstore.MySQL {
		d.driver, variable = "mysql", "PINTEREST_TEST_MYSQL"
	}
	if d.dsn = os.Getenv(variable); d.dsn == "" {
		t.Skipf("%s is not set: nothing is tested on %v", variable, dialect)
	}
	return d
}

func (d database) connect(t testing.TB, place string) *sql.DB {
	t.Helper()
	dsn := d.dsn
	if d.dialect == sqlstore.SQLite {
		dsn = "file:" + place
	}
	if d.settings != "" {
		join := "?"
		if strings.Contains(dsn, "?") {
			join = "&"
		}
		dsn += join + d.settings
	}
	db, err := sql.Open(d.driver, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// emptyPlace names a place where no table is yet.
func (d database) emptyPlace(t testing.TB) string {
	t.Helper()
	if d.dialect == sqlstore.SQLite {
		return filepath.Join(t.TempDir(), "test.db")
	}
	place := "sqlstore_test_" + strings.ToLower(rand.Text()[:12])
	db := d.connect(t, place)
	t.Cleanup(func() {
		_, err := db.Exec("DROP TABLE IF EXISTS " + place)
		require.NoError(t, err)
	})
	return place
}

func (d database) place(t *testing.T) string { return d.table(t) }

func (d database) table(t testing.TB) string {
	t.Helper()
	place := d.emptyPlace(t)
	require.NoError(t, d.open(t, place).CreateTable(patient(t)))
	return place
}

// name is the table's.
func (d database) name(place string) string {
	if d.dialect == sqlstore.SQLite {
		return sqlstore.DefaultTable
	}
	return place
}

func (d database) store(db *sql.DB, place string) *sqlstore.Store {
	s := &sqlstore.Store{DB: db, Dialect: d.dialect}
	if d.dialect != sqlstore.SQLite {
		s.Table = place
	}
	return s
}

func (d database) open(t testing.TB, place string) *sqlstore.Store {
	t.Helper()
	return d.store(d.connect(t, place), place)
}

// patient returns a context that no correct store outlives.
func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func keep(t testing.TB, s *sqlstore.Store, key, value string) {
	t.Helper()
	require.NoError(t, s.Update(patient(t), key, returning(value)))
}

func kept(t testing.TB, s *sqlstore.Store, key string) string {
	t.Helper()
	value, err := s.Load(patient(t), key)
	require.NoError(t, err)
	return string(value)
}

func returning(value string) func(context.Context, []byte) ([]byte, time.Time, error) {
	return func(context.Context, []byte) ([]byte, time.Time, error) { return []byte(value), time.Time{}, nil }
}

func (d database) postgresConfig(t *testing.T) *pgx.ConnConfig {
	t.Helper()
	conf, err := pgx.ParseConfig(d.dsn)
	require.NoError(t, err)
	return conf
}

func (d database) mysqlConfig(t *testing.T) *mysql.Config {
	t.Helper()
	conf, err := mysql.ParseDSN(d.dsn)
	require.NoError(t, err)
	return conf
}
