package pinteresttest_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

func TestAClientAnswersForAnyHostAsTheNetworkWould(t *testing.T) {
	h := new(pinteresttest.Handler)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://anything.example/v5/user_account", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+h.Login().AccessToken)
	resp, err := h.Client().Do(r)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Same(t, r, resp.Request)
	assert.Equal(t, "200 OK", resp.Status)
	assert.Equal(t, "HTTP/1.1", resp.Proto)
	assert.EqualValues(t, len(body), resp.ContentLength)
	require.NoError(t, resp.Body.Close())
	_, err = resp.Body.Read(make([]byte, 1))
	assert.ErrorIs(t, err, http.ErrBodyReadAfterClose)
}

func TestAClientReportsACutBodyAsTheNetworkWould(t *testing.T) {
	h := new(pinteresttest.Handler)
	h.Fail("", pinteresttest.Fault{Status: 500, Body: "0123456789", Cut: true}, pinteresttest.Fault{EmptyBody: true, Cut: true})
	for _, want := range []string{"01234", ""} {
		resp, err := h.Client().Get("https://api.pinterest.com/v5/boards")
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Equal(t, want, string(body))
		assert.Greater(t, resp.ContentLength, int64(len(body)))
	}
}

func TestAClientHonoursTheContext(t *testing.T) {
	h := new(pinteresttest.Handler)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://api.pinterest.com/v5/boards", nil)
	require.NoError(t, err)
	resp, err := h.Client().Do(r)
	require.NoError(t, err)
	cancel()
	_, err = resp.Body.Read(make([]byte, 1))
	require.ErrorIs(t, err, context.Canceled)
	_, err = h.Client().Do(r)
	require.ErrorIs(t, err, context.Canceled)
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestAClientClosesTheRequestsBody(t *testing.T) {
	body := &closing{Reader: strings.NewReader("x")}
	_, err := new(pinteresttest.Handler).Client().Post("https://api.pinterest.com/v5/boards", "text/plain", body)
	require.NoError(t, err)
	assert.True(t, body.closed)
}

func TestAClientRefusesWhatIsNoWebAddress(t *testing.T) {
	for _, u := range []string{"ftp://api.pinterest.com/", "/v5/boards", "https:///v5/boards"} {
		_, err := new(pinteresttest.Handler).Client().Get(u)
		assert.Error(t, err, u)
	}
}

func TestAnOrdinaryOAuth2ConfigLivesThroughAYearInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &pinteresttest.Handler{StrictRotation: true, OldAccessDies: true}
		ctx := context.WithValue(t.Context(), oauth2.HTTPClient, h.Client())
		cfg := &oauth2.Config{
			ClientID: pinteresttest.DefaultAppID, ClientSecret: pinteresttest.DefaultAppSecret,
			Endpoint: pinterest.Endpoint, RedirectURL: appURL,
		}
		token, err := cfg.Exchange(ctx, h.Code(appURL))
		require.NoError(t, err)
		client := cfg.Client(ctx, token)
		for range 9 {
			resp, err := client.Get("https://api.pinterest.com/v5/user_account")
			require.NoError(t, err)
			resp.Body.Close()
			assert.Equal(t, http.StatusOK, resp.StatusCode)
			time.Sleep(45 * day)
		}
		assert.Equal(t, 8, h.Counts().Refresh)
		assert.Zero(t, h.Counts().Unauthorized)
	})
}
