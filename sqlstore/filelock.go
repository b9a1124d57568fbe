package sqlstore

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"time"
)

// A fileLock is a lock on a file beside the SQLite database, in the key's name.
// SQLite itself has one lock for the whole database: a transaction held open
// while f runs would let all accounts wait for one account's network. The
// operating system lets go of it when the process dies, as it does of
// SQLite's own locks.
type fileLock struct {
	store *Store
	sql   *statements
	key   string
	value []byte
	file  *lockedFile // nil: the database is in memory and this process's alone
}

func (s *Store) lockFile(ctx context.Context, q *statements, key string) (*fileLock, error) {
	database, err := s.databaseFile(ctx, q)
	if err != nil {
		return nil, err
	}
	l := &fileLock{store: s, sql: q, key: key}
	if database != "" {
		info, err := os.Stat(database)
		if err != nil {
			return nil, fmt.Errorf("the database is no file that could be locked: %w", err)
		}
		// To SQLite a table's name is the same in capitals.
		sum := sha256.Sum256([]byte(strings.ToLower(q.name) + "\x00" + key))
		err = s.again(ctx, func() error {
			l.file, err = openLocked(database, sum, info.Mode().Perm())
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if l.value, err = s.load(ctx, q, key); err != nil {
		l.release(ctx)
		return nil, err
	}
	return l, nil
}

// databaseFile returns the file that holds the table, or "" for a database in
// memory. It asks SQLite, which has followed links: processes that came by
// different paths must meet.
func (s *Store) databaseFile(ctx context.Context, q *statements) (string, error) {
	s.mu.Lock()
	known := s.database
	s.mu.Unlock()
	if known != nil {
		return *known, nil
	}

	schema := q.schema
	if schema == "" {
		schema = "main"
	}
	var file *string
	err := s.again(ctx, func() error {
		return s.DB.QueryRowContext(ctx, "SELECT file FROM pragma_database_list WHERE name = ?1 COLLATE NOCASE", schema).Scan(&file)
	})
	if err != nil {
		return "", fmt.Errorf("asking for the file of %s: %w", schema, err)
	}
	if file == nil {
		file = new(string)
	}
	s.mu.Lock()
	s.database = file
	s.mu.Unlock()
	return *file, nil
}

func (l *fileLock) old() []byte { return l.value }

func (l *fileLock) keep(ctx context.Context, value []byte, due time.Time) error {
	return l.write(ctx, l.sql.keep, notNil(value), milliseconds(due), []byte(l.key))
}

func (l *fileLock) delete(ctx context.Context) error {
	if l.value == nil {
		return nil
	}
	return l.write(ctx, l.sql.delete, []byte(l.key))
}

// write waits until nobody else writes to the database, which is short: no
// Store does anything meanwhile.
func (l *fileLock) write(ctx context.Context, query string, args ...any) error {
	return l.store.again(ctx, func() error {
		_, err := l.store.DB.ExecContext(ctx, query, args...)
		return err
	})
}

func (l *fileLock) release(context.Context) {
	if l.file != nil {
		l.file.unlock()
	}
}

// watch has nothing to do: such a lock is not lost.
func (l *fileLock) watch(context.Context, context.CancelCauseFunc) (rest func()) {
	return func() {}
}
