package pinteresttest_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/pinteresttest"
)

func TestTheUserAccountIsTheOneThatLoggedIn(t *testing.T) {
	h := new(pinteresttest.Handler)
	one := get(t, h, "/v5/user_account", h.Login("user_accounts:read").AccessToken)
	other := get(t, h, "/v5/user_account", h.Login("user_accounts:read").AccessToken)
	require.Equal(t, http.StatusOK, one.status)
	for _, name := range []string{ // the properties of Account in Pinterest's OpenAPI description
		"about", "account_type", "board_count", "business_name", "follower_count", "following_count", "id",
		"monthly_views", "pin_count", "profile_image", "username", "website_url",
	} {
		assert.Contains(t, one.json, name)
	}
	assert.Len(t, one.json, 12)
	assert.Regexp(t, `^\d+$`, one.text("id"))
	assert.NotEqual(t, one.text("id"), other.text("id"))
	assert.NotEqual(t, one.text("username"), other.text("username"))
}

func TestBoardsAndPinsComeInPages(t *testing.T) {
	h := new(pinteresttest.Handler)
	token := h.Login("boards:read", "pins:read").AccessToken
	list := func(path string) (ids []string, pages int) {
		t.Helper()
		seen := map[string]bool{}
		for bookmark := ""; ; {
			r := get(t, h, path+"&bookmark="+url.QueryEscape(bookmark), token)
			require.Equal(t, http.StatusOK, r.status, r.body)
			pages++
			for _, item := range r.json["items"].([]any) {
				id := item.(map[string]any)["id"].(string)
				assert.Regexp(t, `^\d+$`, id)
				assert.False(t, seen[id], "listed twice")
				seen[id] = true
				ids = append(ids, id)
			}
			if r.json["bookmark"] == nil {
				return ids, pages
			}
			bookmark = r.text("bookmark")
		}
	}

	boards, pages := list("/v5/boards?")
	assert.Len(t, boards, 30)
	assert.Equal(t, 2, pages)
	_, pages = list("/v5/boards?page_size=7")
	assert.Equal(t, 5, pages)
	_, pages = list("/v5/boards?page_size=250")
	assert.Equal(t, 1, pages)

	pins, pages := list("/v5/pins?")
	assert.Equal(t, 3, pages)
	var fromBoards []string
	for i, board := range boards {
		onBoard, pages := list("/v5/boards/" + board + "/pins?")
		if i == 0 {
			assert.Equal(t, 2, pages)
		}
		fromBoards = append(fromBoards, onBoard...)
	}
	assert.Equal(t, pins, fromBoards)
}

func TestAListRefusesPagesItDoesNotHave(t *testing.T) {
	h := new(pinteresttest.Handler)
	token := h.Login().AccessToken
	bookmark := get(t, h, "/v5/boards?page_size=5", token).text("bookmark")
	for _, path := range []string{
		"/v5/boards?page_size=0", "/v5/boards?page_size=251", "/v5/boards?page_size=many",
		"/v5/boards?bookmark=x", "/v5/pins?bookmark=" + bookmark,
	} {
		assertRefused(t, get(t, h, path, token), 400, 1)
	}
	assertRefused(t, get(t, h, "/v5/boards/17/pins", token), 404, 40)
	other := h.Login().AccessToken
	board := get(t, h, "/v5/boards", token).json["items"].([]any)[0].(map[string]any)["id"].(string)
	assertRefused(t, get(t, h, "/v5/boards/"+board+"/pins", other), 404, 40)
}

func TestEachEndpointWantsItsScopes(t *testing.T) {
	h := new(pinteresttest.Handler)
	assertRefused(t, get(t, h, "/v5/user_account", h.Login("boards:read", "pins:read").AccessToken), 401, 3)
	assertRefused(t, get(t, h, "/v5/boards", h.Login("pins:read").AccessToken), 401, 3)
	assertRefused(t, get(t, h, "/v5/pins", h.Login("boards:read").AccessToken), 401, 3)
	assertRefused(t, get(t, h, "/v5/boards/1/pins", h.Login("boards:read").AccessToken), 401, 3)
}

func TestOnlyAnAccessTokenOpensTheAPI(t *testing.T) {
	h := new(pinteresttest.Handler)
	token := h.Login()
	for _, bad := range []string{"", "nonsense", token.RefreshToken, token.AccessToken + "A", token.AccessToken[:len(token.AccessToken)-1]} {
		r := get(t, h, "/v5/user_account", bad)
		assertRefused(t, r, 401, 2)
		assert.Equal(t, "Authentication failed.", r.text("message"))
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.pinterest.com/v5/user_account", nil)
	require.NoError(t, err)
	assertRefused(t, do(t, h.Client(), r), 401, 2)
}

func TestAnswersOfTheAPICarryPinterestsHeaders(t *testing.T) {
	h := new(pinteresttest.Handler)
	r := get(t, h, "/v5/user_account", h.Login().AccessToken)
	assert.Equal(t, `100, 100;w=1;name="safety_net_app_id_user_id", 1000;w=60;name="org_read_app_id_user_id"`, r.header.Get("x-ratelimit-limit"))
	assert.NotEmpty(t, r.header.Get("x-ratelimit-remaining"))
	assert.NotEmpty(t, r.header.Get("x-ratelimit-reset"))
	assert.Regexp(t, `^\d{16}$`, r.header.Get("x-pinterest-rid"))
}

func TestAnUnknownPathIs404AndSaysThatItIsTheFakeThatDoesNotServeIt(t *testing.T) {
	h := new(pinteresttest.Handler)
	for _, path := range []string{"/v5/nothing", "/v5/boards/1/2", "/v5/boards/", "/v5/pins/1/analytics"} {
		r := get(t, h, path, h.Login().AccessToken)
		assertRefused(t, r, 404, 404)
		assert.Contains(t, r.text("message"), "This is a fake Pinterest, and it does not serve GET "+path+". It serves GET /oauth/, POST /v5/oauth/token, ")
		assert.Contains(t, r.text("message"), "DELETE /v5/boards/{id}")
	}
	assertRefused(t, get(t, h, "/", ""), 404, 404)
}

func TestBelowV5AMissingTokenIsSeenBeforeAWrongPathOrMethod(t *testing.T) {
	h := new(pinteresttest.Handler)
	token := h.Login("ads:read").AccessToken
	for _, tc := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/v5/nothing", 404, ""},
		{"POST", "/v5/user_account", 405, "GET, HEAD"},
		{"PUT", "/v5/boards", 405, "GET, HEAD, POST"},
		{"PATCH", "/v5/pins/1", 405, "GET, HEAD, DELETE"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), tc.method, "https://api.pinterest.com"+tc.path, nil)
		require.NoError(t, err)
		assertRefused(t, do(t, h.Client(), r), 401, 2)
		r.Header.Set("Authorization", "Bearer "+token)
		a := do(t, h.Client(), r)
		assertRefused(t, a, tc.status, tc.status)
		assert.Equal(t, tc.allow, a.header.Get("Allow"))
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tokenURL, nil)
	require.NoError(t, err)
	assertRefused(t, do(t, h.Client(), r), 401, 2)
}
