package pinterest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
)

// answerer is an API in memory.
type answerer struct{ answer *http.Response }

func (a answerer) RoundTrip(*http.Request) (*http.Response, error) { return a.answer, nil }

// What they cost in time, bench measures.
func TestARequestAllocatesItsCopyAndATokenItself(t *testing.T) {
	token := &oauth2.Token{AccessToken: "pina_0123456789", RefreshToken: "pinr.0123456789", Expiry: time.Now().Add(30 * 24 * time.Hour)}
	src := testConfig().TokenSource(t.Context(), token)
	client := &pinterest.Transport{Source: src, Base: answerer{&http.Response{StatusCode: http.StatusOK, Body: http.NoBody}}}
	req, err := http.NewRequest(http.MethodGet, "https://api.pinterest.com/v5/user_account", nil)
	require.NoError(t, err)
	req.Header.Set("Accept", "application/json")

	assert.LessOrEqual(t, testing.AllocsPerRun(1000, func() { _, _ = client.RoundTrip(req) }), 3.0, "the request, and the header, which is two")
	assert.LessOrEqual(t, testing.AllocsPerRun(1000, func() { _, _ = src.Token() }), 1.0)
}

func TestAskingForAnAccountsClientAllocatesThatAlone(t *testing.T) {
	accounts := &pinterest.Accounts{Config: testConfig(), Store: pinterest.NewMemoryStore()}
	kept := accounts.Client("alice") // which keeps the account in use
	var client *http.Client
	assert.LessOrEqual(t, testing.AllocsPerRun(1000, func() { client = accounts.Client("alice") }), 1.0)
	assert.Same(t, kept.Transport, client.Transport)
}
