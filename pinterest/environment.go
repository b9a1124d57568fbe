package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/go-pinterest/pinterest/pinterest/internal/accounts"
)

// environment lists the variables that this program reads.
var environment = [][2]string{
	{accounts.EnvAppID, "the id of the app, as https://developers.pinterest.com/apps/ shows it"},
	{accounts.EnvAppSecret, "its secret key; one that is typed in is kept, this one is not"},
	{accounts.EnvAccount, "the account to use where --account does not say; status shows all"},
	{accounts.EnvStore, "where accounts are kept, as --store says, with a password if need be"},
	{accounts.EnvStoreKey, "the keys of a store that is sealed, in base64 or hex, with commas between them: the first seals, all open"},
	{accounts.EnvAPI, "another server than Pinterest's, such as http://127.0.0.1:8086; /v5 may follow"},
	{accounts.EnvOAuth, "where that server has its authorize page"},
	{"BROWSER", "what opens a page: commands with colons between them, in which %s stands for the page"},
	{"SSL_CERT_FILE", "certificates to trust, if a proxy of yours stands between (not on macOS and Windows)"},
	{"HTTPS_PROXY, NO_PROXY", "the proxy to go through, and for which hosts not"},
	{"NO_COLOR, TERM", "NO_COLOR turns colours off, and TERM=dumb all that moves"},
}

// newEnvironment returns what "pinterest help environment" explains: no command.
func newEnvironment() *cobra.Command {
	var text strings.Builder
	text.WriteString("The environment variables that this program reads. Those of the app and the server\nhave the names that Pinterest's own samples give them.\n\n")
	for _, v := range environment {
		fmt.Fprintf(&text, "  %-22s %s\n", v[0], v[1])
	}
	text.WriteString("\nAn account has one server, which issued its token: a variable that names another is\nan error before anything is sent.")
	return &cobra.Command{Use: "environment", Short: "The environment variables that this program reads", Long: text.String()}
}
