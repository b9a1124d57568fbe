package pinterest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"regexp"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
)

// A promise is one of the library's, in a few words.
type promise string

const (
	noWaiting               promise = "while the access token is good no request waits"
	noFailing               promise = "while the access token is good no request fails"
	noneExpired             promise = "no expired token is handed out"
	refreshRenews           promise = "Refresh renews a token that the process had, or had not read yet"
	refreshIsNew            promise = "Refresh returns a token that is newer than its call"
	refreshTokenOnce        promise = "a refresh token that was replaced is not sent again"
	noLoginIsLost           promise = "no login is lost"
	oneAtATime              promise = "one renewal at a time"
	heldBack                promise = "after a failure the next try is held back"
	retryAfter              promise = "no try comes sooner than Retry-After"
	takenUpAgain            promise = "renewing is taken up again"
	savedBeforeUse          promise = "a token is saved before it is used"
	tokensAreSaved          promise = "what is used is what is kept, in the end"
	callbackIsTold          promise = "OnRefresh is told of the newest token, in the end"
	storeIsWhole            promise = "the store holds the newest token, whole"
	loginIsNoticed          promise = "a login or logout elsewhere is noticed within a minute of use"
	forgetIsAtOnce          promise = "after a login or logout here no request carries the former token"
	waitIsTrue              promise = "when Wait returns nil nothing is under way and nothing unsaved"
	nobodyHangs             promise = "every call ends"
	tokensStayAtPinterest   promise = "tokens go to Pinterest alone"
	holdsNoConnection       promise = "while it renews a client holds no connection"
	errorIsTrue             promise = "an error is what has happened"
	verdictIsKept           promise = "a verdict is not asked for again too soon"
	userVerdictEndsByItself promise = "ErrReauthorize ends by itself within a day"
	appVerdictEndsByItself  promise = "ErrClientRejected ends by itself within an hour"
	noVainRenewals          promise = "an endpoint that answers 401 does not cost a renewal per request"
	plainIsOnlyExpired      promise = "nothing is renewed that nobody will hear of"
	sweepMissesNone         promise = "KeepAlive renews all that is about to lapse, or says why not"
	nothingIsLeft           promise = "no goroutine is left"
)

// An issuedToken is one that Pinterest issued.
type issuedToken struct {
	acc             *simAccount
	login           int // which login of the account it came of; zero: nobody has kept that yet
	number          int // in the order of issue, of all of the account's
	access, refresh string
	expires, lapses time.Time // the access and the refresh token
	oauth2          *oauth2.Token

	revoked    bool     // before anybody kept it
	denied     bool     // by the API, though it is good
	cut        bool     // nobody got its refresh token
	endless    bool     // nobody knows when it expires
	by         *process // who asked for it, and got it
	received   time.Time
	former     *issuedToken // what the store held when it was asked for
	handed     time.Time    // when somebody was handed it first, or could find it
	savedAt    time.Time
	replacedBy *issuedToken // what somebody who had sent this refresh token got

	saveTried, saved bool // in the store
	tellTried, told  bool // to OnRefresh
}

func (tok *issuedToken) String() string {
	if tok == nil {
		return "nothing"
	}
	return fmt.Sprintf("token %s/%d.%d", tok.acc.key, tok.login, tok.number)
}

func (tok *issuedToken) safe() bool { return tok.saved || tok.told && tok.acc.kind == told }

// unsaved reports whether tok is not kept, though it should be and nothing else has taken its place.
func (tok *issuedToken) unsaved() bool {
	return tok.login == tok.acc.login && !tok.safe() &&
		(tok.acc.kind == told || tok.acc.kind == stored && tok.acc.kept == tok.former)
}

// good reports whether the access token can be sent now, by all that a process can know.
func (tok *issuedToken) good() bool {
	life := tok.acc.life()
	return time.Now().Before(tok.expires.Add(-min(10*time.Second, life/50) - life/100))
}

// renewable reports whether Pinterest would renew tok.
func (tok *issuedToken) renewable() bool {
	acc := tok.acc
	newest := acc.newest[tok.login]
	return !acc.gone[tok.login] && time.Now().Before(tok.lapses) && (!acc.fake.StrictRotation || newest.refresh == tok.refresh && !newest.cut)
}

func (acc *simAccount) life() time.Duration {
	if acc.fake.AccessLife == 0 {
		return 30 * day
	}
	return acc.fake.AccessLife
}

// An accountState is what is so about an account.
type accountState struct {
	logins    int                  // and logouts so far
	login     int                  // the one that counts
	changed   time.Time            // when it was kept
	changedBy *process             // and by whom
	returned  time.Time            // when their call returned without an error
	issued    int                  // how many tokens
	newest    map[int]*issuedToken // of each login
	gone      map[int]bool         // logins that Pinterest knows no more
	saidDead  map[int]bool         // logins of which Pinterest has said so
	said401   bool                 // the API said so, whyever, since the last renewal
	saidFalse bool                 // the token endpoint said so of a login that is not gone
	excuses   map[int]string       // why a login may be lost
	kept      *issuedToken         // in the store
	inFlight  []*tokenRequest
	lostLock  time.Time
}

// A tokenRequest is one request to the token endpoint.
type tokenRequest struct {
	p            *process
	acc          *simAccount
	fault        fault
	old          *issuedToken // whose refresh token it sends
	kept         *issuedToken // in the store, when it was sent
	at           time.Time
	status, code int
	issued       *issuedToken
}

// seen is what one process has seen of one account, for as long as the library knows it there.
type seen struct {
	known     func() bool  // nil: the library has not been asked for it yet
	has       *issuedToken // that it used last
	received  *issuedToken // that it got from Pinterest last
	calls     int          // that have ended
	called    time.Time    // when the last one began
	refreshes int          // calls of Refresh that go on
	refreshed time.Time    // when the last of these ended

	failed    []time.Time // requests for failedOf in a row
	failedOf  *issuedToken
	notBefore time.Time // Pinterest asks for nothing sooner
	troubled  time.Time // when a request or a save failed last

	appRefused          time.Time // Pinterest has said that the operator must act
	appRefusedOf        *issuedToken
	refused             time.Time // Pinterest has said that the user must act
	refusedOf           *issuedToken
	renewedFor401       time.Time
	formerUsed, lastUse map[string]time.Time // by each client: since when it has used a token of a former login, and last
}

// seen returns what p has seen of acc.
func (p *process) seen(acc *simAccount) *seen {
	v := p.accounts[acc]
	if v != nil && v.known != nil && !v.known() && p.sweeps == 0 {
		p.w.count["accounts forgotten for want of use"]++
		v = nil
	}
	if v == nil {
		v = &seen{formerUsed: make(map[string]time.Time), lastUse: make(map[string]time.Time)}
		p.accounts[acc] = v
	}
	return v
}

func (w *world) lock(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// broken is told of a promise that was not kept. The lock is held, here and by all that follows.
func (w *world) broken(p promise, format string, args ...any) {
	if w.failure == "" {
		w.promise, w.failure = p, fmt.Sprintf(format, args...)
	}
}

// lockLost is told that somebody who holds key can no longer keep others out.
func (w *world) lockLost(key string) {
	acc := w.stored(key)
	acc.lostLock = time.Now()
	for _, q := range acc.inFlight { // which nobody can call back
		acc.excuses[q.old.login] = errLockLost.Error()
	}
}

// stored returns the account that is kept under key.
func (w *world) stored(key string) *simAccount {
	i := slices.IndexFunc(w.accounts, func(acc *simAccount) bool { return acc.key == key })
	return w.accounts[i]
}

// requested is told of a token request as it leaves.
func (w *world) requested(q *tokenRequest) {
	acc, v, now := q.acc, q.p.seen(q.acc), time.Now()
	w.count["requests to the token endpoint"]++
	for _, other := range acc.inFlight {
		if acc.lostLock.Before(other.at) {
			w.broken(oneAtATime, "%s asks for %s while %s has since %v", q.p.name, acc.key, other.p.name, now.Sub(other.at))
		}
	}
	acc.inFlight = append(acc.inFlight, q)
	q.kept = acc.kept
	if q.old != nil {
		if next := q.old.replacedBy; next != nil && (q.p == next.by || next.safe() || acc.excuses[next.login] == "") {
			w.broken(refreshTokenOnce, "%s sends that of %v, which %s had replaced by %v", q.p.name, q.old, next.by.name, next)
		}
	}
	if acc.kind == plain && v.has != nil && v.has.good() && v.has.number == acc.issued && v.refreshes == 0 && now.Sub(v.refreshed) > 2*time.Minute && !acc.said401 && w.accepts(v.has) {
		w.broken(plainIsOnlyExpired, "%s renews %v, which is good for %v", q.p.name, v.has, v.has.expires.Sub(now))
	}
	if q.old != v.failedOf { // another token may be tried at once
		v.failed, v.notBefore, v.failedOf = nil, time.Time{}, q.old
	}
	if now.Before(v.notBefore) {
		w.broken(retryAfter, "%s asks for %s %v too soon", q.p.name, acc.key, v.notBefore.Sub(now))
	}
	if now.Sub(q.p.swept) <= 2*time.Hour || q.old != nil && acc.excuses[q.old.login] != "" {
		return // it may have forgotten what it was told, or have another token in mind
	}
	if n := len(v.failed); n > 0 {
		if pause := now.Sub(v.failed[n-1]); pause < 180*time.Millisecond {
			w.broken(heldBack, "%s asks for %s again after %v", q.p.name, acc.key, pause)
		}
		if n >= 4 { // a renewal has four tries
			if pause := now.Sub(v.failed[n-4]); pause < 750*time.Millisecond {
				w.broken(heldBack, "%s asks for %s for the %dth time in a row, and the last four times within %v", q.p.name, acc.key, n+1, pause)
			}
		}
	}
	if pause := now.Sub(v.appRefused); pause < 45*time.Second && q.old == v.appRefusedOf {
		w.broken(verdictIsKept, "%s asks for %s again %v after ErrClientRejected", q.p.name, acc.key, pause)
	}
	if pause := now.Sub(v.refused); pause < time.Hour && q.old != nil && q.old == v.refusedOf {
		w.broken(verdictIsKept, "%s asks for %s again %v after ErrReauthorize", q.p.name, acc.key, pause)
	}
}

// issue is told of an answer's token before anybody gets it.
func (w *world) issue(q *tokenRequest, body []byte) {
	acc := q.acc
	acc.issued++
	tok := &issuedToken{acc: acc, number: acc.issued, former: q.kept, expires: time.Now().Add(acc.life()),
		lapses: time.Now().Add(60 * day)} // a legacy app's, too: the library asks for such
	if q.old != nil {
		tok.login = q.old.login
	}
	q.issued = tok
	if !w.legacy || acc.kind == own {
		acc.newest[tok.login] = tok
	}
	// Of an answer that was cut, what came whole is to be kept.
	field := func(name string) string {
		if m := regexp.MustCompile(`"` + name + `":"?([^",}]*)[",}]`).FindSubmatch(body); m != nil {
			return string(m[1])
		}
		return ""
	}
	tok.endless = field("expires_in") == ""
	if tok.access, tok.refresh = field("access_token"), field("refresh_token"); tok.access == "" {
		return // nobody will ever know it
	}
	if tok.refresh == "" && !w.legacy && acc.kind != own {
		acc.excuses[tok.login] = "an answer was cut"
		tok.cut = true
	}
	if tok.refresh == "" && q.old != nil {
		tok.refresh, tok.lapses = q.old.refresh, q.old.lapses
	}
	w.know(tok)
}

func (w *world) know(tok *issuedToken) {
	w.tokens[tok.access] = tok
	if tok.refresh != "" && w.byRefresh[tok.refresh] == nil {
		w.byRefresh[tok.refresh] = tok
	}
}

// approve has a user approve the app.
func (w *world) approve(acc *simAccount) *issuedToken {
	t := acc.fake.Login()
	acc.issued++
	life := 60 * day
	if w.legacy {
		life = 365 * day
	}
	tok := &issuedToken{acc: acc, number: acc.issued, access: t.AccessToken, refresh: t.RefreshToken, oauth2: t,
		expires: time.Now().Add(acc.life()), lapses: time.Now().Add(life)}
	w.know(tok)
	return tok
}

// changes makes tok's login the one that counts; nil is a logout.
func (acc *simAccount) changes(tok *issuedToken, p *process) {
	acc.logins++
	acc.login, acc.changed, acc.changedBy, acc.returned = acc.logins, time.Now(), p, time.Time{}
	acc.saidFalse = false
	if tok != nil {
		tok.login = acc.login
		acc.newest[tok.login], acc.gone[tok.login] = tok, tok.revoked
	}
	for _, other := range acc.w.procs {
		v := other.seen(acc)
		clear(v.formerUsed)
		v.notBefore, v.failed, v.renewedFor401 = time.Time{}, nil, time.Time{} // of the former login
	}
}

// disconnected is told that the user has taken back all that was approved.
func (acc *simAccount) disconnected() {
	for login := range acc.logins + 1 {
		acc.gone[login] = true
	}
	for _, tok := range acc.w.tokens {
		tok.revoked = tok.revoked || tok.acc == acc
	}
}

// revokedByReplay is told that Pinterest took a replay for a theft.
func (w *world) revokedByReplay(q *tokenRequest) {
	q.acc.gone[q.old.login] = true
	if q.acc.excuses[q.old.login] == "" {
		w.broken(noLoginIsLost, "%s's request had the login of %v revoked", q.p.name, q.old)
	}
}

// answered is told how a token request ended for whoever sent it.
func (w *world) answered(q *tokenRequest, received bool) {
	acc, v, now := q.acc, q.p.seen(q.acc), time.Now()
	w.trace("%s's request of %v for %s by %v ends: received %v, %d, code %d, %v, %s", q.p.name, q.at.Sub(w.began), acc.key, q.old, received, q.status, q.code, q.issued, q.fault.name)
	acc.inFlight = slices.DeleteFunc(acc.inFlight, func(other *tokenRequest) bool { return other == q })
	if tok := q.issued; tok != nil && received && q.status == http.StatusOK && tok.access != "" {
		tok.by, tok.received = q.p, now
		if q.old != nil && tok.refresh != q.old.refresh {
			q.old.replacedBy = tok
		}
		if now.Before(acc.refuses) && q.old != nil && v.has != nil && now.Before(v.has.expires.Add(-acc.life()/9)) && v.refreshes == 0 && now.Sub(v.refreshed) > 2*time.Minute {
			if pause := now.Sub(v.renewedFor401); pause < 45*time.Second {
				w.broken(noVainRenewals, "%s renews %s again after %v", q.p.name, acc.key, pause)
			}
			v.renewedFor401 = now
		}
		v.received, v.failed, v.notBefore, v.appRefused, v.refusedOf = tok, nil, time.Time{}, time.Time{}, nil
		acc.saidDead[tok.login], acc.saidFalse, acc.said401 = false, false, false
		return
	}
	if q.issued != nil {
		acc.excuses[q.issued.login] = "an answer was lost"
	}
	if q.p.dead() {
		return
	}
	v.failed, v.troubled = append(v.failed, now), now
	if !received {
		return
	}
	if q.fault.asks > 0 {
		v.notBefore = now.Add(q.fault.asks)
		if v.notBefore.After(w.heldUntil) {
			w.heldUntil = v.notBefore
		}
	}
	switch {
	case q.status == 401 && (q.code == 283 || q.code == 28):
		if q.old == nil { // a false one: client credentials have no grant to be invalid
			acc.saidDead[0], acc.saidFalse = true, true
			break
		}
		acc.saidDead[q.old.login] = true
		v.refused, v.refusedOf = now, q.old
		if q.old.renewable() {
			acc.saidFalse = true
		}
	case (q.status == 401 || q.status == 403) && (q.code == 2 || q.code == 3 || q.code == 29):
		v.appRefused, v.appRefusedOf = now, q.old
		w.appRefused = now
	}
}

// used is told of an API request as it leaves.
func (w *world) used(p *process, tok *issuedToken, c *libraryCall) {
	acc, v, now := tok.acc, p.seen(tok.acc), time.Now()
	w.count["requests to the API"]++
	w.handed(p, tok)
	if acc.kind != stored || tok.login == acc.login || c == nil {
		return
	}
	if acc.changedBy == p && !acc.returned.IsZero() && c.start.After(acc.returned) {
		w.broken(forgetIsAtOnce, "%s sends %v by %v, %v after it was replaced", p.name, tok, c, now.Sub(acc.changed))
	}
	if acc.kept != nil && !acc.kept.good() {
		return // what is kept has to be renewed first
	}
	if now.Sub(v.lastUse[c.how]) >= time.Minute || v.formerUsed[c.how].IsZero() {
		v.formerUsed[c.how] = now
	}
	v.lastUse[c.how] = now
	since := v.formerUsed[c.how]
	if now.Sub(since) > 65*time.Second && p.store.wellSince(now.Add(-2*time.Minute)) && p.store.wellSince(since) {
		w.broken(loginIsNoticed, "%s sends %v by %s, %v after it was replaced", p.name, tok, c.how, now.Sub(acc.changed))
	}
}

// handed is told of a token that somebody got.
func (w *world) handed(p *process, tok *issuedToken) {
	v := p.seen(tok.acc)
	if tok.handed.IsZero() {
		tok.handed = time.Now()
	}
	if v.has == nil || v.has.login < tok.login || v.has.number < tok.number {
		v.has = tok
	}
	if time.Now().After(tok.expires) && !tok.endless {
		w.broken(noneExpired, "%s uses %v, which expired %v ago", p.name, tok, time.Since(tok.expires))
	}
	switch {
	case tok.by != p:
	case tok.acc.kind == stored && !tok.saved && !tok.saveTried,
		tok.acc.kind == told && !tok.tellTried:
		w.broken(savedBeforeUse, "%s uses %v", p.name, tok)
	}
}

// record reads what is to be kept.
func (w *world) record(key string, value []byte) *issuedToken {
	var t oauth2.Token
	if err := json.Unmarshal(value, &t); err != nil {
		w.broken(storeIsWhole, "under %s: %v", key, err)
		return nil
	}
	tok := w.tokens[t.AccessToken]
	if tok == nil || tok.refresh != t.RefreshToken || tok.acc.key != key {
		w.broken(storeIsWhole, "under %s: a token that nobody issued for it", key)
		return nil
	}
	return tok
}

// notSaved is told of a value that the store was given and did not keep.
func (w *world) notSaved(key string, value []byte, why error) {
	tok := w.record(key, value)
	if tok == nil {
		return
	}
	w.trace("not saved: %v: %v", tok, why)
	tok.saveTried = true
	if tok.login != 0 {
		tok.acc.excuses[tok.login] = why.Error()
	}
	if tok.by != nil {
		tok.by.seen(tok.acc).troubled = time.Now()
	}
}

// saved is told of every value that is kept.
func (w *world) saved(p *process, key string, value []byte) {
	tok := w.record(key, value)
	if tok == nil {
		return
	}
	w.trace("%s saves %v", p.name, tok)
	acc := tok.acc
	switch {
	case tok.login == 0:
		acc.changes(tok, p)
	case tok.login != acc.login:
		w.broken(storeIsWhole, "%s overwrites %v, a later login or logout, by %v", p.name, acc.kept, tok)
	case acc.kept != nil && tok.number < acc.kept.number && acc.excuses[tok.login] == "":
		w.broken(storeIsWhole, "%s overwrites %v by %v", p.name, acc.kept, tok)
	}
	acc.kept, tok.saved, tok.saveTried, tok.savedAt = tok, true, true, time.Now()
	if tok.handed.IsZero() {
		tok.handed = time.Now()
	}
}

// loggedOut is told that key was deleted.
func (w *world) loggedOut(p *process, key string) {
	acc := w.stored(key)
	w.trace("%s has logged %s out", p.name, key)
	acc.kept = nil
	acc.changes(nil, p)
}

// A libraryCall is one call of the library for one account.
type libraryCall struct {
	p     *process
	acc   *simAccount
	how   string
	start time.Time
	limit time.Duration // of its own context; zero: none

	firstHere bool         // no call of the process for the account had ended when it began
	had       *issuedToken // that the process had used when it began
	good      *issuedToken // the same, if it was good
	kept      *issuedToken // in the store when it began, if it was good
	login     int
	queued    bool // at x/oauth2's mutex, behind one that may wait for a token
	alone     bool // no renewal that others began can be under way

	leaveQueue func()
	requests   int       // to the API
	first      time.Time // when it sent the first of them
	faulty     bool      // the API did not do what was asked
	status     int
	err        error
	got        *issuedToken
}

func (c *libraryCall) String() string {
	return fmt.Sprintf("%s's %s for %s of %v", c.p.name, c.how, c.acc.key, c.start.Sub(c.p.w.began).Round(time.Millisecond))
}

// begin looks at the world as a call begins.
func (w *world) begin(c *libraryCall) {
	v := c.p.seen(c.acc)
	c.start, c.login = time.Now(), c.acc.login
	for other := range w.calls {
		c.queued = c.queued || c.how == "oauth2.NewClient" && other.how == c.how && other.p == c.p && other.acc == c.acc
	}
	w.calls[c] = true
	c.alone, v.called = c.start.Sub(v.called) > 5*time.Minute, c.start
	if c.how == "Refresh" {
		v.refreshes++
	}
	c.firstHere, c.had = v.calls == 0, v.has
	good := func(tok *issuedToken) bool {
		// What both ends of Pinterest have called dead is not used any more.
		return tok != nil && tok.good() && w.accepts(tok) && !(tok.denied && (c.acc.saidDead[tok.login] || v.refusedOf == tok))
	}
	if good(c.had) && (c.acc.kind != stored || c.had.login == c.acc.login) {
		c.good = c.had
	}
	if good(c.acc.kept) {
		c.kept = c.acc.kept
	}
}

// sent is told of each of the call's requests to the API.
func (c *libraryCall) sent() {
	if c.requests++; c.requests == 1 {
		c.first = time.Now()
	}
	if c.leaveQueue != nil {
		c.leaveQueue()
	}
}

// end looks at what became of a call.
func (w *world) end(c *libraryCall) {
	w.trace("%v ends: %d, %v, %v", c, c.status, c.got, c.err)
	w.count["calls: "+c.how]++
	delete(w.calls, c)
	p, acc, v, now := c.p, c.acc, c.p.seen(c.acc), time.Now()
	v.calls++
	if c.how == "Refresh" {
		v.refreshes--
		v.refreshed = now
	}
	if p.dead() {
		return
	}
	if c.got != nil {
		w.handed(p, c.got)
		if acc.kind == plain {
			acc.file = c.got
		}
	}
	took := now.Sub(c.start)
	if took > longest(c) {
		w.broken(nobodyHangs, "%v took %v", c, took)
	}
	ownContext := c.err != nil && c.limit > 0 && took >= c.limit || errors.Is(c.err, context.Canceled) && p.ended
	failed := c.err != nil && !c.faulty && !ownContext
	if c.good != nil && c.how != "Refresh" {
		waited := took
		if c.requests > 0 {
			waited = c.first.Sub(c.start)
		}
		if waited > 0 && c.good.good() && !c.queued {
			w.broken(noWaiting, "%v waited for %v though it had %v, good for %v", c, waited, c.good, c.good.expires.Sub(now))
		}
		if failed && c.login == acc.login {
			w.broken(noFailing, "%v had %v, good for %v: %v", c, c.good, c.good.expires.Sub(now), c.err)
		}
	}
	wasWell := p.store.wellSince(c.start.Add(-2 * time.Minute))
	if tok := c.kept; tok != nil && tok == acc.kept && tok.good() && c.start.Sub(tok.savedAt) > 65*time.Second && failed && c.how != "Refresh" && wasWell && w.accepts(tok) {
		w.broken(noFailing, "%v though the store has %v, good for %v: %v", c, tok, tok.expires.Sub(now), c.err)
	}
	if c.how == "Refresh" && c.alone && c.got != nil && c.got.handed.Before(c.start) && !c.got.savedAt.After(c.start) {
		which := refreshIsNew
		if c.firstHere || c.had == c.got {
			which = refreshRenews
		}
		w.broken(which, "%v returned %v, which was there before", c, c.got)
	}
	isNew := errors.Is(c.err, fs.ErrNotExist) || c.login != acc.login || c.start.Sub(acc.changed) <= 65*time.Second
	if !w.known(v, acc, c.err) && (!isNew || errors.Is(c.err, pinterest.ErrClientRejected)) {
		w.broken(errorIsTrue, "%v: %v", c, c.err)
	}
}

// known reports whether a verdict in err is Pinterest's.
func (w *world) known(v *seen, acc *simAccount, err error) bool {
	switch {
	case errors.Is(err, pinterest.ErrReauthorize):
		return v.refusedOf != nil || acc.saidDead[acc.login] || acc.kind == stored && acc.kept == nil
	case errors.Is(err, pinterest.ErrClientRejected):
		return !v.appRefused.IsZero()
	}
	return true
}

// longest is how long a call may take: as its context allows, or else a sibling's renewal, its own, and the saving.
// A client of x/oauth2's does not look at the context while it waits for a token.
func longest(c *libraryCall) time.Duration {
	const documented = 3 * time.Minute
	switch {
	case c.limit == 0:
		return documented
	case c.how == "oauth2.NewClient":
		return c.limit + documented
	}
	return c.limit + time.Second
}

// checkHanging says after a step what must hold whatever has happened.
func (w *world) checkHanging() {
	for c := range w.calls {
		if !c.p.dead() && time.Since(c.start) > longest(c) {
			w.broken(nobodyHangs, "%v still waits after %v", c, time.Since(c.start))
		}
	}
}

// waited looks at what a Wait of p returned, for acc or, if that is nil, for all that is stored.
func (w *world) waited(p *process, acc *simAccount, start time.Time, limit time.Duration, err error) {
	w.count["Wait"]++
	if p.dead() {
		return
	}
	if err != nil {
		if time.Since(start) < limit {
			w.broken(waitIsTrue, "%s's Wait ended after %v: %v", p.name, time.Since(start), err)
		}
		return
	}
	for _, other := range w.accounts {
		if other != acc && (acc != nil || other.kind != stored) {
			continue
		}
		for _, q := range other.inFlight {
			if q.p == p && q.at.Before(time.Now()) {
				w.broken(waitIsTrue, "%s has asked for %s since %v", p.name, other.key, time.Since(q.at))
			}
		}
		if tok := p.seen(other).received; tok != nil && tok.unsaved() {
			w.broken(waitIsTrue, "%s's %v is not saved", p.name, tok)
		}
	}
}

// yielded looks at what a sweep of p, which began at start, said of one key.
func (w *world) yielded(p *process, start time.Time, over bool, key string, err error) {
	if p.dead() {
		return
	}
	storeFailed := !p.store.wellSince(start)
	if key == "" {
		w.count["sweeps that ended early"]++
		if !over && !storeFailed {
			w.broken(errorIsTrue, "%s's sweep of %v ended: %v", p.name, start.Sub(w.began), err)
		}
		return
	}
	acc := w.stored(key)
	v := p.seen(acc)
	switch {
	case err == nil:
		w.count["renewed by a sweep"]++
		if v.received == nil || v.received.received.Before(start) {
			w.broken(errorIsTrue, "%s's sweep of %v says that it renewed %s, which it did not", p.name, start.Sub(w.began), key)
		}
	default:
		w.count["not renewed by a sweep"]++
		if !w.known(v, acc, err) || !storeFailed && len(v.failed) == 0 && v.troubled.Before(start) && v.refusedOf == nil && v.appRefused.IsZero() {
			w.broken(errorIsTrue, "%s's sweep of %v says of %s: %v", p.name, start.Sub(w.began), key, err)
		}
	}
}

// checkMended says what must hold when nothing has gone wrong for a while and every process has used every account:
// calls are the last of these uses.
func (w *world) checkMended(calls []*libraryCall) {
	well := make(map[*simAccount]bool)
	for _, acc := range w.accounts {
		well[acc] = true
		for _, p := range w.procs {
			tok := p.seen(acc).received
			if tok == nil || !tok.unsaved() || !p.has(acc) {
				continue
			}
			well[acc] = false
			if acc.kind == told {
				w.broken(callbackIsTold, "%s was not told of %v, which came %v ago", p.name, tok, time.Since(tok.received))
			} else if acc.excuses[tok.login] != errLockLost.Error() {
				w.broken(tokensAreSaved, "%s got %v and the store holds %v", p.name, tok, acc.kept)
			}
		}
	}
	for _, c := range calls {
		acc := c.acc
		if c.fine() {
			continue
		}
		well[acc] = false
		if acc.login != c.login || c.how == "oauth2.NewClient" && (c.status == http.StatusUnauthorized || c.p.ended) {
			continue
		}
		tok := acc.last()
		if acc.kind != stored {
			if got := c.p.seen(acc).received; got != nil && (tok == nil || got.number > tok.number && got.login == acc.login) {
				tok = got
			}
		}
		switch {
		case acc.kind == own:
			w.broken(c.notMended(), "%v: %d, %v", c, c.status, c.err)
		case tok == nil:
		case tok.renewable():
			w.broken(c.notMended(), "%v: %d, %v: Pinterest would renew %v", c, c.status, c.err, tok)
		case acc.excuses[tok.login] == "" && !acc.gone[tok.login] && time.Now().Before(tok.lapses):
			w.broken(noLoginIsLost, "%v: %d, %v: nobody has the last token of %v", c, c.status, c.err, tok)
		}
	}
	for acc, isWell := range well { // what has gone wrong so far excuses nothing that follows
		if tok := acc.last(); isWell && tok != nil && tok.renewable() && w.byRefresh[tok.refresh].replacedBy == nil {
			delete(acc.excuses, acc.login)
		}
	}
}

// last is the token that is kept.
func (acc *simAccount) last() *issuedToken {
	if acc.kind == stored {
		return acc.kept
	}
	return acc.file
}

func (c *libraryCall) fine() bool { return c.err == nil && c.status == http.StatusOK }

// notMended is the promise that a call breaks which fails though nothing is wrong any more.
func (c *libraryCall) notMended() promise {
	switch {
	case errors.Is(c.err, pinterest.ErrClientRejected), c.status == http.StatusUnauthorized && !c.p.seen(c.acc).appRefused.IsZero():
		return appVerdictEndsByItself
	case c.acc.saidFalse:
		return userVerdictEndsByItself
	}
	return takenUpAgain
}
