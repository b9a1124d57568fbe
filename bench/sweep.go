package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"math"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"time"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/sqlstore"
)

// measureSweep has KeepAlive go over accounts of which none are due, one in a
// hundred, or all; alone, by two sweeps at once as in two processes, and by hand.
func measureSweep(ctx context.Context, o options, log *log.Logger) (report, error) {
	r := report{title: "The sweep", notes: []string{
		"KeepAlive, eight at a time, with a fake Pinterest in this process that answers at once. Live heap is what the sweep had at most beyond what was there before. " +
			"Two at once have a pool and Accounts of their own each, as in two processes, and renew each account once between them; that time as a multiple of one sweep's is beside it: a half would be all that a second machine can give, but here they share one. " +
			"By hand are the bare statements with the bare request between them, eight at a time. Goal: proportional to what is due, and none of 1,000,000 in under a second.",
		fmt.Sprintf("No sweep renews more than %s accounts: for more, `-due`.", count(o.due)),
	}}
	r.table.add("", "accounts", "due", "time", "for each account", "for each due", "live heap", "two at once", "by hand")
	chosen := []engine{}
	for _, e := range engines(o) {
		switch {
		case e.name == "memory" || e.name == "files": // for tests; and for one user's machine
		case e.missing != "":
			log.Printf("sweep: %s IS LEFT OUT: %s names none", e.name, e.missing)
			r.notes = append(r.notes, fmt.Sprintf("**%s is left out**: %s named none.", e.name, e.missing))
		default:
			chosen = append(chosen, e)
		}
	}
	picture := chart{file: "sweep.svg", title: "A sweep", x: "accounts", y: "seconds"}
	for _, n := range o.accounts {
		picture.at = append(picture.at, float64(n))
	}
	for _, e := range chosen {
		lines := []series{{name: e.name + ", none due"}, {name: "1 % due"}, {name: "all due"}}
		for _, n := range o.accounts {
			for i, due := range []int{0, n / 100, n} {
				if due > o.due {
					lines[i].values = append(lines[i].values, math.NaN())
					continue
				}
				row, took, err := measureOneSweep(ctx, e, n, due)
				if err != nil {
					return r, fmt.Errorf("%s, %d of %d due: %w", e.name, due, n, err)
				}
				log.Println(row)
				r.table = append(r.table, row)
				lines[i].values = append(lines[i].values, took.Seconds())
			}
		}
		if e.dialect == sqlstore.PostgreSQL || len(picture.series) == 0 {
			picture.series = lines
		}
	}
	r.charts = append(r.charts, picture)
	return r, nil
}

func measureOneSweep(ctx context.Context, e engine, n, due int) (row []string, took time.Duration, err error) {
	one, err := sweepOnce(ctx, e, n, due, 1)
	if err != nil {
		return nil, 0, err
	}
	took = one.took
	row = []string{e.name, count(n), count(due), duration(took), nanoseconds(float64(took) / float64(n)), "", mebibytes(one.heap), "", ""}
	if due == 0 {
		return row, took, nil
	}
	row[5] = duration(took / time.Duration(due))
	if due < n {
		return row, took, nil
	}
	two, err := sweepOnce(ctx, e, n, due, 2)
	if err != nil {
		return nil, 0, err
	}
	row[7] = fmt.Sprintf("%s (%.2f)", duration(two.took), two.took.Seconds()/took.Seconds())
	if e.dialect != 0 {
		byHand, err := sweepByHand(ctx, e, n)
		if err != nil {
			return nil, 0, err
		}
		row[8] = fmt.Sprintf("%s (%.2f)", duration(byHand), took.Seconds()/byHand.Seconds())
	}
	return row, took, nil
}

// A swept is what one sweep or two took.
type swept struct {
	took time.Duration
	heap float64 // bytes
}

// sweepOnce makes the accounts and has them swept by so many sweeps at once, each
// account once. A sweep that has nothing to renew is so short that it runs five
// times.
func sweepOnce(ctx context.Context, e engine, n, due, sweeps int) (found swept, err error) {
	p, err := e.newPlace(ctx)
	if err != nil {
		return swept{}, err
	}
	defer func() {
		if closed := p.close(); err == nil {
			err = closed
		}
	}()
	fake := newFake()
	if err := p.seed(ctx, fake, n, due); err != nil {
		return swept{}, err
	}
	var accounts []*pinterest.Accounts
	for range sweeps {
		s, err := p.open(8)
		if err != nil {
			return swept{}, err
		}
		if _, err := s.Load(ctx, key(0)); err != nil { // dials, and looks at the table
			return swept{}, err
		}
		accounts = append(accounts, newAccounts(s, fake.Client().Transport))
	}
	times := 1
	if due == 0 {
		times = 5
	}
	var all []float64
	for range times {
		stop := watchHeap()
		began := time.Now()
		yielded, err := keepAlive(ctx, accounts)
		all = append(all, float64(time.Since(began)))
		found.heap = max(found.heap, stop())
		if err != nil {
			return swept{}, err
		}
		if c := fake.Counts(); yielded != due || c.Refresh != due || c.Replays != 0 {
			return swept{}, fmt.Errorf("%d accounts yielded, %d renewals and %d replays", yielded, c.Refresh, c.Replays)
		}
	}
	found.took = time.Duration(median(all))
	return found, nil
}

// keepAlive runs the sweeps at the same time and returns how many accounts they
// yielded.
func keepAlive(ctx context.Context, accounts []*pinterest.Accounts) (yielded int, err error) {
	var sweeping sync.WaitGroup
	counts, errs := make([]int, len(accounts)), make([]error, len(accounts))
	for i, a := range accounts {
		sweeping.Go(func() {
			for key, err := range a.KeepAlive(ctx, nil) {
				if err != nil {
					errs[i] = fmt.Errorf("%q: %w", key, err)
					return
				}
				counts[i]++
			}
		})
	}
	sweeping.Wait()
	for i, n := range counts {
		yielded += n
		if errs[i] != nil {
			return yielded, errs[i]
		}
	}
	return yielded, nil
}

// watchHeap returns what stops it, and tells how many bytes more than at first
// were found alive at most. The collector finds them when it runs.
func watchHeap() (stop func() float64) {
	runtime.GC()
	live := func() float64 {
		s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(s)
		return float64(s[0].Value.Uint64())
	}
	before, most := live(), 0.0
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			most = max(most, live()-before)
			select {
			case <-tick.C:
			case <-end:
				tick.Stop()
				return
			}
		}
	}()
	return func() float64 {
		close(end)
		<-ended
		return most
	}
}

// sweepByHand is the sweep of an app that has no library.
func sweepByHand(ctx context.Context, e engine, n int) (took time.Duration, err error) {
	p, err := e.newPlace(ctx)
	if err != nil {
		return 0, err
	}
	defer func() {
		if closed := p.close(); err == nil {
			err = closed
		}
	}()
	fake := newFake()
	if err := p.seed(ctx, fake, n, n); err != nil {
		return 0, err
	}
	const parallel = 8
	s, err := p.open(parallel)
	if err != nil {
		return 0, err
	}
	store := s.(*sqlstore.Store)
	byHand := p.byHand(store, fake.Client())
	began := time.Now()
	keys := make(chan string)
	errs := make([]error, parallel+1)
	var working sync.WaitGroup
	working.Go(func() {
		defer close(keys)
		errs[parallel] = dueKeys(ctx, store, keys)
	})
	for i := range parallel {
		working.Go(func() {
			for key := range keys {
				if err := byHand.renew(ctx, key); err != nil && errs[i] == nil {
					errs[i] = err
				}
			}
		})
	}
	working.Wait()
	took = time.Since(began)
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return 0, errs[i]
	}
	if c := fake.Counts(); c.Refresh != n || c.Replays != 0 {
		return 0, fmt.Errorf("by hand: %d renewals and %d replays", c.Refresh, c.Replays)
	}
	return took, nil
}

// dueKeys sends what is due, page by page.
func dueKeys(ctx context.Context, s *sqlstore.Store, keys chan<- string) error {
	query := inDialect(s.Dialect, `SELECT "key" FROM `+s.Table+` WHERE "due" < $1 AND "key" > $2 ORDER BY "key" LIMIT 500`)
	if s.Dialect == sqlstore.MySQL {
		query = "SELECT `key` FROM " + s.Table + " WHERE `due` < ? AND `key` > ? ORDER BY `key` LIMIT 500"
	}
	before, after := time.Now().Add(14*24*time.Hour).UnixMilli(), []byte{}
	for {
		page, err := column(ctx, s.DB, query, before, after)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, key := range page {
			keys <- string(key)
		}
		after = page[len(page)-1]
	}
}

func column(ctx context.Context, db *sql.DB, query string, args ...any) (values [][]byte, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var value []byte
		if err := rows.Scan(&value); err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, rows.Err()
}
