package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"strings"
)

// measureRequest sends requests with a good token through each client, over a
// base that answers at once.
func measureRequest(ctx context.Context, o options, log *log.Logger) (report, error) {
	req := newRequest()
	var contenders []contender
	for _, p := range append([]peer{ours, bare, {"floor with a clock", loginClock}}, peers[1:]...) {
		a := p.login(login{at: newEndpoint(0, month, false), refresh: "pinr.0"}, newAnswerer())
		if a.client == nil {
			continue
		}
		contenders = append(contenders, contender{p.name, func(n int) {
			for range n {
				if resp, err := a.client.RoundTrip(req); err != nil || resp.StatusCode != http.StatusOK {
					panic(fmt.Sprint(resp, err))
				}
			}
		}})
	}
	r := report{title: "A request through the client", notes: []string{
		"The floor copies the request, as the contract of RoundTripper demands, and sets a constant header; whoever has tokens that expire has to look at the clock besides, which some virtual machines make dear. Goal: at most 1.05 of the floor by one goroutine, 1.10 by many.",
	}}
	return raceAll(ctx, o, r, "request.svg", contenders)
}

func newRequest() *http.Request {
	req, err := http.NewRequest(http.MethodGet, "https://api.pinterest.com/v5/user_account", nil)
	if err != nil {
		panic(err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "bench")
	return req
}

// raceAll races the contenders at each number of goroutines.
func raceAll(ctx context.Context, o options, r report, file string, contenders []contender) (report, error) {
	r.table.add("", "allocations", "bytes")
	for _, c := range contenders {
		r.table.add(c.name)
	}
	picture := chart{file: file, title: r.title, y: "ns (machine time for each)"}
	for _, c := range contenders {
		picture.series = append(picture.series, series{name: c.name})
	}
	for _, n := range o.goroutines {
		results, err := race(ctx, o, n, contenders)
		if err != nil {
			return r, err
		}
		r.table[0] = append(r.table[0], strings.Replace(count(n)+" goroutines", "1 goroutines", "1 goroutine", 1))
		picture.groups = append(picture.groups, count(n))
		for i, found := range results {
			row := &r.table[i+1]
			if n == 1 {
				*row = append(*row, fmt.Sprintf("%.0f", found.allocs), fmt.Sprintf("%.0f", found.bytes))
			}
			cell := figure(found.each) + " ns"
			if i > 0 {
				cell += fmt.Sprintf(" (%.2f)", found.ratio)
			}
			*row = append(*row, cell)
			picture.series[i].values = append(picture.series[i].values, found.each)
		}
	}
	picture.x = "goroutines"
	r.charts = append(r.charts, picture)
	r.notes = append([]string{"In brackets: the time of pinterest as a multiple of this one's, the median of the rounds. Times are of the wall clock divided by the operations of all goroutines together."}, r.notes...)
	return r, nil
}
