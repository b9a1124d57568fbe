package fleet_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A step is what a process says it is about to do, or has just done.
type step string

const (
	called     step = "called"     // the API; the answer's status, "late", "reauthorize", or an error
	loaded     step = "loaded"     // a token
	waits      step = "waits"      // for the lock
	locked     step = "locked"     // and found a token
	sends      step = "sends"      // a request to renew a token
	unanswered step = "unanswered" // it remained
	refused    step = "refused"    // the token is not renewed
	answered   step = "answered"   // with a token, which replaces another
	saves      step = "saves"      // a token; the store begins to
	saved      step = "saved"      // it; the lock is let go
	left       step = "left"       // the store as it was; the lock is let go
	failed     step = "failed"     // said the store
)

// A window is where a process was when it was killed, as far as it had told.
type window string

const (
	idle     window = "idle"
	waiting  window = "waiting for the lock"
	holding  window = "holding the lock"
	sent     window = "awaiting the answer"
	unsaved  window = "holding the answer"
	saving   window = "saving"
	orphaned window = "alive" // no process may lose a token in this window
)

var windows = []window{idle, waiting, holding, sent, unsaved, saving, orphaned}

// A ledger adds up what all processes of a fleet have told. Tokens go by their
// fingerprints.
type ledger struct {
	logins  map[string]bool   // tokens of logins
	answers map[string]string // tokens of answers, and which one each replaces
	seen    map[string]bool   // tokens that were in the store
	kills   map[window]int
	pending map[string]window // tokens that a killed process had not yet saved

	calls        int
	rejected     int      // calls that Pinterest answered 401
	late         int      // so, too, but on a machine too busy to be in time
	reauthorize  int      // calls that ended in ErrReauthorize
	refusals     int      // requests for a token that Pinterest refused
	unacceptable []string // what must never happen

	disturbed   bool // the store's server is, so that it and calls may fail
	storeErrors int
	failedCalls int
}

func newLedger() *ledger {
	return &ledger{
		logins:  make(map[string]bool),
		answers: make(map[string]string),
		seen:    make(map[string]bool),
		kills:   make(map[window]int),
		pending: make(map[string]window),
	}
}

// A progress is what the ledger remembers of a process.
type progress struct {
	at      window
	pending string // the token it has, and has not yet saved
	calls   int    // answered 200
}

// note enters what a process said, and returns the step that it took.
func (l *ledger) note(p *progress, line string) step {
	word, rest, _ := strings.Cut(line, " ")
	switch step(word) {
	case called:
		l.calls++
		switch rest {
		case "200":
			p.calls++
		case "401":
			l.rejected++
		case "late":
			l.late++
		case "reauthorize":
			l.reauthorize++
		default:
			l.failedCalls++
			if !l.disturbed {
				l.strange("a call: %s", rest)
			}
		}
	case loaded:
		l.see(rest)
	case waits:
		p.at = waiting
	case locked:
		p.at = holding
		l.see(rest)
	case sends:
		p.at = sent
	case unanswered:
		p.at = holding
		l.strange("a token request: %s", rest)
	case refused:
		p.at = holding
		l.refusals++
		if rest != "401" {
			l.strange("a token request: answered %s", rest)
		}
	case answered:
		token, from, _ := strings.Cut(rest, " ")
		p.at, p.pending = unsaved, token
		if _, twice := l.answers[token]; twice {
			l.strange("an answer: %s came twice", token)
		}
		l.answers[token] = from
	case saves:
		p.at = saving
		if rest != p.pending {
			l.strange("a process saves %s and not its %s", rest, p.pending)
		}
	case saved:
		p.at, p.pending = idle, ""
		l.see(rest)
	case left, failed:
		p.at = idle
		if p.pending != "" {
			p.at = unsaved
		}
		if step(word) == failed {
			l.storeErrors++
			if !l.disturbed {
				l.strange("the store: %s", rest)
			}
		}
	default:
		l.strange("a process says %q", line)
	}
	return step(word)
}

func (l *ledger) strange(format string, args ...any) {
	l.unacceptable = append(l.unacceptable, fmt.Sprintf(format, args...))
}

// see enters a token that was found in the store.
func (l *ledger) see(token string) {
	if token == nothing || token == damaged {
		l.strange("the store holds %s", token)
		return
	}
	l.seen[token] = true
}

// login enters the token of a login, which was put into the store.
func (l *ledger) login(token string) {
	l.logins[token] = true
	l.seen[token] = true
}

// killed enters a process that was killed.
func (l *ledger) killed(p *progress) {
	l.kills[p.at]++
	if p.pending != "" {
		l.pending[p.pending] = p.at
	}
}

// generations is how many renewed tokens came into the store.
func (l *ledger) generations() int { return len(l.seen) - len(l.logins) }

// lost counts, by window, the tokens that Pinterest issued and that never came
// into the store. A token whose answer nobody received has no name, but it was
// issued.
func (l *ledger) lost(issued int) map[window]int {
	lost := make(map[window]int)
	for token := range l.answers {
		if l.seen[token] {
			continue
		}
		at, ok := l.pending[token]
		if !ok {
			at = orphaned
		}
		lost[at]++
	}
	if n := issued - len(l.logins) - len(l.answers); n != 0 {
		lost[sent] += n
	}
	return lost
}

// requireSound checks, when all processes have ended, what holds for every
// fleet, whatever was killed: the store went from token to token, each renewed
// from the one before it, never back and never aside, up to the one that it
// holds now; and what was lost was lost by a kill between the request and the
// end of the save.
func (l *ledger) requireSound(t *testing.T, now string, issued int) {
	t.Helper()
	assert.Empty(t, l.unacceptable)
	assert.True(t, l.seen[now], "the store holds %s at the end, which nobody put there", now)
	next := make(map[string][]string)
	for token := range l.seen {
		from, ok := l.answers[token]
		assert.True(t, ok || l.logins[token], "the store held %s, which Pinterest never issued", token)
		if ok {
			assert.True(t, l.seen[from], "%s was renewed from %s, which was never in the store", token, from)
			next[from] = append(next[from], token)
		}
	}
	for token, all := range next {
		assert.Len(t, all, 1, "the store went back to %s: a saved token was lost", token)
	}
	assert.Empty(t, next[now], "the store holds %s at the end, and had a newer one", now)

	lost := l.lost(issued)
	for _, w := range windows {
		switch w {
		case sent, unsaved, saving:
			assert.GreaterOrEqual(t, lost[w], 0, w)
			assert.LessOrEqual(t, lost[w], l.kills[w], "tokens lost and processes killed: %s", w)
		default:
			assert.Zero(t, lost[w], "tokens lost: %s", w)
		}
	}
}

// count writes a table by window in one line.
func count(m map[window]int) string {
	var parts []string
	for _, w := range windows {
		if m[w] != 0 {
			parts = append(parts, fmt.Sprintf("%d %s", m[w], w))
		}
	}
	total := 0
	for _, n := range slices.Collect(maps.Values(m)) {
		total += n
	}
	if total == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%s)", total, strings.Join(parts, ", "))
}
