package pinterest_test

import (
	"net/http"
	"runtime"
	"testing"

	"github.com/go-pinterest/pinterest"
)

// BenchmarkClient asks Accounts for a client, as an app does in every request.
// What it takes is beside what the request takes, which package bench compares.
func BenchmarkClient(b *testing.B) {
	accounts := &pinterest.Accounts{Config: testConfig(), Store: pinterest.NewMemoryStore()}
	var client *http.Client
	for b.Loop() {
		client = accounts.Client("alice")
	}
	runtime.KeepAlive(client)
}
