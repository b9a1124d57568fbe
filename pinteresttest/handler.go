package pinteresttest

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The app that a zero Handler knows.
const (
	DefaultAppID     = "1234567"
	DefaultAppSecret = "0123456789abcdef0123456789abcdef01234567"
)

// A Handler is a fake Pinterest: its authorize page, its token endpoint and a little of its API. Its zero value
// works. It may be used by many goroutines at once.
//
// Set the fields before it serves; afterwards change them by [Handler.Change], or read and change them as JSON.
type Handler struct {
	AppID     string `json:"app_id"`     // the app's id; empty: DefaultAppID
	AppSecret string `json:"app_secret"` // the app's secret; empty: DefaultAppSecret

	// RedirectURLs are the app's registered redirect URLs, matched exactly. Nil allows any absolute URL.
	RedirectURLs []string `json:"redirect_urls"`

	AccessLife  time.Duration `json:"access_life"`  // how long an access token lives; zero: 30 days
	RefreshLife time.Duration `json:"refresh_life"` // how long a continuous refresh token lives; zero: 60 days
	CodeLife    time.Duration `json:"code_life"`    // how long a code waits to be exchanged; zero: 10 minutes

	// Users are those whom the authorize page lets one choose among; empty: pinner1, pinner2 and pinner3. All that
	// there is of a user is the name: the same name is the same account, whenever and however often it logs in.
	Users []string `json:"users"`

	// User is the one who is chosen at first, and who approves if AutoApprove is set; empty: the first of Users.
	User string `json:"user"`

	// AutoApprove makes the authorize page redirect at once, as if User had approved.
	AutoApprove bool `json:"auto_approve"`

	// StrictRotation makes a refresh kill the refresh tokens before the one it issues. Whoever presents a dead
	// one thereby revokes the whole family: every access and refresh token of that approval. Without it the old
	// ones go on working. Nobody has shown which of the two Pinterest does.
	StrictRotation bool `json:"strict_rotation"`

	// OldAccessDies makes a refresh kill the access tokens before the one it issues.
	OldAccessDies bool `json:"old_access_dies"`

	// LegacyApp makes the app one created before 2025-09-25. Its refresh tokens live 365 days, and a refresh is
	// answered without a refresh token, unless continuous_refresh (or refresh_on or refreshable, its older
	// names) asks otherwise: at the authorize page or when the code is exchanged, for good; at a refresh, for
	// that refresh. Login and Code do not ask.
	LegacyApp bool `json:"legacy_app"`

	// SystemUser makes the users of the app system users, whose tokens alone can be revoked.
	SystemUser bool `json:"system_user"`

	// ResponseType is the response_type of an answer that renews the refresh token: "refresh_token" (what empty
	// means), "everlasting_refresh", or "integration_refresh", which comes without refresh_token_expires_at.
	ResponseType string `json:"response_type"`

	// Latency passes between a request and the work on it. A client that leaves meanwhile has changed nothing.
	Latency time.Duration `json:"latency"`

	// Skew is how far Pinterest's clock is ahead of the local one (behind, if negative). It shows in
	// refresh_token_expires_at; changed while it serves, it also moves the moment at which tokens expire.
	Skew time.Duration `json:"skew"`

	// Log is called with each request once its answer is known, by several goroutines at once; nil: nobody is told.
	Log func(Request)

	mu         sync.Mutex // guards all the fields, those above included; never held while waiting or writing
	key        []byte     // seals tokens
	serial     uint64     // of the token issued last
	logins     uint64     // that ever were
	others     uint64     // users that nobody named
	accessFrom uint64     // access tokens with a lower serial have expired
	grants     map[uint64]*grant
	codes      map[string]code
	revoked    map[uint64]int64 // single tokens, by serial, until they expire
	sweepAt    int
	faults     []pathFault
	counts     Counts
	contents   map[string]*content // of users who changed theirs
	requests   []Request           // the last ones
	served     int                 // how many there were
}

// Change runs f, which may change the exported fields of h, while no request is being worked on. It must not call
// h's methods.
func (h *Handler) Change(f func(h *Handler)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(h)
}

// ServeHTTP answers as Pinterest would. A lost or cut answer panics with [http.ErrAbortHandler], at which an
// [http.Server] cuts the connection.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := h.answer(r)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	header := w.Header()
	maps.Copy(header, a.header)
	header.Set("Content-Length", strconv.Itoa(a.contentLength()))
	w.WriteHeader(a.status)
	w.Write(a.body)
	if a.missing > 0 {
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// A request is an http.Request whose body was read.
type request struct {
	*http.Request
	body   []byte
	form   url.Values // the body's
	isForm bool
	large  bool // the body is too long

	token claim  // of a request that has a good one
	user  string // whom it is about, once that is known
}

// errLost is the answer that never comes.
var errLost = fmt.Errorf("pinteresttest: the connection was cut before an answer came: %w", io.EOF)

// answer does all of a request but the writing. Its error is errLost, the request context's, or the body's.
func (h *Handler) answer(r *http.Request) (*answer, error) {
	req, err := read(r)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	h.count(req)
	fault := h.nextFault(r.URL.Path)
	latency := h.Latency
	h.mu.Unlock()

	a, err := h.work(req, latency, fault)
	if err == nil {
		a.header.Set("X-Pinterest-Rid", strconv.FormatUint(1e15+rand.Uint64N(9e15), 10))
	}
	h.record(req, a, err)
	return a, err
}

// work answers after so much latency, or as the fault says.
func (h *Handler) work(r *request, latency time.Duration, fault Fault) (*answer, error) {
	if !fault.After {
		latency += fault.Latency
	}
	if err := wait(r.Context(), latency); err != nil {
		return nil, err
	}
	var a *answer
	if fault.After || !fault.replaces() {
		a = h.route(r)
	}
	if fault.After {
		if err := wait(r.Context(), fault.Latency); err != nil {
			return nil, err
		}
	}
	if fault.Lose {
		return nil, errLost
	}
	return fault.spoil(a), nil
}

func read(r *http.Request) (*request, error) {
	req := &request{Request: r, form: url.Values{}}
	if r.Body == nil {
		return req, nil
	}
	t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	most := 1 << 20
	if t == "application/json" {
		most = 32 << 20 // a Pin holds its image
	}
	// Read whole before any waiting: only then does a server notice that its client left.
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(most)+1))
	if err != nil {
		return nil, err
	}
	req.body, req.large = body, len(body) > most
	if t == "application/x-www-form-urlencoded" {
		req.form, err = url.ParseQuery(string(body))
		req.isForm = err == nil
	}
	return req, nil
}

func wait(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

const (
	authorizePath  = "/oauth/"
	tokenPath      = "/v5/oauth/token"
	revokePath     = "/v5/oauth/token/revoke"
	conversionPath = "/v5/oauth/conversion_token"
)

// route does what a request asks for. What it calls runs under the lock.
func (h *Handler) route(r *request) *answer {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.large {
		return refuse(http.StatusRequestEntityTooLarge, 413, "The request is too large.")
	}
	switch r.URL.Path {
	case "/oauth":
		to := url.URL{Path: authorizePath, RawQuery: r.URL.RawQuery}
		return redirect(to.String())
	case authorizePath:
		return h.method(r, h.authorize, http.MethodGet, http.MethodHead, http.MethodPost)
	}
	if !strings.HasPrefix(r.URL.Path, "/v5/") {
		return notServed(r)
	}
	var a *answer
	switch r.URL.Path {
	case tokenPath:
		a = h.appMethod(r, h.token)
	case revokePath:
		a = h.appMethod(r, h.revoke)
	default:
		a = h.api(r)
	}
	a.header.Set("X-Ratelimit-Limit", `100, 100;w=1;name="safety_net_app_id_user_id", 1000;w=60;name="org_read_app_id_user_id"`)
	a.header.Set("X-Ratelimit-Remaining", "99")
	a.header.Set("X-Ratelimit-Reset", "1")
	return a
}

// appMethod is method for POST alone, but whoever is not the app is not told so much.
func (h *Handler) appMethod(r *request, do func(*request) *answer) *answer {
	if r.Method != http.MethodPost {
		if refused := h.checkApp(r); refused != nil {
			return refused
		}
	}
	return h.method(r, do, http.MethodPost)
}

func (h *Handler) method(r *request, do func(*request) *answer, allowed ...string) *answer {
	if slices.Contains(allowed, r.Method) {
		return do(r)
	}
	return wrongMethod(allowed)
}

func wrongMethod(allowed []string) *answer {
	a := refuse(http.StatusMethodNotAllowed, 405, "Method not allowed.")
	a.header.Set("Allow", strings.Join(allowed, ", "))
	return a
}
