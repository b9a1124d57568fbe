package pinteresttest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/pinteresttest"
)

// ask makes a call as curl does, with more headers as "Name: value".
func ask(t *testing.T, c http.Handler, method, path, body string, headers ...string) reply {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://127.0.0.1:8086"+path, strings.NewReader(body))
	if method != http.MethodGet {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
		if name == "Host" {
			r.Host = value
		}
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	a := reply{status: w.Code, header: w.Header(), body: w.Body.String()}
	_ = json.Unmarshal(w.Body.Bytes(), &a.json) // a list is no object
	return a
}

func call(t *testing.T, c http.Handler, name, body string) reply {
	t.Helper()
	a := ask(t, c, http.MethodPost, "/_emulator/"+name, body)
	require.Equal(t, http.StatusOK, a.status, a.body)
	return a
}

func TestAControlDoesWhatTheMethodsOfAHandlerDo(t *testing.T) {
	h := new(pinteresttest.Handler)
	c := pinteresttest.NewControl(h)
	assert.Equal(t, `{"status":"ok"}`, strings.TrimSpace(ask(t, c, "GET", "/_emulator/health", "").body))

	token := call(t, c, "login", `{"user":"ann","scopes":["user_accounts:read"]}`)
	assert.Equal(t, "ann", get(t, h, "/v5/user_account", token.text("access_token")).text("username"))
	assert.Equal(t, "user_accounts:read", token.text("scope"))
	assert.Equal(t, "pinner1", get(t, h, "/v5/user_account", call(t, c, "login", "").text("access_token")).text("username"))

	code := call(t, c, "code", `{"user":"ben","redirect_url":"`+appURL+`"}`).text("code")
	assert.Equal(t, http.StatusOK, exchange(t, h, code).status)

	call(t, c, "expire-access", `{"user":"ben"}`)
	assert.Equal(t, http.StatusOK, get(t, h, "/v5/user_account", token.text("access_token")).status)
	call(t, c, "expire-access", `{}`)
	assertRefused(t, get(t, h, "/v5/user_account", token.text("access_token")), 401, 2)
	assert.Equal(t, http.StatusOK, refresh(t, h, token.text("refresh_token")).status)

	call(t, c, "revoke", `{"user":"ann"}`)
	assertRefused(t, refresh(t, h, token.text("refresh_token")), 401, 283)
	assert.Len(t, h.Grants(), 2)
	call(t, c, "revoke", `{}`)
	assert.Empty(t, h.Grants())

	counts := ask(t, c, "GET", "/_emulator/counts", "").json
	assert.EqualValues(t, 2, counts["refresh"])
	assert.EqualValues(t, 1, counts["exchange"])
	var seen []pinteresttest.Request
	require.NoError(t, json.Unmarshal([]byte(ask(t, c, "GET", "/_emulator/requests?after=6", "").body), &seen))
	require.Len(t, seen, 1)
	assert.Equal(t, "the user has disconnected the app", seen[0].Why)
}

func TestAControlShowsGrantsWithoutTokens(t *testing.T) {
	h := &pinteresttest.Handler{StrictRotation: true}
	c := pinteresttest.NewControl(h)
	h.LoginAs("ann", "boards:read")
	var grants []pinteresttest.Grant
	body := ask(t, c, "GET", "/_emulator/grants", "").body
	require.NoError(t, json.Unmarshal([]byte(body), &grants))
	require.Len(t, grants, 1)
	assert.Equal(t, "ann", grants[0].User)
	assert.Equal(t, []string{"boards:read"}, grants[0].Scopes)
	assert.WithinDuration(t, time.Now().Add(30*day), grants[0].AccessExpires, time.Minute)
	assert.WithinDuration(t, time.Now().Add(60*day), grants[0].RefreshExpires, time.Minute)
	assert.Empty(t, grants[0].AccessWhy)
	assert.NotContains(t, body, "pin")
	h.ExpireAccess("ann")
	assert.Equal(t, "the token was replaced by a refresh, or made to expire", h.Grants()[0].AccessWhy)
	assert.Empty(t, h.Grants()[0].RefreshWhy)
	for range 150 {
		h.Login()
	}
	require.NoError(t, json.Unmarshal([]byte(ask(t, c, "GET", "/_emulator/grants", "").body), &grants))
	assert.Len(t, grants, 100, "the latest")
}

func TestAControlHasEveryFault(t *testing.T) {
	h := new(pinteresttest.Handler)
	c := pinteresttest.NewControl(h)
	call(t, c, "faults", `{"path":"/v5/oauth/token","times":2,"fault":{"status":429,"code":8,"message":"m","retry_after":"7","rate_limit_reset":"3","header":{"X-A":"b"},"latency":"1ms"}}`)
	call(t, c, "faults", `{"fault":{"status":502,"body":"<p>","content_type":"text/html"}}`)
	assert.Contains(t, ask(t, c, "GET", "/_emulator/faults", "").body, `"status":502`)
	var waiting []json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(ask(t, c, "GET", "/_emulator/faults", "").body), &waiting))
	call(t, c, "faults", string(waiting[0])) // what is told can be said
	for range 2 {
		r := postToken(t, h)
		assert.Equal(t, 429, r.status)
		assert.Equal(t, "7", r.header.Get("Retry-After"))
		assert.Equal(t, "3", r.header.Get("X-Ratelimit-Reset"))
		assert.Equal(t, "b", r.header.Get("X-A"))
		assert.Equal(t, "m", r.text("message"))
	}
	assert.Equal(t, "<p>", postToken(t, h).body)
	assert.Equal(t, "b", postToken(t, h).header.Get("X-A"))
	assert.Equal(t, "[]", strings.TrimSpace(ask(t, c, "GET", "/_emulator/faults", "").body))

	call(t, c, "faults", `{"fault":{"empty_body":true}}`)
	assert.Empty(t, postToken(t, h).body)
	for _, fault := range []string{`{"cut":true}`, `{"lose":true,"after":true}`} {
		call(t, c, "faults", `{"fault":`+fault+`}`)
		resp, err := h.Client().Do(formRequest(t, tokenURL, nil))
		if err == nil {
			_, err = io.ReadAll(resp.Body)
		}
		assert.Error(t, err)
	}
}

func TestEveryFieldHasANameInJSON(t *testing.T) {
	for _, v := range []any{pinteresttest.Handler{}, pinteresttest.Fault{}, pinteresttest.Counts{}, pinteresttest.Request{}, pinteresttest.Grant{}} {
		for f := range reflect.TypeOf(v).Fields() {
			if f.IsExported() && f.Name != "Log" {
				assert.Regexp(t, `^[a-z_]+$`, f.Tag.Get("json"), f.Name)
			}
		}
	}
}

func TestAControlReadsAndChangesTheSettings(t *testing.T) {
	h := &pinteresttest.Handler{AccessLife: time.Hour, AppSecret: "s3cret"}
	c := pinteresttest.NewControl(h)
	a := ask(t, c, "GET", "/_emulator/settings", "")
	assert.Equal(t, "1h0m0s", a.text("access_life"))
	assert.NotContains(t, a.body, "s3cret")

	a = ask(t, c, "PATCH", "/_emulator/settings", `{"access_life":"90s","users":["ann"],"strict_rotation":true,"app_secret":"other"}`)
	require.Equal(t, http.StatusOK, a.status, a.body)
	assert.Equal(t, "1m30s", a.text("access_life"))
	assert.Equal(t, []any{"ann"}, a.json["users"])
	h.Change(func(h *pinteresttest.Handler) {
		assert.True(t, h.StrictRotation)
		assert.Equal(t, "other", h.AppSecret)
	})
	for body, want := range map[string]string{
		`{"access_lief":"1h"}`:                              `there is no "access_lief"; there are app_id, app_secret, `,
		`{"access_life":3600}`:                              `access_life: a duration is a string, like "1h30m"`,
		`{"access_life":"an hour"}`:                         `access_life: "an hour" is no duration; write it like "1h30m"`,
		`{"access_life":"-1s"}`:                             "access_life is -1s, and cannot be less than nothing",
		`{"response_type":"x"}`:                             `response_type is "x", and not refresh_token, `,
		`{"users":["eve"],"redirect_urls":"not a list"}`:    "redirect_urls: ",
		`{"auto_approve":true,"users":["eve"],"latency":1}`: "latency: ",
		`not JSON`: "the body cannot be read",
	} {
		a := ask(t, c, "PATCH", "/_emulator/settings", body)
		assert.Equal(t, http.StatusBadRequest, a.status)
		assert.Contains(t, a.text("error"), want)
	}
	a = ask(t, c, "GET", "/_emulator/settings", "")
	assert.Equal(t, []any{"ann"}, a.json["users"], "what could not be read has changed nothing")
	assert.Equal(t, false, a.json["auto_approve"])
}

func TestAResetBringsBackTheBeginning(t *testing.T) {
	h := &pinteresttest.Handler{AccessLife: time.Hour}
	c := pinteresttest.NewControl(h)
	h.Login()
	token := h.LoginAs("ann")
	app := postToken(t, h, "grant_type", "client_credentials", "scope", "user_accounts:read").text("access_token")
	require.Equal(t, http.StatusCreated, send(t, h, "POST", "/v5/boards", token.AccessToken, object{"name": "a"}).status)
	h.Fail("", pinteresttest.Fault{})
	ask(t, c, "PATCH", "/_emulator/settings", `{"access_life":"90s"}`)

	call(t, c, "reset", "")
	assert.Zero(t, h.Counts())
	assert.Empty(t, h.Requests())
	assert.Empty(t, h.Grants())
	assert.Equal(t, "[]", strings.TrimSpace(ask(t, c, "GET", "/_emulator/faults", "").body))
	assert.Equal(t, "1h0m0s", ask(t, c, "GET", "/_emulator/settings", "").text("access_life"))
	for _, old := range []string{token.AccessToken, app} {
		assertRefused(t, get(t, h, "/v5/user_account", old), 401, 2)
	}
	assertRefused(t, refresh(t, h, token.RefreshToken), 401, 283)
	assert.EqualValues(t, 30, get(t, h, "/v5/user_account", h.LoginAs("ann").AccessToken).json["board_count"])
	call(t, c, "reset", "")
	assert.Equal(t, "pinner4", get(t, h, "/v5/user_account", h.Login().AccessToken).text("username"), "whoever logs in first")
	assert.Equal(t, 1, last(h).Number)
}

func TestACallThatCannotBeReadIsRefusedAndSaysWhy(t *testing.T) {
	c := pinteresttest.NewControl(&pinteresttest.Handler{RedirectURLs: []string{appURL}})
	for call, want := range map[string]string{
		`login {"scopes":["boards:see"]}`:       `"boards:see" is not a scope`,
		`login {"name":"ann"}`:                  `unknown field "name"`,
		`code {"redirect_url":"https://a"}`:     "The redirect_url is not one that the app registered.",
		`code {}`:                               "redirect_url is missing.",
		`faults {"times":1001}`:                 "times must be from 1 to 1000",
		`faults {"times":0}`:                    "times must be from 1 to 1000",
		`faults {"path":"v5/boards"}`:           `a fault's path begins with /, and has no query: "v5/boards"`,
		`faults {"path":"/v5/boards?a=b"}`:      `a fault's path begins with /, and has no query: "/v5/boards?a=b"`,
		`faults {"fault":{"status":204}}`:       "a fault cannot have status 204",
		`faults {"fault":{"retry-after":"7"}}`:  `there is no "retry-after"; there are status, code, `,
		`expire-access {"users":["ann","ben"]}`: `unknown field "users"`,
	} {
		name, body, _ := strings.Cut(call, " ")
		a := ask(t, c, "POST", "/_emulator/"+name, body)
		assert.Equal(t, http.StatusBadRequest, a.status, call)
		assert.Contains(t, a.text("error"), want)
	}
	assert.Equal(t, http.StatusBadRequest, ask(t, c, "GET", "/_emulator/requests?after=x", "").status)
	assert.Equal(t, http.StatusNotFound, ask(t, c, "GET", "/_emulator/nothing", "").status)
	assert.Equal(t, http.StatusNotFound, ask(t, c, "GET", "/_emulator/reset", "").status)
	assert.Equal(t, "there is no call POST /_emulator/expire_access; there are GET counts, GET faults, GET grants, GET health, GET requests, GET settings, "+
		"PATCH settings, POST code, POST expire-access, POST faults, POST login, POST reset, POST revoke", ask(t, c, "POST", "/_emulator/expire_access", "{}").text("error"))
}

func TestAForeignPageCanNotPressTheButtons(t *testing.T) {
	h := new(pinteresttest.Handler)
	c := pinteresttest.NewControl(h, "Emulator")
	h.Login()
	for name, headers := range map[string][]string{
		"a form of another site":          {"Sec-Fetch-Site: cross-site", "Content-Type: application/x-www-form-urlencoded"},
		"a script of another site":        {"Sec-Fetch-Site: cross-site", "Origin: https://evil.example"},
		"a page on another port":          {"Sec-Fetch-Site: same-site", "Origin: http://127.0.0.1:3000"},
		"an old browser":                  {"Origin: https://evil.example"},
		"a file":                          {"Origin: null"},
		"a body that needs no leave":      {"Content-Type: text/plain"},
		"a form":                          {"Content-Type: application/x-www-form-urlencoded"},
		"a name that leads here":          {"Host: evil.example:8086", "Origin: http://evil.example:8086", "Sec-Fetch-Site: same-origin"},
		"a name that looks like it":       {"Host: localhost.evil.example"},
		"a name that looks like another":  {"Host: 127.0.0.1.evil.example"},
		"no name":                         {"Host: "},
		"a name that looks like an own":   {"Host: emulator.evil.example"},
		"another protocol by its address": {"Origin: https://127.0.0.1:9999", "Sec-Fetch-Site: cross-site"},
	} {
		t.Run(name, func(t *testing.T) {
			a := ask(t, c, "POST", "/_emulator/revoke", "{}", headers...)
			assert.Equal(t, http.StatusForbidden, a.status)
			assert.NotEmpty(t, a.text("error"))
			assert.Empty(t, a.header.Get("Access-Control-Allow-Origin"))
		})
	}
	assert.Equal(t, http.StatusForbidden, ask(t, c, "GET", "/_emulator/requests", "", "Host: evil.example:8086").status)
	assert.Equal(t, http.StatusForbidden, ask(t, c, "GET", "/", "", "Host: evil.example").status)
	assert.NotEqual(t, http.StatusOK, ask(t, c, "OPTIONS", "/_emulator/revoke", "", "Origin: https://evil.example").status)
	require.Len(t, h.Grants(), 1)

	for _, host := range []string{"127.0.0.1:8086", "localhost:8086", "[::1]:8086", "192.168.0.1", "emulator:8086", "LOCALHOST"} {
		assert.Equal(t, http.StatusOK, ask(t, c, "POST", "/_emulator/expire-access", "{}", "Host: "+host, "Origin: http://"+host).status, host)
	}
	assert.Equal(t, http.StatusOK, ask(t, c, "POST", "/_emulator/revoke", "{}", "Sec-Fetch-Site: same-origin").status)
}

func TestThePageCanNotBeShownInsideAnother(t *testing.T) {
	c := pinteresttest.NewControl(new(pinteresttest.Handler))
	a := ask(t, c, "GET", "/", "")
	require.Equal(t, http.StatusOK, a.status)
	assert.Equal(t, "text/html; charset=utf-8", a.header.Get("Content-Type"))
	assert.Contains(t, a.header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	assert.Contains(t, a.header.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'")
	for _, path := range []string{"/", "/_emulator/requests", "/_emulator/page.js"} {
		header := ask(t, c, "GET", path, "").header
		assert.Equal(t, "same-origin", header.Get("Cross-Origin-Resource-Policy"))
		assert.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
		assert.Equal(t, "no-store", header.Get("Cache-Control"))
	}
	assert.Contains(t, ask(t, c, "GET", "/_emulator/page.js", "").header.Get("Content-Type"), "text/javascript")
	assert.Contains(t, ask(t, c, "GET", "/_emulator/page.css", "").header.Get("Content-Type"), "text/css")
}

func TestAControlLeavesTheRestToTheHandler(t *testing.T) {
	h := &pinteresttest.Handler{AutoApprove: true}
	c := pinteresttest.NewControl(h)
	assert.Equal(t, http.StatusOK, ask(t, c, "GET", "/v5/user_account", "", "Host: api.pinterest.com", "Origin: https://app.example", "Authorization: Bearer "+h.Login().AccessToken).status)
	assert.Equal(t, http.StatusFound, ask(t, c, "GET", "/oauth/?"+authorizeQuery(), "").status)
	assertRefused(t, ask(t, c, "GET", "/v5//boards", ""), 401, 2)
	assertRefused(t, ask(t, c, "GET", "/elsewhere", ""), 404, 404)
	assert.Equal(t, 3, len(h.Requests())-1, "the calls are not among them")
}
