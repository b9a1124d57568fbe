package storetest

import (
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest"
)

func testEmptyKey(t *testing.T, s pinterest.Store) {
	_, err := s.Load(patient(t), "")
	require.Error(t, err, "Load")
	require.NotErrorIs(t, err, fs.ErrNotExist, "an empty key is a mistake, not a key that holds nothing")
	var in intruder
	err = s.Update(patient(t), "", in.f)
	require.False(t, in.ran.Load(), "f runs for an empty key")
	require.Error(t, err, "Update")
	require.NotErrorIs(t, err, fs.ErrNotExist)
	require.Error(t, s.Delete(patient(t), ""), "Delete")
	require.Empty(t, allKeys(t, s))
}

// oddKeys are what a file system, a case-folding or space-trimming database or
// a careless encoding would take for one another, or for something else.
func oddKeys() []string {
	long := strings.Repeat("long/", 1024/5) + "key"
	return []string{
		"alice", "Alice", "ALICE", "alice ", " alice", "alice\t", "alice\n", "alice.", "%61lice", "alice%", "alice%20", "alic\u0435",
		"a/b", "a//b", "/a/b", "a/b/", `a\b`, "a:b", "a*b", "a?b", "a|b", "a_b", "a-b", "a%2fb", "a%2Fb", "a+b", "a b",
		".", "..", "...", "../up", "./here", "~", "-", "--", "*", "?", "#", "%", "_", "'", `"`, "$HOME", "`", "{a}", "[a-z]",
		" ", "  ", "\t", "\n", "\r\n", "\x01", "\x7f",
		"CON", "con", "con.txt", "NUL", "nul", "COM1", "LPT1", "aux", "C:",
		".lock", "alice.lock", ".tmp", "alice.tmp", "key", "lock",
		"é", "e\u0301", "É", "ß", "ss", "ſ", "İ", "ı", "i", "I", "K", "\u212a", "日本", "👩‍👩‍👧", "\u200b", "\ufeff",
		long + "s", long + "S", long + "t", strings.Repeat("é", 512), strings.Repeat("e", 1024), strings.Repeat("e", 1023),
		strings.Repeat("n", 64), strings.Repeat("n", 254), strings.Repeat("n", 255), strings.Repeat("n", 256),
	}
}

func testOddKeys(t *testing.T, s pinterest.Store) {
	keys := oddKeys()
	for i, key := range keys {
		keep(t, s, key, fmt.Sprint(i))
	}
	requireOddKeys(t, s, keys)

	gone, rest := keys[:len(keys)/2], keys[len(keys)/2:]
	for _, key := range gone {
		require.NoError(t, s.Delete(patient(t), key), "Delete of %.50q", key)
	}
	require.ElementsMatch(t, rest, allKeys(t, s))
	for i, key := range rest {
		require.Equal(t, fmt.Sprint(len(gone)+i), kept(t, s, key), "what is kept under %.50q", key)
	}
}

// requireOddKeys shows that each key is listed and holds its number.
func requireOddKeys(t *testing.T, s pinterest.Store, keys []string) {
	t.Helper()
	for i, key := range keys {
		require.Equal(t, fmt.Sprint(i), kept(t, s, key), "what is kept under %.50q", key)
	}
	require.ElementsMatch(t, keys, allKeys(t, s))
}

func testManyKeys(t *testing.T, s pinterest.Store) {
	testKeys(t, s, 1200, patience) // more than a page, as pages are
}

// Ten thousand, or as many as a store on a slow disk can keep in some seconds.
func testThousandsOfKeys(t *testing.T, s Shared, place string) {
	testKeys(t, s.Open(t, place), 10_000, 5*time.Second)
}

func testKeys(t *testing.T, s pinterest.Store, most int, within time.Duration) {
	const writers = 16
	past := time.Now().Add(-time.Hour)
	name := func(i int) string { return fmt.Sprintf("account %04d", i) }
	var next atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range writers {
		wg.Go(func() {
			for time.Since(began) < within {
				i := int(next.Add(1)) - 1
				if i >= most {
					return
				}
				f := returning(name(i))
				if i%3 == 0 {
					f = returningDue(name(i), past)
				}
				assert.NoError(t, s.Update(patient(t), name(i), f))
			}
		})
	}
	wg.Wait()
	many := min(int(next.Load()), most)
	t.Logf("%d keys", many)
	want, due := make(map[string]string), make(map[string]string)
	for i := range many {
		want[name(i)] = name(i)
		if i%3 == 0 {
			due[name(i)] = name(i)
		}
		if i%25 == 0 {
			require.Equal(t, name(i), kept(t, s, name(i)))
		}
	}
	requireAll(t, want, seen(t, s, time.Time{}), "Each that is given no time")
	requireAll(t, due, seen(t, s, time.Now()), "Each before now")
}

// requireAll does not print thousands of keys if one is missing.
func requireAll(t *testing.T, want, found map[string]string, what string) {
	t.Helper()
	missing := 0
	for key, value := range want {
		got, ok := found[key]
		if !ok {
			missing++
			continue
		}
		require.Equal(t, value, got, "%s hands out another value for %q", what, key)
	}
	require.Zero(t, missing, "how many keys, of %d, are left out by %s", len(want), what)
}
