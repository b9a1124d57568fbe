package sqlstore

import (
	"errors"
	"fmt"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// The errors of drivers that the tests do without, in shape.
type (
	mattnError   struct{ Code, ExtendedCode mattnNumber }
	mattnNumber  int
	ncrucesError struct{ busy bool }
	ncrucesCode  uint8
)

func (mattnError) Error() string           { return "database is locked" }
func (*ncrucesError) Error() string        { return "sqlite3: database is locked" }
func (*ncrucesError) Code() ncrucesCode    { return 5 }
func (e *ncrucesError) Temporary() bool    { return e.busy }
func (d Dialect) transient(err error) bool { return d.isTransient(fmt.Errorf("wrapped: %w", err)) }

func TestOnlyWhatGoesAwayByItselfIsTriedAgain(t *testing.T) {
	require.True(t, PostgreSQL.transient(&pgconn.PgError{Code: "40P01"}), "a deadlock")
	require.True(t, PostgreSQL.transient(&pgconn.PgError{Code: "55P03"}), "a lock timeout")
	require.False(t, PostgreSQL.transient(&pgconn.PgError{Code: "42P01"}), "no such table")
	require.True(t, MySQL.transient(&mysql.MySQLError{Number: 1213}), "a deadlock")
	require.True(t, MySQL.transient(&mysql.MySQLError{Number: 1205}), "a lock timeout")
	require.False(t, MySQL.transient(&mysql.MySQLError{Number: 1146}), "no such table")
	require.True(t, SQLite.transient(mattnError{Code: 5}), "busy")
	require.False(t, SQLite.transient(mattnError{Code: 1}), "no such table")
	require.True(t, SQLite.transient(&ncrucesError{busy: true}), "busy")
	require.False(t, SQLite.transient(&ncrucesError{}), "not busy")
	for _, d := range []Dialect{PostgreSQL, MySQL, SQLite} {
		require.False(t, d.transient(errors.New("database is locked")), "words prove nothing")
	}
}
