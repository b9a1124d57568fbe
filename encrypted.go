package pinterest

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// sealVersion begins what Encrypted writes.
const sealVersion = "pinterest1:"

// Encrypted returns a store that keeps its values in s sealed by aead, each
// bound to its key: a record that somebody moved to another key, or wrote
// without the AEAD's key, cannot be opened. Keys are kept in the clear.
//
// Use a cipher whose random nonces cannot collide in practice, such as
// [cipher.NewGCMWithRandomNonce] of AES or XChaCha20-Poly1305.
//
// To change the AEAD's key, name the former one behind the new one, in every
// process: what it sealed is opened, and sealed by the new one when it is next
// saved. First have every process name both keys, the new one last; a process
// that does not know the new key could not open what others save.
//
// A record that cannot be opened, as it was sealed by another key or for another
// account, is damaged, or was kept in the clear, is never handed on. In its place
// Load, Update and Each give one that [UnmarshalToken] reads as an error that says
// so. [Accounts.Save] replaces it; nothing else does.
//
// Nobody may save to s but by Encrypted. S or an AEAD that is nil is an error of
// each method.
func Encrypted(s Store, aead cipher.AEAD, former ...cipher.AEAD) Store {
	return &encryptedStore{s, append([]cipher.AEAD{aead}, former...)}
}

type encryptedStore struct {
	store Store
	aeads []cipher.AEAD // the first seals
}

// Format implements [fmt.Formatter]: it shows neither value nor key, whatever the verb.
func (e *encryptedStore) Format(f fmt.State, _ rune) { fmt.Fprint(f, "pinterest.Encrypted(…)") }

func (e *encryptedStore) Load(ctx context.Context, key string) ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	sealed, err := e.store.Load(ctx, key)
	if err != nil {
		return nil, err
	}
	value, _ := e.open(key, sealed)
	return value, nil
}

func (e *encryptedStore) Update(ctx context.Context, key string, f func(ctx context.Context, old []byte) ([]byte, time.Time, error)) error {
	if err := e.check(); err != nil {
		return err
	}
	return e.store.Update(ctx, key, func(ctx context.Context, sealed []byte) ([]byte, time.Time, error) {
		if sealed == nil {
			value, due, err := f(ctx, nil)
			return e.seal(key, value), due, err
		}
		old, opened := e.open(key, sealed)
		value, due, err := f(ctx, bytes.Clone(old))
		if err == nil && !opened && bytes.Equal(value, old) {
			err = errors.New("pinterest: the record cannot be opened, and what stands in for it must not replace it")
		}
		return e.seal(key, value), due, err
	})
}

func (e *encryptedStore) Delete(ctx context.Context, key string) error {
	if err := e.check(); err != nil {
		return err
	}
	return e.store.Delete(ctx, key)
}

func (e *encryptedStore) Each(ctx context.Context, before time.Time, f func(key string, value []byte) error) error {
	if err := e.check(); err != nil {
		return err
	}
	return e.store.Each(ctx, before, func(key string, sealed []byte) error {
		value, _ := e.open(key, sealed)
		return f(key, value)
	})
}

func (e *encryptedStore) check() error {
	if e.store == nil {
		return errors.New("pinterest: Encrypted has no Store")
	}
	for _, aead := range e.aeads {
		if aead == nil {
			return errors.New("pinterest: Encrypted has a cipher.AEAD that is nil")
		}
	}
	return nil
}

func (e *encryptedStore) seal(key string, value []byte) []byte {
	aead := e.aeads[0]
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce) // never fails
	sealed := append([]byte(sealVersion), nonce...)
	return aead.Seal(sealed, nonce, value, []byte(sealVersion+key))
}

// open returns what was sealed, or what stands in for it.
func (e *encryptedStore) open(key string, sealed []byte) (value []byte, opened bool) {
	box, ours := bytes.CutPrefix(sealed, []byte(sealVersion))
	if !ours {
		return standIn("it is not one that Encrypted wrote: if it was kept in the clear, load it without Encrypted and save it again"), false
	}
	for _, aead := range e.aeads {
		if n := aead.NonceSize(); len(box) >= n {
			if value, err := aead.Open([]byte{}, box[:n], box[n:], []byte(sealVersion+key)); err == nil {
				return value, true
			}
		}
	}
	return standIn("it cannot be opened: it was sealed by another encryption key, for another account, or is damaged"), false
}

// standIn is a record that UnmarshalToken reads as an error.
func standIn(why string) []byte {
	data, _ := json.Marshal(map[string]string{unreadable: why})
	return data
}
