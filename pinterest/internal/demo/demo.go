package demo

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// The demo's measures. Between a token's renewal and its expiry there is time
// for the outage, about a second, also on a busy machine.
const (
	accessLife = 5 * time.Second
	ahead      = 2 * time.Second
	pace       = 200 * time.Millisecond // of API calls
	limit      = time.Minute
	asksAgain  = 3 // for a token that is not to be had
)

// redirectURL is never connected to: the demo plays the browser, too.
const redirectURL = "http://localhost:8085/"

// Run runs the demo, and tells of it on w.
func Run(ctx context.Context, w io.Writer) error {
	server := pinteresttest.NewServer(strictFake())
	defer server.Close()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	defer transport.CloseIdleConnections()
	return runAgainst(ctx, newTimeline(w), server.Handler, server.URL, transport)
}

// strictFake returns a Pinterest of the worst kind: whoever uses a refresh token twice is logged out.
func strictFake() *pinteresttest.Handler {
	return &pinteresttest.Handler{
		RedirectURLs:   []string{redirectURL},
		AccessLife:     accessLife,
		StrictRotation: true,
		AutoApprove:    true,
	}
}

// runAgainst runs the demo against the fake, which base reaches at the given URL.
func runAgainst(ctx context.Context, out *timeline, fake *pinteresttest.Handler, at string, base http.RoundTripper) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTooLate)
	defer cancel()
	d := newRun(out, fake, at, base)
	err := d.play(ctx)
	out.End()
	switch {
	case err == nil || errors.Is(err, errCallFailed):
		return d.sumUp()
	case context.Cause(ctx) == errTooLate:
		return say.WithHint(errTooLate, "if this machine is very busy, try again later; otherwise it is a bug, please report it")
	case ctx.Err() != nil:
		return say.WithHint(errors.New("the demo was stopped before its end"), "it takes about fifteen seconds")
	}
	return err
}

var errTooLate = fmt.Errorf("the demo did not come to its end within %v", limit)

// errCallFailed ends the play: what was to come makes no sense any more.
var errCallFailed = errors.New("an API call failed")

// A run is one run of the demo.
type run struct {
	out     *timeline
	fake    *pinteresttest.Handler
	at      string
	base    http.RoundTripper
	witness *witness

	config *pinterest.Config
	source *pinterest.TokenSource
	plain  *http.Client // by oauth2.NewClient
	ours   *http.Client // by pinterest.NewClient

	calls   []*call // those that should succeed
	last    *call   // the one after the user disconnected the app
	verdict error   // what the source said then
}

func newRun(out *timeline, fake *pinteresttest.Handler, at string, base http.RoundTripper) *run {
	endpoint := oauth2.Endpoint{AuthURL: at + "/oauth/", TokenURL: at + "/v5/oauth/token"}
	d := &run{out: out, fake: fake, at: at, base: base}
	d.witness = &witness{
		base:     base,
		tokenURL: endpoint.TokenURL,
		numbers:  make(map[string]int),
		refresh:  make(map[string]bool),
		failed:   d.tellFailed,
		renewed:  d.tellRenewed,
	}
	d.config = &pinterest.Config{
		ClientID:     pinteresttest.DefaultAppID,
		ClientSecret: pinteresttest.DefaultAppSecret,
		Endpoint:     endpoint,
		RedirectURL:  redirectURL,
		Scopes:       []string{pinterest.ScopeBoardsRead, pinterest.ScopeUserAccountsRead},
		RefreshAhead: ahead,
		OnRefresh:    d.witness.noteRenewed,
	}
	return d
}

func (d *run) play(ctx context.Context) error {
	d.out.Title("The life of a Pinterest token, against a fake Pinterest on " + hostOf(d.at))
	d.out.Print("It is strict: a refresh token works once, and using one twice ends the login.")
	d.out.Print("")
	for _, scene := range []func(context.Context) error{
		d.logIn,
		func(ctx context.Context) error { return d.work(ctx, d.renewals(2)) },
		d.reject,
		d.outage,
		func(ctx context.Context) error { return d.work(ctx, d.renewals(1)) },
		d.disconnect,
	} {
		if err := scene(ctx); err != nil {
			return err
		}
	}
	return nil
}

// logIn gets the first token and makes the clients that use it.
func (d *run) logIn(ctx context.Context) error {
	code, err := d.authorize(ctx)
	if err != nil {
		return fmt.Errorf("authorize: %w", err)
	}
	d.out.Say("The user logs in and lets the app read boards and the account.")

	ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: d.witness})
	token, err := d.config.Exchange(ctx, code)
	if err != nil {
		return err
	}
	d.witness.noteFirst(token)
	d.out.Say("The code is exchanged: access token #1, good for %v, refresh token #1.", accessLife)

	d.source = d.config.TokenSource(ctx, token)
	d.plain = oauth2.NewClient(ctx, d.source)
	d.ours = pinterest.NewClient(ctx, d.source)
	d.out.Say("It will be renewed %v before it expires, as the demo sets RefreshAhead. Without that, a tenth of its life is left then.", ahead)
	d.out.Say("The app now calls the API %d times a second, by plain oauth2.NewClient.", time.Second/pace)
	return nil
}

// authorize plays the browser, and then the app at its redirect URL.
func (d *run) authorize(ctx context.Context) (code string, err error) {
	state := rand.Text()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.config.AuthCodeURL(state), nil)
	if err != nil {
		return "", err
	}
	browser := &http.Client{
		Transport:     d.base,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := browser.Do(r)
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	callback, err := resp.Location()
	if err != nil {
		return "", fmt.Errorf("the authorize page answered %s and did not send the browser back to the app", resp.Status)
	}
	q := callback.Query()
	if subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(state)) != 1 {
		return "", errors.New("the browser came back with another state than it left with")
	}
	if q.Get("code") == "" {
		return "", fmt.Errorf("the browser came back without a code (error=%q)", q.Get("error"))
	}
	return q.Get("code"), nil
}

// work calls the API at its pace until done.
func (d *run) work(ctx context.Context, done func() bool) error {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		c, err := d.call(ctx, d.plain)
		if err != nil {
			return err
		}
		d.calls = append(d.calls, c)
		if c.failed() {
			d.out.Fail("An API call fails: %s", c.outcome())
			return errCallFailed
		}
		number, _, expiry := d.witness.newest()
		d.out.Stand("%d API calls, none failed. Access token #%d has %s to live.", len(d.calls), number, seconds(time.Until(expiry)))
		if done() {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// renewals returns a condition: n renewals from now, and the next not near.
func (d *run) renewals(n int) func() bool {
	from, _, _ := d.witness.newest()
	return func() bool {
		number, since, expiry := d.witness.newest()
		return number >= from+n && time.Since(since) > 500*time.Millisecond && time.Until(expiry)-ahead > time.Second
	}
}

// call makes an API call. Its error is the end of the demo's time, not of the call.
func (d *run) call(ctx context.Context, client *http.Client) (*call, error) {
	c := &call{began: time.Now()}
	c.newest, _, _ = d.witness.newest()
	if client == d.ours {
		d.witness.expect401(true)
		defer d.witness.expect401(false)
	}
	r, err := http.NewRequestWithContext(c.watch(ctx), http.MethodGet, d.at+"/v5/user_account", nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(r)
	if err == nil {
		c.status = resp.StatusCode
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	c.err, c.ended = err, time.Now()
	return c, ctx.Err()
}

// reject lets Pinterest reject a token that is not due for renewal.
func (d *run) reject(ctx context.Context) error {
	number, _, expiry := d.witness.newest()
	d.fake.ExpireAccess()
	d.out.Say("Pinterest drops access token #%d, %s before its time. The next call is by pinterest.NewClient, as plain oauth2 does nothing about a 401.", number, seconds(time.Until(expiry)))
	c, err := d.call(ctx, d.ours)
	if err != nil {
		return err
	}
	d.calls = append(d.calls, c)
	if c.failed() {
		d.out.Fail("An API call by pinterest.NewClient fails: %s", c.outcome())
		return errCallFailed
	}
	d.out.Say("Sent again, the call gets 200. Its caller waited %s and saw no 401.", milliseconds(c.took()))
	return nil
}

// outage lets a renewal meet two faults of the server.
func (d *run) outage(ctx context.Context) error {
	d.fake.Fail("/v5/oauth/token",
		pinteresttest.Fault{Status: http.StatusServiceUnavailable},
		pinteresttest.Fault{Status: http.StatusBadRequest, Code: 12}) // a server fault, too, whatever its status
	d.out.Say("Pinterest's token endpoint breaks down. The next renewal will notice.")
	if err := d.work(ctx, d.renewals(1)); err != nil {
		return err
	}
	d.witness.mu.Lock()
	meanwhile := d.duringOutage()
	d.witness.mu.Unlock()
	d.out.Say("During the outage %d API calls were answered by the old token, without waiting.", meanwhile)
	return nil
}

// disconnect lets the user withdraw the approval.
func (d *run) disconnect(ctx context.Context) error {
	d.fake.RevokeGrants()
	d.out.Say("The user disconnects the app.")
	c, err := d.call(ctx, d.ours)
	if err != nil {
		return err
	}
	d.last = c
	d.out.Say("The caller gets %s, and asks the library to renew:", c.outcome())
	_, d.verdict = d.source.Refresh(ctx)
	d.out.Warn("%v", d.verdict)

	for range asksAgain {
		if _, err := d.source.Refresh(ctx); !errors.Is(err, pinterest.ErrReauthorize) {
			d.verdict = err
		}
	}
	d.out.Say("Asked %d times more, the library says the same, and sends nothing.", asksAgain)
	if errors.Is(d.verdict, pinterest.ErrReauthorize) {
		d.out.Say("That is pinterest.ErrReauthorize: authorize again.")
	}
	return ctx.Err()
}

// tellFailed is called by the renewal, whenever that runs.
func (d *run) tellFailed(f failedRequest) {
	switch {
	case f.healing:
		d.out.Warn("An API call gets 401, and so does the renewal that follows (%s).", f)
	case f.status == 0:
		d.out.Warn("A renewal gets no answer.")
	case f.status == http.StatusBadRequest && f.Code == 12:
		d.out.Warn("A renewal gets 400 (%s). That is Pinterest's fault, too: now and then it reports one as a bad request.", f)
	default:
		d.out.Warn("A renewal gets %d (%s).", f.status, f)
	}
}

func (d *run) tellRenewed(r renewal) {
	switch {
	case r.healing:
		d.out.Say("An API call by pinterest.NewClient gets 401. One renewal: tokens #%d.", r.token)
	case len(r.failures) > 0:
		d.out.Say("Tried again, it succeeds %s before expiry: both tokens are now #%d.", seconds(r.left), r.token)
	default:
		d.out.Say("Renewed in the background %s before expiry: both tokens are now #%d.", seconds(r.left), r.token)
	}
}

func hostOf(at string) string {
	u, err := url.Parse(at)
	if err != nil {
		return at
	}
	return u.Host
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }

func milliseconds(d time.Duration) string { return fmt.Sprintf("%dms", max(1, d.Milliseconds())) }
