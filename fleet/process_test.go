package fleet_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A process is one of a fleet.
type process struct {
	progress
	slot   int
	cmd    *exec.Cmd
	stdin  io.WriteCloser // its end ends the process
	noise  *lockedBuilder // what it logs
	doomed bool           // it is to be killed, or was
}

// An event is what a process said, or its end.
type event struct {
	from  *process
	line  string
	ended bool // and this was all it said
}

// start starts a process, which is killed at the end of the test at the latest.
func start(t *testing.T, slot int, j job, events chan<- event) *process {
	t.Helper()
	text, err := json.Marshal(j)
	require.NoError(t, err)
	exe, err := os.Executable()
	require.NoError(t, err)

	p := &process{progress: progress{at: idle}, slot: slot, cmd: exec.Command(exe), noise: new(lockedBuilder)}
	// The race detector would have an end take a second.
	p.cmd.Env = append(os.Environ(), jobVariable+"="+string(text), "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	p.cmd.Stderr = p.noise
	p.stdin, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())

	ended := make(chan struct{})
	tell := func(e event) {
		select {
		case events <- e:
		case <-t.Context().Done(): // nobody listens any more
		}
	}
	go func() {
		defer close(ended)
		for sc := bufio.NewScanner(stdout); sc.Scan(); {
			tell(event{from: p, line: sc.Text()})
		}
		_ = p.cmd.Wait() // it closes the pipe, so not before all is read
		tell(event{from: p, ended: true})
	}()
	t.Cleanup(func() {
		p.kill()
		<-ended
		if noise := p.noise.String(); t.Failed() && noise != "" {
			t.Logf("process %d of slot %d logged:\n%s", p.cmd.Process.Pid, slot, noise)
		}
	})
	return p
}

// kill ends the process as a crash does: nothing deferred runs.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

// stop has the process end by itself.
func (p *process) stop(t *testing.T) {
	t.Helper()
	_, err := io.WriteString(p.stdin, "stop\n")
	require.NoError(t, err)
}

// A lockedBuilder gathers what a process logs, up to a limit.
type lockedBuilder struct {
	mu sync.Mutex // guards b
	b  strings.Builder
}

func (b *lockedBuilder) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.b.Len() < 10_000 {
		b.b.Write(p)
	}
	return len(p), nil
}

func (b *lockedBuilder) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
