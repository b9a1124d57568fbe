package filestore_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

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

	// As a rule pinterest.Accounts does what follows. While the function runs no
	// other process can update alice.
	ctx := context.Background()
	err = store.Update(ctx, "alice", func(ctx context.Context, old []byte) ([]byte, time.Time, error) {
		fmt.Printf("alice had %d bytes\n", len(old))
		return []byte("a token"), time.Time{}, nil
	})
	if err != nil {
		log.Fatal(err)
	}
	err = store.Each(ctx, time.Time{}, func(key string, value []byte) error {
		fmt.Printf("%s: %s\n", key, value)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// alice had 0 bytes
	// alice: a token
}
