package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"
)

// MaxKey is the length of the longest key, in bytes. It is the same for every
// database, so that an app can move from one to another.
const MaxKey = 1024

// A Store is a pinterest.Store that keeps its values in one table of a SQL
// database.
//
// It is safe for use by many goroutines at once. It must not be copied, nor its
// fields changed, once it is in use. Use one Store for a table throughout a
// process: of the goroutines that wait for the same key in one Store, one asks the
// database.
type Store struct {
	// DB is the database, opened by the app with the driver of its choice. It
	// stays the app's: a Store never closes it. It must lead to the primary, not
	// to a replica.
	DB *sql.DB

	// Dialect says what kind of database DB is.
	Dialect Dialect

	// Table is the table's name as the database has it, with its schema before
	// it and a dot if need be; letters of A to Z in either case, digits and
	// underscores. Empty: DefaultTable.
	Table string

	// Lease is how long a process that dies inside Update keeps the others out.
	// It is extended while Update runs, so f may take longer; but a process that
	// cannot reach the database for that long loses its turn. If it is shorter
	// than a token request, half a minute, such a process may have sent one that
	// another sends again. Zero: a minute; less than a tenth of a second is an
	// error.
	Lease time.Duration

	once       sync.Once // guards statements and err
	statements *statements
	err        error

	checked atomic.Bool // the table can be used
	turns   turns
}

// CreateTable creates the table and its index if the table is missing. An app that
// manages its tables by migrations takes the statements from [Schema] instead, and
// then CreateTable does nothing and needs no right to create tables.
func (s *Store) CreateTable(ctx context.Context) error {
	q, err := s.prepare()
	if err != nil {
		return err
	}
	if err := s.checkDatabase(ctx, q); err != nil {
		return failed(err, "creating table %s", q.table)
	}
	if s.try(ctx, executing(ctx, q.probe)) == nil {
		return nil
	}
	for _, create := range q.create {
		err := s.run(ctx, executing(ctx, create)) // PostgreSQL fails while somebody else creates the same
		if err == nil {
			if err = s.run(ctx, executing(ctx, q.probe)); err != nil {
				err = fmt.Errorf("a table of that name is there, and not as Schema has it: %w", err)
			}
		}
		if err != nil {
			return failed(err, "creating table %s", q.table)
		}
	}
	return nil
}

func executing(ctx context.Context, text string) func(*sql.Conn) error {
	return func(conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, text)
		return err
	}
}

// checkDatabase finds out settings that would lose what is kept.
func (s *Store) checkDatabase(ctx context.Context, q *statements) error {
	switch s.Dialect {
	case MySQL:
		var bad error
		err := s.run(ctx, func(conn *sql.Conn) error {
			rows, err := conn.QueryContext(ctx, q.health)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var name, value string
				if err := rows.Scan(&name, &value); err != nil {
					return err
				}
				switch value {
				case "OFF":
					bad = errors.New("autocommit is off, and nothing would be kept: leave autocommit=0 out of the DSN, or open another DB for the Store")
				case "READ-UNCOMMITTED":
					bad = errors.New("the isolation level is READ UNCOMMITTED, by which a key that is being written looks missing: leave it out of the DSN, or open another DB for the Store")
				}
			}
			return rows.Err()
		})
		return errors.Join(err, bad)
	case SQLite:
		if s.DB.Stats().MaxOpenConnections == 1 {
			return nil
		}
		var file string
		if err := s.run(ctx, func(conn *sql.Conn) error { return conn.QueryRowContext(ctx, q.health).Scan(&file) }); err != nil {
			return err
		}
		if file == "" {
			return errors.New("the database is in memory, and each connection may have another: say DB.SetMaxOpenConns(1)")
		}
	}
	return nil
}

// Load returns what is kept under key; missing: an error that is fs.ErrNotExist.
// It does not wait for an Update of key.
func (s *Store) Load(ctx context.Context, key string) ([]byte, error) {
	q, err := s.readyFor(ctx, key)
	if err != nil {
		return nil, err
	}
	rows, err := s.ask(ctx, q.load, []byte(key))
	switch {
	case err != nil:
		return nil, failed(err, "loading %q", key)
	case !rows[0].there:
		return nil, fmt.Errorf("sqlstore: nothing is kept under %q: %w", key, fs.ErrNotExist)
	}
	return notNil(rows[0].value), nil
}

// Update runs f on what is kept under key (nil if nothing) and durably keeps the
// value that f returns, and when it is due, rounded down to a millisecond. While f
// runs no other Update of key runs, in any process that shares the database.
//
// It takes a connection to claim the key, now and then to stay in possession of
// it, and to write; f may use DB. The context of f ends, with ErrLeaseLost for its
// cause, when the database could not be reached for as long as a lease. Update tries
// for a minute to keep what f returned.
func (s *Store) Update(ctx context.Context, key string, f func(ctx context.Context, old []byte) (value []byte, due time.Time, err error)) error {
	l, give, err := s.take(ctx, key)
	if err != nil {
		return err
	}
	defer give()
	holding, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	inside, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go l.extend(holding, cancel)

	kept := false
	defer func() {
		if !kept {
			l.release(ctx)
		}
	}()
	value, due, err := f(inside, l.old)
	if err != nil {
		if lost := context.Cause(inside); errors.Is(lost, ErrLeaseLost) {
			err = fmt.Errorf("%w (%w)", err, failed(lost, "updating %q", key))
		}
		return err
	}
	if err := l.keep(ctx, value, due); err != nil {
		return failed(err, "keeping the new value of %q", key)
	}
	kept = true
	return nil
}

// Delete forgets key; a missing key is no error. It waits for its turn as an
// Update does.
func (s *Store) Delete(ctx context.Context, key string) error {
	l, give, err := s.take(ctx, key)
	if err != nil {
		return err
	}
	defer give()
	if err := l.delete(ctx); err != nil {
		l.release(ctx)
		return failed(err, "deleting %q", key)
	}
	return nil
}

// prepare finds fault with the fields before the database sees them.
func (s *Store) prepare() (*statements, error) {
	s.once.Do(func() {
		switch {
		case s.DB == nil:
			s.err = errors.New("sqlstore: the Store has no DB: open one with a driver and set it")
		case s.lease() < shortestLease:
			s.err = fmt.Errorf("sqlstore: a Lease of %v is too short: at least %v", s.Lease, shortestLease)
		default:
			s.statements, s.err = s.Dialect.statements(s.Table)
		}
	})
	return s.statements, s.err
}

// ready looks at the table before it is used for the first time.
func (s *Store) ready(ctx context.Context) (*statements, error) {
	q, err := s.prepare()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil || s.checked.Load() {
		return q, err
	}
	err = s.checkDatabase(ctx, q)
	if err == nil {
		err = s.run(ctx, executing(ctx, q.probe))
	}
	if err != nil {
		return nil, failed(err, "looking at table %s, which has to be there as Schema has it", q.table)
	}
	s.checked.Store(true)
	return q, nil
}

func (s *Store) readyFor(ctx context.Context, key string) (*statements, error) {
	if key == "" {
		return nil, errors.New("sqlstore: the key is empty: name the account that the token belongs to")
	}
	if len(key) > MaxKey {
		return nil, fmt.Errorf("sqlstore: a key of %d bytes is too long: %d is the most", len(key), MaxKey)
	}
	return s.ready(ctx)
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
