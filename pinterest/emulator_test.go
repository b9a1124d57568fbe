package main

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheEmulatorsURLIsOneThatThisMachineCanReach(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:8086":   "http://127.0.0.1:8086",
		"0.0.0.0:8086":     "http://127.0.0.1:8086",
		"[::]:8086":        "http://127.0.0.1:8086",
		"[::1]:8086":       "http://[::1]:8086",
		"192.168.0.1:8086": "http://192.168.0.1:8086",
	} {
		a, err := net.ResolveTCPAddr("tcp", addr)
		assert.NoError(t, err)
		assert.Equal(t, want, baseURL(a))
	}
}
