package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// errMixedUp says that the answer is to another question: a pooler has run
// another client's statement.
var errMixedUp = errors.New("the answer is another statement's: let the pooler keep a connection's statements apart, or the driver send each in one piece")

// run runs a statement, and runs it again whatever it failed of, ten times at
// least and for a second: a deadlock, a statement that a pooler mixed
// up, a server that is gone and has a successor. Every statement can be run again
// without harm.
func (s *Store) run(ctx context.Context, do func(conn *sql.Conn) error) error {
	began := time.Now()
	for n, wait := 1, time.Millisecond; ; n, wait = n+1, min(2*wait, 50*time.Millisecond) {
		err := s.try(ctx, do)
		switch {
		case err == nil:
			return nil
		case isOver(ctx):
			return over(ctx, err)
		case n >= 10 && time.Since(began) >= time.Second && !s.isBusy(err):
			return err
		case pause(ctx, wait) != nil:
			return over(ctx, err)
		}
	}
}

// isBusy reports whether err is SQLite's of a file that others write to: one's turn
// comes. These are its own words, which no driver changes.
func (s *Store) isBusy(err error) bool {
	return s.Dialect == SQLite && strings.Contains(err.Error(), "is locked")
}

func (s *Store) try(ctx context.Context, do func(conn *sql.Conn) error) error {
	conn, err := s.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	err = do(conn)
	if err != nil && s.Dialect != SQLite { // which could have its database in this connection's memory
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // the next may lead to another server
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
