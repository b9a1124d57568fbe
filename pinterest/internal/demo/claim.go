package demo

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/fatih/color"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// A claim is something that the demo says has happened.
type claim struct {
	says  string
	wrong string // what happened instead; empty: it is so
}

// claimIf makes a claim that holds if ok.
func claimIf(ok bool, says, format string, args ...any) claim {
	c := claim{says: says}
	if !ok {
		c.wrong = fmt.Sprintf(format, args...)
	}
	return c
}

// sumUp prints what was asked for and what it cost. Its error is that not all
// of it is so.
func (d *run) sumUp() error {
	asked, cost := d.claims()
	wrong := 0
	list := func(title string, claims []claim) {
		d.out.Print("")
		d.out.Title(title)
		for _, c := range claims {
			if c.wrong == "" {
				d.out.Item("ok", c.says, color.FgGreen)
				continue
			}
			wrong++
			d.out.Item("WRONG", c.says+": "+c.wrong, color.FgRed, color.Bold)
		}
	}
	list("What was asked for", asked)
	list("What it cost", cost)
	if wrong > 0 {
		return say.WithHint(fmt.Errorf("%d of the demo's %d claims do not hold: see WRONG above", wrong, len(asked)+len(cost)),
			"if this machine is very busy, try again later; otherwise it is a bug, please report it")
	}
	d.out.Print("")
	d.out.Print("Each line was checked against what the app saw and the fake Pinterest counted.")
	return nil
}

func (d *run) claims() (asked, cost []claim) {
	w, n := d.witness, d.fake.Counts()
	w.mu.Lock()
	defer w.mu.Unlock()

	var failed, waited, sent, healed int
	var outcome string
	var slowest time.Duration
	for _, c := range d.calls {
		sent += len(c.sent)
		slowest = max(slowest, c.took())
		if c.waited() {
			waited++
		}
		if len(c.sent) == 2 {
			healed++
		}
		if c.failed() {
			failed++
			outcome = ", with " + c.outcome()
		}
	}
	if d.last != nil {
		sent += len(d.last.sent)
	}

	var ahead, late, by401, again int
	for _, r := range w.renewals {
		again += len(r.failures)
		switch {
		case r.healing:
			by401++
		case r.left <= 0:
			late++
		default:
			ahead++
		}
	}
	refused := 0
	for _, f := range w.failures { // no token came after them
		if f.status == http.StatusUnauthorized && f.Code == 283 {
			refused++
		}
	}
	during := d.duringOutage()
	total := 1 + ahead + late + by401 + again + len(w.failures)
	generations := len(w.refresh)

	asked = []claim{
		claimIf(failed == 0 && n.API == sent,
			fmt.Sprintf("%d API calls before the user left, and none failed", len(d.calls)),
			"%d failed%s; %d requests were sent, Pinterest counted %d", failed, outcome, sent, n.API),
		claimIf(waited == 0,
			fmt.Sprintf("no call waited for a renewal ahead of expiry; the slowest took %s", milliseconds(slowest)),
			"%d waited", waited),
		claimIf(healed == 1 && by401 == 1,
			"a token rejected before its time: one renewal, one call sent again",
			"%d renewals, %d calls sent again", by401, healed),
		claimIf(again == 2 && during > 0,
			fmt.Sprintf("an outage of the token endpoint: %d API calls were answered meanwhile", during),
			"%d renewals were tried again", again),
		claimIf(d.last != nil && d.last.status == http.StatusUnauthorized && errors.Is(d.verdict, pinterest.ErrReauthorize) && n.Unauthorized == 2,
			"a disconnected app: it was told to have its user authorize again",
			"it was told: %v; Pinterest answered 401 to %d API requests and not to 2", d.verdict, n.Unauthorized),
	}
	cost = []claim{
		claimIf(n.Token == total && w.requests == total,
			fmt.Sprintf("%d token requests in %s:", total, seconds(time.Since(d.out.begin))),
			"the app sent %d, Pinterest counted %d", w.requests, n.Token),
		claimIf(n.Exchange == 1, "  1 to exchange the code", "Pinterest counted %d", n.Exchange),
		claimIf(ahead >= 4 && late == 0, fmt.Sprintf("  %d to renew ahead of expiry", ahead), "it should be 4 at least, and %d came too late", late),
		claimIf(by401 == 1, fmt.Sprintf("  %d to renew because of a 401", by401), "it should be 1"),
		claimIf(again == 2, fmt.Sprintf("  %d that met the outage and were sent again", again), "it should be 2"),
		claimIf(refused == 1 && len(w.failures) == 1, fmt.Sprintf("  %d refused, as the user had disconnected the app", refused),
			"it should be 1; %d more got no token", len(w.failures)-refused),
		claimIf(generations == 1+len(w.renewals) && n.Issued == generations && n.Replays == 0 && n.FamiliesRevoked == 0,
			fmt.Sprintf("%d generations of the refresh token, and 0 replays: none was used twice", generations),
			"%d tokens were issued, %d replays revoked %d logins", n.Issued, n.Replays, n.FamiliesRevoked),
	}
	return asked, cost
}

// duringOutage counts the API calls that began and ended while a renewal was
// failing. The witness's lock is held.
func (d *run) duringOutage() int {
	n := 0
	for _, r := range d.witness.renewals {
		for _, c := range d.calls {
			if len(r.failures) > 0 && c.began.After(r.failures[0].at) && c.ended.Before(r.at) && !c.failed() {
				n++
			}
		}
	}
	return n
}
