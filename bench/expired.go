package main

import (
	"context"
	"fmt"
	"log"
	"sync"
	"time"
)

// measureExpired lets many goroutines meet an expired token. The endpoint takes a
// millisecond: with more, those that send a request for each goroutine, one after
// the other, would take minutes.
func measureExpired(ctx context.Context, o options, log *log.Logger) (report, error) {
	r := report{
		title: count(o.callers) + " goroutines at an expired token",
		notes: []string{"The endpoint issues a token after 1 ms, or refuses the refresh token after 1 ms. (A failure that can pass, such as a 503, pinterest tries up to four times within the one renewal, with pauses.) Time is until all goroutines have their token or error. Goal: one renewal.", names},
	}
	r.table.add("", "answering: requests", "time", "refusing: requests", "time")
	picture := chart{file: "expired.svg", title: "Token requests of " + r.title, y: "requests", log: true, groups: []string{"endpoint answers", "endpoint refuses"}}
	for _, p := range peers {
		row, values := []string{p.name}, []float64(nil)
		for _, failing := range []bool{false, true} {
			rounds := 3
			if failing {
				rounds = 1
			}
			var requests, took []float64
			for range rounds {
				n, d, err := meetExpired(p, o.callers, failing)
				if err != nil {
					return r, err
				}
				requests, took = append(requests, float64(n)), append(took, float64(d))
			}
			n := median(requests)
			row = append(row, count(int(n)), duration(time.Duration(median(took))))
			values = append(values, n)
			if ctx.Err() != nil {
				return r, ctx.Err()
			}
		}
		log.Println(row)
		r.table = append(r.table, row)
		picture.series = append(picture.series, series{p.name, values})
	}
	r.charts = append(r.charts, picture)
	return r, nil
}

func meetExpired(p peer, callers int, failing bool) (requests int, took time.Duration, err error) {
	at := newEndpoint(time.Millisecond, time.Hour, failing)
	a := p.login(login{at: at, refresh: "pinr.0"}, newAnswerer())
	req := newRequest()
	var met, all sync.WaitGroup
	start := make(chan struct{})
	met.Add(callers)
	errs := make(chan error, 1)
	for range callers {
		all.Go(func() {
			met.Done()
			<-start
			if err := a.use(req); (err != nil) != failing {
				select {
				case errs <- fmt.Errorf("%s, failing %t: %v", p.name, failing, err):
				default:
				}
			}
		})
	}
	met.Wait()
	began := time.Now()
	close(start)
	all.Wait()
	took = time.Since(began)
	select {
	case err = <-errs:
	default:
	}
	return int(at.requests.Load()), took, err
}
