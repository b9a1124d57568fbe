// Command pinterest logs in to Pinterest once and hands out tokens that are good
// ever after, shows what the pinterest library does, and serves a fake Pinterest
// to try it on. "pinterest help" lists its commands.
package main

import (
	"context"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	out := &say.Output{File: os.Stdout}
	root := newRoot()
	root.SetOut(out)
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = out.Err
	}
	if err != nil {
		say.Error(os.Stderr, err)
	}
	os.Exit(say.ExitStatus(err))
}

func newRoot() *cobra.Command {
	var version bool
	root := &cobra.Command{
		Use:   "pinterest",
		Short: "Make Pinterest tokens look after themselves",
		Long: `Make Pinterest tokens look after themselves.

Begin with "pinterest demo": it shows the whole life of a token in fifteen
seconds, and needs neither an account nor the network. "pinterest login" logs in
to Pinterest itself, and from then on "pinterest token" has a good token, and
"pinterest api" calls the API with it.

Standard output is for data, all else goes to standard error. The exit status is
0 if it is done, 1 if it failed, 2 if this program was called wrongly, and 3 if
only another login helps.`,
		Args:          cobra.ArbitraryArgs, // so that RunE gets to name the nearest command
		SilenceErrors: true,
		SilenceUsage:  true,

		SuggestionsMinimumDistance: 2,
		PersistentPreRunE:          noEmptyFlag,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(c, args[0])
			}
			if version {
				return printVersion(c.OutOrStdout())
			}
			c.SetOut(c.ErrOrStderr())
			if err := c.Help(); err != nil {
				return err
			}
			return &say.Failure{Status: say.StatusUsage}
		},
	}
	root.Flags().BoolVar(&version, "version", false, "print what \"pinterest version\" prints")
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if args := c.Flags().Args(); !c.HasParent() && len(args) > 0 { // the flag was meant for that command
			return unknownCommand(c, args[0])
		}
		return say.WrongUsage(err.Error(), `"`+c.CommandPath()+` --help" lists its flags`)
	})
	// The root runs only to explain itself; its usage need not say that it can.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if and .Runnable .HasParent}}", 1))
	root.SetHelpCommand(newHelp())
	root.AddCommand(
		newLogin(), newToken(), newAPI(), newStatus(), newRefresh(), newKeepalive(), newLogout(),
		newDemo(), newEmulator(), newCompletion(), newMan(), newVersion(), newEnvironment(),
	)
	return root
}

// noArguments is the Args of a command that takes flags alone.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return say.WrongUsage(c.CommandPath()+` takes no arguments, and got "`+args[0]+`"`, `"`+c.CommandPath()+` --help" shows how to call it`)
}

// noEmptyFlag refuses a flag that was given and says nothing, as of a variable that
// is not set: it would be taken for one that was not given.
func noEmptyFlag(c *cobra.Command, _ []string) (err error) {
	c.Flags().Visit(func(f *pflag.Flag) {
		if f.Value.Type() == "string" && f.Value.String() == "" {
			err = say.WrongUsage("--"+f.Name+" is empty", "give it a value, or leave it out")
		}
	})
	return err
}
