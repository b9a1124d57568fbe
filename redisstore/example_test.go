package redisstore_test

import (
	"context"
	"fmt"
	"log"
	"time"

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
	// In a program pinterest.Accounts does this.
	err = store.Update(ctx, "alice", func(ctx context.Context, old []byte) ([]byte, time.Time, error) {
		if old != nil {
			return nil, time.Time{}, fmt.Errorf("alice has a token already")
		}
		return []byte(`{"refresh_token":"pinr.…"}`), time.Time{}, nil
	})
	if err != nil {
		log.Fatal(err)
	}

	err = store.Each(ctx, time.Time{}, func(key string, value []byte) error {
		fmt.Printf("%s: %s\n", key, value)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: alice: {"refresh_token":"pinr.…"}
}
