//go:build unix

package storetest

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func pause(t *testing.T, p *os.Process)  { require.NoError(t, p.Signal(syscall.SIGSTOP)) }
func resume(t *testing.T, p *os.Process) { require.NoError(t, p.Signal(syscall.SIGCONT)) }
