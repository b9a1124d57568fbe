package pinterest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// A user logs in, and the program calls Pinterest's API for them. Here a fake
// Pinterest stands in: leave Endpoint out for the real one.
func Example() {
	server := pinteresttest.NewServer(&pinteresttest.Handler{AutoApprove: true})
	defer server.Close()

	conf := &pinterest.Config{
		ClientID:     pinteresttest.DefaultAppID,
		ClientSecret: pinteresttest.DefaultAppSecret,
		Endpoint:     server.Endpoint(),
		RedirectURL:  "http://localhost:8085/",
		Scopes:       []string{pinterest.ScopeUserAccountsRead},
	}

	// Redirect the user to this URL. Pinterest sends them back to RedirectURL
	// with the same state and a code.
	_ = conf.AuthCodeURL("an unguessable state")
	code := server.Code(conf.RedirectURL, conf.Scopes...)

	ctx := context.Background()
	token, err := conf.Exchange(ctx, code)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := conf.Client(ctx, token).Get(server.URL + "/v5/user_account")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

func ExampleConfig_AuthCodeURL() {
	conf := &pinterest.Config{
		ClientID:    "1234567",
		RedirectURL: "http://localhost:8085/",
		Scopes:      []string{pinterest.ScopeBoardsRead, pinterest.ScopePinsRead},
	}
	fmt.Println(conf.AuthCodeURL("an-unguessable-state"))
	// Output: https://www.pinterest.com/oauth/?client_id=1234567&redirect_uri=http%3A%2F%2Flocalhost%3A8085%2F&response_type=code&scope=boards%3Aread%2Cpins%3Aread&state=an-unguessable-state
}

// Any library that takes an oauth2.TokenSource or an http.Client can be given
// a source of this package.
func ExampleConfig_TokenSource() {
	server := pinteresttest.NewServer(nil)
	defer server.Close()
	conf := &pinterest.Config{ClientID: pinteresttest.DefaultAppID, ClientSecret: pinteresttest.DefaultAppSecret, Endpoint: server.Endpoint()}

	ctx := context.Background()
	client := oauth2.NewClient(ctx, conf.TokenSource(ctx, server.Login()))
	resp, err := client.Get(server.URL + "/v5/boards")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

func ExampleConfig_ClientCredentials() {
	server := pinteresttest.NewServer(nil)
	defer server.Close()
	conf := &pinterest.Config{
		ClientID:     pinteresttest.DefaultAppID,
		ClientSecret: pinteresttest.DefaultAppSecret,
		Endpoint:     server.Endpoint(),
		Scopes:       []string{pinterest.ScopeAdsRead},
	}
	token, err := conf.ClientCredentials(context.Background()).Token()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(pinterest.GrantedScopes(token))
	// Output: [ads:read]
}

// A renewed token is saved before anyone is handed it.
func ExampleConfig_onRefresh() {
	server := pinteresttest.NewServer(nil)
	defer server.Close()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	conf := &pinterest.Config{
		ClientID:     pinteresttest.DefaultAppID,
		ClientSecret: pinteresttest.DefaultAppSecret,
		Endpoint:     server.Endpoint(),
		OnRefresh: func(_ context.Context, t *oauth2.Token) error {
			record, err := pinterest.MarshalToken(t)
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "token.json"), record, 0o600)
		},
	}
	ctx := context.Background()
	renewed, err := conf.TokenSource(ctx, server.Login()).Refresh(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}

	record, err := os.ReadFile(filepath.Join(dir, "token.json"))
	if err != nil {
		fmt.Println(err)
		return
	}
	kept, err := pinterest.UnmarshalToken(record)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(kept.RefreshToken == renewed.RefreshToken)
	// Output: true
}

func ExampleError() {
	server := pinteresttest.NewServer(nil)
	defer server.Close()
	conf := &pinterest.Config{ClientID: pinteresttest.DefaultAppID, ClientSecret: pinteresttest.DefaultAppSecret, Endpoint: server.Endpoint()}
	token := server.Login()
	server.RevokeGrants() // the user disconnects the app

	ctx := context.Background()
	_, err := conf.TokenSource(ctx, token).Refresh(ctx)
	switch {
	case errors.Is(err, pinterest.ErrReauthorize):
		fmt.Println("send the user to AuthCodeURL")
	case errors.Is(err, pinterest.ErrClientRejected):
		fmt.Println("wake the operator")
	case err != nil:
		fmt.Println("try again later")
	}
	// Output: send the user to AuthCodeURL
}

// The tokens of an app's users are kept in a store, here one in memory.
func ExampleAccounts() {
	server := pinteresttest.NewServer(nil)
	defer server.Close()
	accounts := &pinterest.Accounts{
		Config: &pinterest.Config{
			ClientID:     pinteresttest.DefaultAppID,
			ClientSecret: pinteresttest.DefaultAppSecret,
			Endpoint:     server.Endpoint(),
		},
		Store: pinterest.NewMemoryStore(),
	}
	ctx := context.Background()

	// After a login, keep the token that Exchange returned.
	if err := accounts.Save(ctx, "alice", server.Login()); err != nil {
		fmt.Println(err)
		return
	}

	// Ever after, in any process that shares the store.
	resp, err := accounts.Client("alice").Get(server.URL + "/v5/boards")
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status)

	// After a logout.
	if err := accounts.Forget(ctx, "alice"); err != nil {
		fmt.Println(err)
		return
	}
	_, err = accounts.Source("alice").Token()
	fmt.Println(errors.Is(err, pinterest.ErrReauthorize))

	// Before the program ends.
	if err := accounts.Wait(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 200 OK
	// true
}

// A Transport sends the token only where it belongs, so that one client can
// serve for the API and for the storage that Pinterest has media uploaded to.
func ExampleTransport() {
	conf := &pinterest.Config{ClientID: "1234567", ClientSecret: "secret"}
	client := &http.Client{Transport: &pinterest.Transport{
		Source: conf.TokenSource(context.Background(), &oauth2.Token{AccessToken: "pina_…"}),
		Hosts:  []string{"api.pinterest.com"},
	}}
	_ = client
}
