package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"
)

// heartbeat is how often a connection is asked for a sign of life while f runs.
// It also keeps the server from ending a transaction that looks forgotten.
const heartbeat = time.Second

// rollbackTimeout bounds how long a transaction's end is waited for before its
// connection is given up, which ends it too.
const rollbackTimeout = 5 * time.Second

// A rowLock is an open transaction that has locked the key's row. For a key
// without one it has inserted an empty row, which nobody sees before it is
// committed, and which nobody can insert a second time.
//
// The transaction is made of statements and not of a sql.Tx, which would end
// with the context it began with, and whose Commit takes no context at all.
type rowLock struct {
	conn  *sql.Conn
	sql   *statements
	key   []byte
	value []byte
	ended bool // the transaction was committed
}

func (s *Store) lockRow(ctx context.Context, q *statements, key string) (l *rowLock, err error) {
	err = s.again(ctx, func() error {
		l, err = s.tryLockRow(ctx, q, []byte(key))
		return err
	})
	return l, err
}

func (s *Store) tryLockRow(ctx context.Context, q *statements, key []byte) (_ *rowLock, err error) {
	conn, err := s.DB.Conn(ctx)
	if err != nil {
		return nil, err
	}
	l := &rowLock{conn: conn, sql: q, key: key}
	defer func() {
		if err != nil {
			l.release(context.WithoutCancel(ctx))
		}
	}()
	for _, begin := range q.begin {
		_, err := conn.ExecContext(ctx, begin)
		if errors.Is(err, driver.ErrBadConn) {
			return nil, errTaken // it had died in the pool; there are others
		}
		if err != nil {
			return nil, err
		}
	}
	err = conn.QueryRowContext(ctx, q.hold, key).Scan(&l.value, new(int64))
	if err == nil {
		l.value = notNil(l.value)
		return l, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}

	result, err := conn.ExecContext(ctx, q.claim, key)
	if s.Dialect.isDuplicate(err) {
		return nil, errTaken
	}
	if err != nil {
		return nil, err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, errTaken
	}
	return l, nil
}

func (l *rowLock) old() []byte { return l.value }

func (l *rowLock) keep(ctx context.Context, value []byte, due time.Time) error {
	if _, err := l.conn.ExecContext(ctx, l.sql.keep, notNil(value), milliseconds(due), l.key); err != nil {
		return err
	}
	return l.commit(ctx)
}

func (l *rowLock) delete(ctx context.Context) error {
	if l.value == nil {
		return nil // the empty row goes with the transaction
	}
	if _, err := l.conn.ExecContext(ctx, l.sql.delete, l.key); err != nil {
		return err
	}
	return l.commit(ctx)
}

func (l *rowLock) commit(ctx context.Context) error {
	_, err := l.conn.ExecContext(ctx, "COMMIT")
	l.ended = err == nil
	return err
}

func (l *rowLock) release(ctx context.Context) {
	if !l.ended {
		ctx, cancel := context.WithTimeout(ctx, rollbackTimeout)
		defer cancel()
		if _, err := l.conn.ExecContext(ctx, "ROLLBACK"); err != nil {
			// The pool must not get a connection that may be in a transaction.
			_ = l.conn.Raw(func(any) error { return driver.ErrBadConn })
		}
	}
	_ = l.conn.Close()
}

func (l *rowLock) watch(ctx context.Context, lost context.CancelCauseFunc) (rest func()) {
	ctx = context.WithoutCancel(ctx)
	resting, rested := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(rested)
		beat := time.NewTicker(heartbeat)
		defer beat.Stop()
		for {
			select {
			case <-resting:
				return
			case <-beat.C:
			}
			if err := l.ping(ctx); err != nil {
				lost(&lostError{err})
				return
			}
		}
	}()
	// A ping under way is waited for: cut short it would cost the connection.
	return sync.OnceFunc(func() {
		close(resting)
		<-rested
	})
}

func (l *rowLock) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	return l.conn.PingContext(ctx)
}

// A lostError is the cause of f's context's end when the connection is gone and
// the lock with it.
type lostError struct{ err error }

func (e *lostError) Error() string {
	return fmt.Sprintf("the connection that held the lock is lost: %v", e.err)
}

func (e *lostError) Unwrap() error { return e.err }
