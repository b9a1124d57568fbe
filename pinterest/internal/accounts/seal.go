package accounts

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"strings"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// EnvStoreKey has the keys of a store that is sealed. An argument could be seen by
// all users of the machine.
const EnvStoreKey = "PINTEREST_STORE_KEY"

// seal has v seal and open what it keeps by the keys in the environment, if there
// are any. The first one seals, all of them open.
func (v *Store) seal() error {
	var ciphers []cipher.AEAD
	for _, word := range strings.FieldsFunc(os.Getenv(EnvStoreKey), func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
		c, err := cipherOf(word)
		if err != nil { // which could quote the key
			return say.WrongUsage(EnvStoreKey+" holds something that is no key of 16, 24 or 32 bytes", "write each key in base64 or hex, as openssl rand -base64 32 does, and several with commas between them")
		}
		ciphers = append(ciphers, c)
	}
	if len(ciphers) > 0 {
		v.sealed = true
		v.Tokens = pinterest.Encrypted(v.Tokens, ciphers[0], ciphers[1:]...)
		v.apps = pinterest.Encrypted(v.apps, ciphers[0], ciphers[1:]...)
	}
	return nil
}

// cipherOf returns the AEAD of a key, as the README has an app make it.
func cipherOf(word string) (cipher.AEAD, error) {
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString, base64.StdEncoding.DecodeString, base64.URLEncoding.DecodeString, base64.RawStdEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	} {
		key, err := decode(word)
		if err != nil {
			continue
		}
		if block, err := aes.NewCipher(key); err == nil {
			return cipher.NewGCMWithRandomNonce(block)
		}
	}
	return nil, errors.New("no key")
}
