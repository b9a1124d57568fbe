package pinteresttest_test

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/pinteresttest"
)

// send asks the API with a body of JSON.
func send(t *testing.T, h *pinteresttest.Handler, method, path, token string, body any) reply {
	t.Helper()
	text, err := json.Marshal(body)
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), method, "https://api.pinterest.com"+path, strings.NewReader(string(text)))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	return do(t, h.Client(), r)
}

type object = map[string]any

func newPin(board string) object {
	return object{"board_id": board, "media_source": object{"source_type": "image_url", "url": "https://example.com/a.jpg"}}
}

// items are the ids of a list.
func items(t *testing.T, r reply) []string {
	t.Helper()
	require.Equal(t, http.StatusOK, r.status, r.body)
	ids := []string{}
	for _, i := range r.json["items"].([]any) {
		ids = append(ids, i.(object)["id"].(string))
	}
	return ids
}

func TestAPinIsMadeOfAPhoto(t *testing.T) {
	h := new(pinteresttest.Handler)
	token := h.Login().AccessToken
	photo := newPin(items(t, get(t, h, "/v5/boards", token))[0])
	photo["media_source"] = object{"source_type": "image_base64", "content_type": "image/jpeg", "data": make([]byte, 4<<20)}
	assert.Equal(t, http.StatusCreated, send(t, h, "POST", "/v5/pins", token, photo).status)
}

func TestABoardIsCreatedReadAndDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(pinteresttest.Handler)
		token := h.Login().AccessToken
		made := send(t, h, "POST", "/v5/boards", token, object{"name": "Recipes", "description": "Summer"})
		require.Equal(t, http.StatusCreated, made.status, made.body)
		id := made.text("id")
		assert.Equal(t, object{
			"id": id, "name": "Recipes", "description": "Summer", "owner": object{"username": "pinner4"}, "privacy": "PUBLIC", "is_ads_only": false,
			"pin_count": 0., "follower_count": 10., "collaborator_count": 0., "created_at": "2000-01-01T00:00:00", "board_pins_modified_at": "2000-01-01T00:00:00Z",
			"media": object{"image_cover_url": nil, "pin_thumbnail_urls": []any{}},
		}, made.json)
		assert.Equal(t, made.json, get(t, h, "/v5/boards/"+id, token).json)
		assert.Contains(t, items(t, get(t, h, "/v5/boards?page_size=250", token)), id)
		assert.EqualValues(t, 31, get(t, h, "/v5/user_account", token).json["board_count"])

		assertRefused(t, send(t, h, "POST", "/v5/boards", token, object{"name": "recipes"}), 400, 58)
		assertRefused(t, get(t, h, "/v5/boards/"+id, h.Login().AccessToken), 404, 40)

		assert.Equal(t, http.StatusNoContent, send(t, h, "DELETE", "/v5/boards/"+id, token, nil).status)
		assertRefused(t, get(t, h, "/v5/boards/"+id, token), 404, 40)
		assertRefused(t, send(t, h, "DELETE", "/v5/boards/"+id, token, nil), 404, 40)
		assert.EqualValues(t, 30, get(t, h, "/v5/user_account", token).json["board_count"])
	})
}

func TestAPinIsCreatedReadSavedAndDeleted(t *testing.T) {
	h := new(pinteresttest.Handler)
	token := h.Login().AccessToken
	board := send(t, h, "POST", "/v5/boards", token, object{"name": "Recipes"}).text("id")
	asked := newPin(board)
	asked["title"], asked["alt_text"] = "Soup", "A bowl"
	made := send(t, h, "POST", "/v5/pins", token, asked)
	require.Equal(t, http.StatusCreated, made.status, made.body)
	id := made.text("id")
	assert.Equal(t, made.json, get(t, h, "/v5/pins/"+id, token).json)
	want := object{"title": "Soup", "alt_text": "A bowl", "board_id": board, "board_section_id": nil, "parent_pin_id": nil, "dominant_color": nil, "is_owner": true}
	for name, want := range want {
		assert.Equal(t, want, made.json[name], name)
	}
	assert.Equal(t, "https://example.com/a.jpg", made.json["media"].(object)["images"].(object)["1200x"].(object)["url"])
	onBoard := get(t, h, "/v5/boards/"+board, token)
	assert.EqualValues(t, 1, onBoard.json["pin_count"])
	assert.Equal(t, "https://example.com/a.jpg", onBoard.json["media"].(object)["image_cover_url"])

	again := send(t, h, "POST", "/v5/pins/"+id+"/save", token, object{"board_id": board})
	require.Equal(t, http.StatusCreated, again.status, again.body)
	assert.Equal(t, id, again.text("parent_pin_id"))
	assert.Equal(t, []string{id, again.text("id")}, items(t, get(t, h, "/v5/boards/"+board+"/pins", token)))
	assert.Equal(t, []string{again.text("id")}, items(t, get(t, h, "/v5/pins?page_size=250&pin_filter=exclude_native", token)))
	assert.NotContains(t, items(t, get(t, h, "/v5/pins?page_size=250&pin_filter=exclude_repins", token)), again.text("id"))

	assert.Equal(t, http.StatusNoContent, send(t, h, "DELETE", "/v5/pins/"+id, token, nil).status)
	assertRefused(t, get(t, h, "/v5/pins/"+id, token), 404, 50)
	assert.EqualValues(t, 1, get(t, h, "/v5/boards/"+board, token).json["pin_count"])
	assert.Equal(t, http.StatusNoContent, send(t, h, "DELETE", "/v5/boards/"+board, token, nil).status)
	assertRefused(t, get(t, h, "/v5/pins/"+again.text("id"), token), 404, 50)
}

func TestWhatCannotBeCreatedIsRefused(t *testing.T) {
	h := new(pinteresttest.Handler)
	token := h.Login().AccessToken
	board := items(t, get(t, h, "/v5/boards", token))[0]
	with := func(name string, value any) object { p := newPin(board); p[name] = value; return p }
	for _, tc := range []struct {
		path string
		body any
	}{
		{"/v5/boards", object{}},
		{"/v5/boards", object{"name": "a", "privacy": "HIDDEN"}},
		{"/v5/boards", "a"},
		{"/v5/pins", with("board_id", "")},
		{"/v5/pins", with("media_source", nil)},
		{"/v5/pins", with("media_source", object{"source_type": "image_url"})},
		{"/v5/pins", with("media_source", object{"source_type": "image_base64", "data": "YQ=="})},
		{"/v5/pins", with("media_source", object{"source_type": "video_id"})},
		{"/v5/pins", with("title", strings.Repeat("ä", 101))},
		{"/v5/pins", with("description", strings.Repeat("a", 801))},
	} {
		assertRefused(t, send(t, h, "POST", tc.path, token, tc.body), 400, 1)
	}
	assertRefused(t, send(t, h, "POST", "/v5/pins", token, newPin("1")), 404, 40)
	assertRefused(t, send(t, h, "POST", "/v5/pins", token, with("board_section_id", "1")), 404, 404)
	assertRefused(t, send(t, h, "POST", "/v5/pins/1/save", token, object{"board_id": board}), 404, 50)
	r := formRequest(t, "https://api.pinterest.com/v5/boards", values("name", "a"))
	r.Header.Set("Authorization", "Bearer "+token)
	assertRefused(t, do(t, h.Client(), r), 400, 1)
	assertRefused(t, send(t, h, "POST", "/v5/boards", h.Login("boards:read").AccessToken, object{"name": "a"}), 401, 3)
}

func TestAListHoldsWhatItsFiltersAndTheScopesLetThrough(t *testing.T) {
	h := new(pinteresttest.Handler)
	all := h.LoginAs("alice").AccessToken
	some := h.LoginAs("alice", "boards:read", "boards:write", "pins:read", "pins:write").AccessToken
	ids := map[string]string{}
	for _, privacy := range []string{"PROTECTED", "SECRET"} {
		ids[privacy] = send(t, h, "POST", "/v5/boards", all, object{"name": privacy, "privacy": privacy}).text("id")
		ids[privacy+" pin"] = send(t, h, "POST", "/v5/pins", all, newPin(ids[privacy])).text("id")
	}
	assertRefused(t, send(t, h, "POST", "/v5/boards", some, object{"name": "b", "privacy": "SECRET"}), 401, 3)

	for query, want := range map[string]int{"": 32, "?privacy=ALL": 32, "?privacy=PUBLIC": 30, "?privacy=PROTECTED": 1, "?privacy=SECRET": 1, "?privacy=PUBLIC_AND_SECRET": 31} {
		assert.Len(t, items(t, get(t, h, "/v5/boards"+cmp.Or(query, "?")+"&page_size=250", all)), want, query)
	}
	assert.Equal(t, []string{}, items(t, get(t, h, "/v5/boards?privacy=SECRET", some)))
	assertRefused(t, get(t, h, "/v5/boards/"+ids["SECRET"], some), 404, 40)
	assertRefused(t, get(t, h, "/v5/pins/"+ids["SECRET pin"], some), 404, 50)
	assertRefused(t, get(t, h, "/v5/boards?privacy=HIDDEN", all), 400, 1)

	boards := h.LoginAs("alice", "boards:read", "boards:read_secret", "boards:write", "pins:read", "pins:write").AccessToken
	assert.Equal(t, http.StatusOK, get(t, h, "/v5/boards/"+ids["SECRET"], boards).status)
	assertRefused(t, get(t, h, "/v5/pins/"+ids["SECRET pin"], boards), 404, 50)
	assert.Equal(t, []string{}, items(t, get(t, h, "/v5/boards/"+ids["SECRET"]+"/pins", boards)))
	assertRefused(t, send(t, h, "POST", "/v5/pins", boards, newPin(ids["SECRET"])), 401, 3)
	assertRefused(t, send(t, h, "DELETE", "/v5/boards/"+ids["SECRET"], boards, nil), 401, 3)
	pins := h.LoginAs("alice", "boards:read", "boards:read_secret", "boards:write", "pins:read", "pins:read_secret", "pins:write").AccessToken
	assert.Equal(t, http.StatusOK, get(t, h, "/v5/pins/"+ids["SECRET pin"], pins).status)
	assertRefused(t, send(t, h, "DELETE", "/v5/pins/"+ids["SECRET pin"], pins, nil), 401, 3)

	for query, want := range map[string]int{
		"": 60, "include_protected_pins=true": 61, "pin_type=PRIVATE": 1, "pin_filter=exclude_native": 0, "pin_filter=has_been_promoted": 0,
		"creative_types=REGULAR": 60, "creative_types=VIDEO&creative_types=IDEA": 0, "creative_types=VIDEO,REGULAR": 60,
	} {
		assert.Len(t, items(t, get(t, h, "/v5/pins?page_size=250&"+query, all)), want, query)
	}
	for _, query := range []string{"pin_filter=x", "pin_type=x", "creative_types=x", "include_protected_pins=x", "pin_metrics=x"} {
		assertRefused(t, get(t, h, "/v5/pins?"+query, all), 400, 1)
	}
	assert.Equal(t, []string{ids["PROTECTED pin"]}, items(t, get(t, h, "/v5/boards/"+ids["PROTECTED"]+"/pins?pin_filter=exclude_native", some)), "a board's list has not this filter")
	assert.Contains(t, get(t, h, "/v5/pins/"+ids["PROTECTED pin"]+"?pin_metrics=true", some).json["pin_metrics"], "90d")
	assert.Equal(t, []string{}, items(t, get(t, h, "/v5/boards/"+ids["PROTECTED"]+"/sections", some)))
}

func TestWhoDeletesWhatAPageHasMayGoOnToTheNext(t *testing.T) {
	h := new(pinteresttest.Handler)
	token := h.Login().AccessToken
	first := get(t, h, "/v5/boards", token)
	for _, id := range items(t, first) {
		require.Equal(t, http.StatusNoContent, send(t, h, "DELETE", "/v5/boards/"+id, token, nil).status)
	}
	assert.Len(t, items(t, get(t, h, "/v5/boards?bookmark="+first.text("bookmark"), token)), 5)
}

func TestBoardsAndPinsHaveWhatPinterestsClientsRead(t *testing.T) {
	h := new(pinteresttest.Handler)
	token := h.Login().AccessToken
	board := get(t, h, "/v5/boards?page_size=1", token).json["items"].([]any)[0].(object)
	for _, name := range []string{"id", "name", "description", "owner", "privacy", "media", "board_pins_modified_at", "created_at"} {
		assert.NotNil(t, board[name], name)
	}
	pin := get(t, h, "/v5/pins?page_size=1", token).json["items"].([]any)[0].(object)
	for _, name := range []string{"id", "title", "description", "link", "media", "alt_text", "dominant_color", "board_id", "creative_type", "created_at"} {
		assert.NotNil(t, pin[name], name)
	}
	assert.Contains(t, pin, "board_section_id")
	assert.Contains(t, pin, "parent_pin_id")
}
