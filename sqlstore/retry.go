package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"time"
)

// errMixedUp says that the answer is to another question: a pooler has run
// another client's statement.
var errMixedUp = errors.New("the answer is another statement's: let the pooler keep a connection's statements apart, or the driver send each in one piece")

// run has do run a statement, and run it again if it may have failed for a reason
// that is somebody else's, or its connection's alone: at least three times. Every
// statement can be run again without harm.
func (s *Store) run(ctx context.Context, do func(conn *sql.Conn) error) error {
	idle := s.DB.Stats().Idle
	wait := time.Millisecond
	for n := 1; ; n++ {
		err := s.try(ctx, do)
		if err == nil {
			return nil
		}
		if isOver(ctx) {
			return over(ctx, err)
		}
		tries := 3 + idle // each idle connection may have lost its server, or found it demoted
		switch {
		case s.Dialect.isTransient(err):
			tries = math.MaxInt
		case s.Dialect.isMixedUp(err):
			tries = 30
		}
		if n >= tries {
			return err
		}
		if pause(ctx, wait) != nil {
			return over(ctx, err)
		}
		wait = min(2*wait, 50*time.Millisecond)
	}
}

func (s *Store) try(ctx context.Context, do func(conn *sql.Conn) error) error {
	conn, err := s.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	err = do(conn)
	if s.Dialect.isReadOnly(err) { // the next may lead to the primary
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	return err
}

// pause waits for about as long, so that those who met do not go on meeting.
func pause(ctx context.Context, about time.Duration) error {
	select {
	case <-time.After(about/2 + rand.N(about)):
	case <-ctx.Done():
	}
	return ctx.Err() // select takes either when both are ready
}

// isOver knows of a deadline that has passed a moment before the context does.
// A driver that sets it on a socket is told of it by another clock.
func isOver(ctx context.Context) bool {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		<-ctx.Done()
	}
	return ctx.Err() != nil
}

// over returns the context's error, and what kept us until then.
func over(ctx context.Context, err error) error {
	if errors.Is(err, ctx.Err()) {
		return ctx.Err()
	}
	return fmt.Errorf("%w (%v)", ctx.Err(), err)
}

// isTransient reports whether err comes of others' statements, and the same
// statement may well succeed a moment later.
func (d Dialect) isTransient(err error) bool {
	switch d {
	case PostgreSQL:
		switch sqlState(err) {
		case "40001", // serialization_failure
			"40P01", // deadlock_detected
			"55P03", // lock_not_available: the app has set lock_timeout
			"57014": // query_canceled: the app has set statement_timeout
			return true
		}
	case MySQL:
		switch number(err, "Number") {
		case 1205, // ER_LOCK_WAIT_TIMEOUT
			1213: // ER_LOCK_DEADLOCK
			return true
		}
	case SQLite:
		switch sqliteCode(err) & 0xff { // above it are the extended codes
		case 5, // SQLITE_BUSY
			6: // SQLITE_LOCKED: by another connection that shares the cache
			return true
		}
	}
	return false
}

// isMixedUp reports whether err comes of a pooler that lets its clients' prepared
// statements get in each other's way.
func (d Dialect) isMixedUp(err error) bool {
	if errors.Is(err, errMixedUp) {
		return true
	}
	switch sqlState(err) {
	case "08P01", // protocol_violation: other parameters
		"22P03", // invalid_binary_representation: other types
		"26000", // invalid_sql_statement_name: it is on another connection
		"42P05": // duplicate_prepared_statement
		return true
	}
	return false
}

// isReadOnly reports whether err says that the connection leads to a replica, or
// to a primary that was demoted since.
func (d Dialect) isReadOnly(err error) bool {
	switch d {
	case PostgreSQL:
		return sqlState(err) == "25006" // read_only_sql_transaction
	case MySQL:
		switch number(err, "Number") {
		case 1290, // ER_OPTION_PREVENTS_STATEMENT
			1792, // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
			1836: // ER_READ_ONLY_MODE
			return true
		}
	}
	return false
}

// isCreating reports whether err says that somebody creates the same table at
// the same time. PostgreSQL's IF NOT EXISTS does not see him.
func (d Dialect) isCreating(err error) bool {
	switch sqlState(err) {
	case "23505", // unique_violation, in the catalogue
		"42P07", // duplicate_table
		"42710": // duplicate_object, the table's type
		return d == PostgreSQL
	}
	return false
}

// The store imports no driver and cannot name their error types. It knows them
// by their shape: pgx and lib/pq have a method SQLState, go-sql-driver/mysql a
// field Number, modernc.org/sqlite a method Code, mattn/go-sqlite3 a field Code,
// and ncruces/go-sqlite3 says Temporary when the database is busy.

func sqlState(err error) string {
	var e interface{ SQLState() string }
	if errors.As(err, &e) {
		return e.SQLState()
	}
	return ""
}

func sqliteCode(err error) int {
	var coded interface{ Code() int }
	if errors.As(err, &coded) {
		return coded.Code()
	}
	var temporary interface{ Temporary() bool }
	if errors.As(err, &temporary) && temporary.Temporary() {
		return 5
	}
	return number(err, "Code")
}

// number returns the field of that name of the first error in err's chain that
// has one, or zero.
func number(err error, field string) int {
	for ; err != nil; err = errors.Unwrap(err) {
		v := reflect.Indirect(reflect.ValueOf(err))
		if v.Kind() != reflect.Struct {
			continue
		}
		n := v.FieldByName(field)
		switch {
		case !n.IsValid():
		case n.CanInt():
			return int(n.Int())
		case n.CanUint():
			return int(n.Uint())
		}
	}
	return 0
}
