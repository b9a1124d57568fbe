package filestore

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFileNamesAreReadableAndSafe(t *testing.T) {
	for key, want := range map[string]string{
		"alice":               "key-alice",
		"alice@example.com":   "key-alice@example.com",
		"ad_account-549+test": "key-ad_account-549+test",
		"Alice":               "key-%41lice",
		"con":                 "key-con",
		"..":                  "key-.%2e",
		"alice.":              "key-alice%2e",
		"../up":               "key-..%2fup",
		"a%2fb":               "key-a%252fb",
		"é":                   "key-%c3%a9",
		"e\u0301":             "key-e%cc%81",
		"x ":                  "key-x%20",
		"\x00\xff":            "key-%00%ff",

		strings.Repeat("n", 128): "key-" + strings.Repeat("n", 128),
		strings.Repeat("n", 129): "long-0bf2917cc7e3d671a8cb2cea35cfffbc6586cfda9f0ae830a6e1f2295b74fc8c",
	} {
		require.Equal(t, want, fileName(key))
		require.True(t, isValue(want))
		if back, ok := plainKey(want); ok {
			require.Equal(t, key, back)
		}
	}
}

func TestNoOtherNameIsAKey(t *testing.T) {
	for _, name := range []string{"alice", "key-", "key-Alice", "key-%41LICE", "key-%4", "key-%zz", "key-%61lice", "key-%2F", "key-alice.", "key-a b", "lock.key-alice", "tmp.key-alice", "key-" + strings.Repeat("n", 129), "long-", "long-0a", "long-" + strings.Repeat("A", 64)} {
		assert.False(t, isValue(name), name)
	}
}

func FuzzFileNames(f *testing.F) {
	for _, key := range []string{"alice", "Alice", "a/b", "..", "é", "\xff", "\n\"", strings.Repeat("n", 200)} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if key == "" {
			return
		}
		name := fileName(key)
		require.LessOrEqual(t, len(lockPrefix+name), 143)
		require.Regexp(t, `^(key|long)-[a-z0-9.\-_@+%]+$`, name)
		if back, ok := plainKey(name); ok {
			require.Equal(t, key, back)
			return
		}
		back, value, err := splitHashed(joinHashed(key, []byte("a\nvalue")))
		require.NoError(t, err)
		require.Equal(t, key, back)
		require.Equal(t, "a\nvalue", string(value))
	})
}
