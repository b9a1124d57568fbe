package filestore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// A file's name tells what is in it. The prefixes also keep names from being
// special: Windows knows devices called con and nul, Unix dot files.
const (
	plainPrefix = "key-"  // then the key, escaped
	hashPrefix  = "long-" // then the key's SHA-256
	lockPrefix  = "lock." // then a value's name
	tempPrefix  = "tmp."  // then a value's name
)

// maxName leaves room for a prefix in the 255 bytes of common file systems, and
// for the 143 of those that encrypt names.
const maxName = 132

// fileName returns the name of the file that holds key's value. No two keys
// share one, even where case makes no difference.
func fileName(key string) string {
	if name := plainPrefix + escape(key); len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(key))
	return hashPrefix + hex.EncodeToString(sum[:])
}

// isValue tells whether fileName could have made name.
func isValue(name string) bool {
	if sum, ok := strings.CutPrefix(name, hashPrefix); ok {
		b, err := hex.DecodeString(sum)
		return err == nil && len(b) == sha256.Size && sum == strings.ToLower(sum)
	}
	_, ok := plainKey(name)
	return ok
}

func escape(key string) string {
	const hexDigits = "0123456789abcdef"
	var b strings.Builder
	for i, c := range []byte(key) {
		last := i == len(key)-1 // Windows takes a name that ends in a dot for the one without
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-_@+", c) >= 0 || c == '.' && !last {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}

// plainKey returns the key that fileName made name of, if it did.
func plainKey(name string) (key string, ok bool) {
	escaped, ok := strings.CutPrefix(name, plainPrefix)
	if !ok {
		return "", false
	}
	key, err := url.PathUnescape(escaped)
	return key, err == nil && key != "" && fileName(key) == name
}

// joinHashed returns what a file holds whose name does not tell its key.
func joinHashed(key string, value []byte) []byte {
	return append([]byte(strconv.QuoteToASCII(key)+"\n"), value...)
}

func splitHashed(data []byte) (key string, value []byte, err error) {
	line, value, ok := bytes.Cut(data, []byte("\n"))
	if !ok {
		return "", nil, errors.New("no line")
	}
	key, err = strconv.Unquote(string(line))
	return key, value, err
}
