package accounts

import (
	"context"
	"io"
	"log"
	"net/http/httptest"
	"runtime"
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
	assert.Equal(t, untrustedHint(runtime.GOOS), f.Hint)
	assert.NotContains(t, f.Hint, "later")
}

// Go does not heed SSL_CERT_FILE everywhere.
func TestAHintNamesAVariableOnlyWhereItIsHeeded(t *testing.T) {
	assert.Contains(t, untrustedHint("linux"), "SSL_CERT_FILE")
	for _, system := range []string{"darwin", "windows"} {
		assert.NotContains(t, untrustedHint(system), "SSL_CERT_FILE", system)
	}
}
