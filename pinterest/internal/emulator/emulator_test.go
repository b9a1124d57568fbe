package emulator

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/pinteresttest"
)

func TestTheURLIsOneThatThisMachineCanReach(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:8086":   "http://127.0.0.1:8086",
		"0.0.0.0:8086":     "http://127.0.0.1:8086",
		"[::]:8086":        "http://127.0.0.1:8086",
		"[::1]:8086":       "http://[::1]:8086",
		"192.168.0.1:8086": "http://192.168.0.1:8086",
	} {
		a, err := net.ResolveTCPAddr("tcp", addr)
		require.NoError(t, err)
		assert.Equal(t, want, BaseURL(a))
	}
}

func TestALineSaysWhyARequestWasRefused(t *testing.T) {
	assert.Equal(t, `GET "/v5/boards": 200`, Line(pinteresttest.Request{Method: "GET", Path: "/v5/boards", Status: 200}))
	assert.Equal(t, `POST "/v5/oauth/token" refresh_token: 401 (code 283): it was replaced`, Line(pinteresttest.Request{
		Method: "POST", Path: "/v5/oauth/token", Status: 401, Code: 283, Why: "it was replaced", Params: map[string]string{"grant_type": "refresh_token"},
	}))
	assert.Equal(t, `GET "/a\nb": no answer: a fault`, Line(pinteresttest.Request{Method: "GET", Path: "/a\nb", Why: "a fault"}))
}
