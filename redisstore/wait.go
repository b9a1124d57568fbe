package redisstore

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// A waiter asks again after a tenth of the time that it has waited already,
	// within these bounds: soon where little time is at stake, seldom where much.
	shortestPause = 2 * time.Millisecond
	longestPause  = 50 * time.Millisecond

	// farewell bounds the attempt to let go of what would lapse anyway.
	farewell = time.Second
)

// await runs script, one that returns 0 while another has the lease, until it
// does not. It returns what the script answered, and when it was asked.
func (s *Store) await(ctx context.Context, script string, names []string, id string, args ...any) (reply any, asked time.Time, err error) {
	args = append([]any{id}, args...)
	letGo := func() { s.letGo(ctx, names, id) }
	for began := time.Now(); ; {
		asked = time.Now()
		reply, err = answer(ctx, func() (any, error) {
			return s.Client.Eval(ctx, script, names, args...).Result()
		}, letGo)
		switch {
		case err != nil:
			go letGo() // Redis may have given us what we do not know of
			return nil, asked, err
		case reply != int64(0):
			return reply, asked, nil
		}
		if err := pause(ctx, time.Since(began)/10); err != nil {
			return nil, asked, err
		}
	}
}

// letGo gives up the lease if id holds it, even if ctx is over.
func (s *Store) letGo(ctx context.Context, names []string, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	_, _ = answer(ctx, func() (any, error) {
		return s.Client.Eval(ctx, letGoScript, names, id).Result()
	}, nil)
}

// pause waits for about d, within the bounds, so that those who came together
// do not ask together for ever.
func pause(ctx context.Context, d time.Duration) error {
	d = min(max(d, shortestPause), longestPause)
	select {
	case <-time.After(d/2 + rand.N(d/2+1)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
