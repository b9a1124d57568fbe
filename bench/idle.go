package main

import (
	"context"
	"crypto/rand"
	"log"
	"runtime"
)

// measureIdle reports what a source that nobody asks costs, with its tokens: an
// access token and a refresh token of 31 bytes each, which take 32.
func measureIdle(ctx context.Context, o options, log *log.Logger) (report, error) {
	r := report{title: "Bytes of an idle source", notes: []string{
		"With its token, the text of which takes 64 bytes, after its first use. pinterest and x/oauth2 are given the access token, and once more are measured after a renewal, when x/oauth2's token holds all fields of the endpoint's answer. " +
			"The others have asked their provider for it, and hold what their cache keeps. Of azcore it is the policy alone, without a pipeline. Goal: 400 bytes.",
	}}
	r.table.add("")
	picture := chart{file: "idle.svg", title: r.title, y: "bytes", x: "sources"}
	for _, n := range o.idle {
		r.table[0] = append(r.table[0], count(n)+" sources")
		picture.groups = append(picture.groups, count(n))
	}
	r.table[0] = append(r.table[0], "goroutines", "after a renewal")
	for _, p := range peers {
		row, values := []string{p.name}, []float64(nil)
		before := runtime.NumGoroutine()
		for _, n := range o.idle {
			each, err := sizeOf(ctx, p, n, false)
			if err != nil {
				return r, err
			}
			row, values = append(row, figure(each)), append(values, each)
		}
		renewed, err := sizeOf(ctx, p, o.idle[0], true)
		if err != nil {
			return r, err
		}
		r.table = append(r.table, append(row, count(max(0, runtime.NumGoroutine()-before)), figure(renewed)))
		picture.series = append(picture.series, series{p.name, values})
	}
	r.charts = append(r.charts, picture)
	return r, nil
}

func sizeOf(ctx context.Context, p peer, n int, renewed bool) (float64, error) {
	at, base, req := newEndpoint(0, month, false), newAnswerer(), newRequest()
	sources := make([]any, n)
	before := liveHeap()
	for i := range sources {
		l := login{at: at, refresh: "pinr." + rand.Text()}
		if !renewed {
			l.token = "pina_" + rand.Text()
		}
		a := p.login(l, base)
		if err := a.use(req); err != nil {
			return 0, err
		}
		sources[i] = a.keep
		if i%1000 == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	after := liveHeap()
	runtime.KeepAlive(sources)
	return float64(after-before) / float64(n), nil
}

// liveHeap returns how many bytes of the heap are in use.
func liveHeap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers and pools held
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
