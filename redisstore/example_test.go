package redisstore_test

import (
	"context"
	"fmt"
	"log"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/go-pinterest/pinterest/redisstore"
)

func Example() {
	server, err := miniredis.Run() // stands for your Redis
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()

	ctx := context.Background()
	store := &redisstore.Store{Client: client}
	// In a program this is done by pinterest.SaveToken and by the token source
	// that pinterest.Config.StoredTokenSource returns.
	err = store.Update(ctx, "alice", func(ctx context.Context, old []byte) ([]byte, error) {
		if old != nil {
			return nil, fmt.Errorf("alice has a token already")
		}
		return []byte(`{"refresh_token":"pinr.…"}`), nil
	})
	if err != nil {
		log.Fatal(err)
	}

	for key, err := range store.Keys(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		value, err := store.Load(ctx, key)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s\n", key, value)
	}
	// Output: alice: {"refresh_token":"pinr.…"}
}
