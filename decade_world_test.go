//go:build !race

package pinterest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
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

// A user has a fake Pinterest of its own, so that what goes wrong with one account is decided by the script, and not
// by which of the accounts comes first.
type user struct {
	key  string
	kind kind
	w    *world
	fake *pinteresttest.Handler
	home *process // of what is not kept in the store
	disk *pass    // where what is not kept in the store is saved

	faults    []fault // that the next token requests meet
	apiFaults []fault
	refuses   time.Time // until then the API answers everything 401
	truth
}

// A fault is one of pinteresttest's, or the end of the goroutine that asks.
type fault struct {
	name string
	pinteresttest.Fault
	asks  time.Duration // how long the answer asks to wait
	dated bool          // it does so by Pinterest's clock
	exit  bool
}

// A process runs the app. A process that was killed goes no further than to its next call of the network or the store.
type process struct {
	name   string
	w      *world
	app    *app
	door   *door
	http   *http.Client
	ctx    context.Context // the app's own
	end    context.CancelFunc
	killed chan struct{}
	conns  chan struct{} // the connections it may have at once; nil: any number

	clients   map[clientOf]*http.Client
	views     map[*user]*view
	moody     int    // how often OnRefresh will fail
	mood      string // and how
	holding   map[*conn]bool
	swept     time.Time // when its last sweep was at work: what a sweep was told is not remembered
	contextIs string    // "over", once the app's own context is
}

type clientOf struct {
	acc *user
	how string
}

func (w *world) start(name string) *process {
	p := &process{name: name, w: w, killed: make(chan struct{}), clients: make(map[clientOf]*http.Client), views: make(map[*user]*view), holding: make(map[*conn]bool)}
	p.ctx, p.end = context.WithCancel(context.WithValue(context.Background(), ctxKey("process"), p))
	p.door, p.http = &door{p: p}, &http.Client{Transport: network{p}}
	if w.conns > 0 {
		p.conns = make(chan struct{}, w.conns)
	}
	p.app = newApp(p)
	for _, acc := range w.accounts {
		if acc.kind != stored && acc.home == nil {
			p.adopt(acc)
		}
	}
	return p
}

// adopt makes p the home of an account that is not kept in the store.
func (p *process) adopt(acc *user) {
	acc.home = p
	p.forgetViews(acc)
	var t *oauth2.Token
	if acc.disk != nil {
		t = acc.disk.token
	}
	p.app.open(acc, t)
}

func (p *process) forgetViews(acc *user) {
	delete(p.views, acc)
	for c := range p.clients {
		if c.acc == acc {
			delete(p.clients, c)
		}
	}
}

func (p *process) client(acc *user, how string) *http.Client {
	c := p.clients[clientOf{acc, how}]
	if c == nil {
		if how == "oauth2.NewClient" {
			c = p.app.x(acc)
		} else {
			c = p.app.ours(acc)
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

// kill stops p where it stands. Its locks go free later.
func (p *process) kill(lease time.Duration) {
	close(p.killed)
	const why = "a process was killed"
	for _, acc := range p.w.accounts {
		for _, q := range acc.inFlight {
			if q.p == p && q.pass != nil {
				acc.excuses[q.pass.family] = why
			}
		}
		acc.inFlight = slices.DeleteFunc(acc.inFlight, func(q *asking) bool { return q.p == p })
		if ps := p.view(acc).received; ps != nil && !ps.safe() {
			acc.excuses[ps.family] = why
		}
		if acc.home == p {
			acc.home = nil
		}
	}
	for _, h := range p.w.vault.holds {
		if h.p == p {
			p.w.lockIsLost(h.key)
			time.AfterFunc(lease, func() { p.w.vault.lose(h, false) })
		}
	}
}

// live goes no further if p was killed.
func (p *process) live() {
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
		p.live()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.killed:
		p.live()
		return nil
	}
}

// told is the app's OnRefresh.
func (p *process) told(ctx context.Context, t *oauth2.Token) error {
	p.live()
	w := p.w
	w.mu.Lock()
	ps := w.passes[t.AccessToken]
	if ps == nil {
		w.broken(savedBeforeUse, "OnRefresh is told of a token that nobody issued")
		w.mu.Unlock()
		return nil
	}
	ps.tellTried, ps.token = true, t
	if newest := p.view(ps.acc).received; newest != nil && newest.number > ps.number {
		w.broken(tokensAreSaved, "OnRefresh is told of %v after %v had come", ps, newest)
	}
	if p.moody > 0 {
		p.moody--
		mood := p.mood
		w.count["callback "+mood]++
		w.mu.Unlock()
		switch mood {
		case "fails":
			return errors.New("the callback failed")
		case "calls Goexit":
			runtime.Goexit()
		}
		return p.pause(ctx, 40*time.Second)
	}
	if ps.acc.kind == told && (ps.acc.disk == nil || ps.family >= ps.acc.disk.family) {
		ps.acc.disk = ps
	}
	ps.told = true
	w.mu.Unlock()
	return nil
}

type ctxKey string

// A conn is one connection; it is busy until the answer's body is closed.
type conn struct {
	token    bool
	answered time.Time
}

// network is the way of a process to Pinterest.
type network struct{ p *process }

func (n network) RoundTrip(r *http.Request) (*http.Response, error) {
	p, w := n.p, n.p.w
	p.live()
	var form url.Values
	if r.Body != nil {
		body, _ := io.ReadAll(r.Body)
		r.Body.Close()
		r.Body = io.NopCloser(bytes.NewReader(body))
		form, _ = url.ParseQuery(string(body))
	}
	isToken := r.URL.Path == "/v5/oauth/token"
	o, _ := r.Context().Value(ctxKey("op")).(*op)
	c := &conn{token: isToken}
	if o != nil && !isToken {
		w.lock(func() { o.sent(r) })
	}
	if r.URL.Hostname() != "api.pinterest.com" {
		w.lock(func() {
			if r.Header.Get("Authorization") != "" {
				w.broken(bearerStaysHome, "%s got %q", r.URL.Host, r.Header.Get("Authorization"))
			}
		})
		return answer(200, "{}"), nil
	}
	if err := n.connect(r.Context(), c); err != nil {
		return nil, err
	}
	var resp *http.Response
	var err error
	done := false
	release := sync.OnceFunc(func() {
		w.lock(func() { delete(p.holding, c) })
		if p.conns != nil {
			<-p.conns
		}
	})
	defer func() {
		if !done || err != nil {
			release()
		}
	}()
	if isToken {
		resp, err = n.tokenRequest(r, form)
	} else {
		resp, err = n.apiRequest(r, o)
	}
	done = true
	if err == nil {
		w.lock(func() { c.answered = time.Now() })
		resp.Body = &releasing{resp.Body, release}
	}
	return resp, err
}

type releasing struct {
	io.ReadCloser
	release func()
}

func (b *releasing) Close() error {
	b.release()
	return b.ReadCloser.Close()
}

// connect waits for a connection.
func (n network) connect(ctx context.Context, c *conn) error {
	p, w := n.p, n.p.w
	var err error
	if p.conns != nil {
		select {
		case p.conns <- struct{}{}:
		case <-ctx.Done():
			err = ctx.Err()
		case <-p.killed:
			p.live()
		}
	}
	w.lock(func() {
		if err == nil {
			p.holding[c] = true
		}
		for other := range p.holding {
			if c.token && err != nil && !other.answered.IsZero() && time.Since(other.answered) > 5*time.Second {
				w.broken(holdsNoConnection, "%s's token request waited for a connection that an answer of %v ago holds", p.name, time.Since(other.answered))
			}
		}
	})
	return err
}

func (n network) tokenRequest(r *http.Request, form url.Values) (*http.Response, error) {
	p, w := n.p, n.p.w
	w.mu.Lock()
	if user, _, ok := r.BasicAuth(); !ok || user != pinteresttest.DefaultAppID {
		w.broken(bearerStaysHome, "a token request with Authorization %q", r.Header.Get("Authorization"))
	}
	acc := w.own
	parent := w.refreshes[form.Get("refresh_token")]
	if parent != nil {
		acc = parent.acc
	}
	if acc == nil {
		w.broken(refreshTokenOnce, "a refresh token that nobody issued was sent")
		w.mu.Unlock()
		return nil, errors.New("no such account")
	}
	var f fault
	if len(acc.faults) > 0 {
		f, acc.faults = acc.faults[0], acc.faults[1:]
		w.count["token request: "+f.name]++
	}
	q := &asking{p: p, acc: acc, parent: parent, at: time.Now()}
	w.sent(q)
	w.mu.Unlock()
	received := false
	defer func() { w.lock(func() { w.landed(q, f, received) }) }()
	if f.exit {
		runtime.Goexit()
	}
	before := w.tokenLatency
	if !f.After {
		before += f.Latency
	}
	if err := p.pause(r.Context(), before); err != nil {
		return nil, err
	}
	var resp *http.Response
	var err error
	w.lock(func() { resp, err = w.work(q, f, r) })
	if f.After {
		if e := p.pause(r.Context(), f.Latency); e != nil {
			return nil, e
		}
	}
	p.live()
	received = err == nil
	return resp, err
}

// work has the fake Pinterest do what q asks for.
func (w *world) work(q *asking, f fault, r *http.Request) (*http.Response, error) {
	acc := q.acc
	if f.name != "" {
		g := f.Fault
		g.Latency = 0
		if f.dated {
			now := time.Now().Add(acc.fake.Skew).UTC()
			g.Header = http.Header{"Date": {now.Format(http.TimeFormat)}}
			g.RetryAfter = now.Add(f.asks + time.Second).Format(http.TimeFormat)
		}
		acc.fake.Fail(r.URL.Path, g)
	}
	was := acc.fake.Counts()
	resp, err := acc.fake.Client().Transport.RoundTrip(r)
	is := acc.fake.Counts()
	if is.FamiliesRevoked > was.FamiliesRevoked {
		w.revokedByReplay(q)
	}
	var body []byte
	if err == nil {
		var failed error
		if body, failed = io.ReadAll(resp.Body); failed != nil {
			resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing2{failed}))
		} else {
			resp.Body = io.NopCloser(bytes.NewReader(body))
		}
		q.status = resp.StatusCode
	}
	if is.Issued > was.Issued {
		w.issue(q, body)
	}
	var said struct{ Code int }
	_ = json.Unmarshal(body, &said)
	q.code = said.Code
	return resp, err
}

// failing2 is a body that ends too soon.
type failing2 struct{ err error }

func (f failing2) Read([]byte) (int, error) { return 0, f.err }

func (n network) apiRequest(r *http.Request, o *op) (*http.Response, error) {
	p, w := n.p, n.p.w
	w.mu.Lock()
	_, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	ps := w.passes[bearer]
	if ps == nil {
		w.broken(bearerStaysHome, "an API request with Authorization %q", r.Header.Get("Authorization"))
		w.mu.Unlock()
		return nil, errors.New("no such token")
	}
	w.used(p, ps, o)
	acc := ps.acc
	var f fault
	switch {
	case time.Now().Before(acc.refuses):
		f = fault{name: "always 401", Fault: pinteresttest.Fault{Status: 401, Code: 2 + int(acc.refuses.Unix()&1)}}
	case len(acc.apiFaults) > 0:
		f, acc.apiFaults = acc.apiFaults[0], acc.apiFaults[1:]
	}
	if f.name != "" {
		w.count["API request: "+f.name]++
		acc.said401 = acc.said401 || f.Status == http.StatusUnauthorized
		acc.denied = acc.denied || f.Status == http.StatusUnauthorized && f.Code != 3
		if o != nil {
			o.faulty = true
		}
	}
	w.mu.Unlock()
	if err := p.pause(r.Context(), w.apiLatency+f.Latency); err != nil {
		return nil, err
	}
	var resp *http.Response
	var err error
	w.lock(func() {
		if f.name != "" {
			g := f.Fault
			g.Latency = 0
			acc.fake.Fail(r.URL.Path, g)
		}
		resp, err = acc.fake.Client().Transport.RoundTrip(r)
	})
	return resp, err
}

// accepts reports whether Pinterest accepts an access token now, without leaving a trace.
func (w *world) accepts(ps *pass) bool {
	r, _ := http.NewRequest(http.MethodGet, "https://api.pinterest.com/v5/user_account", nil)
	r.Header.Set("Authorization", "Bearer "+ps.access)
	resp, err := ps.acc.fake.Client().Transport.RoundTrip(r)
	return err == nil && resp.StatusCode == 200
}

// A vault is the store that all processes share.
type vault struct {
	w      *world
	values map[string][]byte
	due    map[string]time.Time
	locks  map[string]chan struct{}
	holds  []*hold
}

// A hold is one process's lock on one key.
type hold struct {
	p      *process
	key    string
	lost   bool
	cancel context.CancelFunc
}

// lose lets the next one have h's key. Whoever lost it is told, unless they are dead.
func (v *vault) lose(h *hold, tell bool) {
	v.w.mu.Lock()
	defer v.w.mu.Unlock()
	if h.lost || !slices.Contains(v.holds, h) {
		return
	}
	h.lost = true
	if tell {
		v.w.count["lock lost"]++
		v.w.lockIsLost(h.key)
		h.cancel()
	}
	<-v.locks[h.key]
}

// A door is one process's way to the vault.
type door struct {
	p       *process
	trouble string
	until   time.Time
	delay   time.Duration
	lastBad time.Time // until when it was in any trouble
}

var (
	errStoreDown = errors.New("the store is down")
	errLockLost  = errors.New("the lock was lost")
)

// wellSince reports whether it was in no trouble since then.
func (d *door) wellSince(then time.Time) bool { return d.lastBad.Before(then) }

// now returns the trouble the door is in.
func (d *door) now() string {
	d.p.w.mu.Lock()
	defer d.p.w.mu.Unlock()
	if time.Now().Before(d.until) {
		return d.trouble
	}
	return ""
}

// enter is how each method begins.
func (d *door) enter(ctx context.Context) error {
	d.p.live()
	if err := ctx.Err(); err != nil {
		return err
	}
	switch d.now() {
	case "down":
		d.count("down")
		return errStoreDown
	case "slow":
		d.count("slow")
		return d.p.pause(ctx, d.delay)
	}
	return d.p.pause(ctx, d.p.w.storeLatency)
}

func (d *door) count(what string) { d.p.w.lock(func() { d.p.w.count["store: "+what]++ }) }

func (d *door) Load(ctx context.Context, key string) ([]byte, error) {
	if err := d.enter(ctx); err != nil {
		return nil, err
	}
	w := d.p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	value, ok := w.vault.values[key]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return bytes.Clone(value), nil
}

func (d *door) Update(ctx context.Context, key string, f func(ctx context.Context, old []byte) ([]byte, time.Time, error)) error {
	return d.locked(ctx, key, func(h *hold, ctx context.Context) error {
		w := d.p.w
		var old []byte
		w.lock(func() { old = bytes.Clone(w.vault.values[key]) })
		trouble := d.now()
		switch trouble {
		case "fails before":
			d.count(trouble)
			return errStoreDown
		case "loses the lock":
			timer := time.AfterFunc(d.delay, func() { w.vault.lose(h, true) })
			defer timer.Stop()
		}
		value, due, err := f(ctx, old)
		d.p.live()
		if err != nil {
			return err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		switch {
		case h.lost:
			w.notSaved(key, value, errLockLost)
			return errLockLost
		case trouble == "fails after":
			w.count["store: "+trouble]++
			w.notSaved(key, value, errStoreDown)
			return errStoreDown
		}
		w.saved(d.p, key, old, value)
		w.vault.values[key], w.vault.due[key] = append([]byte{}, value...), due
		if trouble == "fails though it wrote" {
			w.count["store: "+trouble]++
			return errStoreDown
		}
		return nil
	})
}

func (d *door) Delete(ctx context.Context, key string) error {
	return d.locked(ctx, key, func(*hold, context.Context) error {
		d.p.w.lock(func() {
			delete(d.p.w.vault.values, key)
			d.p.w.loggedOut(d.p, key)
		})
		return nil
	})
}

func (d *door) Each(ctx context.Context, before time.Time, f func(key string, value []byte) error) error {
	if err := d.enter(ctx); err != nil {
		return err
	}
	w := d.p.w
	w.mu.Lock()
	keys := slices.Sorted(maps.Keys(w.vault.values))
	w.mu.Unlock()
	for _, key := range keys {
		w.mu.Lock()
		value, ok := w.vault.values[key]
		due := w.vault.due[key]
		w.mu.Unlock()
		if ok && (before.IsZero() || !due.IsZero() && due.Before(before)) {
			if err := f(key, bytes.Clone(value)); err != nil {
				return err
			}
		}
	}
	return nil
}

// locked runs f while nobody else has key.
func (d *door) locked(ctx context.Context, key string, f func(*hold, context.Context) error) error {
	if err := d.enter(ctx); err != nil {
		return err
	}
	w := d.p.w
	w.mu.Lock()
	lock := w.vault.locks[key]
	if lock == nil {
		lock = make(chan struct{}, 1)
		w.vault.locks[key] = lock
	}
	w.mu.Unlock()
	select {
	case lock <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-d.p.killed:
		d.p.live()
	}
	if d.p.dead() {
		<-lock
		d.p.live()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h := &hold{p: d.p, key: key, cancel: cancel}
	w.lock(func() { w.vault.holds = append(w.vault.holds, h) })
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.vault.holds = slices.DeleteFunc(w.vault.holds, func(other *hold) bool { return other == h })
		if !h.lost {
			<-lock
		}
	}()
	return f(h, ctx)
}
