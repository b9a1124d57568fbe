package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/pinterest/internal/accounts"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// newBrowser starts Chromium, and returns the context of a tab in it.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	chromium := os.Getenv("PINTEREST_TEST_CHROMIUM")
	if chromium == "" {
		t.Skip("PINTEREST_TEST_CHROMIUM is not set")
	}
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(chromium), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(900, 700)}
	for _, flag := range []string{
		"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
		"disable-background-networking", "disable-component-update", "disable-sync",
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the browser to end
		cancel()
	})
	return ctx
}

// A loginRun is a pinterest login whose page a test opens.
type loginRun struct {
	page   string
	stderr strings.Builder
	fake   *pinteresttest.Server
	home   string
	wait   func() int // its exit status
}

func startLogin(t *testing.T, args ...string) *loginRun {
	t.Helper()
	l := &loginRun{fake: pinteresttest.NewServer(&pinteresttest.Handler{StrictRotation: true}), home: t.TempDir()}
	t.Cleanup(l.fake.Close)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	redirectURL := "http://localhost:" + strconv.Itoa(port) + "/"
	l.fake.Change(func(h *pinteresttest.Handler) { h.RedirectURLs = []string{redirectURL} })

	c := l.command(t, append([]string{"login", "--redirect-url", redirectURL}, args...)...)
	c.Env = append(c.Env, "BROWSER_DOES=nothing") // the test opens the page
	stderr, err := c.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	lines := bufio.NewReader(io.TeeReader(stderr, &l.stderr))
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	_, page, found := strings.Cut(line, "in your browser: ")
	require.True(t, found, line)
	l.page = strings.TrimSpace(page)
	l.wait = func() int {
		_, err := io.Copy(io.Discard, lines)
		require.NoError(t, err)
		var exit *exec.ExitError
		if err := c.Wait(); errors.As(err, &exit) {
			return exit.ExitCode()
		}
		return 0
	}
	return l
}

// command returns a command of this program, with the login's user and fake.
func (l *loginRun) command(t *testing.T, args ...string) *exec.Cmd {
	c := exec.CommandContext(t.Context(), "pinterest", args...)
	c.Env = append(os.Environ(), "HOME="+l.home, "XDG_CONFIG_HOME="+filepath.Join(l.home, ".config"), "AppData="+l.home,
		accounts.EnvAPI+"="+l.fake.URL, accounts.EnvOAuth+"="+l.fake.URL, accounts.EnvStore+"=", "BROWSER=xdg-open", "SSH_CONNECTION=", "SSH_TTY=",
		accounts.EnvAppID+"="+pinteresttest.DefaultAppID, accounts.EnvAppSecret+"="+pinteresttest.DefaultAppSecret)
	return c
}

// loggedIn reports whether there is a token.
func (l *loginRun) loggedIn(t *testing.T) bool {
	out, err := l.command(t, "token").Output()
	return err == nil && strings.HasPrefix(string(out), "pina_")
}

// heading waits for the page with that heading, and keeps a picture of it if the
// environment names a directory.
func heading(t *testing.T, tab context.Context, want string) {
	t.Helper()
	require.NoError(t, chromedp.Do(tab, chromedp.WaitVisible(`//h1[.="`+want+`"]`)), want)
	lang, err := chromedp.Run(tab, chromedp.AttributeValue("html", "lang"))
	require.NoError(t, err)
	assert.Equal(t, "en", lang.Value)
	if dir := os.Getenv("PINTEREST_TEST_PICTURES"); dir != "" {
		picture, err := chromedp.Run(tab, chromedp.CaptureScreenshot())
		require.NoError(t, err)
		name := strings.ReplaceAll(t.Name()+" "+strings.TrimRight(want, "?"), "/", " ")
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600))
	}
}

const (
	asks    = "Give app 1234567 access to your account?"
	approve = `button[value="approve"]`
	deny    = `button[value="deny"]`
)

func TestAUserWhoApprovesInABrowserIsLoggedIn(t *testing.T) {
	tab := newBrowser(t)
	l := startLogin(t)
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(l.page)))
	heading(t, tab, asks)
	require.NoError(t, chromedp.Do(tab, chromedp.Click(approve)))
	heading(t, tab, "You are logged in")
	assert.Equal(t, 0, l.wait(), l.stderr.String())
	assert.True(t, l.loggedIn(t))
}

func TestAUserCanApproveByKeyboard(t *testing.T) {
	tab := newBrowser(t)
	l := startLogin(t)
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(l.page), chromedp.Focus(approve), chromedp.KeyEvent("\r")))
	heading(t, tab, "You are logged in")
	assert.Equal(t, 0, l.wait(), l.stderr.String())
}

func TestAUserWhoDeniesInABrowserIsNotLoggedIn(t *testing.T) {
	tab := newBrowser(t)
	l := startLogin(t)
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(l.page), chromedp.Click(deny)))
	heading(t, tab, "You did not give access")
	assert.Equal(t, say.StatusFailed, l.wait())
	assert.Contains(t, l.stderr.String(), "pinterest: access was denied on Pinterest's page\n")
	assert.False(t, l.loggedIn(t))
}

func TestAnotherLoginsPageLogsNobodyIn(t *testing.T) {
	tab := newBrowser(t)
	l := startLogin(t, "--timeout", "10s")
	other, err := url.Parse(l.page)
	require.NoError(t, err)
	q := other.Query()
	q.Set("state", "another")
	other.RawQuery = q.Encode()
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(other.String()), chromedp.Click(approve)))
	heading(t, tab, "This is not the login that is waiting")
	assert.Equal(t, say.StatusFailed, l.wait())
	assert.Contains(t, l.stderr.String(), "pinterest: nobody came back from Pinterest's page within 10s, except with the state of another login\n")
	assert.Zero(t, l.fake.Counts().Token)
	assert.False(t, l.loggedIn(t))
}

func TestALoginWhoseTabIsClosedEnds(t *testing.T) {
	browser := newBrowser(t)
	l := startLogin(t, "--timeout", "5s")
	require.NoError(t, chromedp.Do(browser, chromedp.Navigate("about:blank")))
	tab, cancel := chromedp.NewContext(browser)
	defer cancel()
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(l.page)))
	heading(t, tab, asks)
	cancel() // closes the tab
	assert.Equal(t, say.StatusFailed, l.wait())
	assert.Contains(t, l.stderr.String(), "pinterest: nobody came back from Pinterest's page within 5s\n")
	assert.False(t, l.loggedIn(t))
}

func TestAnAppWhoseRedirectURLIsNotRegisteredIsTold(t *testing.T) {
	tab := newBrowser(t)
	l := startLogin(t, "--timeout", "5s")
	l.fake.Change(func(h *pinteresttest.Handler) { h.RedirectURLs = []string{"https://example.com/"} })
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(l.page)))
	heading(t, tab, "This did not work")
	assert.Equal(t, say.StatusFailed, l.wait())
	assert.Contains(t, l.stderr.String(), "is registered for the app, letter for letter")
}
