package accounts

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
	"github.com/go-pinterest/pinterest/redisstore"
)

func openRedis(ctx context.Context, name string, _ bool) (*Store, error) {
	options, err := redis.ParseURL(name)
	if err != nil { // it could quote a password
		return nil, say.WrongUsage("the store is not the address of a Redis", "write it like redis://host:6379/0")
	}
	logging.Disable() // its errors are returned, too
	client := redis.NewClient(options)
	name = shown(name)
	if err := client.Ping(ctx).Err(); err != nil {
		client.Close()
		return nil, say.WithHint(fmt.Errorf("the store %s cannot be used: %w", name, err), "is Redis there, and may you use it?")
	}
	return newStore(name, &redisstore.Store{Client: client}, &redisstore.Store{Client: client, Prefix: "pinterest-apps:"}, client.Close), nil
}
