package main

import (
	"context"
	"log"
)

// measureToken asks each cache for a token that is good.
func measureToken(ctx context.Context, o options, log *log.Logger) (report, error) {
	var contenders []contender
	for _, p := range append([]peer{ours, {"the copy alone", loginFloor}}, peers[1:]...) {
		a := p.login(login{at: newEndpoint(0, month, false), refresh: "pinr.0"}, newAnswerer())
		if a.ask == nil {
			continue
		}
		contenders = append(contenders, contender{p.name, func(n int) {
			for range n {
				if err := a.ask(); err != nil {
					panic(err)
				}
			}
		}})
	}
	r := report{title: "Asking for a good token", notes: []string{
		"x/oauth2's interface demands a pointer, and a caller may write into the token it is given. The copy alone is what that costs: one atomic load, a look at the clock, and an oauth2.Token of the caller's own. " +
			"x/oauth2 and cloud.google.com/go/auth hand the same pointer to all, under a lock; AWS and smithy return a struct. Goal: at most 1.2 of AWS's.",
	}}
	return raceAll(ctx, o, r, "token.svg", contenders)
}
