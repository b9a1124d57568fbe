// Package process runs an example as its users do: as a process. The test binary
// is that process, so nothing has to be built.
package process

import (
	"bytes"
	"cmp"
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const variable = "PINTEREST_EXAMPLE_PROCESS"

// patience is how long anything may take. It is much: the machine may be busy.
const patience = time.Minute

// TestMain is what a test of an example calls in its TestMain, with the example's
// main.
func TestMain(m *testing.M, main func()) {
	if os.Getenv(variable) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A Process is an example that runs.
type Process struct {
	t      *testing.T
	cmd    *exec.Cmd
	ended  chan struct{}
	err    error
	mu     sync.Mutex // guards output
	output bytes.Buffer
}

// Start starts the example with settings of the form NAME=value, and such
// arguments. It ends with the test at the latest.
func Start(t *testing.T, env []string, args ...string) *Process {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	p := &Process{t: t, cmd: exec.Command(exe, args...), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), variable+"=1", "GORACE=atexit_sleep_ms=0 "+cmp.Or(os.Getenv("GORACE"), "halt_on_error=1"))
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Dir = t.TempDir()
	p.cmd.Stdout, p.cmd.Stderr = p, p
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.ended)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("the output of %v:\n%s", args, p.Output())
		}
	})
	return p
}

// Write takes what the process says.
func (p *Process) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.Write(data)
}

// Output returns what the process has said so far.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// Says waits until the output has what the pattern matches, and returns its last
// group.
func (p *Process) Says(pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for every := time.NewTicker(10 * time.Millisecond); ; {
		ended := false
		select {
		case <-p.ended:
			ended = true
		default:
		}
		if found := re.FindStringSubmatch(p.Output()); found != nil {
			return found[len(found)-1]
		}
		require.False(p.t, ended, "it ended and has not said %s", pattern)
		select {
		case <-every.C:
		case <-ctx.Done():
			require.FailNow(p.t, "it does not say "+pattern)
		}
	}
}

// Interrupt asks the process to end, as a supervisor does.
func (p *Process) Interrupt() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
}

// Ends waits for the end of the process, which has to be a good one.
func (p *Process) Ends() {
	p.t.Helper()
	require.NoError(p.t, p.wait(), "how it ended")
}

// Fails waits for the end of the process, which has to be a bad one.
func (p *Process) Fails() {
	p.t.Helper()
	require.Error(p.t, p.wait(), "how it ended")
}

func (p *Process) wait() error {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		require.FailNow(p.t, "it does not end")
	}
	return p.err
}

// Stop is Interrupt and Ends.
func (p *Process) Stop() {
	p.t.Helper()
	p.Interrupt()
	p.Ends()
}

// Kill ends the process as a crash does.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// Secrets are words by which what the fake issues is known.
var Secrets = []string{"pina_", "pinr.", "pinc_", "Bearer"}

// NoSecrets holds text to have none of the Secrets, nor of the others.
func NoSecrets(t *testing.T, text string, others ...string) {
	t.Helper()
	for _, secret := range append(others, Secrets...) {
		assert.False(t, strings.Contains(text, secret), "it shows a secret, %.5s…", secret)
	}
}
