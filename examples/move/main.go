// Move has a program that was written with golang.org/x/oauth2 (before), and the
// same after it was moved to package pinterest (after). What was changed is in
// move.diff.
//
//	go run ./examples/move
//
// runs both, one after the other, at a fake Pinterest which revokes everything if a
// refresh token is used twice: the token goes from the one to the other.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-pinterest/pinterest/examples/internal/settings"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

//go:generate sh -c "diff -u --label before/main.go --label after/main.go before/main.go after/main.go >move.diff || true"

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "move:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "move")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for _, name := range []string{"before", "after"} {
		build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, name+".exe"), "github.com/go-pinterest/pinterest/examples/move/"+name)
		if said, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, said)
		}
	}
	to := settings.Open(true, nil)
	defer to.Close()
	to.Fake.Change(func(h *pinteresttest.Handler) { h.AccessLife = 5 * time.Second }) // which x/oauth2 calls expired
	code := to.Fake.Code("http://localhost:8085/")
	for _, step := range []struct{ says, program string }{
		{"before: a user logs in", "before"},
		{"before: the next day, the access token has expired", "before"},
		{"after: it goes on with the same token", "after"},
		{"after: the next day, the access token has expired", "after"},
	} {
		program := exec.CommandContext(ctx, filepath.Join(dir, step.program+".exe"))
		program.Dir = dir
		program.Env = append(os.Environ(), "PINTEREST_API_URI="+to.API, "PINTEREST_APP_ID="+to.Config.ClientID, "PINTEREST_APP_SECRET="+to.Config.ClientSecret)
		program.Stdin = strings.NewReader(code + "\n")
		program.Stderr = os.Stderr
		said, err := program.Output()
		if err != nil {
			return fmt.Errorf("%s: %w", step.says, err)
		}
		fmt.Fprintf(out, "%s: %d boards\n", step.says, strings.Count(string(said), "Board "))
		to.Fake.ExpireAccess()
	}
	counts := to.Fake.Counts()
	fmt.Fprintf(out, "%d logins, %d renewals, %d replays\n", counts.Exchange, counts.Refresh, counts.Replays)
	return nil
}
