package pinterest

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
)

// sealVersion begins what Encrypted writes.
const sealVersion = "pinterest1:"

// Encrypted returns a store that keeps its values in s sealed by aead, each
// bound to its key: a record that somebody moved to another key, or wrote
// without the AEAD's key, is an error. Keys are kept in the clear.
//
// Use a cipher whose random nonces cannot collide in practice, such as
// [cipher.NewGCMWithRandomNonce] of AES or XChaCha20-Poly1305. To change the
// AEAD's key, or to begin sealing what was kept in the clear, stop every process
// that renews tokens of s, lest one is renewed in between; then load each token by
// the old store and save it by the new one, over the same s. SaveToken replaces a
// record that cannot be opened; a source leaves it untouched.
func Encrypted(s Store, aead cipher.AEAD) Store {
	return &encryptedStore{s, aead}
}

type encryptedStore struct {
	store Store
	aead  cipher.AEAD
}

// Format implements [fmt.Formatter]: it shows neither value nor key, whatever the verb.
func (e *encryptedStore) Format(f fmt.State, _ rune) { fmt.Fprint(f, "pinterest.Encrypted(…)") }

func (e *encryptedStore) Load(ctx context.Context, key string) ([]byte, error) {
	if err := e.check(key); err != nil {
		return nil, err
	}
	sealed, err := e.store.Load(ctx, key)
	if err != nil {
		return nil, err
	}
	return e.open(key, sealed)
}

func (e *encryptedStore) Update(ctx context.Context, key string, f func(ctx context.Context, old []byte) ([]byte, error)) error {
	if err := e.check(key); err != nil {
		return err
	}
	return e.store.Update(ctx, key, func(ctx context.Context, sealed []byte) ([]byte, error) {
		var old []byte
		if sealed != nil {
			var err error
			if old, err = e.open(key, sealed); err != nil {
				return nil, err
			}
		}
		value, err := f(ctx, old)
		if err != nil {
			return nil, err
		}
		return e.seal(key, value), nil
	})
}

// replace seals value over whatever is kept under key, even if that cannot be
// opened: a new login must not fail over an old record.
func (e *encryptedStore) replace(ctx context.Context, key string, value []byte) error {
	if err := e.check(key); err != nil {
		return err
	}
	return e.store.Update(ctx, key, func(context.Context, []byte) ([]byte, error) { return e.seal(key, value), nil })
}

func (e *encryptedStore) Delete(ctx context.Context, key string) error {
	if err := e.check(key); err != nil {
		return err
	}
	return e.store.Delete(ctx, key)
}

func (e *encryptedStore) Keys(ctx context.Context) iter.Seq2[string, error] {
	if err := e.check("any"); err != nil {
		return func(yield func(string, error) bool) { yield("", err) }
	}
	return e.store.Keys(ctx)
}

func (e *encryptedStore) check(key string) error {
	if e.aead == nil {
		return errors.New("pinterest: Encrypted has no cipher.AEAD")
	}
	return checkPlace(e.store, key)
}

func (e *encryptedStore) seal(key string, value []byte) []byte {
	nonce := make([]byte, e.aead.NonceSize())
	rand.Read(nonce) // never fails
	sealed := append([]byte(sealVersion), nonce...)
	return e.aead.Seal(sealed, nonce, value, []byte(sealVersion+key))
}

func (e *encryptedStore) open(key string, sealed []byte) ([]byte, error) {
	from := len(sealVersion) + e.aead.NonceSize()
	if len(sealed) < from || string(sealed[:len(sealVersion)]) != sealVersion {
		return nil, unopenable("the record under key %q is not one that Encrypted wrote: if it was kept in the clear, load it without Encrypted and save it again", key)
	}
	value, err := e.aead.Open([]byte{}, sealed[len(sealVersion):from], sealed[from:], []byte(sealVersion+key))
	if err != nil {
		return nil, unopenable("the record under key %q cannot be opened: it was sealed by another encryption key, for another record, or is damaged", key)
	}
	return value, nil
}

// A sealError is a record that cannot be opened, today or later.
type sealError struct{ message string }

func unopenable(format string, args ...any) error { return &sealError{fmt.Sprintf(format, args...)} }

func (e *sealError) Error() string { return "pinterest: " + e.message }
