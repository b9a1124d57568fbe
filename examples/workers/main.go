// Workers is one process of a fleet that works for many accounts. The jobs and
// the tokens are in one PostgreSQL database, named by DATABASE_URL:
//
//	go run ./examples/workers -fake
//
// has three such processes do 60 jobs of 20 accounts at a fake Pinterest, and
// tells what it cost. For the real one set PINTEREST_APP_ID and
// PINTEREST_APP_SECRET, log some accounts in by
//
//	pinterest login --store "$DATABASE_URL" --account alice
//
// run it once with -enqueue, which makes a job for each of them, and then on as
// many machines as you like.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/examples/internal/settings"
	"github.com/go-pinterest/pinterest/sqlstore"
	_ "github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/sync/errgroup"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("pid", os.Getpid())
	if err := run(ctx, logger, os.Args[1:]); err != nil {
		logger.Error("workers", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, logger *slog.Logger, args []string) (err error) {
	flags := flag.NewFlagSet("workers", flag.ContinueOnError)
	fake := flags.Bool("fake", false, "have a fleet of three work at a fake Pinterest")
	enqueue := flags.Bool("enqueue", false, "make a job for each account, and end")
	once := flags.Bool("once", false, "end when no job is due")
	lease := flags.Duration("lease", time.Minute, "after which the job of a process that died is another's")
	parallel := flags.Int("parallel", 4, "jobs at a time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *fake {
		return fleet(ctx, logger, os.Getenv("DATABASE_URL"))
	}
	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	store := &sqlstore.Store{DB: db, Dialect: sqlstore.PostgreSQL}
	queue := &queue{db: db, lease: *lease}
	if err := errors.Join(store.CreateTable(ctx), queue.createTable(ctx)); err != nil {
		return err
	}
	if *enqueue {
		return store.Each(ctx, time.Time{}, func(account string, _ []byte) error { return queue.add(ctx, account) })
	}

	to := settings.Open(false, logger)
	accounts := &pinterest.Accounts{Config: to.Config, Store: store}
	w := &worker{queue: queue, accounts: accounts, api: to.API, logger: logger, once: *once}
	workers, inTime := errgroup.WithContext(ctx)
	for range *parallel {
		workers.Go(func() error { return w.work(inTime) })
	}
	err = workers.Wait()

	// A token that is being renewed when the process ends would be lost.
	end, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(err, accounts.Wait(end))
}

// A worker does one job after the other. Any number of them, in any number of
// processes, may work for the same account: its token is renewed by one of them.
type worker struct {
	queue    *queue
	accounts *pinterest.Accounts
	api      string
	logger   *slog.Logger
	once     bool
}

// work ends with ctx, but not in the middle of a job.
func (w *worker) work(ctx context.Context) error {
	for ctx.Err() == nil {
		job, err := w.queue.take(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case job == nil && w.once:
			return nil
		case job == nil:
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			continue
		}
		if err := w.do(context.WithoutCancel(ctx), job); err != nil {
			return err
		}
	}
	return nil
}

// do does a job within its lease. Its error is one that ends the worker.
func (w *worker) do(ctx context.Context, j *job) error {
	within, cancel := context.WithTimeout(ctx, w.queue.lease)
	defer cancel()
	pins, err := w.countPins(within, j.account)
	log := w.logger.With("job", j.id, "account", j.account, "try", j.try)
	switch {
	case err == nil:
		log.Info("done", "pins", pins)
		return w.queue.finish(ctx, j, fmt.Sprintf("%d pins", pins))
	case errors.Is(err, pinterest.ErrReauthorize): // more tries are of no use
		log.Warn("the user has to log in again", "error", err)
		return w.queue.finish(ctx, j, "log in again")
	case errors.Is(err, pinterest.ErrClientRejected): // nor are other jobs
		return err
	default: // it can pass
		log.Warn("later", "error", err)
		return w.queue.later(ctx, j)
	}
}

// countPins is the work: it adds up what is on an account's boards.
func (w *worker) countPins(ctx context.Context, account string) (pins int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.api+"/v5/boards?page_size=250", nil)
	if err != nil {
		return 0, err
	}
	resp, err := w.accounts.Client(account).Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusUnauthorized { // the source knows whether the user has disconnected the app
		_, err := w.accounts.Source(account).TokenContext(ctx)
		return 0, errors.Join(errors.New("boards: "+resp.Status), err)
	}
	if resp.StatusCode != http.StatusOK {
		return 0, errors.New("boards: " + resp.Status)
	}
	var boards struct {
		Items []struct {
			Pins int `json:"pin_count"`
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&boards); err != nil {
		return 0, err
	}
	for _, b := range boards.Items {
		pins += b.Pins
	}
	return pins, nil
}
