package bench_test

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
	"github.com/go-pinterest/pinterest/sqlstore"
)

var dialects = []sqlstore.Dialect{sqlstore.SQLite, sqlstore.PostgreSQL}

func eachDatabase(t *testing.T, test func(t *testing.T, dialect sqlstore.Dialect)) {
	for _, dialect := range dialects {
		t.Run(dialect.String(), func(t *testing.T) {
			needs(t, dialect)
			test(t, dialect)
		})
	}
}

const postgresVariable = "PINTEREST_TEST_POSTGRES"

// needs skips the test if the database is not there.
func needs(tb testing.TB, dialect sqlstore.Dialect) {
	if dialect == sqlstore.PostgreSQL && os.Getenv(postgresVariable) == "" {
		tb.Skipf("%s is not set: nothing is tried on PostgreSQL", postgresVariable)
	}
}

// A place is a table of the test's own.
type place struct {
	dialect     sqlstore.Dialect
	driver, dsn string
	table       string
}

// newPlace creates a table and drops it when the test is over.
func newPlace(tb testing.TB, dialect sqlstore.Dialect) place {
	tb.Helper()
	p := place{dialect: dialect, table: "sweep_test_" + strings.ToLower(rand.Text()[:12])}
	if dialect == sqlstore.PostgreSQL {
		p.driver, p.dsn = "pgx", os.Getenv(postgresVariable)
	} else {
		p.driver = "sqlite"
		p.dsn = "file:" + filepath.Join(tb.TempDir(), "tokens.db") + "?_pragma=journal_mode(WAL)&_pragma=busy_timeout(1000)"
	}
	s := p.open(tb, 1)
	require.NoError(tb, s.CreateTable(tb.Context()))
	if dialect == sqlstore.PostgreSQL {
		tb.Cleanup(func() {
			_, err := s.DB.Exec("DROP TABLE " + p.table)
			require.NoError(tb, err)
		})
	}
	return p
}

// open returns a Store as a process of its own would have it, with enough
// connections to sweep so many accounts at a time. They stay open: the two that
// database/sql keeps by default would have the others dialled again and again.
func (p place) open(tb testing.TB, parallel int) *sqlstore.Store {
	tb.Helper()
	db, err := sql.Open(p.driver, p.dsn)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	db.SetMaxOpenConns(parallel + 1)
	db.SetMaxIdleConns(parallel + 1)
	return &sqlstore.Store{DB: db, Dialect: p.dialect, Table: p.table}
}

func account(i int) string { return fmt.Sprintf("account-%06d", i) }

// seed logs n accounts in, whose refresh tokens lapse within a day. What they
// are renewed to lives for sixty.
func (p place) seed(tb testing.TB, fake *pinteresttest.Handler, n int) {
	tb.Helper()
	fake.Change(func(h *pinteresttest.Handler) { h.RefreshLife = 24 * time.Hour })
	defer fake.Change(func(h *pinteresttest.Handler) { h.RefreshLife = 0 })

	tx, err := p.open(tb, 1).DB.BeginTx(tb.Context(), nil)
	require.NoError(tb, err)
	defer tx.Rollback()
	insert, err := tx.PrepareContext(tb.Context(), "INSERT INTO "+p.table+` ("key", "value", "due") VALUES ($1, $2, $3)`)
	require.NoError(tb, err)
	defer insert.Close()
	due := time.Now().Add(24 * time.Hour).UnixMilli()
	for i := range n {
		record, err := pinterest.MarshalToken(fake.Login(pinterest.ScopeUserAccountsRead, pinterest.ScopeBoardsRead))
		require.NoError(tb, err)
		_, err = insert.ExecContext(tb.Context(), []byte(account(i)), record, due)
		require.NoError(tb, err)
	}
	require.NoError(tb, tx.Commit())
}
