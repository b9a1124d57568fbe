package fleet_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
)

// A table is what several tests found, a line for each.
type table struct {
	mu    sync.Mutex // guards lines
	lines []string
}

// newTable makes a table that is logged at the end of t and of its subtests.
func newTable(t *testing.T, head ...any) *table {
	tab := new(table)
	t.Cleanup(func() {
		slices.Sort(tab.lines)
		var b strings.Builder
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, line := range append([]string{cells(head)}, tab.lines...) {
			fmt.Fprintln(w, line)
		}
		w.Flush()
		t.Log("\n" + b.String())
	})
	return tab
}

func (tab *table) add(of ...any) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.lines = append(tab.lines, cells(of))
}

func cells(of []any) string {
	var words []string
	for _, cell := range of {
		words = append(words, fmt.Sprint(cell))
	}
	return strings.Join(words, "\t")
}

// addKills adds how many processes of a fleet were killed in each window, and how
// many tokens were lost with them.
func (tab *table) addKills(name string, l *ledger, issued int) {
	lost := l.lost(issued)
	line := []any{name, l.generations()}
	for _, w := range windows {
		line = append(line, fmt.Sprintf("%d (%d lost)", l.kills[w], lost[w]))
	}
	tab.add(line...)
}
