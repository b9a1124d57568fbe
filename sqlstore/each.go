package sqlstore

import (
	"context"
	"time"
)

// A page of rows is in memory at once: so many, and no more once their values
// have so many bytes together; and so many keys.
const (
	pageRows  = 250
	pageBytes = 1 << 20
	maxSeen   = 10_000
)

// Each calls f with every key that is due before the given time (zero: every
// key) and what is kept under it, in no order that means something. It reads some
// hundred rows at a time, and has no connection while f runs. Times are compared in
// milliseconds.
//
// Given a time it passes over keys that an Update holds: so two sweeps at once share
// the work. A key that is given another due meanwhile, by f for one, is seen once at
// most.
func (s *Store) Each(ctx context.Context, before time.Time, f func(key string, value []byte) error) error {
	q, err := s.ready(ctx)
	if err != nil {
		return err
	}
	// What is due is read by its due, for which there is an index. A row that f moves
	// ahead comes again, and is known by its key. If there are more of these than
	// can be remembered, all rows are read by key, for the rest.
	limit := max(2, before.Add(time.Millisecond-1).UnixMilli())
	byDue, seen := !before.IsZero(), make(map[string]bool)
	last := row{key: []byte{}, due: 1}
	for full := true; full; {
		page, args := q.all, []any{last.key}
		if byDue {
			page, args = q.due, []any{last.due, last.due, last.key, limit}
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
			n, size, last = n+1, size+len(r.value), r
			if !before.IsZero() && (seen[string(r.key)] || r.due == 0 || r.due >= limit || r.holder != "") {
				continue
			}
			if err := ctx.Err(); err != nil {
				return failed(err, "listing keys")
			}
			if byDue {
				seen[string(r.key)] = true
			}
			if err := f(string(r.key), notNil(r.value)); err != nil {
				return err
			}
		}
		full = n == pageRows || size >= pageBytes
		if full && byDue && len(seen) > maxSeen {
			byDue, last.key = false, []byte{}
		}
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
