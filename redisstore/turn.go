package redisstore

import "context"

// A turn lets the goroutines of this process wait for a key among themselves,
// first come, first served, so that one at a time asks Redis for the lease.
type turn struct {
	slot  chan struct{} // sent to by whoever has the turn
	users int           // who have it or wait for it
}

// takeTurn waits for key's turn, which the caller gives up by calling give.
func (s *Store) takeTurn(ctx context.Context, key string) (give func(), err error) {
	s.mu.Lock()
	t := s.turns[key]
	if t == nil {
		t = &turn{slot: make(chan struct{}, 1)}
		if s.turns == nil {
			s.turns = make(map[string]*turn)
		}
		s.turns[key] = t
	}
	t.users++
	s.mu.Unlock()

	leave := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if t.users--; t.users == 0 {
			delete(s.turns, key)
		}
	}
	select {
	case t.slot <- struct{}{}:
		return func() { <-t.slot; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
