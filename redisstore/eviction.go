package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// refuseEviction fails if Redis would throw away what is kept, or a lease, when its
// memory is full. It asks until it has been told once that Redis would not, or
// that it may not ask.
func (s *Store) refuseEviction(ctx context.Context) error {
	if s.spared.Load() {
		return nil
	}
	_, err := answer(ctx, func() (any, error) {
		if cluster, ok := s.Client.(*redis.ClusterClient); ok {
			return nil, cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return spares(ctx, node) })
		}
		return nil, spares(ctx, s.Client)
	}, nil)
	if err == nil {
		s.spared.Store(true)
	}
	return err
}

// passing are the errors of a Redis that will say more later.
var passing = []string{"LOADING", "CLUSTERDOWN", "MASTERDOWN", "NOAUTH", "BUSY"}

// spares asks by INFO, which is allowed in many places where CONFIG is not.
func spares(ctx context.Context, node redis.Cmdable) error {
	info, err := node.Info(ctx, "memory").Result()
	var refused redis.Error
	if errors.As(err, &refused) && !slices.ContainsFunc(passing, func(word string) bool { return redis.HasErrorPrefix(err, word) }) {
		return nil
	}
	if err != nil {
		return err
	}
	said := make(map[string]string)
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		said[name] = value
	}
	policy := said["maxmemory_policy"]
	if policy == "" || policy == "noeviction" || said["maxmemory"] == "0" {
		return nil
	}
	return fmt.Errorf("maxmemory-policy is %s, by which Redis throws tokens away when its memory is full: set it to noeviction, or use a Redis of its own", policy)
}
