package storetest

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
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
	const many, writers = 1000, 8
	name := func(i int) string { return fmt.Sprintf("account %04d", i) }
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < many; i += writers {
				assert.NoError(t, s.Update(patient(t), name(i), returning(name(i))))
			}
		})
	}
	wg.Wait()
	want := make([]string, many)
	for i := range want {
		want[i] = name(i)
		require.Equal(t, name(i), kept(t, s, name(i)))
	}
	keys := allKeys(t, s)
	slices.Sort(keys)
	require.Equal(t, want, keys)
}

func testKeysDuringChanges(t *testing.T, s pinterest.Store) {
	const stable, changes = 40, 100
	times := make(map[string]int)
	for i := range stable {
		keep(t, s, fmt.Sprint("stable ", i), "0")
		times[fmt.Sprint("stable ", i)] = 0
	}
	stop := make(chan struct{})
	var changed atomic.Int32
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				passing := fmt.Sprint("passing ", w, " ", i%20)
				assert.NoError(t, s.Update(patient(t), passing, returning("1")))
				assert.NoError(t, s.Update(patient(t), fmt.Sprint("stable ", i%stable), returning(fmt.Sprint(i))))
				assert.NoError(t, s.Delete(patient(t), passing))
				changed.Add(1)
			}
		})
	}
	defer wg.Wait()
	defer close(stop)
	for began := time.Now(); changed.Load() < changes; {
		require.Less(t, time.Since(began), patience, "changes are slow, or wait for Keys")
		seen := maps.Clone(times)
		for _, key := range allKeys(t, s) {
			if strings.HasPrefix(key, "passing ") {
				continue
			}
			require.Contains(t, seen, key, "a key nobody kept")
			seen[key]++
		}
		for key, n := range seen {
			require.Equal(t, 1, n, "how often %q was yielded", key)
		}
	}
}

func testKeysLoop(t *testing.T, s pinterest.Store) {
	for i := range 20 {
		keep(t, s, fmt.Sprint("key ", i), "before")
	}
	// Half are updated and half deleted while the sequence stands still, as a
	// sweep over all accounts does.
	n := 0
	for key, err := range s.Keys(patient(t)) {
		require.NoError(t, err)
		require.Equal(t, "before", kept(t, s, key))
		if n++; n%2 == 0 {
			require.NoError(t, s.Delete(patient(t), key))
		} else {
			keep(t, s, key, "after")
		}
	}
	require.Equal(t, 20, n)
	require.Len(t, allKeys(t, s), 10)
}

func testKeysBreak(t *testing.T, s pinterest.Store) {
	require.Empty(t, allKeys(t, s), "the keys of an empty store")
	for i := range 5 {
		keep(t, s, fmt.Sprint("key ", i), "value")
	}
	for range 20 { // what an early break left open would run out
		n := 0
		for _, err := range s.Keys(patient(t)) {
			require.NoError(t, err)
			if n++; n == 2 {
				break
			}
		}
		require.Equal(t, 2, n)
	}
	keep(t, s, "key 0", "changed")
	require.Equal(t, "changed", kept(t, s, "key 0"))
	require.Len(t, allKeys(t, s), 5)
}
