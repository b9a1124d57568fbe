package sqlstore

import (
	"context"
	"iter"
)

// pageSize is how many keys are in memory at once.
const pageSize = 500

// Keys yields every key. It reads them a few hundred at a time and has no
// connection while the body of the loop runs.
func (s *Store) Keys(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		q, err := s.prepare()
		if err != nil {
			yield("", err)
			return
		}
		for last := []byte{}; ; {
			keys, err := s.page(ctx, q, last)
			if err != nil {
				yield("", failed(err, "listing keys"))
				return
			}
			for _, key := range keys {
				if !yield(string(key), nil) {
					return
				}
			}
			if len(keys) < pageSize {
				return
			}
			last = keys[len(keys)-1]
		}
	}
}

// page returns the keys that come after one.
func (s *Store) page(ctx context.Context, q *statements, after []byte) (keys [][]byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = s.again(ctx, func() error {
		keys = keys[:0]
		rows, err := s.DB.QueryContext(ctx, q.page, after, pageSize)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var key []byte
			if err := rows.Scan(&key); err != nil {
				return err
			}
			keys = append(keys, key)
		}
		return rows.Err()
	})
	return keys, err
}
