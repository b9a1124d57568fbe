package pinterest_test

import (
	"testing"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/storetest"
)

func TestMemoryStoreIsAStore(t *testing.T) {
	storetest.TestStore(t, func(*testing.T) pinterest.Store { return pinterest.NewMemoryStore() })
}
