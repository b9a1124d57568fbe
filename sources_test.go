package pinterest

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
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
		assert.LessOrEqual(t, len(accounts.recent)+len(accounts.former), 2*int(remembered/time.Second))
	})
	for most := 2 * int(remembered/time.Second); ; runtime.Gosched() { // until the cleanups have run
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
