package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/examples/generated/pinterestapi"
	"github.com/go-pinterest/pinterest/examples/internal/process"
	"github.com/go-pinterest/pinterest/examples/internal/settings"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

func TestMain(m *testing.M) { process.TestMain(m, main) }

func TestOneCommandListsAllBoardsOfAFake(t *testing.T) {
	p := process.Start(t, nil, "-fake")
	p.Ends()
	lines := strings.Split(strings.TrimSpace(p.Output()), "\n")
	require.Len(t, lines, 31, "30 boards are two pages")
	assert.Equal(t, "2024-05-17  Board 1, 30 pins", lines[1])
	assert.Equal(t, "2024-05-17  Board 30, 1 pins", lines[30])
	process.NoSecrets(t, p.Output())
}

func newAPI(t *testing.T) (*pinterestapi.ClientWithResponses, *pinteresttest.Server) {
	to := settings.Open(true, nil)
	t.Cleanup(to.Close)
	accounts, err := to.Accounts(t.Context(), "", "alice")
	require.NoError(t, err)
	api, err := pinterestapi.NewClientWithResponses(to.API+"/v5", pinterestapi.WithHTTPClient(accounts.Client("alice")))
	require.NoError(t, err)
	return api, to.Fake
}

func TestAGeneratedClientSeesNoExpiredToken(t *testing.T) {
	api, fake := newAPI(t)
	fake.ExpireAccess()
	pins, err := api.ListPinsWithResponse(t.Context(), nil)
	require.NoError(t, err)
	require.NotNil(t, pins.JSON200, pins.Status())
	assert.Equal(t, time.Date(2024, 5, 17, 9, 30, 0, 0, time.UTC), pins.JSON200.Items[0].CreatedAt.Time)
	assert.Equal(t, 1, fake.Counts().Refresh)
}

func TestWhatPinterestSaysIsWrongIsTold(t *testing.T) {
	api, fake := newAPI(t)
	fake.Fail("/v5/boards", pinteresttest.Fault{Status: 429})
	for _, err := range boards(context.Background(), api) {
		assert.ErrorContains(t, err, "429 Too Many Requests: ")
	}
	fake.Fail("/v5/boards", pinteresttest.Fault{Status: 502, Body: "<html>"})
	for _, err := range boards(context.Background(), api) {
		assert.EqualError(t, err, "502 Bad Gateway")
	}
}

func TestATimeIsReadWithAndWithoutAZone(t *testing.T) {
	want := time.Date(2024, 5, 17, 9, 30, 0, 0, time.UTC)
	for _, text := range []string{`"2024-05-17T09:30:00"`, `"2024-05-17T09:30:00Z"`, `"2024-05-17T11:30:00+02:00"`} {
		var at pinterestapi.Time
		require.NoError(t, json.NewDecoder(bytes.NewReader([]byte(text))).Decode(&at))
		assert.True(t, want.Equal(at.Time), text)
	}
	var at pinterestapi.Time
	assert.NoError(t, json.Unmarshal([]byte("null"), &at))
	assert.ErrorContains(t, json.Unmarshal([]byte(`"yesterday"`), &at), "no time of Pinterest's")
}
