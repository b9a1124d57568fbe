// Package settings is what the examples share: they find the app they act for in
// the environment, by the names that Pinterest's own sample clients use, or have
// a fake Pinterest in the same process. In a program of your own a few lines of
// main do this.
package settings

import (
	"context"
	"log/slog"
	"os"
	"strings"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/filestore"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// A Pinterest is the app, and where Pinterest is.
type Pinterest struct {
	Config *pinterest.Config
	API    string                // what the paths of the API are appended to
	Fake   *pinteresttest.Server // nil: it is the real one, or the emulator
}

// Open returns the app that the environment names, or, if fake is set, one that a
// fake Pinterest in this process knows.
func Open(fake bool, logger *slog.Logger) *Pinterest {
	conf := &pinterest.Config{
		ClientID:     os.Getenv("PINTEREST_APP_ID"),
		ClientSecret: os.Getenv("PINTEREST_APP_SECRET"),
		Logger:       logger,
	}
	p := &Pinterest{Config: conf, API: "https://api.pinterest.com"}
	if fake {
		// Strict, as nobody has shown that Pinterest is not.
		p.Fake = pinteresttest.NewServer(&pinteresttest.Handler{StrictRotation: true})
		conf.ClientID, conf.ClientSecret = pinteresttest.DefaultAppID, pinteresttest.DefaultAppSecret
		conf.Endpoint, p.API = p.Fake.Endpoint(), p.Fake.URL
		return p
	}
	if api := os.Getenv("PINTEREST_API_URI"); api != "" { // what "pinterest emulator" prints, or the sandbox
		p.API = strings.TrimSuffix(api, "/")
		conf.Endpoint = pinterest.Endpoint
		conf.Endpoint.TokenURL = p.API + "/v5/oauth/token"
		if oauth := os.Getenv("PINTEREST_OAUTH_URI"); oauth != "" {
			conf.Endpoint.AuthURL = strings.TrimSuffix(oauth, "/") + "/oauth/"
		}
	}
	return p
}

// Close stops the fake.
func (p *Pinterest) Close() {
	if p.Fake != nil {
		p.Fake.Close()
	}
}

// Accounts returns the accounts that "pinterest login --store file:DIR" keeps in
// dir. With a fake they are in memory, and a user has logged in as account.
func (p *Pinterest) Accounts(ctx context.Context, dir, account string) (*pinterest.Accounts, error) {
	accounts := &pinterest.Accounts{Config: p.Config}
	if p.Fake != nil {
		accounts.Store = pinterest.NewMemoryStore()
		return accounts, accounts.Save(ctx, account, p.Fake.Login())
	}
	store, err := filestore.New(dir)
	if err != nil {
		return nil, err
	}
	accounts.Store = store
	return accounts, nil
}
