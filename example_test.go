package pinterest_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"time"

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

// A sweep renews the tokens of accounts that nobody uses. Run one each day.
func ExampleAccounts_KeepAlive() {
	server := pinteresttest.NewServer(&pinteresttest.Handler{RefreshLife: 7 * 24 * time.Hour}) // in place of sixty days
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
	if err := accounts.Save(ctx, "alice", server.Login()); err != nil {
		fmt.Println(err)
		return
	}

	for key, err := range accounts.KeepAlive(ctx, nil) {
		switch {
		case key == "":
			fmt.Println("the sweep ended early:", err)
		case errors.Is(err, pinterest.ErrReauthorize):
			fmt.Println("ask this user to log in again:", key)
		case err != nil:
			fmt.Println("not renewed:", key, err)
		default:
			fmt.Println("renewed:", key)
		}
	}
	// Output: renewed: alice
}

// A program ends once nothing is being renewed or saved any more.
func ExampleAccounts_Wait() {
	accounts := &pinterest.Accounts{Config: new(pinterest.Config), Store: pinterest.NewMemoryStore()}

	// Take no more requests, and then:
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := accounts.Wait(ctx); err != nil {
		fmt.Println("a token may be lost:", err)
		return
	}
	fmt.Println("all is saved")
	// Output: all is saved
}

// A library that takes an oauth2.TokenSource is given an account's.
func ExampleAccounts_Source() {
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
	if err := accounts.Save(ctx, "alice", server.Login()); err != nil {
		fmt.Println(err)
		return
	}
	var source oauth2.TokenSource = accounts.Source("alice")
	token, err := source.Token()
	fmt.Println(token.Valid(), err)
	// Output: true <nil>
}

// The store sees sealed tokens alone.
func ExampleEncrypted() {
	newAEAD := func(key []byte) cipher.AEAD {
		block, err := aes.NewCipher(key)
		if err != nil {
			panic(err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			panic(err)
		}
		return aead
	}
	key := bytes.Repeat([]byte{1}, 32)    // from your secret manager
	former := bytes.Repeat([]byte{0}, 32) // opens what it sealed, until that is saved again

	inside := pinterest.NewMemoryStore()
	accounts := &pinterest.Accounts{
		Config: new(pinterest.Config),
		Store:  pinterest.Encrypted(inside, newAEAD(key), newAEAD(former)),
	}
	ctx := context.Background()
	if err := accounts.Save(ctx, "alice", &oauth2.Token{RefreshToken: "pinr.…"}); err != nil {
		fmt.Println(err)
		return
	}
	sealed, err := inside.Load(ctx, "alice")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("in the clear:", bytes.Contains(sealed, []byte("pinr.")))
	token, err := accounts.Load(ctx, "alice")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(token.RefreshToken)
	// Output:
	// in the clear: false
	// pinr.…
}

// What x/oauth2 wrote is read, and what this package writes says more.
func ExampleUnmarshalToken() {
	token, err := pinterest.UnmarshalToken([]byte(`{"access_token":"pina_…","refresh_token":"pinr.…"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, known := pinterest.RefreshExpiry(token)
	fmt.Println(token.RefreshToken, known)
	// Output: pinr.… false
}

func ExampleMarshalToken() {
	token := new(pinteresttest.Handler).Login(pinterest.ScopeBoardsRead)
	record, err := pinterest.MarshalToken(token)
	if err != nil {
		fmt.Println(err)
		return
	}
	kept, err := pinterest.UnmarshalToken(record)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, known := pinterest.RefreshExpiry(kept)
	fmt.Println(pinterest.GrantedScopes(kept), known)
	// Output: [boards:read] true
}

// Look at what was granted: it can be more than was asked for.
func ExampleGrantedScopes() {
	token := new(pinteresttest.Handler).Login(pinterest.ScopeBoardsRead, pinterest.ScopePinsRead)
	fmt.Println(slices.Contains(pinterest.GrantedScopes(token), pinterest.ScopeBoardsWrite))
	// Output: false
}

// When a user has to log in again, if nothing renews the token.
func ExampleRefreshExpiry() {
	token := new(pinteresttest.Handler).Login()
	until, known := pinterest.RefreshExpiry(token)
	fmt.Println(known, time.Until(until).Round(24*time.Hour))
	// Output: true 1440h0m0s
}

// A conversion token can do nothing but send conversions, and does not expire.
func ExampleConfig_ConversionToken() {
	server := pinteresttest.NewServer(nil)
	defer server.Close()
	conf := &pinterest.Config{ClientID: pinteresttest.DefaultAppID, ClientSecret: pinteresttest.DefaultAppSecret, Endpoint: server.Endpoint()}

	ctx := context.Background()
	user := conf.TokenSource(ctx, server.Login(pinterest.ScopeAdsWrite))
	conversion, err := conf.ConversionToken(ctx, user)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(conversion.Expiry.IsZero())
	// Output: true
}

// Pinterest revokes the tokens of system users alone.
func ExampleConfig_Revoke() {
	server := pinteresttest.NewServer(nil)
	defer server.Close()
	conf := &pinterest.Config{ClientID: pinteresttest.DefaultAppID, ClientSecret: pinteresttest.DefaultAppSecret, Endpoint: server.Endpoint()}

	err := conf.Revoke(context.Background(), server.Login())
	if errors.Is(err, pinterest.ErrClientRejected) {
		fmt.Println("forget the token, and have the user disconnect the app")
	}
	// Output: forget the token, and have the user disconnect the app
}

// A Logger tells of renewals. It shows no secret.
func ExampleConfig_logger() {
	server := pinteresttest.NewServer(nil)
	defer server.Close()
	onlyWhat := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.MessageKey || a.Key == "op" {
			return a
		}
		return slog.Attr{}
	}
	conf := &pinterest.Config{
		ClientID:     pinteresttest.DefaultAppID,
		ClientSecret: pinteresttest.DefaultAppSecret,
		Endpoint:     server.Endpoint(),
		Logger:       slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: onlyWhat})),
	}
	ctx := context.Background()
	if _, err := conf.TokenSource(ctx, server.Login()).Refresh(ctx); err != nil {
		fmt.Println(err)
	}
	// Output: msg="pinterest: token renewed" op=refresh
}

// Programs that decide by x/oauth2's error go on to do so: by errors.As, as the
// error is not one, but wraps one.
func ExampleError_retrieveError() {
	server := pinteresttest.NewServer(nil)
	defer server.Close()
	conf := &pinterest.Config{ClientID: pinteresttest.DefaultAppID, ClientSecret: "another", Endpoint: server.Endpoint()}

	ctx := context.Background()
	_, err := conf.TokenSource(ctx, server.Login()).Refresh(ctx)
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		fmt.Println(refused.ErrorCode, refused.Response.StatusCode)
	}
	// Output: invalid_client 401
}

// NewClient answers a 401 by renewing the token and sending the request again.
func ExampleNewClient() {
	server := pinteresttest.NewServer(nil)
	defer server.Close()
	conf := &pinterest.Config{ClientID: pinteresttest.DefaultAppID, ClientSecret: pinteresttest.DefaultAppSecret, Endpoint: server.Endpoint()}

	ctx := context.Background()
	client := pinterest.NewClient(ctx, conf.TokenSource(ctx, server.Login()))
	server.ExpireAccess()
	resp, err := client.Get(server.URL + "/v5/boards")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

// A Transport sends the token only where it belongs, so that one client can
// serve for the API and for the storage that Pinterest has media uploaded to.
func ExampleTransport() {
	server := pinteresttest.NewServer(nil)
	defer server.Close()
	storage := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Printf("the storage sees %q\n", r.Header.Get("Authorization"))
	}))
	defer storage.Close()
	conf := &pinterest.Config{ClientID: pinteresttest.DefaultAppID, ClientSecret: pinteresttest.DefaultAppSecret, Endpoint: server.Endpoint()}
	client := &http.Client{
		Timeout:   time.Minute,
		Transport: &pinterest.Transport{Source: conf.TokenSource(context.Background(), server.Login())},
	}
	for _, url := range []string{server.URL + "/v5/boards", storage.URL} {
		resp, err := client.Get(url)
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
		fmt.Println(resp.Status)
	}
	// Output:
	// 200 OK
	// the storage sees ""
	// 200 OK
}
