// Command bench measures pinterest beside what a program could use in its place:
// golang.org/x/oauth2, and the token caches of the AWS, Google Cloud and Azure
// SDKs. All contenders of a measure take turns in one run on the same work, so
// that the ratios hold though the machine be busy.
//
//	go run ./bench                       # everything, some twenty minutes
//	go run ./bench -only request,token   # these measures
//	go run ./bench -short                # seconds: to see that it runs
//	go run ./bench -dir bench            # writes results.md and the charts, too
//
// The measures, each in the file of its name:
//
//	request   a request through the client
//	token     asking for a good token
//	expired   many goroutines meet an expired token
//	slow      steady traffic across the renewals of a slow endpoint
//	idle      the bytes of a source that nobody asks
//	stores    a renewal through each store, beside its bare engine
//	sweep     KeepAlive over many accounts
//
// SQLite and files come with it. PostgreSQL, MySQL or MariaDB, and Redis are used
// where a flag or the environment names them; what is missing is left out, and said.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Options are the sizes of the measures, and where they find their services.
type options struct {
	postgres, mysql, redis string

	goroutines []int         // that send and ask at the same time
	turn       int           // operations of one of them
	turns      time.Duration // for the turns of all contenders, at each number of goroutines
	callers    int           // goroutines that meet an expired token
	traffic    time.Duration // how long the steady traffic goes on
	idle       []int         // idle sources
	renewals   int           // through each store
	accounts   []int         // before a sweep
	due        int           // accounts that one sweep has to renew at most
}

func full() options {
	return options{
		goroutines: []int{1, 2, 8, 64, 1000},
		turn:       100,
		turns:      8 * time.Second,
		callers:    10_000,
		traffic:    100 * time.Second,
		idle:       []int{1000, 1_000_000},
		renewals:   100,
		accounts:   []int{1000, 10_000, 100_000, 1_000_000},
		due:        10_000,
	}
}

func short() options {
	return options{
		goroutines: []int{1, 8},
		turn:       10,
		turns:      20 * time.Millisecond,
		callers:    200,
		traffic:    2300 * time.Millisecond,
		idle:       []int{1000},
		renewals:   3,
		accounts:   []int{50, 500},
		due:        50,
	}
}

// A report is what a measure found.
type report struct {
	title  string
	notes  []string
	table  table
	charts []chart
}

// A measure writes down what it does as it goes: some take minutes.
type measure struct {
	name string
	run  func(ctx context.Context, o options, log *log.Logger) (report, error)
}

var measures = []measure{
	{"request", measureRequest},
	{"token", measureToken},
	{"expired", measureExpired},
	{"slow", measureSlow},
	{"idle", measureIdle},
	{"stores", measureStores},
	{"sweep", measureSweep},
}

func main() {
	log := log.New(os.Stderr, "bench: ", 0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, log); err != nil {
		stop()
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, out io.Writer, log *log.Logger) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(log.Writer())
	quick := flags.Bool("short", false, "measure little: seconds instead of minutes, and figures that say nothing")
	only := flags.String("only", "", "the measures to run, with commas between them; empty: all")
	dir := flags.String("dir", "", "the directory for results.md and the charts; empty: print the table only")
	note := flags.String("note", "", "what to say of the machine beside what can be seen")
	accounts := flags.Int("accounts", 0, "sweep no more accounts than this; zero: 1,000,000, or 500 if -short")
	due := flags.Int("due", 0, "have one sweep renew no more accounts than this; zero: 10,000, or 50 if -short")
	postgres := flags.String("postgres", os.Getenv("PINTEREST_TEST_POSTGRES"), "a PostgreSQL to write to, else $PINTEREST_TEST_POSTGRES")
	mysql := flags.String("mysql", os.Getenv("PINTEREST_TEST_MYSQL"), "a MySQL or MariaDB to write to, else $PINTEREST_TEST_MYSQL")
	redis := flags.String("redis", os.Getenv("PINTEREST_TEST_REDIS"), "a Redis to write to, else $PINTEREST_TEST_REDIS")
	if err := flags.Parse(args); err != nil {
		return err
	}
	o := full()
	if *quick {
		o = short()
	}
	o.postgres, o.mysql, o.redis = *postgres, *mysql, *redis
	if *due > 0 {
		o.due = *due
	}
	if *accounts > 0 {
		o.accounts = slices.DeleteFunc(o.accounts, func(n int) bool { return n > *accounts })
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}

	text := new(strings.Builder)
	fmt.Fprintf(text, "# Measured\n\n%s\n", machine(ctx, o, *note))
	fmt.Fprintf(text, "\n%s\n", names)
	var failed error // what was measured before is written all the same
	for _, m := range chosen {
		log.Printf("%s …", m.name)
		began := time.Now()
		r, err := m.run(ctx, o, log)
		if err != nil {
			failed = fmt.Errorf("%s: %w", m.name, err)
			break
		}
		log.Printf("%s took %.0f s", m.name, time.Since(began).Seconds())
		r.write(text)
		for _, c := range r.charts {
			if *dir == "" {
				continue
			}
			if err := c.save(filepath.Join(*dir, c.file)); err != nil {
				return fmt.Errorf("%s: %w", c.file, err)
			}
		}
	}
	if *dir != "" {
		if err := os.WriteFile(filepath.Join(*dir, "results.md"), []byte(text.String()), 0o644); err != nil {
			return err
		}
	}
	_, err = io.WriteString(out, text.String())
	return errors.Join(failed, err)
}

func choose(only string) ([]measure, error) {
	if only == "" {
		return measures, nil
	}
	var chosen []measure
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(measures, func(m measure) bool { return m.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no measure %q", name)
		}
		chosen = append(chosen, measures[i])
	}
	return chosen, nil
}
