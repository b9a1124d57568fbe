package sqlstore

import (
	"context"
	"time"
)

// A page of rows is in memory at once: so many, and no more once their values
// have so many bytes together.
const (
	pageRows  = 250
	pageBytes = 1 << 20
)

// Each calls f with every key that is due before the given time (zero: every
// key) and what is kept under it. It reads some hundred rows at a time, and has
// no connection while f runs. Times are compared in milliseconds.
//
// Given a time it passes over keys that an Update holds, and goes by due: so two
// sweeps at once share the work, and a key that is given another due meanwhile
// may be left out, or seen again.
func (s *Store) Each(ctx context.Context, before time.Time, f func(key string, value []byte) error) error {
	q, err := s.ready(ctx)
	if err != nil {
		return err
	}
	limit := max(2, before.Add(time.Millisecond-1).UnixMilli())
	last, sameDue := row{key: []byte{}}, false
	for more := true; more; {
		page, args := q.all, []any{last.key}
		switch {
		case sameDue: // the rest of those that are due when the last one is
			page, args = q.sameDue, []any{last.number, last.key}
		case !before.IsZero():
			page, args = q.due, []any{last.number, limit}
		}
		rows, err := s.ask(ctx, page, args...)
		if err != nil {
			return failed(err, "listing keys")
		}
		n, size := 0, 0
		for _, r := range rows {
			if !r.there {
				continue
			}
			if err := ctx.Err(); err != nil {
				return failed(err, "listing keys")
			}
			if err := f(string(r.key), notNil(r.value)); err != nil {
				return err
			}
			n, size = n+1, size+len(r.value)
			last = r
		}
		full := n == pageRows || size >= pageBytes
		more = full || sameDue
		sameDue = full && !before.IsZero()
	}
	return ctx.Err()
}

// milliseconds returns what is kept of due. It rounds down, so that no key is seen
// later than it is due; 0 is never.
func milliseconds(due time.Time) int64 {
	if due.IsZero() {
		return 0
	}
	return max(1, due.UnixMilli())
}
