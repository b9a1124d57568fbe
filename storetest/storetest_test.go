package storetest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/storetest"
)

func TestASoundStorePasses(t *testing.T) {
	opened := 0
	storetest.TestStore(t, func(*testing.T) pinterest.Store {
		opened++
		return pinterest.NewMemoryStore()
	})
	require.Greater(t, opened, 20, "each check has a store of its own")
}
