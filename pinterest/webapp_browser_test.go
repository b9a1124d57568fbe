package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/login"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// startWebApp serves an app whose users log in by a login.Handler.
func startWebApp(t *testing.T) (url string, fake *pinteresttest.Server) {
	t.Helper()
	fake = pinteresttest.NewServer(new(pinteresttest.Handler))
	t.Cleanup(fake.Close)
	mux := http.NewServeMux()
	app := httptest.NewServer(mux)
	t.Cleanup(app.Close)
	show := func(w http.ResponseWriter, heading string) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<html lang="en"><h1>%s</h1><a href="/login">again</a>`, heading)
	}
	handler := &login.Handler{
		Config: &pinterest.Config{ClientID: pinteresttest.DefaultAppID, ClientSecret: pinteresttest.DefaultAppSecret, Endpoint: fake.Endpoint(),
			RedirectURL: app.URL + "/callback", Scopes: []string{pinterest.ScopeBoardsRead}},
		Done: func(w http.ResponseWriter, _ *http.Request, tok *oauth2.Token, err error) {
			switch {
			case errors.Is(err, login.ErrDenied):
				show(w, "You said no")
			case errors.Is(err, login.ErrForeign):
				show(w, "Not begun here")
			case err != nil:
				show(w, "It did not work")
			default:
				show(w, "Welcome")
			}
		},
	}
	mux.HandleFunc("/login", handler.Start)
	mux.HandleFunc("/callback", handler.Callback)
	return app.URL, fake
}

func TestAUserOfAWebAppLogsInByABrowser(t *testing.T) {
	browser := newBrowser(t)
	app, fake := startWebApp(t)
	require.NoError(t, chromedp.Do(browser, chromedp.Navigate(app+"/login")))
	heading(t, browser, asks)
	tab, cancel := chromedp.NewContext(browser) // another one, at once
	defer cancel()
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(app+"/login"), chromedp.Click(deny)))
	heading(t, tab, "You said no")
	require.NoError(t, chromedp.Do(browser, chromedp.Click(approve)))
	heading(t, browser, "Welcome")
	assert.Equal(t, 1, fake.Counts().Token)

	require.NoError(t, chromedp.Do(browser, chromedp.Reload()))
	heading(t, browser, "Not begun here") // the cookie is gone
	require.NoError(t, chromedp.Do(browser, chromedp.Navigate(app+"/callback?code=1&state=2")))
	heading(t, browser, "Not begun here")
	assert.Equal(t, 1, fake.Counts().Token)
}
