package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/accounts"
	"github.com/go-pinterest/pinterest/pinterest/internal/api"
)

func newAPI() *cobra.Command {
	var a api.Call
	var name, store string
	c := &cobra.Command{
		Use:   "api [METHOD] PATH",
		Short: "Call Pinterest's API",
		Long: `Call Pinterest's API with an account's token, and print the answer.

PATH is a path of the API, such as user_account or /v5/boards?page_size=5, and
METHOD is GET, or POST if there are fields or --input. The paths are listed on
https://developers.pinterest.com/docs/api/v5/.

Fields make up the JSON body of POST, PUT and PATCH, and with other methods or
--input they are added to the query.

  -f key=value   the value is text: right for ids, which Pinterest has as text
  -F key=value   the value is JSON if it looks like that: true, null, a number,
                 or what is nested, as in tags=["a","b"]; of @FILE it is the
                 content of the file, of @- that of standard input; anything
                 else is text

Lists come in pages. With --paginate, which makes GET the method, all of them
are printed, each an object of its own as it comes; what jq does with one page
it does with all. Fewer calls are needed if pages are large, as with
-F page_size=250. --jq needs no jq installed.

An answer that is not a success goes to standard output all the same, and what
it means to standard error. The exit status is 1 then, or 3 if the account has
to log in again.`,
		Example: `  pinterest api user_account
  pinterest api boards --paginate -F page_size=250 --jq '.items[].name'
  pinterest api boards -f name=Kitchens -f privacy=SECRET
  pinterest api POST pins -f board_id=5498 -f title=Oak \
    -F 'media_source={"source_type":"image_url","url":"https://example.com/oak.jpg"}'
  pinterest api PATCH pins/8137 --input changes.json
  pinterest api DELETE boards/5498`,
		DisableFlagsInUseLine: true,
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.Check(args); err != nil {
				return err
			}
			return useAccount(c, store, name, func(of *accounts.Account) error {
				access, err := accessTo(c.Context(), of)
				if err != nil {
					return err
				}
				return accounts.Advise(a.Run(c.Context(), access, c.InOrStdin(), c.OutOrStdout()), of.Login())
			})
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringArrayVarP(&a.Text, "raw-field", "f", nil, "add a field: `key=value`, which is text")
	f.StringArrayVarP(&a.Typed, "field", "F", nil, "add a field: `key=value`, which is what it looks like")
	f.StringVar(&a.Input, "input", "", "send this `file` as the body, - for standard input")
	f.BoolVar(&a.Paginate, "paginate", false, "print all pages of a list")
	f.StringVar(&a.JQ, "jq", "", "print what this jq `filter` makes of the answer, like '.items[].name'")
	f.BoolVarP(&a.Include, "include", "i", false, "print the answer's status and headers, too")
	accountFlag(c, &name)
	storeFlag(c, &store)
	return c
}

// accessTo returns what it takes to call the API as the account.
func accessTo(ctx context.Context, a *accounts.Account) (api.Access, error) {
	src, err := a.Source(ctx, false)
	if err != nil {
		return api.Access{}, err
	}
	_, problem, err := a.Config()
	return api.Access{
		Client:  pinterest.NewClient(ctx, src),
		BaseURL: a.Server().API(),
		Login:   a.Login(),
		Renew: func(ctx context.Context) error {
			if problem != nil {
				return problem
			}
			_, err := src.Refresh(ctx)
			return accounts.Advise(err, a.Login())
		},
	}, err
}
