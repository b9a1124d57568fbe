// Move lists the boards of one account, with a token that is kept in a file. It is
// a program as they are written with golang.org/x/oauth2.
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
	"sync"

	"golang.org/x/oauth2"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "move:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	file := flag.String("token", "token.json", "the file with the token")
	flag.Parse()
	api := "https://api.pinterest.com"
	conf := &oauth2.Config{
		ClientID:     os.Getenv("PINTEREST_APP_ID"),
		ClientSecret: os.Getenv("PINTEREST_APP_SECRET"),
		RedirectURL:  "http://localhost:8085/",
		Scopes:       []string{"boards:read,user_accounts:read"}, // Pinterest wants commas
		Endpoint: oauth2.Endpoint{
			AuthURL:   "https://www.pinterest.com/oauth/",
			TokenURL:  "https://api.pinterest.com/v5/oauth/token",
			AuthStyle: oauth2.AuthStyleInHeader,
		},
	}
	if uri := os.Getenv("PINTEREST_API_URI"); uri != "" { // an emulator
		api, conf.Endpoint.TokenURL = uri, uri+"/v5/oauth/token"
	}

	token, err := load(*file)
	if errors.Is(err, fs.ErrNotExist) {
		token, err = login(ctx, conf)
		if err == nil {
			err = save(*file, token)
		}
	}
	if err != nil {
		return err
	}
	client := oauth2.NewClient(ctx, &savingSource{
		source: conf.TokenSource(ctx, token),
		file:   *file,
		last:   token.AccessToken,
	})
	return list(client, api)
}

// login has the user paste the code of the page that Pinterest sends them to.
func login(ctx context.Context, conf *oauth2.Config) (*oauth2.Token, error) {
	fmt.Println("open this page:", conf.AuthCodeURL(rand.Text(), oauth2.SetAuthURLParam("continuous_refresh", "true")))
	fmt.Print("and paste the code: ")
	lines := bufio.NewScanner(os.Stdin)
	lines.Scan()
	return conf.Exchange(ctx, lines.Text(), oauth2.SetAuthURLParam("continuous_refresh", "true"))
}

// A savingSource saves each token that x/oauth2 has renewed.
type savingSource struct {
	source oauth2.TokenSource
	file   string
	mu     sync.Mutex
	last   string
}

func (s *savingSource) Token() (*oauth2.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	token, err := s.source.Token()
	if err != nil || token.AccessToken == s.last {
		return token, err
	}
	if err := save(s.file, token); err != nil {
		return nil, err
	}
	s.last = token.AccessToken
	return token, nil
}

func load(file string) (*oauth2.Token, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	token := new(oauth2.Token)
	return token, json.Unmarshal(data, token)
}

func save(file string, token *oauth2.Token) error {
	data, err := json.Marshal(token)
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
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
