// What a stranger writes on the first evening: an app with users, and the tests of it.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/filestore"
	"github.com/go-pinterest/pinterest/login"
)

func main() {
	store, err := filestore.New("tokens")
	if err != nil {
		log.Fatal(err)
	}
	conf := &pinterest.Config{
		ClientID:     os.Getenv("PINTEREST_CLIENT_ID"),
		ClientSecret: os.Getenv("PINTEREST_CLIENT_SECRET"),
		RedirectURL:  "http://localhost:8085/callback",
		Scopes:       []string{pinterest.ScopeUserAccountsRead},
	}
	accounts := &pinterest.Accounts{Config: conf, Store: store}
	users := &login.Handler{Config: conf, Done: func(w http.ResponseWriter, r *http.Request, t *oauth2.Token, err error) {
		if err == nil {
			err = accounts.Save(r.Context(), "alice", t)
		}
		fmt.Fprintln(w, "connected:", err == nil)
	}}
	http.HandleFunc("/login", users.Start)
	http.HandleFunc("/callback", users.Callback)
	log.Fatal(http.ListenAndServe("localhost:8085", nil))
}
