package redisstore

import (
	"context"
	"fmt"
	"time"
)

// What is in memory at once: so many keys, of so many the values as well, and no
// more of these once they have so many bytes together.
const (
	maxKeys   = 1000
	maxValues = 32
	maxBytes  = 1 << 20
)

// Each calls f with every key that is due before the given time (zero: every
// key) and what is kept under it, in no order that means something. Times are
// compared in milliseconds.
//
// A key that is being updated counts as not due, so that sweeps that run at the
// same time share the work. Given no time, Each sees it with its old value.
//
// What is due is found without looking at the rest, as long as it is no more
// than some 64,000 keys. Memory does not grow with the number of keys.
func (s *Store) Each(ctx context.Context, before time.Time, f func(key string, value []byte) error) error {
	if err := s.usable(); err != nil {
		return err
	}
	limit := ""
	if !before.IsZero() {
		limit = fmt.Sprint(before.Add(time.Millisecond - 1).UnixMilli()) // no key that is due is rounded out
	}
	for b := range uint32(buckets) {
		if err := s.eachIn(ctx, s.bucket(b), limit, f); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// eachIn is Each for one bucket.
//
// What is due is taken note of at once. If it is too much for that, all keys are
// gone through in their own order. Pages in the order of time would miss a key
// that moves back meanwhile, and show one that moves ahead again: for ever, if
// f itself moves it to a time that is before the given one too.
func (s *Store) eachIn(ctx context.Context, bucket bucket, limit string, f func(key string, value []byte) error) error {
	if limit != "" {
		keys, err := s.keys(ctx, dueScript, bucket.due(), limit, maxKeys+1)
		if err != nil {
			return failure("list the keys", err)
		}
		if len(keys) <= maxKeys {
			return s.show(ctx, bucket, keys, limit, f)
		}
	}
	for from := "-"; ; {
		keys, err := s.keys(ctx, keysScript, bucket.keys(), from, maxKeys)
		if err != nil {
			return failure("list the keys", err)
		}
		if err := s.show(ctx, bucket, keys, limit, f); err != nil {
			return err
		}
		if len(keys) < maxKeys {
			return nil
		}
		from = "(" + keys[len(keys)-1]
	}
}

func (s *Store) keys(ctx context.Context, script, set string, args ...any) ([]string, error) {
	return answer(ctx, func() ([]string, error) {
		return s.Client.Eval(ctx, script, []string{set}, args...).StringSlice()
	}, nil)
}

// show calls f with those of keys that are there and, unless limit is empty,
// still due before it and not being updated.
func (s *Store) show(ctx context.Context, bucket bucket, keys []string, limit string, f func(key string, value []byte) error) error {
	bytes := maxBytes
	if limit != "" {
		bytes = 1 // one at a time, lest another sweep be at work on it when f comes to it
	}
	for len(keys) > 0 {
		names, args := []string{bucket.due()}, []any{limit, bytes}
		for _, key := range keys[:min(len(keys), maxValues)] {
			names, args = append(names, bucket.lease(key), bucket.record(key)), append(args, key)
		}
		values, err := answer(ctx, func() ([]any, error) {
			return s.Client.Eval(ctx, recordsScript, names, args...).Slice()
		}, nil)
		if err != nil {
			return failure("list the keys", err)
		}
		for i, value := range values {
			if err := ctx.Err(); err != nil {
				return failure("list the keys", err)
			}
			if value, ok := value.(string); ok {
				if err := f(keys[i], []byte(value)); err != nil {
					return err
				}
			}
		}
		keys = keys[len(values):]
	}
	return nil
}

// milliseconds returns what is kept of due. It rounds down, so that no key is seen
// later than it is due; empty is never.
func milliseconds(due time.Time) string {
	if due.IsZero() {
		return ""
	}
	return fmt.Sprint(due.UnixMilli())
}
