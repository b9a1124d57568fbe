package pinteresttest_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest/pinteresttest"
)

// newServer returns a server, and a client with connections of its own.
func newServer(t *testing.T, h *pinteresttest.Handler) (*pinteresttest.Server, *http.Client) {
	s := pinteresttest.NewServer(h)
	t.Cleanup(s.Close)
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	return s, &http.Client{Transport: transport}
}

func TestAServerServesTheWholeFlowOverASocket(t *testing.T) {
	s, c := newServer(t, &pinteresttest.Handler{AutoApprove: true})
	cfg := &oauth2.Config{
		ClientID: pinteresttest.DefaultAppID, ClientSecret: pinteresttest.DefaultAppSecret,
		Endpoint: s.Endpoint(), RedirectURL: appURL, Scopes: []string{"boards:read,pins:read"},
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, c)

	resp, err := c.Get(cfg.AuthCodeURL("s"))
	require.NoError(t, err)
	resp.Body.Close()
	back, err := resp.Location()
	require.NoError(t, err)
	token, err := cfg.Exchange(ctx, back.Query().Get("code"))
	require.NoError(t, err)
	resp, err = cfg.Client(ctx, token).Get(s.URL + "/v5/boards")
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	assert.Equal(t, 1, s.Counts().Exchange)
}

func TestAServersEndpointIsLikePinterests(t *testing.T) {
	s, _ := newServer(t, nil)
	assert.Equal(t, oauth2.Endpoint{
		AuthURL: s.URL + "/oauth/", TokenURL: s.URL + "/v5/oauth/token", AuthStyle: oauth2.AuthStyleInHeader,
	}, s.Endpoint())
}

func TestAServerCutsTheConnectionOnALostAnswer(t *testing.T) {
	s, c := newServer(t, nil)
	s.Fail("", pinteresttest.Fault{Lose: true})
	_, err := c.Do(formRequest(t, s.URL+tokenPath, nil))
	require.ErrorIs(t, err, io.EOF)
	resp, err := c.Do(formRequest(t, s.URL+tokenPath, nil))
	require.NoError(t, err)
	resp.Body.Close()
}

func TestAServerCutsABodyInTheMiddle(t *testing.T) {
	s, c := newServer(t, nil)
	s.Fail("", pinteresttest.Fault{Status: 500, Body: "0123456789", Cut: true})
	resp, err := c.Get(s.URL)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.EqualValues(t, 10, resp.ContentLength)
	body, err := io.ReadAll(resp.Body)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Equal(t, "01234", string(body))
}

func TestClosingAServerCutsAnAnswerThatIsPending(t *testing.T) {
	s, c := newServer(t, &pinteresttest.Handler{Latency: time.Hour})
	failed := make(chan error)
	go func() {
		_, err := c.Get(s.URL + "/v5/boards")
		failed <- err
	}()
	require.Eventually(t, func() bool { return s.Counts().API == 1 }, 10*time.Second, time.Millisecond)
	s.Close()
	assert.ErrorIs(t, <-failed, io.EOF)
}
