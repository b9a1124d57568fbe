package accounts

import (
	"context"
	"io"
	"log"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

func TestACertificateThatNobodyTrustsIsNoReasonToTryAgainLater(t *testing.T) {
	server := httptest.NewUnstartedServer(new(pinteresttest.Handler))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	conf := &pinterest.Config{ClientID: "1", ClientSecret: "2", Scopes: []string{"ads:read"},
		Endpoint: oauth2.Endpoint{AuthURL: server.URL + "/oauth/", TokenURL: server.URL + TokenPath}}
	_, err := conf.ClientCredentials(context.Background()).Token()
	require.Error(t, err)
	var f *say.Failure
	require.ErrorAs(t, Advise(err, "pinterest login"), &f)
	assert.Equal(t, untrustedHint, f.Hint)
	assert.NotContains(t, f.Hint, "later")
}
