package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"
)

// MaxKey is the length of the longest key, in bytes. It is the same for every
// database, so that an app can move from one to another.
const MaxKey = 1024

// keepTimeout bounds what Update does after f has returned, which the caller's
// context no longer cuts short.
const keepTimeout = 30 * time.Second

// A Store is a pinterest.Store that keeps its values in one table of a SQL
// database.
//
// It is safe for use by many goroutines at once. It must not be copied, nor its
// fields changed, once it is in use. Use one Store for a table throughout a
// process: goroutines that wait for the same key in one Store wait without a
// connection.
type Store struct {
	// DB is the database, opened by the app with the driver of its choice. It
	// stays the app's: a Store never closes it. It must be the primary, not a
	// replica.
	DB *sql.DB

	// Dialect says what kind of database DB is.
	Dialect Dialect

	// Table is the table's name as the database has it, with its schema before
	// it and a dot if need be; letters of A to Z in either case, digits and
	// underscores. Empty: DefaultTable.
	Table string

	once       sync.Once // guards statements and err
	statements *statements
	err        error

	turns turns

	mu       sync.Mutex // guards database
	database *string    // the SQLite file, once it is known
}

// CreateTable creates the table if it is missing. An app that manages its
// tables by migrations takes the statement from [Schema] instead, and then
// CreateTable does nothing and needs no right to create tables.
func (s *Store) CreateTable(ctx context.Context) error {
	q, err := s.prepare()
	if err != nil {
		return err
	}
	err = s.again(ctx, func() error {
		if _, err := s.DB.ExecContext(ctx, q.probe); err == nil {
			return nil
		}
		_, err := s.DB.ExecContext(ctx, q.create)
		if s.Dialect.isCreating(err) {
			return errTaken
		}
		if err != nil {
			return err
		}
		if _, err := s.DB.ExecContext(ctx, q.probe); err != nil {
			return fmt.Errorf("a table of that name is there, and not as Schema has it: %w", err)
		}
		return nil
	})
	if err != nil {
		return failed(err, "creating table %s", q.table)
	}
	return nil
}

// Load returns what is kept under key; missing: an error that is fs.ErrNotExist.
// It does not wait for an Update of key, and takes a connection only for as long
// as the query runs.
func (s *Store) Load(ctx context.Context, key string) ([]byte, error) {
	q, err := s.ready(ctx, key)
	if err != nil {
		return nil, err
	}
	value, err := s.load(ctx, q, key)
	switch {
	case err != nil:
		return nil, failed(err, "loading %q", key)
	case value == nil:
		return nil, fmt.Errorf("sqlstore: nothing is kept under %q: %w", key, fs.ErrNotExist)
	}
	return value, nil
}

// load returns nil for a key that is missing, and never for one that is there.
func (s *Store) load(ctx context.Context, q *statements, key string) (value []byte, err error) {
	err = s.again(ctx, func() error {
		return s.DB.QueryRowContext(ctx, q.load, []byte(key)).Scan(&value, new(int64))
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return notNil(value), err
}

// Update runs f on what is kept under key (nil if nothing) and durably keeps the
// value that f returns, and when it is due, rounded down to a millisecond. While f
// runs no other Update of key runs, in any process that shares the database.
//
// With PostgreSQL and MySQL a connection is taken for the length of f, and its
// loss cancels f's context; f may use DB if the pool has a connection to spare.
// With SQLite no connection is taken while f runs.
func (s *Store) Update(ctx context.Context, key string, f func(ctx context.Context, old []byte) (value []byte, due time.Time, err error)) error {
	l, release, err := s.lock(ctx, key)
	if err != nil {
		return err
	}
	defer release()

	inside, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	rest := l.watch(inside, cancel)
	defer rest()
	value, due, err := f(inside, l.old())
	rest()
	if err != nil {
		if lost := (*lostError)(nil); errors.As(context.Cause(inside), &lost) {
			err = errors.Join(err, failed(lost, "updating %q", key))
		}
		return err
	}

	keeping, cancelKeeping := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancelKeeping()
	if err := l.keep(keeping, value, due); err != nil {
		return failed(err, "keeping the new value of %q", key)
	}
	return nil
}

// Delete forgets key; a missing key is no error. It waits for its turn as an
// Update does.
func (s *Store) Delete(ctx context.Context, key string) error {
	l, release, err := s.lock(ctx, key)
	if err != nil {
		return err
	}
	defer release()
	if err := l.delete(ctx); err != nil {
		return failed(err, "deleting %q", key)
	}
	return nil
}

// A lock is one key's, held against every process that shares the database.
type lock interface {
	old() []byte // nil if there is nothing
	keep(ctx context.Context, value []byte, due time.Time) error
	delete(ctx context.Context) error
	// release lets go; what was not kept or deleted stays as it was.
	release(ctx context.Context)
	// watch calls lost with a *lostError should the lock be lost, until rest is
	// called, which may be done more than once.
	watch(ctx context.Context, lost context.CancelCauseFunc) (rest func())
}

// lock waits for key's turn, first in this process and then in the database.
func (s *Store) lock(ctx context.Context, key string) (l lock, release func(), err error) {
	q, err := s.ready(ctx, key)
	if err != nil {
		return nil, nil, err
	}
	give, err := s.turns.take(ctx, key)
	if err != nil {
		return nil, nil, failed(err, "waiting for %q", key)
	}
	if s.Dialect == SQLite {
		l, err = s.lockFile(ctx, q, key)
	} else {
		l, err = s.lockRow(ctx, q, key)
	}
	if err != nil {
		give()
		return nil, nil, failed(err, "locking %q", key)
	}
	release = func() {
		defer give()
		l.release(context.WithoutCancel(ctx))
	}
	if err := ctx.Err(); err != nil { // it ended as the lock was had
		release()
		return nil, nil, failed(err, "locking %q", key)
	}
	return l, release, nil
}

// prepare finds fault with the fields before the database sees them.
func (s *Store) prepare() (*statements, error) {
	s.once.Do(func() {
		if s.DB == nil {
			s.err = errors.New("sqlstore: the Store has no DB: open one with a driver and set it")
			return
		}
		s.statements, s.err = s.Dialect.statements(s.Table)
	})
	return s.statements, s.err
}

func (s *Store) ready(ctx context.Context, key string) (*statements, error) {
	q, err := s.prepare()
	if err != nil {
		return nil, err
	}
	if key == "" {
		return nil, errors.New("sqlstore: the key is empty: name the account that the token belongs to")
	}
	if len(key) > MaxKey {
		return nil, fmt.Errorf("sqlstore: a key of %d bytes is too long: %d is the most", len(key), MaxKey)
	}
	return q, ctx.Err()
}

// failed says what err came of. It hides an fs.ErrNotExist, as of a server's
// socket that is not there: only a missing key may be one.
func failed(err error, format string, args ...any) error {
	what := "sqlstore: " + fmt.Sprintf(format, args...)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %v", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// notNil makes a value of no bytes, which some drivers hand out as nil, an
// empty one.
func notNil(value []byte) []byte {
	if value == nil {
		return []byte{}
	}
	return value
}
