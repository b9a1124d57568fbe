package accounts

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
	"github.com/go-pinterest/pinterest/redisstore"
)

func openRedis(ctx context.Context, _ io.Writer, name string, _ bool) (*Store, error) {
	options, err := redis.ParseURL(name)
	if err != nil { // it could quote a password
		message := "the store is not the address of a Redis"
		if parameter, ok := strings.CutPrefix(err.Error(), "redis: unexpected option: "); ok {
			message = "the store has a parameter that is not known for Redis: " + say.OneLine(parameter)
		}
		return nil, say.WrongUsage(message, "write it like redis://host:6379/0, or rediss:// to have the connection encrypted")
	}
	logging.Disable() // its errors are returned, too
	shownName := shown(name)
	if options.TLSConfig != nil {
		if plain(ctx, options.Addr) {
			return nil, say.WithHint(fmt.Errorf("the store %s cannot be used: there is a Redis at %s, and it does not encrypt", shownName, options.Addr),
				"name the port that does; redis:// would send the tokens in the clear")
		}
		dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: options.DialTimeout}, Config: options.TLSConfig}
		options.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) { // the client's own does not end with ctx
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			return dialer.DialContext(ctx, network, addr)
		}
	}
	client := redis.NewClient(options)
	if err := client.Ping(ctx).Err(); err != nil {
		client.Close()
		return nil, say.WithHint(fmt.Errorf("the store %s cannot be used: %w", shownName, err), redisHint(err))
	}
	return newStore(shownName, &redisstore.Store{Client: client}, &redisstore.Store{Client: client, Prefix: "pinterest-apps:"}, client.Close), nil
}

func redisHint(err error) string {
	if e := new(tls.CertificateVerificationError); errors.As(err, &e) {
		return untrustedHint(runtime.GOOS)
	}
	return "is Redis there, and may you use it? at a port that encrypts write rediss://"
}

// plain reports whether a Redis answers at addr without TLS. It would not say so:
// it takes what a TLS client sends for the beginning of a long command. What does
// speak TLS answers, if at all, with something else.
func plain(ctx context.Context, addr string) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	answer := make([]byte, 1)
	if _, err = conn.Write([]byte("PING\r\n")); err == nil {
		_, err = conn.Read(answer)
	}
	return err == nil && (answer[0] == '+' || answer[0] == '-')
}
