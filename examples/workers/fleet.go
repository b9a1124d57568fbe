package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"strings"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/examples/internal/settings"
	"github.com/go-pinterest/pinterest/sqlstore"
)

const (
	processes      = 3
	logins         = 20
	jobsPerAccount = 3
)

// fleet is what -fake does: it has a fake Pinterest, accounts whose access tokens
// have all expired, and processes that do the jobs. Its tables are in a schema of
// their own, which it drops.
func fleet(ctx context.Context, logger *slog.Logger, database string) (err error) {
	f, err := newFleet(ctx, logger, database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	if err := f.fill(ctx); err != nil {
		return err
	}
	f.pinterest.Fake.ExpireAccess()

	program, err := os.Executable()
	if err != nil {
		return err
	}
	var fleet []*exec.Cmd
	for range processes {
		p := exec.CommandContext(ctx, program, "-once")
		p.Cancel = func() error { return p.Process.Signal(os.Interrupt) }
		p.Env, p.Stdout, p.Stderr = append(os.Environ(), f.env()...), os.Stdout, os.Stderr
		if err := p.Start(); err != nil {
			return err
		}
		fleet = append(fleet, p)
	}
	for _, p := range fleet {
		err = errors.Join(err, p.Wait())
	}
	if err != nil {
		return err
	}
	left, err := f.queue.left(ctx)
	counts := f.pinterest.Fake.Counts()
	fmt.Printf("%d processes, %d accounts, %d jobs: %d left, %d renewals, %d replays\n",
		processes, logins, logins*jobsPerAccount, left, counts.Refresh, counts.Replays)
	return err
}

// A fakeFleet is what a fleet works with.
type fakeFleet struct {
	pinterest *settings.Pinterest
	db        *sql.DB
	schema    string
	database  string
	queue     *queue
}

func newFleet(ctx context.Context, logger *slog.Logger, database string) (*fakeFleet, error) {
	at, err := url.Parse(database)
	if err != nil || at.Host == "" {
		return nil, errors.New("set DATABASE_URL, like postgres://postgres@127.0.0.1:5432/test?sslmode=disable")
	}
	f := &fakeFleet{schema: "pinterest_workers_" + strings.ToLower(rand.Text()[:10])}
	query := at.Query()
	query.Set("search_path", f.schema)
	at.RawQuery = query.Encode()
	f.database = at.String()
	if f.db, err = sql.Open("pgx", f.database); err != nil {
		return nil, err
	}
	if _, err := f.db.ExecContext(ctx, "CREATE SCHEMA "+f.schema); err != nil {
		return nil, errors.Join(err, f.db.Close())
	}
	f.pinterest = settings.Open(true, logger)
	f.queue = &queue{db: f.db}
	return f, nil
}

// fill logs accounts in and gives each of them jobs.
func (f *fakeFleet) fill(ctx context.Context) error {
	store := &sqlstore.Store{DB: f.db, Dialect: sqlstore.PostgreSQL}
	if err := errors.Join(store.CreateTable(ctx), f.queue.createTable(ctx)); err != nil {
		return err
	}
	accounts := &pinterest.Accounts{Config: f.pinterest.Config, Store: store}
	for i := range logins {
		account := fmt.Sprintf("account-%d", i+1)
		if err := accounts.Save(ctx, account, f.pinterest.Fake.Login()); err != nil {
			return err
		}
		for range jobsPerAccount {
			if err := f.queue.add(ctx, account); err != nil {
				return err
			}
		}
	}
	return nil
}

// env tells a process where all of it is.
func (f *fakeFleet) env() []string {
	return []string{
		"DATABASE_URL=" + f.database,
		"PINTEREST_API_URI=" + f.pinterest.API,
		"PINTEREST_APP_ID=" + f.pinterest.Config.ClientID,
		"PINTEREST_APP_SECRET=" + f.pinterest.Config.ClientSecret,
	}
}

func (f *fakeFleet) close() error {
	f.pinterest.Close()
	_, err := f.db.Exec("DROP SCHEMA " + f.schema + " CASCADE")
	return errors.Join(err, f.db.Close())
}
