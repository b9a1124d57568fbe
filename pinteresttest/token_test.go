package pinteresttest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/pinteresttest"
)

// The fields that Pinterest's OpenAPI description, version 5.23, requires of each answer.
var (
	requiredOfEach      = []string{"access_token", "token_type", "expires_in", "scope"}
	requiredOfRefresh   = append([]string{"refresh_token", "refresh_token_expires_in", "refresh_token_expires_at"}, requiredOfEach...)
	requiredIntegration = append([]string{"refresh_token", "refresh_token_expires_in"}, requiredOfEach...)
)

func assertHas(t *testing.T, r reply, required []string) {
	t.Helper()
	require.Equal(t, http.StatusOK, r.status, r.body)
	for _, name := range required {
		assert.Contains(t, r.json, name)
	}
}

func TestACodeIsExchangedForAnAccessAndARefreshToken(t *testing.T) {
	h := new(pinteresttest.Handler)
	r := exchange(t, h, h.Code(appURL, "pins:read", "boards:read"))

	assertHas(t, r, requiredOfEach)
	assert.Regexp(t, `^pina_`, r.text("access_token"))
	assert.Regexp(t, `^pinr\.eyJ`, r.text("refresh_token"))
	assert.Greater(t, len(r.text("refresh_token")), 600)
	delete(r.json, "access_token")
	delete(r.json, "refresh_token")
	assert.Equal(t, map[string]any{
		"response_type":            "authorization_code",
		"token_type":               "bearer",
		"expires_in":               2592000.,
		"refresh_token_expires_in": 5184000.,
		"scope":                    "boards:read pins:read",
	}, r.json)
	assert.Equal(t, "application/json", r.header.Get("Content-Type"))
	assert.Equal(t, "no-store", r.header.Get("Cache-Control"))
}

func TestARefreshRenewsBothTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(pinteresttest.Handler)
		token := h.Login("boards:read", "pins:read")
		r := refresh(t, h, token.RefreshToken)

		assertHas(t, r, requiredOfRefresh)
		assert.NotEqual(t, token.AccessToken, r.text("access_token"))
		assert.NotEqual(t, token.RefreshToken, r.text("refresh_token"))
		delete(r.json, "access_token")
		delete(r.json, "refresh_token")
		assert.Equal(t, map[string]any{
			"response_type":            "refresh_token",
			"token_type":               "bearer",
			"expires_in":               2592000.,
			"refresh_token_expires_in": 5184000.,
			"refresh_token_expires_at": float64(time.Now().Add(60 * day).Unix()),
			"scope":                    "boards:read pins:read",
		}, r.json)
	})
}

func TestARefreshAnswersInEachOfPinterestsShapes(t *testing.T) {
	for responseType, required := range map[string][]string{
		"refresh_token":       requiredOfRefresh,
		"everlasting_refresh": requiredOfRefresh,
		"integration_refresh": requiredIntegration,
	} {
		t.Run(responseType, func(t *testing.T) {
			h := &pinteresttest.Handler{ResponseType: responseType}
			r := refresh(t, h, h.Login().RefreshToken)
			assertHas(t, r, required)
			assert.Equal(t, responseType, r.text("response_type"))
			if responseType == "integration_refresh" {
				assert.NotContains(t, r.json, "refresh_token_expires_at")
			}
		})
	}
}

func TestClientCredentialsGetNoRefreshToken(t *testing.T) {
	h := new(pinteresttest.Handler)
	r := postToken(t, h, "grant_type", "client_credentials", "scope", "user_accounts:read,boards:read")
	assertHas(t, r, requiredOfEach)
	assert.Regexp(t, `^pinc_`, r.text("access_token"))
	assert.Equal(t, "client_credentials", r.text("response_type"))
	assert.Equal(t, "boards:read user_accounts:read", r.text("scope"))
	assert.NotContains(t, r.json, "refresh_token")
	assert.Equal(t, http.StatusOK, get(t, h, "/v5/user_account", r.text("access_token")).status)
	h.RevokeGrants()
	assert.Equal(t, http.StatusOK, get(t, h, "/v5/user_account", r.text("access_token")).status)
	h.ExpireAccess()
	assertRefused(t, get(t, h, "/v5/user_account", r.text("access_token")), 401, 2)
}

func TestARefreshMayNarrowTheScopeOfTheAccessTokenOnly(t *testing.T) {
	h := new(pinteresttest.Handler)
	token := h.Login("boards:read", "pins:read").RefreshToken
	r := refresh(t, h, token, "scope", "boards:read")
	assert.Equal(t, "boards:read", r.text("scope"))
	assert.Equal(t, "boards:read pins:read", refresh(t, h, r.text("refresh_token")).text("scope"))
	assertRefused(t, refresh(t, h, token, "scope", "boards:read,ads:read"), 400, 1)
	assertRefused(t, refresh(t, h, token, "scope", "boards:see"), 400, 1)
}

func TestRequiredParametersAreRequired(t *testing.T) {
	for _, tc := range []struct{ params, missing string }{
		{"", "grant_type"},
		{"grant_type=authorization_code&redirect_uri=https://app.example/callback", "code"},
		{"grant_type=authorization_code&code=x", "redirect_uri"},
		{"grant_type=refresh_token", "refresh_token"},
		{"grant_type=client_credentials", "scope"},
	} {
		form, err := url.ParseQuery(tc.params)
		require.NoError(t, err)
		r := do(t, new(pinteresttest.Handler).Client(), formRequest(t, tokenURL, form))
		assertRefused(t, r, 400, 1)
		assert.Equal(t, "Missing parameter: "+tc.missing+".", r.text("message"))
	}
	assertRefused(t, postToken(t, new(pinteresttest.Handler), "grant_type", "password"), 400, 1)
}

func TestOnlyTheAppItselfGetsTokensAndOnlyByBasicAuthentication(t *testing.T) {
	h := &pinteresttest.Handler{AppID: "42", AppSecret: "s/cret"}
	token := h.Login().RefreshToken
	form := func() url.Values { return values("grant_type", "refresh_token", "refresh_token", token) }

	for name, change := range map[string]func(r *http.Request){
		"no credentials": func(r *http.Request) { r.Header.Del("Authorization") },
		"a wrong id":     func(r *http.Request) { r.SetBasicAuth("43", "s/cret") },
		"a wrong secret": func(r *http.Request) { r.SetBasicAuth("42", "secret") },
		"a bearer token": func(r *http.Request) { r.Header.Set("Authorization", "Bearer s/cret") },
	} {
		r := formRequest(t, tokenURL, form())
		change(r)
		t.Run(name, func(t *testing.T) { assertRefused(t, do(t, h.Client(), r), 401, 2) })
	}
	t.Run("the secret in the body", func(t *testing.T) {
		f := form()
		f.Set("client_id", "42")
		f.Set("client_secret", "s/cret")
		r := formRequest(t, tokenURL, f)
		r.Header.Del("Authorization")
		refused := do(t, h.Client(), r)
		assertRefused(t, refused, 400, 1)
		assert.Equal(t, "Invalid request body", refused.text("message"))
		r = formRequest(t, tokenURL, f)
		r.SetBasicAuth("42", "s/cret")
		assert.Equal(t, http.StatusOK, do(t, h.Client(), r).status, "as well is no harm")
		f.Set("client_secret", "another")
		r = formRequest(t, tokenURL, f)
		r.SetBasicAuth("42", "s/cret")
		assertRefused(t, do(t, h.Client(), r), 401, 2)
	})
	for _, secret := range []string{"s/cret", "s%2Fcret"} {
		r := formRequest(t, tokenURL, form())
		r.SetBasicAuth("42", secret)
		assert.Equal(t, http.StatusOK, do(t, h.Client(), r).status)
	}
}

func TestTheTokenEndpointWantsAPostedForm(t *testing.T) {
	h := new(pinteresttest.Handler)
	r := formRequest(t, tokenURL, values("grant_type", "refresh_token"))
	r.Header.Set("Content-Type", "application/json")
	assertRefused(t, do(t, h.Client(), r), 400, 1)

	r = formRequest(t, tokenURL, nil)
	r.Method = http.MethodGet
	got := do(t, h.Client(), r)
	assertRefused(t, got, 405, 405)
	assert.Equal(t, "POST", got.header.Get("Allow"))

	r = formRequest(t, tokenURL, values("grant_type", "refresh_token", "refresh_token", h.Login().RefreshToken))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	assert.Equal(t, http.StatusOK, do(t, h.Client(), r).status)
}

func TestACodeWorksOnceForTenMinutesWithItsOwnRedirectURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(pinteresttest.Handler)
		code := h.Code(appURL)
		time.Sleep(10*time.Minute - time.Second)
		assert.Equal(t, http.StatusOK, exchange(t, h, code).status)
		assertRefused(t, exchange(t, h, code), 401, 283)

		code = h.Code(appURL)
		time.Sleep(10 * time.Minute)
		assertRefused(t, exchange(t, h, code), 401, 283)

		assertRefused(t, exchange(t, h, h.Code(appURL+"/")), 401, 283)
		assertRefused(t, exchange(t, h, "made up"), 401, 283)
	})
}

func TestAnAccessTokenDiesAfterThirtyDaysAndARefreshTokenAfterSixty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(pinteresttest.Handler)
		token := h.Login()
		time.Sleep(30*day - time.Second)
		assert.Equal(t, http.StatusOK, get(t, h, "/v5/user_account", token.AccessToken).status)
		time.Sleep(time.Second)
		assertRefused(t, get(t, h, "/v5/user_account", token.AccessToken), 401, 2)

		time.Sleep(30*day - time.Second)
		r := refresh(t, h, token.RefreshToken)
		require.Equal(t, http.StatusOK, r.status)
		time.Sleep(time.Second)
		assertRefused(t, refresh(t, h, token.RefreshToken), 401, 28)

		time.Sleep(59 * day)
		assert.Equal(t, http.StatusOK, refresh(t, h, r.text("refresh_token")).status)
	})
}

func TestLenientRotationLetsTheOldTokensGoOn(t *testing.T) {
	h := new(pinteresttest.Handler)
	token := h.Login()
	for range 3 {
		assert.Equal(t, http.StatusOK, refresh(t, h, token.RefreshToken).status)
	}
	assert.Equal(t, http.StatusOK, get(t, h, "/v5/user_account", token.AccessToken).status)
	assert.Zero(t, h.Counts().Replays)
}

func TestStrictRotationRevokesTheFamilyOnReplay(t *testing.T) {
	h := &pinteresttest.Handler{StrictRotation: true}
	token, bystander := h.Login(), h.Login()
	second := refresh(t, h, token.RefreshToken)
	require.Equal(t, http.StatusOK, second.status)
	third := refresh(t, h, second.text("refresh_token"))
	require.Equal(t, http.StatusOK, third.status)
	assert.Equal(t, http.StatusOK, get(t, h, "/v5/user_account", token.AccessToken).status)

	assertRefused(t, refresh(t, h, token.RefreshToken), 401, 283)
	assertRefused(t, refresh(t, h, third.text("refresh_token")), 401, 283)
	assertRefused(t, get(t, h, "/v5/user_account", token.AccessToken), 401, 2)
	assertRefused(t, get(t, h, "/v5/user_account", third.text("access_token")), 401, 2)
	assert.Equal(t, 1, h.Counts().Replays)
	assertRefused(t, refresh(t, h, second.text("refresh_token")), 401, 283)
	assert.Equal(t, 2, h.Counts().Replays)
	assert.Equal(t, 1, h.Counts().FamiliesRevoked)

	assert.Equal(t, http.StatusOK, refresh(t, h, bystander.RefreshToken).status)
}

func TestOnlyARefreshTokenRefreshes(t *testing.T) {
	h := new(pinteresttest.Handler)
	token := h.Login()
	for _, bad := range []string{token.AccessToken, "nonsense", token.RefreshToken + "A", "pinr.a.b.c"} {
		assertRefused(t, refresh(t, h, bad), 401, 283)
	}
}

func TestOldAccessDiesAtARefresh(t *testing.T) {
	h := &pinteresttest.Handler{OldAccessDies: true}
	token := h.Login()
	r := refresh(t, h, token.RefreshToken)
	assertRefused(t, get(t, h, "/v5/user_account", token.AccessToken), 401, 2)
	assert.Equal(t, http.StatusOK, get(t, h, "/v5/user_account", r.text("access_token")).status)
}

func TestALegacyAppKeepsOneRefreshTokenForAYear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &pinteresttest.Handler{LegacyApp: true, StrictRotation: true}
		token := exchange(t, h, h.Code(appURL))
		assert.EqualValues(t, 365*24*3600, token.json["refresh_token_expires_in"])

		time.Sleep(300 * day)
		r := refresh(t, h, token.text("refresh_token"))
		assertHas(t, r, requiredOfEach)
		assert.Equal(t, "refresh_token", r.text("response_type"))
		assert.NotContains(t, r.json, "refresh_token")
		assert.NotContains(t, r.json, "refresh_token_expires_in")
		assert.NotContains(t, r.json, "refresh_token_expires_at")

		time.Sleep(65 * day)
		assertRefused(t, refresh(t, h, token.text("refresh_token")), 401, 28)
	})
}

func TestALegacyAppGetsContinuousTokensByAskingInAnyOfPinterestsWords(t *testing.T) {
	for _, ask := range []string{"continuous_refresh=true", "refresh_on=true", "refresh_on=True", "refreshable=true", "refreshable=True"} {
		name, value, _ := strings.Cut(ask, "=")
		t.Run(ask, func(t *testing.T) {
			h := &pinteresttest.Handler{LegacyApp: true}
			token := exchange(t, h, h.Code(appURL), name, value)
			assert.EqualValues(t, 60*24*3600, token.json["refresh_token_expires_in"])
			assertHas(t, refresh(t, h, token.text("refresh_token")), requiredOfRefresh)

			legacy := h.Login().RefreshToken
			assertHas(t, refresh(t, h, legacy, name, value), requiredOfRefresh)
			assert.NotContains(t, refresh(t, h, legacy).json, "refresh_token")
		})
	}
}

func TestSkewShowsInTheExpiryAndInWhenTokensDie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &pinteresttest.Handler{Skew: time.Hour}
		token := h.Login()
		r := refresh(t, h, token.RefreshToken)
		assert.EqualValues(t, time.Now().Add(60*day+time.Hour).Unix(), r.json["refresh_token_expires_at"])
		assert.EqualValues(t, 5184000, r.json["refresh_token_expires_in"])

		h.Change(func(h *pinteresttest.Handler) { h.Skew += 30 * day })
		assertRefused(t, get(t, h, "/v5/user_account", token.AccessToken), 401, 2)
	})
}

func TestLoginReturnsWhatAnExchangeWould(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(pinteresttest.Handler)
		token := h.Login("pins:read", "boards:read")
		assert.Equal(t, time.Now().Add(30*day), token.Expiry)
		assert.Equal(t, "bearer", token.TokenType)
		assert.Equal(t, "boards:read pins:read", token.Extra("scope"))
		assert.Equal(t, "authorization_code", token.Extra("response_type"))
		assert.Equal(t, 5184000., token.Extra("refresh_token_expires_in"))
		assert.Equal(t, http.StatusOK, refresh(t, h, token.RefreshToken).status)
		assert.Panics(t, func() { h.Login("boards:see") })
	})
}

func TestExpireAccessLeavesRefreshTokensAlone(t *testing.T) {
	h := new(pinteresttest.Handler)
	token := h.Login()
	h.ExpireAccess()
	assertRefused(t, get(t, h, "/v5/user_account", token.AccessToken), 401, 2)
	r := refresh(t, h, token.RefreshToken)
	assert.Equal(t, http.StatusOK, get(t, h, "/v5/user_account", r.text("access_token")).status)
}

func TestRevokeGrantsDisconnectsEveryUserSoFar(t *testing.T) {
	h := &pinteresttest.Handler{StrictRotation: true}
	token := h.Login()
	h.RevokeGrants()
	assertRefused(t, get(t, h, "/v5/user_account", token.AccessToken), 401, 2)
	assertRefused(t, refresh(t, h, token.RefreshToken), 401, 283)
	assert.Zero(t, h.Counts().Replays, "a revoked token presented is no replay")
	assert.Equal(t, http.StatusOK, refresh(t, h, h.Login().RefreshToken).status)
}

func TestOnlySystemUsersTokensCanBeRevoked(t *testing.T) {
	h := new(pinteresttest.Handler)
	token := h.Login()
	revoke := func(params ...string) reply {
		t.Helper()
		return do(t, h.Client(), formRequest(t, tokenURL+"/revoke", values(params...)))
	}
	assertRefused(t, revoke("token", token.AccessToken), 403, 29)

	h.Change(func(h *pinteresttest.Handler) { h.SystemUser = true })
	assertRefused(t, revoke(), 400, 1)
	assertRefused(t, revoke("token", token.AccessToken, "token_type_hint", "id_token"), 400, 1)
	r := revoke("token", token.AccessToken, "token_type_hint", "access_token")
	assert.Equal(t, http.StatusOK, r.status)
	assert.Empty(t, r.body)
	assertRefused(t, get(t, h, "/v5/user_account", token.AccessToken), 401, 2)
	assert.Equal(t, http.StatusOK, refresh(t, h, token.RefreshToken).status)
	assert.Equal(t, http.StatusOK, revoke("token", token.RefreshToken, "token_type_hint", "refresh_token").status)
	assertRefused(t, refresh(t, h, token.RefreshToken), 401, 283)

	unauthenticated := formRequest(t, tokenURL+"/revoke", values("token", token.AccessToken))
	unauthenticated.Header.Del("Authorization")
	assertRefused(t, do(t, h.Client(), unauthenticated), 401, 2)
}

func TestAConversionTokenTakesAUsersTokenWithAdsWrite(t *testing.T) {
	h := new(pinteresttest.Handler)
	ask := func(token string) reply {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.pinterest.com/v5/oauth/conversion_token", nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		return do(t, h.Client(), r)
	}
	r := ask(h.Login("ads:write").AccessToken)
	require.Equal(t, http.StatusOK, r.status)
	assert.Equal(t, "conversion", r.text("token_type"))
	assert.NotEmpty(t, r.text("access_token"))
	assert.Len(t, r.json, 2)

	assertRefused(t, ask(h.Login("ads:read").AccessToken), 401, 3)
	assertRefused(t, ask("pina_nonsense"), 401, 2)
	app := postToken(t, h, "grant_type", "client_credentials", "scope", "ads:write")
	assertRefused(t, ask(app.text("access_token")), 403, 29)
}

func TestAParameterGivenTwiceIsRefused(t *testing.T) {
	h := new(pinteresttest.Handler)
	form := values("grant_type", "refresh_token", "refresh_token", h.Login().RefreshToken)
	form.Add("grant_type", "refresh_token")
	assertRefused(t, do(t, h.Client(), formRequest(t, tokenURL, form)), 400, 1)
}

func TestARequestOfMegabytesIsRefused(t *testing.T) {
	h := new(pinteresttest.Handler)
	form := values("grant_type", "refresh_token", "refresh_token", h.Login().RefreshToken, "padding", strings.Repeat("x", 2<<20))
	assertRefused(t, do(t, h.Client(), formRequest(t, tokenURL, form)), 413, 413)
}
