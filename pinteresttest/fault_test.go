package pinteresttest_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/pinteresttest"
)

const tokenPath = "/v5/oauth/token"

func TestFaultsAreMetInOrderAndOnceEach(t *testing.T) {
	h := new(pinteresttest.Handler)
	token := h.Login()
	h.Fail(tokenPath, pinteresttest.Fault{Status: 503}, pinteresttest.Fault{Status: 400, Code: 12})
	h.Fail("", pinteresttest.Fault{Status: 502})

	assertRefused(t, refresh(t, h, token.RefreshToken), 503, 12)
	assertRefused(t, get(t, h, "/v5/user_account", token.AccessToken), 502, 12)
	assertRefused(t, refresh(t, h, token.RefreshToken), 400, 12)
	assert.Equal(t, http.StatusOK, refresh(t, h, token.RefreshToken).status)
	assert.Equal(t, 3, h.Counts().Refresh)
	assert.Equal(t, 1+1, h.Counts().Issued)
}

func TestAFaultAnswersWhatItSays(t *testing.T) {
	for name, tc := range map[string]struct {
		fault       pinteresttest.Fault
		status      int
		contentType string
		body        string
	}{
		"a status":          {pinteresttest.Fault{Status: 401}, 401, "application/json", `{"code":2,"message":"Authentication failed.","status":"failure"}`},
		"a rate limit":      {pinteresttest.Fault{Status: 429}, 429, "application/json", `{"code":8,"message":"You have exceeded your rate limit. Try again later.","status":"failure"}`},
		"a code":            {pinteresttest.Fault{Code: 12}, 500, "application/json", `{"code":12,"message":"Something went wrong on our end. Sorry about that.","status":"failure"}`},
		"a message":         {pinteresttest.Fault{Status: 401, Code: 3, Message: "No."}, 401, "application/json", `{"code":3,"message":"No.","status":"failure"}`},
		"HTML":              {pinteresttest.Fault{Status: 502, Body: "<h1>Bad gateway</h1>"}, 502, "text/html; charset=utf-8", "<h1>Bad gateway</h1>"},
		"a body":            {pinteresttest.Fault{Body: "{", ContentType: "application/json; x=y"}, 200, "application/json; x=y", "{"},
		"nothing":           {pinteresttest.Fault{EmptyBody: true}, 200, "", ""},
		"nothing, as a 5xx": {pinteresttest.Fault{Status: 503, EmptyBody: true}, 503, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := new(pinteresttest.Handler)
			h.Fail(tokenPath, tc.fault)
			resp, err := h.Client().Do(formRequest(t, tokenURL, nil))
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			assert.Equal(t, tc.status, resp.StatusCode)
			assert.Equal(t, tc.contentType, resp.Header.Get("Content-Type"))
			assert.Equal(t, tc.body, string(body))
			assert.Empty(t, resp.Header.Get("Retry-After"))
			assert.Empty(t, resp.Header.Get("X-Ratelimit-Reset"))
		})
	}
}

func TestAFaultCarriesItsHeaders(t *testing.T) {
	h := new(pinteresttest.Handler)
	h.Fail("", pinteresttest.Fault{
		Status: 307, RetryAfter: "Wed, 21 Oct 2026 07:28:00 GMT", RateLimitReset: "30",
		Header: http.Header{"location": {"https://evil.example/"}},
	})
	c := h.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r := do(t, c, formRequest(t, tokenURL, nil))
	assert.Equal(t, 307, r.status)
	assert.Equal(t, "Wed, 21 Oct 2026 07:28:00 GMT", r.header.Get("Retry-After"))
	assert.Equal(t, "30", r.header.Get("x-ratelimit-reset"))
	assert.Equal(t, "https://evil.example/", r.header.Get("Location"))
}

func TestAFaultWithoutAnAnswerOfItsOwnLeavesTheTrueOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(pinteresttest.Handler)
		token := h.Login()
		h.Fail(tokenPath, pinteresttest.Fault{Latency: time.Minute, Header: http.Header{"X-More": {"yes"}}})
		start := time.Now()
		r := refresh(t, h, token.RefreshToken)
		assert.Equal(t, http.StatusOK, r.status)
		assert.Equal(t, "yes", r.header.Get("X-More"))
		assert.Equal(t, time.Minute, time.Since(start))
	})
}

func TestAFaultAfterTheWorkLosesWhatWasRotated(t *testing.T) {
	for name, fault := range map[string]pinteresttest.Fault{
		"replaced": {Status: 500, After: true},
		"lost":     {Lose: true, After: true},
		"cut":      {Cut: true},
	} {
		t.Run(name, func(t *testing.T) {
			h := &pinteresttest.Handler{StrictRotation: true}
			token := h.Login().RefreshToken
			h.Fail(tokenPath, fault)
			resp, err := h.Client().Do(formRequest(t, tokenURL, values("grant_type", "refresh_token", "refresh_token", token)))
			if err == nil {
				resp.Body.Close()
			}
			assertRefused(t, refresh(t, h, token), 401, 283)
			assert.Equal(t, 1, h.Counts().FamiliesRevoked)
		})
	}
}

func TestAFaultBeforeTheWorkChangesNothing(t *testing.T) {
	h := &pinteresttest.Handler{StrictRotation: true}
	token := h.Login().RefreshToken
	h.Fail(tokenPath, pinteresttest.Fault{Lose: true})
	_, err := h.Client().Do(formRequest(t, tokenURL, values("grant_type", "refresh_token", "refresh_token", token)))
	require.ErrorIs(t, err, io.EOF)
	assert.Equal(t, http.StatusOK, refresh(t, h, token).status)
}

func TestAClientThatLeavesAfterTheWorkHasStillRotated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &pinteresttest.Handler{StrictRotation: true}
		token := h.Login().RefreshToken
		h.Fail(tokenPath, pinteresttest.Fault{After: true, Latency: time.Minute})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := h.Client().Do(formRequest(t, tokenURL, values("grant_type", "refresh_token", "refresh_token", token)).WithContext(ctx))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assertRefused(t, refresh(t, h, token), 401, 283)
		assert.Equal(t, 1, h.Counts().Replays)
	})
}

func TestAFaultHasAStatusThatCanCarryABody(t *testing.T) {
	for _, status := range []int{99, 101, 204, 304, 1000} {
		assert.Panics(t, func() { new(pinteresttest.Handler).Fail("", pinteresttest.Fault{Status: status}) }, "%d", status)
	}
}
