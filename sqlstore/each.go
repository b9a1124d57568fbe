package sqlstore

import (
	"context"
	"time"
)

// A page of rows is in memory at once: so many, and no more once their values
// have so many bytes together.
const (
	pageRows  = 100
	pageBytes = 1 << 20
)

// Each calls f with every key that is due before the given time (zero: every
// key) and what is kept under it, in the keys' order. It reads a hundred rows at a
// time, and has no connection while f runs. Times are compared in milliseconds.
func (s *Store) Each(ctx context.Context, before time.Time, f func(key string, value []byte) error) error {
	q, err := s.prepare()
	if err != nil {
		return err
	}
	for last, more := []byte{}, true; more; {
		var rows []row
		rows, more, err = s.page(ctx, q, last, before)
		if err != nil {
			return failed(err, "listing keys")
		}
		for _, r := range rows {
			if err := ctx.Err(); err != nil {
				return failed(err, "listing keys")
			}
			if err := f(string(r.key), notNil(r.value)); err != nil {
				return err
			}
			last = r.key
		}
	}
	return ctx.Err()
}

type row struct{ key, value []byte }

// page returns rows that come after a key, and whether there may be more.
func (s *Store) page(ctx context.Context, q *statements, after []byte, before time.Time) (page []row, more bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	query, args := q.page, []any{after, pageRows}
	if !before.IsZero() {
		query, args = q.due, []any{after, before.Add(time.Millisecond - 1).UnixMilli(), pageRows}
	}
	err = s.again(ctx, func() error {
		page = page[:0]
		rows, err := s.DB.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		size := 0
		for size < pageBytes && rows.Next() {
			var r row
			if err := rows.Scan(&r.key, &r.value); err != nil {
				return err
			}
			page = append(page, r)
			size += len(r.value)
		}
		more = size >= pageBytes || len(page) == pageRows
		return rows.Err()
	})
	return page, more, err
}

// milliseconds returns what is kept of due. It rounds down, so that no key is seen
// later than it is due; 0 is never.
func milliseconds(due time.Time) int64 {
	ms := due.UnixMilli()
	switch {
	case due.IsZero():
		return 0
	case ms == 0:
		return -1
	}
	return ms
}
