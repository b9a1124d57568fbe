package wire_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/go-pinterest/pinterest/internal/wire"
)

func TestOnlyThisMachineIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.1.2.3": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "0.0.0.0": false, "192.168.0.1": false, "::": false, "localhost.example.com": false, "127.0.0.1.example.com": false,
	} {
		assert.Equal(t, want, wire.IsLoopback(host), host)
	}
}
