package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// newFake returns a Pinterest that punishes whoever renews twice.
func newFake() *pinteresttest.Handler { return &pinteresttest.Handler{StrictRotation: true} }

// newAccounts returns the accounts in s, whose token requests go through rt.
func newAccounts(s pinterest.Store, rt http.RoundTripper) *pinterest.Accounts {
	return &pinterest.Accounts{
		Config:     &pinterest.Config{ClientID: pinteresttest.DefaultAppID, ClientSecret: pinteresttest.DefaultAppSecret},
		Store:      s,
		HTTPClient: &http.Client{Transport: rt},
	}
}

// measureStores renews a token that has expired through each store, and in turns
// with that by hand.
func measureStores(ctx context.Context, o options, log *log.Logger) (report, error) {
	r := report{title: "A renewal through each store", notes: []string{
		"Of an expired token, one at a time, with a fake Pinterest in this process that answers at once. The bare engine has the statements or commands without which no other process would wait for the request, in as few round trips as they fit in, and the same request by net/http and encoding/json between them: " +
			"a claim that is committed before the request, and the token committed after it. Medians, and the median of the turns' ratios. Goal: 1.5.",
	}}
	r.table.add("", "pinterest", "bare", "ratio", "p99", "bare p99")
	picture := chart{file: "stores.svg", title: r.title, y: "ms", series: []series{{name: "pinterest"}, {name: "bare engine"}}}
	for _, e := range engines(o) {
		if e.missing != "" {
			log.Printf("stores: %s IS LEFT OUT: %s names none", e.name, e.missing)
			r.notes = append(r.notes, fmt.Sprintf("**%s is left out**: %s named none.", e.name, e.missing))
			continue
		}
		through, bare, ratios, err := renewThrough(ctx, e, o.renewals)
		if err != nil {
			return r, fmt.Errorf("%s: %w", e.name, err)
		}
		a, b := median(through), median(bare)
		n := len(through) * 99 / 100
		r.table.add(e.name, duration(time.Duration(a)), duration(time.Duration(b)), figure(median(ratios)), duration(time.Duration(through[n])), duration(time.Duration(bare[n])))
		picture.groups = append(picture.groups, e.name)
		picture.series[0].values = append(picture.series[0].values, a/1e6)
		picture.series[1].values = append(picture.series[1].values, b/1e6)
	}
	r.charts = append(r.charts, picture)
	return r, nil
}

// renewThrough returns what each of n renewals took, in nanoseconds.
func renewThrough(ctx context.Context, e engine, n int) (through, bare, ratios []float64, err error) {
	p, err := e.newPlace(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	defer p.close()
	fake := newFake()
	if err := p.seed(ctx, fake, 1, 1); err != nil {
		return nil, nil, nil, err
	}
	a, byHand := newAccounts(p.store, fake.Client().Transport), p.byHand(p.store, fake.Client())
	const (
		own, other        = "own", "other"
		bareTurn, ourTurn = 0, 1
	)
	record, err := pinterest.MarshalToken(fake.Login())
	if err != nil {
		return nil, nil, nil, err
	}
	if byHand.plant != nil {
		err = byHand.plant(ctx, other, record)
	} else {
		err = p.store.Update(ctx, other, func(context.Context, []byte) ([]byte, time.Time, error) { return record, time.Time{}, nil })
	}
	if err != nil {
		return nil, nil, nil, err
	}
	t, src := fake.Login(), a.Source(own) // kept, as while it is in use
	for i := range n + 1 {
		t.Expiry = time.Now().Add(-time.Hour)
		if err := a.Save(ctx, own, t); err != nil {
			return nil, nil, nil, err
		}
		// Save has waited a moment until no cache of x/oauth2 holds the former token.
		// Whoever comes first after a pause finds the machine cold.
		var spent [2]time.Duration
		for turn, what := range []int{bareTurn, (i + 1) % 2, i % 2} {
			began := time.Now()
			if what == bareTurn {
				err = byHand.renew(ctx, other)
			} else {
				t, err = src.TokenContext(ctx)
			}
			if err != nil {
				return nil, nil, nil, err
			}
			if turn > 0 {
				spent[what] = time.Since(began)
			}
		}
		if i > 0 { // the first dials, and prepares statements
			through, bare = append(through, float64(spent[ourTurn])), append(bare, float64(spent[bareTurn]))
			ratios = append(ratios, float64(spent[ourTurn])/float64(spent[bareTurn]))
		}
	}
	if c := fake.Counts(); c.Refresh != 3*(n+1) || c.Replays != 0 {
		return nil, nil, nil, fmt.Errorf("%d renewals and %d replays, instead of %d and none", c.Refresh, c.Replays, 3*(n+1))
	}
	return through, bare, ratios, p.close()
}
