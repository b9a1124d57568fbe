package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/examples/internal/process"
	"github.com/go-pinterest/pinterest/examples/internal/settings"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

func TestMain(m *testing.M) { process.TestMain(m, main) }

func TestOneCommandMakesPinsAtAFake(t *testing.T) {
	p := process.Start(t, nil, "-fake")
	p.Ends()
	assert.Equal(t, "cat.png is https://www.pinterest.com/pin/1/\nclip.mp4 is https://www.pinterest.com/pin/2/\n", p.Output())
}

// start returns an uploader, the storage it uploads to, and files to upload.
func start(t *testing.T) (*uploader, *storage, []string) {
	to := settings.Open(true, slog.New(slog.DiscardHandler))
	t.Cleanup(to.Close)
	s := openStorage(to)
	t.Cleanup(s.close)
	files, err := s.samples()
	require.NoError(t, err)
	accounts, err := to.Accounts(t.Context(), "", "alice")
	require.NoError(t, err)
	return &uploader{client: accounts.Client("alice"), api: to.API, bucket: s.bucket()}, s, files
}

// assertNoToken holds a request to have come without anything that the client adds.
func assertNoToken(t *testing.T, r *http.Request) {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	process.NoSecrets(t, fmt.Sprintf("%s %v", r.RequestURI, r.Header)+string(body))
	assert.NotContains(t, r.Header, "Authorization")
}

func TestTheTokenStaysHomeAndTheFileArrives(t *testing.T) {
	u, s, files := start(t)
	for _, file := range files {
		_, err := u.pin(t.Context(), "1", file)
		require.NoError(t, err)
	}
	for i, path := range []string{"/bucket/cat.png", "/uploads/12345"} {
		sent, err := os.ReadFile(files[i])
		require.NoError(t, err)
		assert.True(t, bytes.Equal(sent, s.objects[path]), path)
	}
	require.Len(t, s.requests, 2)
	for _, r := range s.requests {
		assertNoToken(t, r)
	}
	require.Len(t, s.pins, 2)
	assert.Equal(t, map[string]any{"source_type": "image_url", "url": s.own.URL + "/bucket/cat.png"}, s.pins[0]["media_source"])
	assert.Equal(t, map[string]any{"source_type": "video_id", "media_id": "12345", "cover_image_key_frame_time": 0.0}, s.pins[1]["media_source"])
}

func TestTheTokenStaysHomeWhenItIsRenewedMeanwhile(t *testing.T) {
	u, s, files := start(t)
	s.to.Fake.ExpireAccess()
	for _, file := range files {
		_, err := u.pin(t.Context(), "1", file)
		require.NoError(t, err)
	}
	assert.Equal(t, 1, s.to.Fake.Counts().Refresh)
	for _, r := range s.requests {
		assertNoToken(t, r)
	}
}

func TestTheTokenStaysHomeWhereverPinterestRedirects(t *testing.T) {
	u, s, _ := start(t)
	s.to.Fake.Fail("/v5/boards", pinteresttest.Fault{Status: http.StatusTemporaryRedirect, EmptyBody: true,
		Header: http.Header{"Location": {s.own.URL + "/elsewhere"}}})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.api+"/v5/boards", nil)
	require.NoError(t, err)
	require.NoError(t, u.do(req, nil))
	require.Len(t, s.requests, 1)
	assert.Equal(t, "/elsewhere", s.requests[0].URL.Path)
	assertNoToken(t, s.requests[0])
}

func TestWhatGoesWrongIsToldWithoutTheSignature(t *testing.T) {
	u, s, files := start(t)
	s.own.Config.Handler = http.NotFoundHandler()
	_, err := u.pin(t.Context(), "1", files[0])
	require.ErrorContains(t, err, "/bucket/cat.png: 404 Not Found")
	assert.NotContains(t, err.Error(), "1234")
	s.own.Close()
	_, err = u.pin(t.Context(), "1", files[0])
	require.ErrorContains(t, err, "/bucket/cat.png: dial tcp")
	assert.NotContains(t, err.Error(), "Signature")
}
