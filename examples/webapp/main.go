// Webapp is a web app whose users log in with Pinterest and see their boards.
// Their tokens are sealed in an SQLite database and outlive any restart:
//
//	go run ./examples/webapp -fake
//
// serves it with a fake Pinterest. For the real one, register URL/callback as a
// redirect URL of your app and set PINTEREST_APP_ID, PINTEREST_APP_SECRET and
// TOKEN_KEY, the key that seals tokens: 32 bytes in base64.
package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/examples/internal/settings"
	"github.com/go-pinterest/pinterest/sqlstore"
	_ "modernc.org/sqlite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	logger := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	if err := run(ctx, logger, os.Args[1:]); err != nil {
		logger.Error("webapp", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, logger *slog.Logger, args []string) (err error) {
	flags := flag.NewFlagSet("webapp", flag.ContinueOnError)
	fake := flags.Bool("fake", false, "use a fake Pinterest and a temporary database")
	listen := flags.String("listen", "localhost:8080", "listen on this address")
	base := flags.String("url", "", "the app's URL as browsers know it (default http://ADDRESS)")
	file := flags.String("db", "webapp.db", "the SQLite database")
	if err := flags.Parse(args); err != nil {
		return err
	}
	key := os.Getenv("TOKEN_KEY")
	if *fake {
		dir, err := os.MkdirTemp("", "webapp")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		*file, key = filepath.Join(dir, "webapp.db"), newKey()
	}
	db, store, err := openStore(ctx, *file, key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	if *base == "" {
		*base = "http://" + listener.Addr().String()
	}
	to := settings.Open(*fake, logger)
	defer to.Close()
	to.Config.RedirectURL = strings.TrimSuffix(*base, "/") + "/callback"
	to.Config.Scopes = []string{pinterest.ScopeUserAccountsRead, pinterest.ScopeBoardsRead}
	accounts := &pinterest.Accounts{Config: to.Config, Store: store}

	server := &http.Server{
		Handler:           newApp(accounts, to.API, db, logger),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	logger.Info("listening", "address", listener.Addr().String(), "url", *base)

	var background sync.WaitGroup
	background.Go(func() { keepAliveDaily(ctx, accounts, logger) })

	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	return errors.Join(err, shutDown(server, &background, accounts, logger))
}

// shutDown ends in this order: no more requests, no more sweeps, and then what
// still runs in the background. A token that is being renewed when the process
// dies costs its user a login.
func shutDown(server *http.Server, background *sync.WaitGroup, accounts *pinterest.Accounts, logger *slog.Logger) error {
	logger.Info("shutting down")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // have your supervisor wait longer
	defer cancel()
	err := server.Shutdown(ctx)
	background.Wait()
	return errors.Join(err, accounts.Wait(ctx))
}

// keepAliveDaily renews the tokens of accounts that nobody uses: they die after
// sixty days. It begins with a sweep, as a process may not live for a day.
func keepAliveDaily(ctx context.Context, accounts *pinterest.Accounts, logger *slog.Logger) {
	daily := time.NewTicker(24 * time.Hour)
	defer daily.Stop()
	for {
		renewed, failed := 0, 0
		for key, err := range accounts.KeepAlive(ctx, nil) {
			switch {
			case key == "":
				logger.Warn("keep-alive ended early", "error", err)
			case err != nil: // the library has logged why, and who can mend it
				failed++
			default:
				renewed++
			}
		}
		logger.Info("keep-alive", "renewed", renewed, "failed", failed)
		select {
		case <-daily.C:
		case <-ctx.Done():
			return
		}
	}
}

// openStore opens the database, and the store in it that seals what it keeps.
func openStore(ctx context.Context, file, key string) (*sql.DB, pinterest.Store, error) {
	secret, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(secret) != 32 {
		return nil, nil, errors.New("TOKEN_KEY must be 32 bytes in base64: make one by head -c 32 /dev/urandom | base64, and keep it like a password")
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, nil, err
	}
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, nil, err
	}
	table := &sqlstore.Store{DB: db, Dialect: sqlstore.SQLite}
	_, err = db.ExecContext(ctx, sessionsTable)
	if err = errors.Join(err, table.CreateTable(ctx)); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", file, err), db.Close())
	}
	return db, pinterest.Encrypted(table, aead), nil
}

func newKey() string {
	secret := make([]byte, 32)
	_, _ = io.ReadFull(rand.Reader, secret) // it never fails
	return base64.StdEncoding.EncodeToString(secret)
}
