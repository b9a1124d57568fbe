// Grpc calls a gRPC service in a user's name: each call carries the user's token,
// from a TokenSource that renews it. Any library that takes an oauth2.TokenSource
// is given one in this way.
//
//	go run ./examples/grpc -fake
//
// has the service, and a fake Pinterest, in the same process. For the real one:
//
//	pinterest login --store file:tokens
//	go run ./examples/grpc -serve localhost:8443 -cert cert.pem -key key.pem
//	go run ./examples/grpc -address localhost:8443 -ca cert.pem
//
// An HTTP client of this library sends a token to Pinterest alone. This program
// sends it to another service on purpose: have that be one of yours, over TLS.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/oauth"
	"google.golang.org/grpc/status"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/examples/grpc/boards"
	"github.com/go-pinterest/pinterest/examples/internal/settings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "grpc:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("grpc", flag.ContinueOnError)
	fake := flags.Bool("fake", false, "use a fake Pinterest, and a service in this process")
	dir := flags.String("store", "tokens", "where \"pinterest login --store file:DIR\" keeps tokens")
	account := flags.String("account", "default", "whose boards to count")
	address := flags.String("address", "localhost:8443", "the service")
	ca := flags.String("ca", "cert.pem", "the certificate of who signed the service's")
	serve := flags.String("serve", "", "be the service, at this address")
	cert := flags.String("cert", "cert.pem", "the service's certificate")
	key := flags.String("key", "key.pem", "the service's key")
	if err := flags.Parse(args); err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	to := settings.Open(*fake, logger)
	defer to.Close()

	if *serve != "" {
		listener, err := net.Listen("tcp", *serve)
		if err != nil {
			return err
		}
		tls, err := credentials.NewServerTLSFromFile(*cert, *key)
		if err != nil {
			return err
		}
		server := newServer(to.API, tls)
		context.AfterFunc(ctx, server.GracefulStop)
		logger.Info("serving", "address", listener.Addr().String())
		return server.Serve(listener)
	}

	var tls credentials.TransportCredentials
	if *fake {
		var server *grpc.Server
		if server, tls, *address, err = serveNear(to.API); err != nil {
			return err
		}
		defer server.Stop()
	} else if tls, err = credentials.NewClientTLSFromFile(*ca, ""); err != nil {
		return err
	}
	accounts, err := to.Accounts(ctx, *dir, *account)
	if err != nil {
		return err
	}
	defer func() { // or a token that is being renewed is lost
		end, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		err = errors.Join(err, accounts.Wait(end))
	}()
	if *fake {
		to.Fake.ExpireAccess() // to be renewed, as the service will be told
	}
	conn, err := dial(*address, tls, accounts.Source(*account))
	if err != nil {
		return err
	}
	defer conn.Close()

	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	count, err := boards.NewBoardsClient(conn).Count(ctx, new(boards.CountRequest))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d boards with %d pins\n", count.GetBoards(), count.GetPins())
	return nil
}

// dial returns a connection whose calls carry src's tokens. gRPC asks src at each
// call, and src answers without waiting while its token is good.
func dial(address string, tls credentials.TransportCredentials, src *pinterest.TokenSource) (*grpc.ClientConn, error) {
	return grpc.NewClient(address,
		grpc.WithTransportCredentials(tls),
		grpc.WithPerRPCCredentials(oauth.TokenSource{TokenSource: src}),
		grpc.WithUnaryInterceptor(renewing(src)),
	)
}

// renewing does what pinterest.Transport does about a 401: a call that is refused
// for its token is made once more with a new one. Its error says who can mend it,
// which gRPC's own would not: it has words only.
func renewing(src *pinterest.TokenSource) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		err := invoke(ctx, method, req, reply, conn, opts...)
		if status.Code(err) != codes.Unauthenticated {
			return err
		}
		if _, err := src.Refresh(ctx); err != nil {
			return err
		}
		return invoke(ctx, method, req, reply, conn, opts...)
	}
}
