package main

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"
)

// A contender does the same as the others n times.
type contender struct {
	name string
	run  func(n int)
}

// A result is what a race found of one contender.
type result struct {
	name          string
	each          float64 // nanoseconds of the machine for an operation
	ratio         float64 // the first contender's time as a multiple of this one's
	allocs, bytes float64
}

// race runs the contenders by so many goroutines, in turns, so short that a
// machine whose speed drifts treats all alike. The figures are the medians of the
// turns, and the ratios those of the rounds: a turn in which the machine did
// something else does not count.
func race(ctx context.Context, o options, goroutines int, contenders []contender) ([]result, error) {
	each := max(40*o.turn/goroutines, o.turn) // of few goroutines more, or a turn were too short to time
	ops := float64(each * goroutines)
	// A service has a heap. With the smallest that the collector knows, 4 MiB, it
	// would run every few milliseconds, and of that we measured the most.
	heap := make([]byte, 64<<20)
	defer runtime.KeepAlive(heap)

	turn := func(c contender) time.Duration {
		start := time.Now()
		if goroutines == 1 {
			c.run(each)
			return time.Since(start)
		}
		var wg sync.WaitGroup
		for range goroutines {
			wg.Go(func() { c.run(each) })
		}
		wg.Wait()
		return time.Since(start)
	}
	results := make([]result, len(contenders))
	for i, c := range contenders { // a round that warms up, and counts
		var before, after runtime.MemStats
		turn(c)
		runtime.ReadMemStats(&before)
		turn(c)
		runtime.ReadMemStats(&after)
		results[i] = result{name: c.name, allocs: float64(after.Mallocs-before.Mallocs) / ops, bytes: float64(after.TotalAlloc-before.TotalAlloc) / ops}
	}
	spent := make([][]float64, len(contenders))
	ratios := make([][]float64, len(contenders))
	now := make([]float64, len(contenders))
	for round, start := 0, time.Now(); round < 3 || time.Since(start) < o.turns; round++ {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		for i := range contenders { // each is first once: nobody always follows the same
			i = (i + round) % len(contenders)
			now[i] = float64(turn(contenders[i]))
		}
		for i := range contenders {
			spent[i] = append(spent[i], now[i]/ops)
			ratios[i] = append(ratios[i], now[0]/now[i])
		}
	}
	for i := range results {
		results[i].each = median(spent[i])
		results[i].ratio = median(ratios[i])
	}
	return results, nil
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}
