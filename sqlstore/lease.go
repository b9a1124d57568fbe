package sqlstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// ErrLeaseLost is the error of an Update or Delete that was shut out for longer
// than its lease, because the process stood still or could not reach the database,
// while another came in: what f returned is not kept any more, or never was, and
// what is kept may be newer. It is also the [context.Cause] that ends the context
// of f as soon as the lease may have run out.
var ErrLeaseLost = errors.New("sqlstore: lease lost")

const (
	defaultLease  = time.Minute
	shortestLease = time.Second / 10

	// Update tries for so long to keep what f returned, each time for no longer than
	// a connection may take that leads nowhere.
	keepTimeout    = time.Minute
	attemptTimeout = 10 * time.Second
)

func (s *Store) lease() time.Duration {
	if s.Lease == 0 {
		return defaultLease
	}
	return s.Lease
}

// A lease is a row that says who holds it, and until when.
type lease struct {
	store *Store
	sql   *statements
	key   []byte
	id    string    // of who holds it
	until time.Time // the database keeps others out until then, or longer
	old   []byte    // what is kept; nil: nothing
}

// take waits for key's turn, first in this process and then in the database.
func (s *Store) take(ctx context.Context, key string) (*lease, func(), error) {
	q, err := s.readyFor(ctx, key)
	if err != nil {
		return nil, nil, err
	}
	give, err := s.turns.take(ctx, key)
	if err != nil {
		return nil, nil, failed(err, "waiting for %q", key)
	}
	l := &lease{store: s, sql: q, key: []byte(key), id: rand.Text()}
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		// A statement that is cut short may be carried out later than the one that
		// lets go of what it claimed. So it goes on when the caller leaves.
		attempt, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTimeout)
		claimed, done := false, make(chan struct{})
		go func() {
			defer close(done)
			defer cancel()
			claimed, err = l.claim(attempt)
		}()
		select {
		case <-done:
		case <-ctx.Done():
		}
		leave := func() {
			defer give()
			if <-done; claimed || err != nil {
				l.release(ctx)
			}
		}
		if over := ctx.Err(); over != nil {
			go leave()
			return nil, nil, failed(over, "claiming %q", key)
		}
		switch {
		case claimed:
			return l, give, nil
		case err != nil && !errors.Is(err, context.DeadlineExceeded):
			go leave()
			return nil, nil, failed(err, "claiming %q", key)
		}
		if over := pause(ctx, wait); over != nil {
			go leave()
			if err != nil {
				over = fmt.Errorf("%w (%v)", over, err)
			}
			return nil, nil, failed(over, "waiting for %q", key)
		}
	}
}

// claim reports whether the key is ours now.
func (l *lease) claim(ctx context.Context) (bool, error) {
	s, args := l.store, []any{l.key, l.id, l.store.lease().Milliseconds()}
	// The database counts from when it was reached. Who counts from before that
	// never believes in the lease for longer than the database does.
	l.until = time.Now().Add(s.lease())
	var rows []row
	var err error
	if s.Dialect == MySQL {
		if _, err = s.exec(ctx, l.sql.claim, args...); err == nil {
			rows, err = s.ask(ctx, l.sql.load, l.key)
		}
	} else {
		rows, err = s.ask(ctx, l.sql.claim, args...)
	}
	if err != nil || len(rows) == 0 || rows[0].holder != l.id || !time.Now().Before(l.until) {
		return false, err
	}
	if rows[0].there {
		l.old = notNil(rows[0].value)
	}
	return true, nil
}

// extend keeps the lease from running out until ctx is over. If it runs out all
// the same, or may have, lost is told.
func (l *lease) extend(ctx context.Context, lost context.CancelCauseFunc) {
	whole := l.store.lease()
	for next := whole / 6; ; {
		select {
		case <-time.After(next):
		case <-ctx.Done():
			return
		}
		asked := time.Now()
		attempt, cancel := context.WithTimeout(ctx, min(whole/6, time.Until(l.until)))
		err := l.write(attempt, l.sql.extend, func(row) bool { return false }, whole.Milliseconds())
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			l.until, next = asked.Add(whole), whole/6
		case errors.Is(err, ErrLeaseLost):
			lost(err)
			return
		case !time.Now().Before(l.until):
			lost(fmt.Errorf("%w: not extended in time: %w", ErrLeaseLost, err))
			return
		default:
			next = min(whole/60, time.Until(l.until))
		}
	}
}

// keep keeps value and due and lets go. It does so even if ctx is over, and tries
// for a minute, since value may be all there is of a token.
//
// The database decides whether the lease was lost, not the clock of this process.
// A lease that lapsed and that nobody took is as good as one held.
func (l *lease) keep(ctx context.Context, value []byte, due time.Time) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	value = notNil(value)
	isKept := func(r row) bool { return r.there && bytes.Equal(r.value, value) }
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
		err := l.write(attempt, l.sql.keep, isKept, value, milliseconds(due))
		cancel()
		if err == nil || errors.Is(err, ErrLeaseLost) {
			return err
		}
		if errors.Is(err, context.DeadlineExceeded) { // which is not the caller's
			err = errors.New(err.Error())
		}
		if pause(ctx, wait) != nil {
			return fmt.Errorf("given up after %v: %w", keepTimeout, err)
		}
	}
}

func (l *lease) delete(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return l.write(ctx, l.sql.delete, func(r row) bool { return !r.there })
}

// write runs a statement that changes the row while it is ours. Done knows a row by
// which it was carried out before, and only its answer was lost.
func (l *lease) write(ctx context.Context, st *statement, done func(row) bool, args ...any) error {
	changed, err := l.store.exec(ctx, st, append(args, l.key, l.id)...)
	if err != nil || changed == 1 {
		return err
	}
	rows, err := l.store.ask(ctx, l.sql.load, l.key)
	switch {
	case err != nil:
		return err
	case rows[0].holder == l.id:
		return errMixedUp
	case done(rows[0]):
		return nil
	}
	return fmt.Errorf("%w: another was in", ErrLeaseLost)
}

// release lets go, and leaves what is kept as it was. While the database cannot be
// reached that is tried on in the background: others could not get in before the
// lease is over.
func (l *lease) release(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	if l.letGo(ctx) == nil {
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(ctx, l.store.lease())
		defer cancel()
		for wait := 50 * time.Millisecond; pause(ctx, wait) == nil && l.letGo(ctx) != nil; wait = min(2*wait, 5*time.Second) {
		}
	}()
}

func (l *lease) letGo(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout/2)
	defer cancel()
	if l.old == nil {
		if n, err := l.store.exec(ctx, l.sql.forget, l.key, l.id); err != nil || n == 1 {
			return err
		}
	}
	_, err := l.store.exec(ctx, l.sql.release, l.key, l.id)
	return err
}

// A row is an answer of the database.
type row struct {
	key, value []byte
	there      bool // value is not NULL: drivers do not agree on what an empty one is
	holder     string
	due        int64
}

// ask returns the answer to a question. What the context's end cuts short is not
// asked again.
func (s *Store) ask(ctx context.Context, st *statement, args ...any) (answer []row, err error) {
	err = s.run(ctx, func(conn *sql.Conn) error {
		answer = nil
		rows, err := conn.QueryContext(ctx, st.text, st.with(args)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for size := 0; rows.Next() && size < pageBytes; {
			var r row
			var tag string
			if err := rows.Scan(&tag, &r.key, &r.value, &r.there, &r.holder, &r.due); err != nil {
				return err
			}
			if tag != st.tag {
				return errMixedUp
			}
			answer = append(answer, r)
			size += len(r.value)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if len(answer) == 0 && !st.mayEmpty {
			return errMixedUp
		}
		return rows.Close()
	})
	return answer, err
}

func (s *Store) exec(ctx context.Context, st *statement, args ...any) (changed int64, err error) {
	err = s.run(ctx, func(conn *sql.Conn) error {
		result, err := conn.ExecContext(ctx, st.text, st.with(args)...)
		if err == nil {
			changed, err = result.RowsAffected()
		}
		return err
	})
	return changed, err
}
