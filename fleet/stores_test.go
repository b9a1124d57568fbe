package fleet_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/filestore"
)

// A kind is a store that processes share.
type kind struct {
	variable string // the environment's, that says where its server is; empty: it has none

	// place makes an empty place, which is gone after the test, and returns what
	// open needs to find it.
	place func(t *testing.T) string

	// open opens the store at a place, in any process.
	open func(place string) (s pinterest.Store, closeStore func(), err error)
}

var stores = map[string]kind{
	"filestore": {place: newDirectory, open: openFiles},
}

// eachStore runs the test on all stores at once.
func eachStore(t *testing.T, test func(t *testing.T, store string)) {
	for name, k := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if k.variable != "" && os.Getenv(k.variable) == "" {
				t.Skipf("%s is not set: no fleet runs on %s", k.variable, name)
			}
			test(t, name)
		})
	}
}

func newDirectory(t *testing.T) string { return filepath.Join(t.TempDir(), "tokens") }

func openFiles(dir string) (pinterest.Store, func(), error) {
	s, err := filestore.New(dir)
	return s, func() {}, err
}
