package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/pinteresttest"
)

// startControl serves a fake with its page.
func startControl(t *testing.T, h *pinteresttest.Handler) (url string) {
	t.Helper()
	s := httptest.NewServer(pinteresttest.NewControl(h))
	t.Cleanup(s.Close)
	return s.URL
}

func TestAPersonSeesWhatIsAskedAndPressesTheButtons(t *testing.T) {
	h := &pinteresttest.Handler{StrictRotation: true}
	at := startControl(t, h)
	tab := newBrowser(t)
	sees := func(selector, text string) {
		t.Helper()
		require.NoError(t, chromedp.Do(tab, chromedp.WaitVisible(`//*[@id="`+selector+`"]//*[contains(., "`+text+`")] | //*[@id="`+selector+`" and contains(., "`+text+`")]`)), text)
	}
	ask := func(token string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at+"/v5/user_account?page_size=1", nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		resp.Body.Close()
		return resp.StatusCode
	}
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(at)))
	sees("state", "Serving at "+at)
	sees("grants", "Nobody has logged in yet.")

	ann, ben := h.LoginAs("ann", "user_accounts:read"), h.LoginAs("ben")
	assert.Equal(t, http.StatusOK, ask(ann.AccessToken))
	sees("requests", "GET /v5/user_account")
	sees("requests", "page_size=1")
	sees("grants", "29 days left")

	require.NoError(t, chromedp.Do(tab, chromedp.Click(`[aria-label="Revoke: ann"]`)))
	sees("done", "ann has disconnected the app.")
	assert.Equal(t, http.StatusUnauthorized, ask(ann.AccessToken))
	sees("requests", "the user has disconnected the app")
	assert.Equal(t, http.StatusOK, ask(ben.AccessToken))

	require.NoError(t, chromedp.Do(tab, chromedp.Click(`[data-call="expire-access"]`)))
	sees("done", "Expire all access tokens: done.")
	assert.Equal(t, http.StatusUnauthorized, ask(ben.AccessToken))
	sees("grants", "the token was made to expire")

	require.NoError(t, chromedp.Do(tab, chromedp.SetValue(`#fault [name="path"]`, "/v5/user_account"), chromedp.SetValue(`#fault [name="times"]`, "2"), chromedp.Click(`#fault button`)))
	sees("faults", `/v5/user_account (status: 503), 2 times`)
	for range 2 {
		assert.Equal(t, http.StatusServiceUnavailable, ask(ben.AccessToken))
	}
	sees("faults", "none")

	h.Change(func(h *pinteresttest.Handler) { h.SystemUser = true }) // as a script may, meanwhile
	require.NoError(t, chromedp.Do(tab, chromedp.SetValue(`#settings [name="access_life"]`, "90s"), chromedp.Click(`#settings button`)))
	sees("done", "The settings have changed.")
	h.Change(func(h *pinteresttest.Handler) { assert.True(t, h.SystemUser, "a person changes what they touched") })
	require.NoError(t, chromedp.Do(tab, chromedp.SetValue(`#login [name="user"]`, "carol"), chromedp.Click(`#login button`)))
	sees("grants", "1 minute left")
	require.NoError(t, chromedp.Do(tab, chromedp.SetValue(`#settings [name="access_life"]`, "soon"), chromedp.Click(`#settings button`)))
	sees("done", "is no duration")
	if dir := os.Getenv("PINTEREST_TEST_PICTURES"); dir != "" {
		picture, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, t.Name()+".png"), picture, 0o600))
	}

	require.NoError(t, chromedp.Do(tab, chromedp.Click(`[data-call="reset"]`)))
	sees("grants", "Nobody has logged in yet.")
	require.NoError(t, chromedp.Do(tab, chromedp.WaitNotPresent(`#requests tr`)))
	assert.Zero(t, h.Counts())
	assert.Empty(t, h.Requests())
}

func TestAButtonThatIsHeldDownWhileThePageLooksAgainIsPressed(t *testing.T) {
	h := new(pinteresttest.Handler)
	at := startControl(t, h)
	h.LoginAs("ann")
	tab := newBrowser(t)
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(at), chromedp.WaitVisible(`[aria-label="Revoke: ann"]`)))
	box, err := chromedp.Run(tab, chromedp.Evaluate[[]float64](`(() => { const b = document.querySelector('[aria-label="Revoke: ann"]').getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()`))
	require.NoError(t, err)
	require.NoError(t, chromedp.Do(tab, chromedp.MouseEvent("mousePressed", box[0], box[1], chromedp.ButtonLeft, chromedp.ClickCount(1))))
	h.LoginAs("ben")
	get, err := http.Get(at + "/v5/held")
	require.NoError(t, err)
	get.Body.Close()
	require.NoError(t, chromedp.Do(tab, chromedp.WaitVisible(`//*[@id="requests"]//td[contains(., "/v5/held")]`)))
	require.NoError(t, chromedp.Do(tab, chromedp.MouseEvent("mouseReleased", box[0], box[1], chromedp.ButtonLeft, chromedp.ClickCount(1))))
	require.NoError(t, chromedp.Do(tab, chromedp.WaitVisible(`//*[@id="done" and contains(., "ann has disconnected the app.")]`)))
	require.NoError(t, chromedp.Do(tab, chromedp.WaitVisible(`//*[@id="grants"]//td[.="ben"]`)))
}

func TestAPageFromElsewhereCanNotPressTheEmulatorsButtons(t *testing.T) {
	h := new(pinteresttest.Handler)
	at := startControl(t, h)
	h.Login()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write([]byte(`<!DOCTYPE html><html lang="en"><title>Elsewhere</title><h1>Elsewhere</h1>
<iframe id="frame" src="` + at + `/"></iframe>
<form method="post" action="` + at + `/_emulator/revoke" enctype="text/plain"><button>Press</button></form>
<script>
Promise.allSettled([
	fetch("` + at + `/_emulator/revoke", {method: "POST", body: "{}"}),
	fetch("` + at + `/_emulator/revoke", {method: "POST", body: "{}", mode: "no-cors"}),
	fetch("` + at + `/_emulator/revoke", {method: "POST", body: "{}", headers: {"Content-Type": "application/json"}}),
	fetch("` + at + `/_emulator/requests"),
]).then((all) => {
	const h2 = document.createElement("h2");
	h2.textContent = all.map((r) => r.value?.type ?? r.status).join(" ");
	document.body.append(h2);
});
</script>`))
	}))
	t.Cleanup(elsewhere.Close)
	tab := newBrowser(t)
	// Another port is another origin.
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(elsewhere.URL), chromedp.WaitVisible(`//h2[.="rejected rejected rejected rejected"]`)))
	framed, err := chromedp.Run(tab, chromedp.Evaluate[string](`document.getElementById("frame").contentDocument?.body?.textContent ?? "another origin's"`))
	require.NoError(t, err)
	assert.Equal(t, "another origin's", framed)
	// A form leaves its page for the answer.
	_, err = chromedp.Run(tab, chromedp.Evaluate[any](`document.forms[0].submit()`))
	require.NoError(t, err)
	require.NoError(t, chromedp.Do(tab, chromedp.WaitNotPresent(`//h1[.="Elsewhere"]`)))
	assert.Len(t, h.Grants(), 1)
}
