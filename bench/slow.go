package main

import (
	"context"
	"fmt"
	"log"
	"slices"
	"sync"
	"time"
)

// measureSlow has steady traffic across the renewals of a slow endpoint, for all
// contenders at the same time. It is in real time: in a bubble of testing/synctest
// time would stand still as soon as a goroutine waits for a mutex, which those of
// x/oauth2 do while it renews.
//
// Lives are short so that there are many renewals, and every contender is told to
// renew a second before expiry, which is five times what the endpoint takes.
// Azcore does not renew ahead twice in thirty seconds: its tokens live longer, or
// it would look worse than it is.
func measureSlow(ctx context.Context, o options, log *log.Logger) (report, error) {
	const (
		latency = 200 * time.Millisecond
		ahead   = time.Second
		every   = 5 * time.Millisecond
		delayed = latency / 2
	)
	life := func(p peer) time.Duration {
		if p.name == azure.name {
			return 33 * time.Second
		}
		return 3 * time.Second
	}
	type found struct {
		peer     peer
		at       *endpoint
		waits    []time.Duration
		failures int
		err      error
	}
	contenders := slices.Concat([]peer{ours, bare}, peers[1:])
	all := make([]*found, len(contenders))
	var measuring sync.WaitGroup
	for i, p := range contenders {
		f := &found{peer: p, at: newEndpoint(latency, life(p), false)}
		all[i] = f
		measuring.Go(func() {
			req := newRequest()
			a := p.login(login{at: f.at, refresh: "pinr.0", ahead: ahead}, newAnswerer())
			if f.err = a.use(req); f.err != nil { // the first token
				return
			}
			var mu sync.Mutex // guards waits and err
			var sending sync.WaitGroup
			ticks := time.NewTicker(every)
			defer ticks.Stop()
			for end := time.Now().Add(o.traffic); time.Now().Before(end) && ctx.Err() == nil; <-ticks.C {
				sending.Go(func() {
					began := time.Now()
					err := a.use(req)
					took := time.Since(began)
					mu.Lock()
					defer mu.Unlock()
					f.waits = append(f.waits, took)
					if err != nil {
						f.failures++
					}
				})
			}
			sending.Wait()
		})
	}
	measuring.Wait()

	r := report{title: "A slow endpoint under steady traffic", notes: []string{
		fmt.Sprintf("The endpoint takes %v, tokens live 3 s (those of azcore 33 s, as it renews ahead only every 30 s), and every contender is told to renew 1 s ahead. "+
			"A request begins every %v, for %v. Delayed is one that took more than %v; the floor, which renews nothing, shows what the machine itself delays. Goal: none delayed.", latency, every, o.traffic, delayed),
	}}
	r.table.add("", "renewals", "requests", "delayed", "for each renewal", "failed", "p50", "p99", "maximum")
	picture := chart{file: "slow.svg", title: "Requests delayed for each renewal", y: "requests", groups: []string{""}}
	for _, f := range all {
		if f.err != nil {
			return r, fmt.Errorf("%s: %w", f.peer.name, f.err)
		}
		slices.Sort(f.waits)
		n := len(f.waits)
		late := 0
		for _, w := range f.waits {
			if w > delayed {
				late++
			}
		}
		renewals, each := int(f.at.requests.Load())-1, "-"
		if renewals > 0 {
			each = figure(float64(late) / float64(renewals))
			picture.series = append(picture.series, series{f.peer.name, []float64{float64(late) / float64(renewals)}})
		}
		r.table.add(f.peer.name, count(max(renewals, 0)), count(n), count(late), each, count(f.failures), duration(f.waits[n/2]), duration(f.waits[n*99/100]), duration(f.waits[n-1]))
	}
	r.charts = append(r.charts, picture)
	return r, ctx.Err()
}
