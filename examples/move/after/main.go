// Move lists the boards of one account, with a token that is kept in a file. It was
// written with golang.org/x/oauth2, and now the token looks after itself.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/filestore"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "move:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	file := flag.String("token", "token.json", "the file in which the token was kept")
	dir := flag.String("tokens", "tokens", "the directory in which it is kept now")
	flag.Parse()
	api := "https://api.pinterest.com"
	conf := &pinterest.Config{
		ClientID:     os.Getenv("PINTEREST_APP_ID"),
		ClientSecret: os.Getenv("PINTEREST_APP_SECRET"),
		RedirectURL:  "http://localhost:8085/",
		Scopes:       []string{pinterest.ScopeBoardsRead, pinterest.ScopeUserAccountsRead},
	}
	if uri := os.Getenv("PINTEREST_API_URI"); uri != "" { // an emulator
		api, conf.Endpoint = uri, pinterest.Endpoint
		conf.Endpoint.TokenURL = uri + "/v5/oauth/token"
	}

	store, err := filestore.New(*dir)
	if err != nil {
		return err
	}
	accounts := &pinterest.Accounts{Config: conf, Store: store}
	defer func() { // a token that is being renewed when the process ends would be lost
		end, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		err = errors.Join(err, accounts.Wait(end))
	}()

	_, err = accounts.Load(ctx, "me")
	if errors.Is(err, fs.ErrNotExist) {
		var token *oauth2.Token
		token, err = load(*file) // once: what x/oauth2 wrote is good
		if errors.Is(err, fs.ErrNotExist) {
			token, err = login(ctx, conf)
		}
		if err == nil {
			err = accounts.Save(ctx, "me", token)
		}
		if err == nil {
			_ = os.Remove(*file) // if it is there: the next renewal makes it worthless
		}
	}
	if err != nil {
		return err
	}
	client := accounts.Client("me")
	return list(client, api)
}

// login has the user paste the code of the page that Pinterest sends them to.
func login(ctx context.Context, conf *pinterest.Config) (*oauth2.Token, error) {
	fmt.Println("open this page:", conf.AuthCodeURL(rand.Text()))
	fmt.Print("and paste the code: ")
	lines := bufio.NewScanner(os.Stdin)
	lines.Scan()
	return conf.Exchange(ctx, lines.Text())
}

func load(file string) (*oauth2.Token, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return pinterest.UnmarshalToken(data)
}

func list(client *http.Client, api string) error {
	resp, err := client.Get(api + "/v5/boards")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New("boards: " + resp.Status)
	}
	var boards struct{ Items []struct{ Name string } }
	if err := json.NewDecoder(resp.Body).Decode(&boards); err != nil {
		return err
	}
	for _, b := range boards.Items {
		fmt.Println(b.Name)
	}
	return nil
}
