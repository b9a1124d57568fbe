package main

import (
	"bufio"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/examples/internal/process"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

func TestMain(m *testing.M) { process.TestMain(m, main) }

// site is the app as browsers know it: behind a proxy that speaks TLS for it.
const site = "https://boards.example"

// A browser follows redirects and keeps cookies, as browsers do.
type browser struct {
	http.Client
	t       *testing.T
	app     string // where the app listens
	cookies []*http.Cookie
}

func newBrowser(t *testing.T, app string) *browser {
	b := &browser{t: t, app: app}
	b.Jar, _ = cookiejar.New(nil) // it never fails
	b.Transport = b
	return b
}

// RoundTrip is the proxy in front of the app.
func (b *browser) RoundTrip(r *http.Request) (*http.Response, error) {
	toApp := r.URL.Host == "boards.example"
	if toApp {
		r = r.Clone(r.Context())
		r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(b.app, "http://")
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if toApp && err == nil {
		b.cookies = append(b.cookies, resp.Cookies()...)
	}
	return resp, err
}

func (b *browser) read(resp *http.Response, err error) (status int, page string) {
	b.t.Helper()
	require.NoError(b.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	return resp.StatusCode, string(body)
}

func (b *browser) get(url string) (status int, page string) {
	b.t.Helper()
	return b.read(b.Get(url))
}

var proof = regexp.MustCompile(`name="proof" value="([^"]*)"`)

// login presses the button on Pinterest's page.
func (b *browser) login(button string) (status int, page string) {
	b.t.Helper()
	resp, err := b.Get(site + "/login")
	require.NoError(b.t, err)
	at := resp.Request.URL.String()
	_, form := b.read(resp, err)
	found := proof.FindStringSubmatch(form)
	require.NotNil(b.t, found, form)
	return b.read(b.PostForm(at, url.Values{"decision": {button}, "proof": {html.UnescapeString(found[1])}}))
}

// A started app is a process, and where it listens.
type started struct {
	*process.Process
	at string
}

func start(t *testing.T, fake *pinteresttest.Server, db, key string) started {
	t.Helper()
	p := process.Start(t, []string{
		"PINTEREST_APP_ID=" + pinteresttest.DefaultAppID,
		"PINTEREST_APP_SECRET=" + pinteresttest.DefaultAppSecret,
		"PINTEREST_API_URI=" + fake.URL,
		"PINTEREST_OAUTH_URI=" + fake.URL,
		"TOKEN_KEY=" + key,
	}, "-listen", "127.0.0.1:0", "-url", site, "-db", db)
	return started{p, "http://" + p.Says(`"msg":"listening","address":"([^"]*)"`)}
}

func newFake(t *testing.T, h *pinteresttest.Handler) *pinteresttest.Server {
	h.StrictRotation = true
	h.RedirectURLs = []string{site + "/callback"}
	fake := pinteresttest.NewServer(h)
	t.Cleanup(fake.Close)
	return fake
}

func TestAUserLogsInSeesBoardsAndDisconnects(t *testing.T) {
	fake := newFake(t, new(pinteresttest.Handler))
	db, key := filepath.Join(t.TempDir(), "app.db"), newKey()
	app := start(t, fake, db, key)
	b := newBrowser(t, app.at)

	_, page := b.get(site)
	assert.Contains(t, page, "Connect with Pinterest")
	status, page := b.login("deny")
	assert.Equal(t, http.StatusForbidden, status)
	assert.Contains(t, page, "You did not allow it.")
	status, page = b.login("approve")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, page, "You are <b>pinner")
	assert.Contains(t, page, "<li>Board 1</li>")

	require.NotEmpty(t, b.cookies)
	for _, c := range b.cookies {
		assert.True(t, c.Secure && c.HttpOnly && c.SameSite == http.SameSiteLaxMode, "the cookie %s", c.Name)
		assert.True(t, strings.HasPrefix(c.Name, "__Host-"), c.Name)
	}

	app.Stop()
	data, err := os.ReadFile(db)
	require.NoError(t, err)
	assert.Contains(t, string(data), "pinterest_tokens")
	process.NoSecrets(t, string(data))

	again := start(t, fake, db, key)
	b.app = again.at
	_, page = b.get(site)
	assert.Contains(t, page, "<li>Board 1</li>", "after a restart")

	forged, err := http.NewRequestWithContext(t.Context(), http.MethodPost, site+"/disconnect", nil)
	require.NoError(t, err)
	forged.Header.Set("Sec-Fetch-Site", "cross-site")
	status, _ = b.read(b.Do(forged))
	assert.Equal(t, http.StatusForbidden, status, "a button on another site")
	_, page = b.get(site)
	assert.Contains(t, page, "<li>Board 1</li>", "after that")

	_, page = b.read(b.PostForm(site+"/disconnect", nil))
	assert.Contains(t, page, "You are disconnected.")
	_, page = b.get(site)
	assert.Contains(t, page, "Connect with Pinterest")
	again.Stop()

	for _, log := range []string{app.Output(), again.Output()} {
		process.NoSecrets(t, log, pinteresttest.DefaultAppSecret, key, "code=", "state=")
		for lines := bufio.NewScanner(strings.NewReader(log)); lines.Scan(); {
			assert.True(t, json.Valid(lines.Bytes()), lines.Text())
		}
	}
	assert.Equal(t, 0, fake.Counts().Replays)
}

func TestAUserWhoDisconnectsTheAppAtPinterestIsAskedToConnectAgain(t *testing.T) {
	fake := newFake(t, new(pinteresttest.Handler))
	app := start(t, fake, filepath.Join(t.TempDir(), "app.db"), newKey())
	b := newBrowser(t, app.at)
	b.login("approve")
	fake.RevokeGrants()
	_, page := b.get(site)
	assert.Contains(t, page, "Please connect again.")
	_, page = b.login("approve")
	assert.Contains(t, page, "<li>Board 1</li>")
	app.Stop()
}

func TestTheDailySweepRenewsAndAnEndingProcessWaitsForIt(t *testing.T) {
	fake := newFake(t, &pinteresttest.Handler{RefreshLife: 24 * time.Hour})
	db, key := filepath.Join(t.TempDir(), "app.db"), newKey()
	app := start(t, fake, db, key)
	b := newBrowser(t, app.at)
	b.login("approve")
	app.Stop()

	fake.Fail("/v5/oauth/token", pinteresttest.Fault{After: true, Latency: time.Second})
	sweeping := start(t, fake, db, key)
	require.Eventually(t, func() bool { return fake.Counts().Refresh == 1 }, time.Minute, time.Millisecond)
	sweeping.Stop()
	assert.Contains(t, sweeping.Output(), `"msg":"pinterest: token renewed"`)
	assert.Contains(t, sweeping.Output(), `"msg":"keep-alive","renewed":1,"failed":0`)

	last := start(t, fake, db, key)
	last.Says(`"msg":"keep-alive","renewed":1,"failed":0`)
	b.app = last.at
	_, page := b.get(site)
	assert.Contains(t, page, "<li>Board 1</li>")
	last.Stop()
	assert.Equal(t, 0, fake.Counts().Replays)
}

func TestOneCommandServesItWithAFake(t *testing.T) {
	app := process.Start(t, nil, "-fake", "-listen", "localhost:0")
	at := app.Says(`"url":"([^"]*)"`)
	b := newBrowser(t, at)
	_, page := b.get(at)
	assert.Contains(t, page, "Connect with Pinterest")
	_, page = b.get(at + "/login")
	assert.Contains(t, page, "fake Pinterest")
	app.Stop()
}

func TestAKeyThatSealsNothingIsRefused(t *testing.T) {
	t.Setenv("TOKEN_KEY", "dG9vIHNob3J0")
	err := run(t.Context(), nil, nil)
	assert.ErrorContains(t, err, "TOKEN_KEY must be 32 bytes in base64")
	assert.NotContains(t, err.Error(), "dG9v")
}
