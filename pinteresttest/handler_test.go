package pinteresttest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/pinteresttest"
)

const (
	tokenURL = "https://api.pinterest.com/v5/oauth/token"
	appURL   = "https://app.example/callback"
	day      = 24 * time.Hour
)

// A reply is a response whose body was read.
type reply struct {
	status int
	header http.Header
	body   string
	json   map[string]any // nil if it is none
}

func (r reply) text(name string) string { s, _ := r.json[name].(string); return s }

// code is Pinterest's, from an error.
func (r reply) code() int { f, _ := r.json["code"].(float64); return int(f) }

func do(t *testing.T, c *http.Client, r *http.Request) reply {
	t.Helper()
	resp, err := c.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	a := reply{status: resp.StatusCode, header: resp.Header, body: string(body)}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		require.NoError(t, json.Unmarshal(body, &a.json))
	}
	return a
}

func formRequest(t *testing.T, to string, form url.Values) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(pinteresttest.DefaultAppID, pinteresttest.DefaultAppSecret)
	return r
}

// postToken asks the token endpoint, by parameters given as name, value, name, value.
func postToken(t *testing.T, h *pinteresttest.Handler, params ...string) reply {
	t.Helper()
	return do(t, h.Client(), formRequest(t, tokenURL, values(params...)))
}

func values(params ...string) url.Values {
	form := url.Values{}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	return form
}

func exchange(t *testing.T, h *pinteresttest.Handler, code string, more ...string) reply {
	t.Helper()
	return postToken(t, h, append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", appURL}, more...)...)
}

func refresh(t *testing.T, h *pinteresttest.Handler, token string, more ...string) reply {
	t.Helper()
	return postToken(t, h, append([]string{"grant_type", "refresh_token", "refresh_token", token}, more...)...)
}

func get(t *testing.T, h *pinteresttest.Handler, path, token string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.pinterest.com"+path, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	return do(t, h.Client(), r)
}

func assertRefused(t *testing.T, r reply, status, code int) {
	t.Helper()
	assert.Equal(t, status, r.status)
	assert.Equal(t, "failure", r.text("status"))
	assert.Equal(t, code, r.code(), r.body)
	assert.NotEmpty(t, r.text("message"))
	assert.NotEmpty(t, r.header.Get("x-pinterest-rid"))
}

func TestCountsSayWhatWasSeen(t *testing.T) {
	h := &pinteresttest.Handler{StrictRotation: true, AutoApprove: true}
	exchanged := exchange(t, h, h.Code(appURL))
	first := exchanged.text("refresh_token")
	refresh(t, h, first)
	refresh(t, h, first)
	refresh(t, h, "pinr.nonsense")
	postToken(t, h, "grant_type", "client_credentials", "scope", "ads:read")
	postToken(t, h, "grant_type", "password")
	get(t, h, "/v5/boards", h.Login().AccessToken)
	get(t, h, "/v5/boards", exchanged.text("access_token"))
	authorize(t, h, http.MethodGet, authorizeQuery(), nil)
	do(t, h.Client(), formRequest(t, tokenURL+"/revoke", values("token", "x")))
	do(t, h.Client(), formRequest(t, "https://api.pinterest.com/v5/oauth/conversion_token", nil))

	assert.Equal(t, pinteresttest.Counts{
		Authorize: 1, Token: 6, Exchange: 1, Refresh: 3, ClientCredentials: 1, Revoke: 1, Conversion: 1,
		API: 2, Unauthorized: 2, Replays: 1, FamiliesRevoked: 1, Issued: 4,
	}, h.Counts())
}

func TestManyClientsAtOnceGetWhatEachIsDue(t *testing.T) {
	h := &pinteresttest.Handler{StrictRotation: true}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			token := h.Login().RefreshToken
			for range 20 {
				r := refresh(t, h, token)
				if !assert.Equal(t, http.StatusOK, r.status) {
					return
				}
				token = r.text("refresh_token")
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 160, h.Counts().Refresh)
	assert.Equal(t, 168, h.Counts().Issued)
	assert.Zero(t, h.Counts().Replays)
}

func TestChangeTakesEffectWhileServing(t *testing.T) {
	h := new(pinteresttest.Handler)
	token := h.Login().RefreshToken
	h.Change(func(h *pinteresttest.Handler) { h.AccessLife = time.Hour })
	assert.EqualValues(t, 3600, refresh(t, h, token).json["expires_in"])
}

func TestATokenOfAnotherHandlerIsUnknown(t *testing.T) {
	token := new(pinteresttest.Handler).Login()
	h := new(pinteresttest.Handler)
	h.Login()
	assertRefused(t, refresh(t, h, token.RefreshToken), 401, 283)
	assertRefused(t, get(t, h, "/v5/user_account", token.AccessToken), 401, 2)
}

func TestLatencyPassesBeforeEveryAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &pinteresttest.Handler{Latency: 3 * time.Second}
		start := time.Now()
		get(t, h, "/v5/user_account", h.Login().AccessToken)
		assert.Equal(t, 3*time.Second, time.Since(start))
	})
}

func TestAClientThatLeavesDuringTheLatencyHasChangedNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &pinteresttest.Handler{Latency: time.Minute, StrictRotation: true}
		token := h.Login().RefreshToken
		c := h.Client()
		c.Timeout = time.Second
		_, err := c.Do(formRequest(t, tokenURL, values("grant_type", "refresh_token", "refresh_token", token)))
		var timeout interface{ Timeout() bool }
		require.ErrorAs(t, err, &timeout)
		assert.True(t, timeout.Timeout())

		assert.Equal(t, http.StatusOK, refresh(t, h, token).status)
		assert.Zero(t, h.Counts().Replays)
	})
}
