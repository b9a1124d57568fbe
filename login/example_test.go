package login_test

import (
	"context"
	"fmt"
	"net/http"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/login"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

func ExampleHandler() {
	accounts := &pinterest.Accounts{
		Config: &pinterest.Config{
			ClientID:     "app id",
			ClientSecret: "app secret key",
			RedirectURL:  "https://example.com/pinterest/callback", // as it is registered for the app
			Scopes:       []string{pinterest.ScopeUserAccountsRead},
		},
		Store: pinterest.NewMemoryStore(),
	}
	handler := &login.Handler{
		Config: accounts.Config,
		Done: func(w http.ResponseWriter, r *http.Request, t *oauth2.Token, err error) {
			if err == nil {
				err = accounts.Save(r.Context(), "alice", t) // under the name of who is signed in
			}
			if err != nil {
				http.Error(w, "the login did not work, please try again", http.StatusBadGateway)
				return
			}
			http.Redirect(w, r, "/", http.StatusSeeOther)
		},
	}
	http.HandleFunc("/login", handler.Start)
	http.HandleFunc("/pinterest/callback", handler.Callback)
}

func ExampleLoopback() {
	fake := pinteresttest.NewServer(&pinteresttest.Handler{AutoApprove: true})
	defer fake.Close()
	conf := &pinterest.Config{
		ClientID:     pinteresttest.DefaultAppID,
		ClientSecret: pinteresttest.DefaultAppSecret,
		Endpoint:     fake.Endpoint(), // leave it out for Pinterest's own
		RedirectURL:  "http://localhost:8085/",
		Scopes:       []string{pinterest.ScopeUserAccountsRead},
	}
	token, err := login.Loopback(context.Background(), conf, func(page string) error {
		fmt.Println("open this page in your browser") // or have a library open it
		resp, err := http.Get(page)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	})
	fmt.Println(token.Valid(), err)
	// Output:
	// open this page in your browser
	// true <nil>
}
