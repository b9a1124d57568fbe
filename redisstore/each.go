package redisstore

import (
	"context"
	"fmt"
	"time"
)

// A page of keys is in memory at once: so many, and no more once their values
// have so many bytes together.
const (
	pageKeys  = 128
	pageBytes = 1 << 20
)

// Each calls f with every key that is due before the given time (zero: every
// key) and what is kept under it, in no order that means something. It asks for a
// page at a time, so its memory does not grow with the number of keys. Times are
// compared in milliseconds.
func (s *Store) Each(ctx context.Context, before time.Time, f func(key string, value []byte) error) error {
	if err := s.usable(); err != nil {
		return err
	}
	for b := range buckets {
		for after := "-"; after != ""; {
			page, err := s.page(ctx, b, after, before)
			if err != nil {
				return failure("list the keys", err)
			}
			for _, r := range page.records {
				if err := ctx.Err(); err != nil {
					return failure("list the keys", err)
				}
				if err := f(r.key, r.value); err != nil {
					return err
				}
			}
			after = page.next
		}
	}
	return ctx.Err()
}

type page struct {
	records []record
	next    string // where the next one begins; empty: there is none
}

type record struct {
	key   string
	value []byte
}

func (s *Store) page(ctx context.Context, bucket int, after string, before time.Time) (*page, error) {
	limit := "" // none
	if !before.IsZero() {
		limit = fmt.Sprint(before.Add(time.Millisecond - 1).UnixMilli())
	}
	names := []string{s.index(bucket), s.bucket(uint32(bucket)) + "record:"}
	reply, err := answer(ctx, func() ([]string, error) {
		return pageScript.Run(ctx, s.Client, names, after, pageKeys, pageBytes, limit).StringSlice()
	}, nil)
	if err != nil {
		return nil, err
	}
	if len(reply)%2 != 1 {
		return nil, fmt.Errorf("an answer of an unknown form: %d strings", len(reply))
	}
	p := &page{next: reply[0]}
	for i := 1; i < len(reply); i += 2 {
		p.records = append(p.records, record{reply[i], []byte(reply[i+1])})
	}
	return p, nil
}

// milliseconds returns what is kept of due. It rounds down, so that no key is seen
// later than it is due; empty is never.
func milliseconds(due time.Time) string {
	if due.IsZero() {
		return ""
	}
	return fmt.Sprint(due.UnixMilli())
}
