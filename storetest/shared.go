package storetest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest"
)

// Shared describes a store that processes share.
type Shared struct {
	// Place makes a new and empty place for a store to keep its values in, and
	// returns what Open needs to find it: a directory, a data source name, the
	// name of a table. t.Cleanup may remove it.
	Place func(t *testing.T) string

	// Open opens the store at a place. It is called many times for one place,
	// in this process and in others. t.Cleanup may close the store.
	Open func(t *testing.T, place string) pinterest.Store

	// Takeover is how long after the death of a process that was inside Update
	// the next one may still be kept waiting. Zero is for a store whose locks
	// die with the process: five seconds, to allow for a slow machine.
	Takeover time.Duration

	// ReadOnly has the store at a place refuse to be written to, as a full disk
	// or a user without the right does, until the function that it returns is
	// called. Reading goes on. Nil leaves out the check, and the log says so.
	ReadOnly func(t *testing.T, place string) (writable func())

	// Away takes the store at a place away, as when its server restarts, until
	// the function that it returns is called a second later: whoever uses the
	// store meanwhile gets errors, or waits. Stores that are open stay open,
	// and find it again. Nil leaves out the checks, and the log says so.
	Away func(t *testing.T, place string) (back func())

	// OneAtATime says that the store runs one Update at a time, whatever its
	// key, and leaves out the checks that it cannot pass. Such a store renews
	// the tokens of many accounts slowly.
	OneAtATime bool
}

// TestSharedStore checks all that [TestStore] does, and what only a store that
// outlives a process can show: that what Update returned for is there after any
// crash, that processes exclude each other, that one that dies holds up nobody,
// and one that lost its lock while it was paused overwrites nothing. What needs
// ReadOnly or Away is left out without them.
//
// For its other processes it runs the test binary again with the calling test
// alone (-test.run), where TestSharedStore does what it is asked to and skips
// the rest of that test. So call it once in a test or subtest, and do before it
// only what those processes may do too; making a place is left to Place, which
// they do not call.
func TestSharedStore(t *testing.T, s Shared) {
	t.Helper()
	if j, ok := assigned(t); ok { // this is one of the other processes
		j.do(t, s.Open(t, j.Place))
		t.SkipNow()
	}
	testStore(t, func(t *testing.T) pinterest.Store { return s.Open(t, s.Place(t)) }, s.OneAtATime)
	for _, c := range sharedChecks {
		if c.lacks != nil && c.lacks(s) != "" {
			t.Logf("not checked, for Shared.%s is nil: %s", c.lacks(s), c.behaviour)
			continue
		}
		t.Run(c.behaviour, func(t *testing.T) {
			defer quote(t, c.contract)
			c.run(t, s, s.Place(t))
		})
	}
}

// takeover is how long the next one may be kept waiting after a holder's death.
func (s Shared) takeover() time.Duration {
	if s.Takeover == 0 {
		return 5 * time.Second
	}
	return s.Takeover
}

var sharedChecks = []struct {
	behaviour string
	contract  string // the sentence of pinterest.Store that asks for it
	run       func(t *testing.T, s Shared, place string)
	lacks     func(s Shared) string // which hook the check cannot do without, if it is not there
}{
	{behaviour: "what was kept is there in a fresh open", run: testReopen, contract: durably},
	{behaviour: "thousands of keys are kept", run: testThousandsOfKeys, contract: showsDue},
	{behaviour: "opened twice it is one store", run: testOpenedTwice, contract: excludes},
	{behaviour: "processes exclude each other", run: testProcesses, contract: excludes},
	{behaviour: "processes exclude each other while one deletes", run: testProcessesDelete, contract: excludes},
	{behaviour: "a waiter leaves a lock that another process holds", run: testWaiterLeavesProcess, contract: turn},
	{behaviour: "a Load sees whole values of another process", run: testWholeValuesProcess, contract: oldOrNew},
	{behaviour: "a killed process leaves no lock", run: testKilledHolder, contract: excludes},
	{behaviour: "a killed process leaves a whole value", run: testKilledWriter, contract: oldOrNew},
	{behaviour: "a paused process overwrites nothing newer", run: testPausedHolder, contract: turn},
	{behaviour: "a store that refuses writes is found before f runs", run: testReadOnly, contract: failing, lacks: noReadOnly},
	{behaviour: "a store that is away is not an empty one", run: testAway, contract: notMissing, lacks: noAway},
	{behaviour: "what f returned is kept though the store was away", run: testAwayInside, contract: stillKept, lacks: noAway},
}

func noReadOnly(s Shared) string {
	if s.ReadOnly == nil {
		return "ReadOnly"
	}
	return ""
}

func noAway(s Shared) string {
	if s.Away == nil {
		return "Away"
	}
	return ""
}

func testReopen(t *testing.T, s Shared, place string) {
	keys := oddKeys()
	first := s.Open(t, place)
	for i, key := range keys {
		keep(t, first, key, fmt.Sprint(i))
	}
	keepDue(t, first, "due", "value", time.Now().Add(-time.Hour))
	keep(t, first, "deleted", "value")
	require.NoError(t, first.Delete(patient(t), "deleted"))
	require.ErrorIs(t, first.Update(patient(t), "refused", func(context.Context, []byte) ([]byte, time.Time, error) {
		return []byte("value"), time.Time{}, errRefused
	}), errRefused)

	again := s.Open(t, place)
	requireDue(t, again, "due", "value", "it was kept through another open")
	require.NoError(t, again.Delete(patient(t), "due"))
	requireOddKeys(t, again, keys)
	keep(t, again, "alice", "changed")
	require.Equal(t, "changed", kept(t, first, "alice"), "what the other kept")
}

func testOpenedTwice(t *testing.T, s Shared, place string) {
	one, other := s.Open(t, place), s.Open(t, place)
	h := hold(t, patient(t), one, "key")
	requireHeld(t, other, "key")
	require.NoError(t, h.release(t, "1", nil))

	var wg sync.WaitGroup
	for _, store := range []pinterest.Store{one, other} {
		for range 2 {
			wg.Go(func() {
				for range 10 {
					assert.NoError(t, store.Update(patient(t), "key", increment))
				}
			})
		}
	}
	wg.Wait()
	require.Equal(t, "41", kept(t, one, "key"))
	require.Equal(t, "41", kept(t, other, "key"))
}

func testProcesses(t *testing.T, s Shared, place string) {
	const processes, each = 4, 25
	j := job{Place: place, Do: "count", Key: "counter", Times: each, Inside: filepath.Join(t.TempDir(), "inside")}
	var all []*process
	for range processes {
		all = append(all, start(t, j))
	}
	j.count(t, s.Open(t, place)) // this one counts too
	for _, p := range all {
		require.Equal(t, "counted", p.line())
		p.end()
		require.True(t, p.cmd.ProcessState.Success(), "%s", p.noise)
	}
	require.Equal(t, fmt.Sprint((processes+1)*each), kept(t, s.Open(t, place), "counter"), "the sum of all Updates")
}

// A lock that goes with what it guards lets two in at once, each with a lock of
// their own.
func testProcessesDelete(t *testing.T, s Shared, place string) {
	const processes, each = 3, 60
	j := job{Place: place, Do: "count", Key: "counter", Times: each, Inside: filepath.Join(t.TempDir(), "inside")}
	var all []*process
	for range processes {
		all = append(all, start(t, j))
	}
	store := s.Open(t, place)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for _, p := range all {
			<-p.ended
		}
	}()
	for deleting := true; deleting; {
		select {
		case <-ended:
			deleting = false
		default:
			require.NoError(t, store.Delete(patient(t), "counter"))
		}
	}
	for _, p := range all {
		require.Equal(t, "counted", p.line())
		p.end()
		require.True(t, p.cmd.ProcessState.Success(), "%s", p.noise)
	}
	require.NoError(t, store.Delete(patient(t), "counter"))
	require.Empty(t, allKeys(t, store))
}

func testWaiterLeavesProcess(t *testing.T, s Shared, place string) {
	store := s.Open(t, place)
	keep(t, store, "key", "before")
	p := start(t, job{Place: place, Do: "hold", Key: "key"})
	require.Equal(t, "holding", p.line())

	requireHeld(t, store, "key")
	require.Equal(t, "before", kept(t, store, "key"), "what a Load sees meanwhile")
	ctx, cancel := context.WithCancel(patient(t))
	left, stayed := make(chan error, 1), make(chan error, 1)
	var in intruder
	go func() { left <- store.Update(ctx, "key", in.f) }()
	go func() {
		stayed <- store.Update(patient(t), "key", func(_ context.Context, old []byte) ([]byte, time.Time, error) {
			assert.Equal(t, "held", string(old))
			return []byte("after"), time.Time{}, nil
		})
	}()
	requireHeld(t, store, "key") // by now they stand in line
	cancel()
	require.ErrorIs(t, receive(t, left, "a waiter whose context is over"), context.Canceled)

	p.say("let go")
	require.Equal(t, "kept", p.line())
	require.NoError(t, receive(t, stayed, "the waiter whose turn it is"))
	require.Equal(t, "after", kept(t, store, "key"))
	require.False(t, in.ran.Load(), "f ran for a waiter that had left")
}

func testWholeValuesProcess(t *testing.T, s Shared, place string) {
	const writes = 50
	store := s.Open(t, place)
	p := start(t, job{Place: place, Do: "write", Key: "key"})
	require.Equal(t, "wrote 1", p.line())
	for began, last := time.Now(), 1; last < writes; {
		n := requireWhole(t, kept(t, store, "key"))
		require.GreaterOrEqual(t, n, last, "a Load went back in time")
		require.Less(t, time.Since(began), 2*patience, "the other process writes too slowly")
		last = n
	}
	p.kill()
}

func testKilledHolder(t *testing.T, s Shared, place string) {
	store := s.Open(t, place)
	keep(t, store, "key", "before")
	for _, key := range []string{"key", "missing"} {
		p := start(t, job{Place: place, Do: "hold", Key: key})
		require.Equal(t, "holding", p.line())
		requireHeld(t, store, key)
		p.kill()
	}
	p := start(t, job{Place: place, Do: "hold", Key: "waited for"})
	require.Equal(t, "holding", p.line())
	waited := make(chan error, 1)
	go func() {
		waited <- store.Update(context.Background(), "waited for", returning("after"))
	}()
	requireHeld(t, store, "waited for") // by now the waiter stands in line
	p.kill()

	ctx, cancel := context.WithTimeout(context.Background(), s.takeover())
	defer cancel()
	require.NoError(t, store.Update(ctx, "key", func(_ context.Context, old []byte) ([]byte, time.Time, error) {
		assert.Equal(t, "before", string(old))
		return []byte("after"), time.Time{}, nil
	}), "an Update after the holder was killed; Takeover is %v", s.takeover())
	require.Equal(t, "after", kept(t, store, "key"))
	require.NoError(t, store.Delete(ctx, "missing"), "a Delete after the holder was killed; Takeover is %v", s.takeover())
	select {
	case err := <-waited:
		require.NoError(t, err, "an Update that waited when the holder was killed")
	case <-ctx.Done():
		require.FailNow(t, "an Update that waited when the holder was killed still waits", "Takeover is %v", s.takeover())
	}
	require.ElementsMatch(t, []string{"key", "waited for"}, allKeys(t, store))
}

// A paused process, as one in a machine that was put to sleep, may have lost its
// lock by the time it goes on, and does not know.
func testPausedHolder(t *testing.T, s Shared, place string) {
	store := s.Open(t, place)
	keep(t, store, "key", "before")
	p := start(t, job{Place: place, Do: "hold", Key: "key"})
	require.Equal(t, "holding", p.line())
	pause(t, p.cmd.Process)

	// A lock that dies with its process is not lost by a pause, however long.
	ctx, cancel := context.WithTimeout(context.Background(), max(s.Takeover, glimpse))
	defer cancel()
	err := store.Update(ctx, "key", func(_ context.Context, old []byte) ([]byte, time.Time, error) {
		assert.Equal(t, "before", string(old))
		return []byte("newer"), time.Time{}, nil
	})
	resume(t, p.cmd.Process)
	if err != nil {
		require.ErrorIs(t, err, context.DeadlineExceeded, "an Update while the process that holds the key is paused")
		p.say("let go")
		require.Equal(t, "kept", p.line(), "what became of the Update of the paused process, whose lock nobody took")
		require.Equal(t, "held", kept(t, store, "key"))
		return
	}
	p.say("let go once your context ends")
	require.Equal(t, "its context ended", p.line(), "what f saw in the paused process, whose lock was taken")
	require.Contains(t, p.line(), "not kept", "what became of the Update of the paused process, whose lock was taken")
	require.Equal(t, "newer", kept(t, store, "key"), "what the paused process overwrote")
}

func testKilledWriter(t *testing.T, s Shared, place string) {
	store := s.Open(t, place)
	for round := range 12 {
		p := start(t, job{Place: place, Do: "write", Key: "key"})
		acknowledged := 0
		for range round/4 + 1 {
			_, err := fmt.Sscanf(p.line(), "wrote %d", &acknowledged)
			require.NoError(t, err)
		}
		<-time.After(rand.N(10 * time.Millisecond)) // at any moment of a later write
		for _, words := range p.kill() {            // it may have said more before it died
			_, err := fmt.Sscanf(words, "wrote %d", &acknowledged)
			require.NoError(t, err)
		}
		n := requireWhole(t, kept(t, store, "key"))
		require.GreaterOrEqual(t, n, acknowledged, "what Update had returned for is lost")
		require.LessOrEqual(t, n, acknowledged+1, "what nobody wrote")
		require.Equal(t, []string{"key"}, allKeys(t, store))

		ctx, cancel := context.WithTimeout(context.Background(), s.takeover())
		require.NoError(t, store.Update(ctx, "key", returning(whole(0))))
		cancel()
	}
}

// A job is what another process of the test does.
type job struct {
	Place  string
	Do     string
	Key    string
	Times  int
	Inside string // count: a file that is there while somebody is inside Update
}

// jobVariable holds the job of a process that was started for one.
const jobVariable = "PINTEREST_STORETEST_JOB"

// assigned returns this process's job, if it has one.
func assigned(t *testing.T) (job, bool) {
	text, ok := os.LookupEnv(jobVariable)
	if !ok {
		return job{}, false
	}
	var j job
	require.NoError(t, json.Unmarshal([]byte(text), &j))
	return j, true
}

// mark tells a job's words from what else a test binary prints.
const mark = "storetest: "

func say(format string, args ...any) { fmt.Printf(mark+format+"\n", args...) }

func (j job) do(t *testing.T, s pinterest.Store) {
	// The context is plain: a job lasts until it is done or killed.
	ctx := context.Background()
	switch j.Do {
	case "count":
		j.count(t, s)
		say("counted")
	case "hold":
		err := s.Update(ctx, j.Key, func(ctx context.Context, _ []byte) ([]byte, time.Time, error) {
			say("holding")
			words, err := bufio.NewReader(os.Stdin).ReadString('\n')
			if err != nil {
				return nil, time.Time{}, err // the parent is gone
			}
			if words != "let go\n" {
				select {
				case <-ctx.Done():
					say("its context ended")
				case <-time.After(patience):
					say("its context goes on")
				}
			}
			return []byte("held"), time.Time{}, nil
		})
		if err != nil {
			say("not kept: %q", err)
		} else {
			say("kept")
		}
	case "write":
		go func() { // a parent that is gone must not leave it writing
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(1)
		}()
		for {
			n := 0
			require.NoError(t, s.Update(ctx, j.Key, func(_ context.Context, old []byte) ([]byte, time.Time, error) {
				if old != nil {
					n = requireWhole(t, string(old))
				}
				n++
				return []byte(whole(n)), time.Time{}, nil
			}))
			say("wrote %d", n)
		}
	default:
		require.FailNow(t, "unknown job", "%q", j.Do)
	}
}

func (j job) count(t *testing.T, s pinterest.Store) {
	for range j.Times {
		require.NoError(t, s.Update(context.Background(), j.Key, func(ctx context.Context, old []byte) ([]byte, time.Time, error) {
			inside, err := os.OpenFile(j.Inside, os.O_CREATE|os.O_EXCL, 0o600)
			if !assert.NoError(t, err, "Updates of two processes run at once") {
				return nil, time.Time{}, err
			}
			defer os.Remove(j.Inside)
			defer inside.Close()
			<-time.After(time.Millisecond) // so that one who comes too early is met
			return increment(ctx, old)
		}))
	}
}

// A process is the test binary at work on a job.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.Writer
	lines chan string   // what it says; closed when it says no more
	ended chan struct{} // closed then, too
	noise *lockedBuilder
}

func start(t *testing.T, j job) *process {
	t.Helper()
	// The caller of TestSharedStore is the test this check is a subtest of.
	test := t.Name()[:strings.LastIndex(t.Name(), "/")]
	text, err := json.Marshal(j)
	require.NoError(t, err)
	var pattern []string
	for _, name := range strings.Split(test, "/") {
		pattern = append(pattern, "^"+regexp.QuoteMeta(name)+"$")
	}
	exe, err := os.Executable()
	require.NoError(t, err)

	p := &process{t: t, lines: make(chan string, 1000), ended: make(chan struct{}), noise: new(lockedBuilder)}
	p.cmd = exec.Command(exe, "-test.run="+strings.Join(pattern, "/"), "-test.count=1")
	p.cmd.Env = append(os.Environ(), jobVariable+"="+string(text))
	p.cmd.Stderr = p.noise
	p.stdin, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		p.end()
	})
	go func() {
		defer close(p.ended)
		defer close(p.lines)
		for sc := bufio.NewScanner(stdout); sc.Scan(); {
			if words, ok := strings.CutPrefix(sc.Text(), mark); ok {
				p.lines <- words
			} else {
				fmt.Fprintln(p.noise, sc.Text())
			}
		}
	}()
	return p
}

// line returns what the process says next.
func (p *process) line() string {
	p.t.Helper()
	select {
	case words, ok := <-p.lines:
		require.True(p.t, ok, "the other process ended early:\n%s", p.noise)
		return words
	case <-time.After(2 * patience): // a process takes its time to start
		require.FailNow(p.t, "the other process says nothing", "%s", p.noise)
		return ""
	}
}

func (p *process) say(words string) {
	_, err := fmt.Fprintln(p.stdin, words)
	require.NoError(p.t, err)
}

// kill ends the process as a crash does, nothing deferred runs, and returns
// what it had said until then.
func (p *process) kill() []string {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Kill())
	said := p.end()
	require.False(p.t, p.cmd.ProcessState.Success(), "the other process ended before it was killed:\n%s", p.noise)
	return said
}

// end waits for the process's end. Wait closes the pipe, so that what is in it
// is read first.
func (p *process) end() (said []string) {
	for words := range p.lines {
		said = append(said, words)
	}
	_ = p.cmd.Wait()
	return said
}

// A lockedBuilder gathers what a process prints beside its words.
type lockedBuilder struct {
	mu sync.Mutex // guards b
	b  strings.Builder
}

func (b *lockedBuilder) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuilder) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
