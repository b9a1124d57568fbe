package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/examples/internal/settings"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// goWrong has each thing happen once that there is a metric for: a renewal that
// succeeds, failures that time, the user and the operator can mend, and a token
// that is not saved until mend is called.
func goWrong(ctx context.Context, to *settings.Pinterest) (accounts *pinterest.Accounts, mend func(), err error) {
	store := &failingStore{Store: pinterest.NewMemoryStore()}
	accounts = &pinterest.Accounts{Config: to.Config, Store: store}
	for _, a := range []struct {
		name  string
		fault *pinteresttest.Fault
	}{
		{"alice", nil},
		{"bob", &pinteresttest.Fault{Status: 429, RetryAfter: "3600"}},
		{"carol", &pinteresttest.Fault{Status: 401, Code: 283}},
		{"dave", &pinteresttest.Fault{Status: 401, Code: 2}},
		{"erin", nil},
	} {
		if err := accounts.Save(ctx, a.name, to.Fake.Login()); err != nil {
			return nil, nil, err
		}
		if a.fault != nil {
			to.Fake.Fail("/v5/oauth/token", *a.fault)
		}
		store.fails.Store(a.name == "erin")
		if _, err := accounts.Source(a.name).Refresh(ctx); (err == nil) != (a.fault == nil) {
			return nil, nil, fmt.Errorf("%s has met something else: %v", a.name, err)
		}
	}
	return accounts, func() { store.fails.Store(false) }, nil
}

// A failingStore is one whose disk breaks at the worst moment: when Pinterest has
// given the next token, and before it is written.
type failingStore struct {
	pinterest.Store
	fails atomic.Bool
}

func (s *failingStore) Update(ctx context.Context, key string, f func(context.Context, []byte) ([]byte, time.Time, error)) error {
	return s.Store.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, time.Time, error) {
		value, due, err := f(ctx, old)
		if err == nil && s.fails.Load() {
			err = errors.New("the disk is full")
		}
		return value, due, err
	})
}
