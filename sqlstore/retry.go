package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"
)

// errTaken says that somebody else has what was asked for, or had it a moment
// ago: ask again.
var errTaken = errors.New("somebody else has it")

// again runs do until it succeeds, or fails for a reason that will not go away
// by itself, or ctx is over. It must not be used on what has run the caller's f.
func (s *Store) again(ctx context.Context, do func() error) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		err := do()
		if err == nil {
			return nil
		}
		if isOver(ctx) {
			return over(ctx, err)
		}
		if !s.Dialect.isTransient(err) {
			return err
		}
		select {
		case <-time.After(wait/2 + rand.N(wait)): // waiters that met must not go on meeting
		case <-ctx.Done():
		}
		if ctx.Err() != nil { // select takes either when both are ready
			return over(ctx, err)
		}
	}
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
	if errors.Is(err, ctx.Err()) || errors.Is(err, errTaken) {
		return ctx.Err()
	}
	return fmt.Errorf("%w (%v)", ctx.Err(), err)
}

// isTransient reports whether err comes of others' transactions, and the same
// statement may well succeed a moment later.
func (d Dialect) isTransient(err error) bool {
	if errors.Is(err, errTaken) {
		return true
	}
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

// isDuplicate reports whether err says that the key has a row already.
func (d Dialect) isDuplicate(err error) bool {
	return d == MySQL && number(err, "Number") == 1062 // ER_DUP_ENTRY
}

// isCreating reports whether err says that somebody creates the same table at
// the same time. PostgreSQL's IF NOT EXISTS does not see him.
func (d Dialect) isCreating(err error) bool {
	if d != PostgreSQL {
		return false
	}
	switch sqlState(err) {
	case "23505", // unique_violation, in the catalogue
		"42P07", // duplicate_table
		"42710": // duplicate_object, the table's type
		return true
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
