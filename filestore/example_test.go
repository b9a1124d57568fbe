package filestore_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/go-pinterest/pinterest/filestore"
)

func Example() {
	home, err := os.MkdirTemp("", "example") // os.UserConfigDir, for a command
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(home)

	store, err := filestore.New(filepath.Join(home, "myapp", "pinterest"))
	if err != nil {
		log.Fatal(err)
	}

	// As a rule pinterest.Config.StoredTokenSource does what follows. While the
	// function runs no other process can update alice.
	ctx := context.Background()
	err = store.Update(ctx, "alice", func(ctx context.Context, old []byte) ([]byte, error) {
		fmt.Printf("alice had %d bytes\n", len(old))
		return []byte("a token"), nil
	})
	if err != nil {
		log.Fatal(err)
	}
	for key, err := range store.Keys(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		value, err := store.Load(ctx, key)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s\n", key, value)
	}
	// Output:
	// alice had 0 bytes
	// alice: a token
}
