package login_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/login"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// A web app logs its users in. Here a fake Pinterest stands in, whose users always
// say yes, and a client with a cookie jar for the browser.
func ExampleHandler() {
	fake := pinteresttest.NewServer(&pinteresttest.Handler{AutoApprove: true})
	defer fake.Close()
	mux := http.NewServeMux()
	app := httptest.NewServer(mux)
	defer app.Close()

	accounts := &pinterest.Accounts{
		Config: &pinterest.Config{
			ClientID:     pinteresttest.DefaultAppID,
			ClientSecret: pinteresttest.DefaultAppSecret,
			Endpoint:     fake.Endpoint(),                 // leave it out for Pinterest's own
			RedirectURL:  app.URL + "/pinterest/callback", // as it is registered for the app
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
			fmt.Fprintln(w, "you are connected")
		},
	}
	mux.HandleFunc("/login", handler.Start)
	mux.HandleFunc("/pinterest/callback", handler.Callback)

	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar}
	resp, err := browser.Get(app.URL + "/login")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	page, _ := io.ReadAll(resp.Body)
	fmt.Print(string(page))
	token, err := accounts.Load(context.Background(), "alice")
	fmt.Println(token.Valid(), err)
	// Output:
	// you are connected
	// true <nil>
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
