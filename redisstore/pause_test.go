//go:build unix

package redisstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/redisstore"
)

const pausedLease = time.Second

// pausedPrefix is how the test tells the process it starts where the store is.
const pausedPrefix = "PINTEREST_REDISSTORE_PAUSED"

func TestAPausedProcessCannotOverwriteWhatIsNewer(t *testing.T) {
	if prefix, ok := os.LookupEnv(pausedPrefix); ok {
		holdAndSay(t, prefix)
		return
	}
	prefix := newPrefix(t)
	s := &redisstore.Store{Client: dial(t), Prefix: prefix, Lease: pausedLease}
	keep(t, s, "key", "old")

	exe, err := os.Executable()
	require.NoError(t, err)
	p := exec.Command(exe, "-test.run=^"+t.Name()+"$", "-test.count=1")
	p.Env = append(os.Environ(), pausedPrefix+"="+prefix)
	p.Stderr = os.Stderr
	stdin, err := p.StdinPipe()
	require.NoError(t, err)
	stdout, err := p.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	defer func() {
		_ = p.Process.Kill()
		_ = p.Wait()
	}()
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for sc := bufio.NewScanner(stdout); sc.Scan(); {
			if words, ok := strings.CutPrefix(sc.Text(), "holder: "); ok {
				lines <- words
			}
		}
	}()
	require.Equal(t, "inside", receive(t, lines, "the holder"))

	require.NoError(t, p.Process.Signal(syscall.SIGSTOP))
	// It gets in because the lease lapses, and is there when the holder wakes.
	require.NoError(t, s.Update(patient(t), "key", func(_ context.Context, old []byte) ([]byte, time.Time, error) {
		require.Equal(t, "old", string(old))
		return []byte("newer"), time.Time{}, nil
	}))
	require.NoError(t, p.Process.Signal(syscall.SIGCONT))

	require.Equal(t, "f was told", receive(t, lines, "the holder that was paused"))
	_, err = io.WriteString(stdin, "write\n")
	require.NoError(t, err)
	require.Equal(t, "ErrLeaseLost", receive(t, lines, "the holder that was paused"))
	require.Equal(t, "newer", kept(t, s, "key"))
	keep(t, s, "key", "newest")
}

// holdAndSay is the process that is paused.
func holdAndSay(t *testing.T, prefix string) {
	s := &redisstore.Store{Client: dial(t), Prefix: prefix, Lease: pausedLease}
	err := s.Update(context.Background(), "key", func(ctx context.Context, _ []byte) ([]byte, time.Time, error) {
		fmt.Println("holder: inside")
		<-ctx.Done()
		if errors.Is(context.Cause(ctx), redisstore.ErrLeaseLost) {
			fmt.Println("holder: f was told")
		}
		_, err := bufio.NewReader(os.Stdin).ReadString('\n')
		return []byte("stale"), time.Time{}, err
	})
	if errors.Is(err, redisstore.ErrLeaseLost) {
		fmt.Println("holder: ErrLeaseLost")
	}
}
