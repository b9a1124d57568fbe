// Generated lists an account's boards by an API client that was generated from
// Pinterest's description of its API. It need not know of tokens: the HTTP client
// that it is given does.
//
//	go run ./examples/generated -fake
//
// For the real Pinterest, "pinterest login --store file:tokens" first.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/go-pinterest/pinterest/examples/generated/pinterestapi"
	"github.com/go-pinterest/pinterest/examples/internal/settings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "generated:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("generated", flag.ContinueOnError)
	fake := flags.Bool("fake", false, "use a fake Pinterest")
	dir := flags.String("store", "tokens", "where \"pinterest login --store file:DIR\" keeps tokens")
	account := flags.String("account", "default", "whose boards to list")
	if err := flags.Parse(args); err != nil {
		return err
	}
	to := settings.Open(*fake, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	defer to.Close()
	accounts, err := to.Accounts(ctx, *dir, *account)
	if err != nil {
		return err
	}
	defer func() { // or a token that is being renewed is lost
		end, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		err = errors.Join(err, accounts.Wait(end))
	}()

	// This line is all there is to it.
	api, err := pinterestapi.NewClientWithResponses(to.API+"/v5", pinterestapi.WithHTTPClient(accounts.Client(*account)))
	if err != nil {
		return err
	}
	user, err := api.GetUserAccountWithResponse(ctx)
	if err != nil {
		return err
	}
	if user.JSON200 == nil {
		return problem(user.Status(), user.JSONDefault)
	}
	fmt.Fprintf(out, "The boards of %s\n", zero(user.JSON200.Username))
	for board, err := range boards(ctx, api) {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s  %s, %d pins\n", zero(board.CreatedAt).Format(time.DateOnly), board.Name, zero(board.PinCount))
	}
	return nil
}

// boards reads the list to its end, page by page.
func boards(ctx context.Context, api *pinterestapi.ClientWithResponses) iter.Seq2[pinterestapi.Board, error] {
	return func(yield func(pinterestapi.Board, error) bool) {
		params := &pinterestapi.ListBoardsParams{PageSize: new(25)}
		for {
			page, err := api.ListBoardsWithResponse(ctx, params)
			if err == nil && page.JSON200 == nil {
				err = problem(page.Status(), page.JSONDefault)
			}
			if err != nil {
				yield(pinterestapi.Board{}, err)
				return
			}
			for _, b := range page.JSON200.Items {
				if !yield(b, nil) {
					return
				}
			}
			if params.Bookmark = page.JSON200.Bookmark; zero(params.Bookmark) == "" {
				return
			}
		}
	}
}

// problem is an answer that is not 200.
func problem(status string, said *pinterestapi.Error) error {
	if said == nil {
		return errors.New(status)
	}
	return fmt.Errorf("%s: %s (code %d)", status, said.Message, said.Code)
}

// zero is what p points at, or nothing: what may be missing is a pointer.
func zero[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
