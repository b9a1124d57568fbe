package pinterest

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// What is forgotten leaves nothing behind: an app may have a million users, each
// of whom comes once.
func TestAccountsDoNotGrowWithAllThatWereEverAskedFor(t *testing.T) {
	accounts := &Accounts{Store: NewMemoryStore()}
	synctest.Test(t, func(t *testing.T) {
		for i := range 10_000 {
			accounts.Client(fmt.Sprint("user-", i))
			time.Sleep(time.Second)
		}
		assert.LessOrEqual(t, len(accounts.recent)+len(accounts.older), 2*int(rememberTime/time.Second))
	})
	for most := 2 * int(rememberTime/time.Second); ; runtime.Gosched() { // until the cleanups have run
		runtime.GC()
		accounts.mu.Lock()
		n := len(accounts.sources)
		accounts.mu.Unlock()
		if n <= most {
			break
		}
	}
	runtime.KeepAlive(accounts)
}

// Whom nobody but sweeps asked for is known while one of them is at work, and
// then no more.
func TestASweepLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemoryStore()
		limited := limit(func() *http.Response {
			return &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"600"}}, Body: http.NoBody}
		})
		a := &Accounts{Config: &Config{ClientID: "1", ClientSecret: "2"}, Store: store, HTTPClient: &http.Client{Transport: limited}}
		require.NoError(t, a.Save(t.Context(), "account", &oauth2.Token{RefreshToken: "pinr.x"}))
		sweep := func(d time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			for range a.KeepAlive(ctx, nil) {
			}
		}
		first := make(chan struct{})
		go func() {
			defer close(first)
			sweep(time.Minute)
		}()
		go sweep(2 * time.Minute)
		<-first
		synctest.Wait()
		assert.Len(t, a.borrowed, 1, "the other is at work")
		assert.Same(t, &a.borrowed["account"].TokenSource, a.Source("account"))
		a.drop("account")
		assert.Len(t, a.sources, 1)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		assert.Empty(t, a.borrowed)
		assert.Len(t, a.sources, 1, "who asked for it has it on")

		require.NoError(t, a.Save(t.Context(), "another", &oauth2.Token{RefreshToken: "pinr.x"}))
		sweep(time.Minute)
		synctest.Wait()
		assert.Empty(t, a.borrowed)
		assert.Len(t, a.sources, 1)
	})
}

type limit func() *http.Response

func (l limit) RoundTrip(*http.Request) (*http.Response, error) { return l(), nil }
