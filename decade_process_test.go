package pinterest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest/pinteresttest"
)

// A kind is how an app keeps an account's tokens.
type kind string

const (
	stored kind = "kept"  // in the store that all processes share
	told   kind = "told"  // by OnRefresh, in one process
	plain  kind = "plain" // by a wrapper that saves what Token returned, in one process
	own    kind = "own"   // not at all: the app's own account, by client credentials
)

// A simAccount has a fake Pinterest of its own, so that what goes wrong with one account is decided by the script, and
// not by which of the accounts comes first.
type simAccount struct {
	key     string
	kind    kind
	w       *world
	fake    *pinteresttest.Handler
	process *process     // the one that has it, if it is not stored; nil: none
	file    *issuedToken // what that process keeps

	faults    []fault // that the next token requests meet
	apiFaults []fault
	refuses   time.Time // until then the API answers everything 401
	accountState
}

// A process runs the app. A process that was killed goes no further than to its next use of the network or the store.
type process struct {
	name   string
	w      *world
	app    *app
	store  *processStore
	http   *http.Client
	ctx    context.Context // the app's own
	end    context.CancelFunc
	ended  bool // the app's own context is over
	killed chan struct{}
	conns  chan struct{} // has an element for each connection; nil: there may be any number of them

	clients  map[clientOf]*sharedClient
	accounts map[*simAccount]*seen
	holding  map[*conn]bool
	sweeps   int       // that go on
	swept    time.Time // when its last sweep was at work: what a sweep was told is not remembered

	callbackFault  string // what goes wrong with OnRefresh
	callbackFaults int    // and how often
}

type clientOf struct {
	acc *simAccount
	how string
}

// A sharedClient is one client of a process for an account. X/oauth2's has a mutex for its users to queue at, which
// would stop the bubble's time: here they queue at a channel until they have a token.
type sharedClient struct {
	*http.Client
	queue chan struct{}
}

// start starts a process, which takes over the accounts that are not stored and that no process has.
func (w *world) start() *process {
	w.starts++
	p := &process{name: fmt.Sprint("p", w.starts), w: w, killed: make(chan struct{}), clients: make(map[clientOf]*sharedClient),
		accounts: make(map[*simAccount]*seen), holding: make(map[*conn]bool)}
	p.ctx, p.end = context.WithCancel(context.Background())
	p.store, p.http = &processStore{p: p}, &http.Client{Transport: network{p}}
	if w.conns > 0 {
		p.conns = make(chan struct{}, w.conns)
	}
	p.app = newApp(p)
	p.takeOver()
	return p
}

func (p *process) takeOver() {
	for _, acc := range p.w.accounts {
		if acc.kind != stored && acc.process == nil {
			p.open(acc)
		}
	}
}

// open has p begin anew with an account that is not stored.
func (p *process) open(acc *simAccount) {
	acc.process = p
	delete(p.accounts, acc)
	for c := range p.clients {
		if c.acc == acc {
			delete(p.clients, c)
		}
	}
	var t *oauth2.Token
	if acc.file != nil {
		t = acc.file.oauth2
	}
	p.app.open(acc, t)
}

// has reports whether p works with acc.
func (p *process) has(acc *simAccount) bool { return acc.kind == stored || acc.process == p }

func (p *process) client(acc *simAccount, how string) *sharedClient {
	c := p.clients[clientOf{acc, how}]
	if c == nil {
		c = &sharedClient{queue: make(chan struct{}, 1)}
		if how == "oauth2.NewClient" {
			c.Client = p.app.x(acc)
		} else {
			c.Client = p.app.ours(acc)
		}
		p.clients[clientOf{acc, how}] = c
	}
	return c
}

func (p *process) dead() bool {
	select {
	case <-p.killed:
		return true
	default:
		return false
	}
}

// kill stops p where it stands. Its locks go free after lease.
func (p *process) kill(lease time.Duration) {
	close(p.killed)
	const why = "a process was killed"
	for _, acc := range p.w.accounts {
		for _, q := range acc.inFlight {
			if q.p == p && q.issued != nil {
				acc.excuses[q.issued.login] = why
			}
		}
		acc.inFlight = slices.DeleteFunc(acc.inFlight, func(q *tokenRequest) bool { return q.p == p })
		if tok := p.seen(acc).received; tok != nil && !tok.safe() {
			acc.excuses[tok.login] = why
		}
		if acc.process == p {
			acc.process = nil
		}
	}
	for _, l := range p.w.store.held {
		if l.p == p {
			p.w.lockLost(l.key)
			time.AfterFunc(lease, func() { p.w.store.lose(l) })
		}
	}
}

// stopIfKilled goes no further if p was killed.
func (p *process) stopIfKilled() {
	if p.dead() {
		<-p.w.over
		runtime.Goexit()
	}
}

// pause lets d pass, unless ctx ends before.
func (p *process) pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	case <-p.killed:
	}
	p.stopIfKilled()
	return nil
}

// callbackFaults are what can go wrong with OnRefresh.
var callbackFaults = []string{"fails", "calls Goexit", "hangs"}

// onRefresh is the app's OnRefresh.
func (p *process) onRefresh(ctx context.Context, t *oauth2.Token) error {
	p.stopIfKilled()
	w := p.w
	w.mu.Lock()
	tok := w.tokens[t.AccessToken]
	if tok == nil {
		w.broken(savedBeforeUse, "OnRefresh is told of a token that nobody issued")
		w.mu.Unlock()
		return nil
	}
	tok.tellTried, tok.oauth2 = true, t
	if newest := p.seen(tok.acc).received; newest != nil && newest.number > tok.number {
		w.broken(tokensAreSaved, "OnRefresh is told of %v after %v had come", tok, newest)
	}
	fault := ""
	if p.callbackFaults > 0 {
		p.callbackFaults--
		fault = p.callbackFault
		w.count["OnRefresh: "+fault]++
	} else {
		tok.told = true
		if tok.acc.kind == told && (tok.acc.file == nil || tok.login >= tok.acc.file.login) {
			tok.acc.file = tok
		}
	}
	w.mu.Unlock()
	switch fault {
	case "fails":
		return errors.New("the callback failed")
	case "calls Goexit":
		runtime.Goexit()
	case "hangs":
		return p.pause(ctx, 40*time.Second)
	}
	return nil
}
