package pinteresttest

import (
	"crypto/rand"
	"crypto/sha3"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"
)

// A claim is all there is to know of one token. It travels inside the token, sealed by the handler's key, so
// that the handler keeps nothing per token: however often a fleet refreshes, what is kept grows with the
// number of accounts alone.
type claim struct {
	kind    byte
	grant   uint64 // zero: the app's own
	serial  uint64 // in the order of issue, across all grants
	expires int64  // Unix nanoseconds, by Pinterest's clock
	scopes  scopeSet
}

func (c claim) expiry() time.Time { return time.Unix(0, c.expires).UTC() }

const (
	accessToken  = 'a'
	refreshToken = 'r'
	clientToken  = 'c'
)

var prefixes = map[byte]string{accessToken: "pina_", refreshToken: "pinr.", clientToken: "pinc_"}

const (
	accessSealSize  = 32
	refreshSealSize = 448 // refresh tokens are long; whoever keeps them must cope
)

// jwtHeader makes a refresh token look like the JWT that Pinterest's resemble.
var jwtHeader = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`))

// seal returns the token that says c. The lock is held.
func (h *Handler) seal(c claim) string {
	payload, err := binary.Append([]byte{c.kind}, binary.BigEndian, []uint64{c.grant, c.serial, uint64(c.expires), uint64(c.scopes)})
	if err != nil {
		panic(err)
	}
	b64 := base64.RawURLEncoding
	if c.kind == refreshToken {
		return prefixes[c.kind] + jwtHeader + "." + b64.EncodeToString(payload) + "." + b64.EncodeToString(h.mac(payload, refreshSealSize))
	}
	return prefixes[c.kind] + b64.EncodeToString(append(h.mac(payload, accessSealSize), payload...))
}

// open returns what a token says, and whether this handler said it. The lock is held.
func (h *Handler) open(token string) (claim, bool) {
	var sealed []byte
	if parts := strings.Split(token, "."); len(parts) == 4 {
		sealed, _ = base64.RawURLEncoding.DecodeString(parts[2])
	} else if len(token) > len("pina_") {
		sealed, _ = base64.RawURLEncoding.DecodeString(token[len("pina_"):])
		sealed = sealed[min(accessSealSize, len(sealed)):]
	}
	const size = 1 + 4*8
	if len(sealed) != size {
		return claim{}, false
	}
	n := func(i int) uint64 { return binary.BigEndian.Uint64(sealed[1+8*i:]) }
	c := claim{kind: sealed[0], grant: n(0), serial: n(1), expires: int64(n(2)), scopes: scopeSet(n(3))}
	return c, subtle.ConstantTimeCompare([]byte(h.seal(c)), []byte(token)) == 1
}

// mac returns n bytes that only the holder of the handler's key can derive from data. The lock is held.
func (h *Handler) mac(data []byte, n int) []byte {
	if h.key == nil {
		h.key = make([]byte, 32)
		rand.Read(h.key)
	}
	shake := sha3.NewSHAKE256()
	shake.Write(h.key)
	shake.Write(data)
	sum := make([]byte, n)
	shake.Read(sum)
	return sum
}
