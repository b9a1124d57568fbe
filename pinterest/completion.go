package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/go-pinterest/pinterest/pinterest/internal/accounts"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
	"github.com/go-pinterest/pinterest/pinterest/internal/signin"
)

func newCompletion() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a script that completes this program's commands in a shell",
		Long: `Print a script that completes this program's commands and flags in a shell: bash,
zsh, fish or powershell. The shell has to read it at its start.`,
		Example: `  source <(pinterest completion bash)     # in ~/.bashrc, with the package bash-completion
  source <(pinterest completion zsh)      # in ~/.zshrc, after compinit
  pinterest completion fish | source      # in ~/.config/fish/config.fish
  pinterest completion powershell | Out-String | Invoke-Expression`,
		DisableFlagsInUseLine: true,
		ValidArgs:             shells,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 1 && slices.Contains(shells, args[0]) {
				return nil
			}
			hint := "name one of " + strings.Join(shells, ", ")
			if len(args) == 1 {
				return say.WrongUsage(fmt.Sprintf("there is no completion for %q", args[0]), hint)
			}
			return say.WrongUsage(c.CommandPath()+" takes the name of one shell", hint)
		},
		RunE: func(c *cobra.Command, args []string) error {
			root, w := c.Root(), c.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(w, true)
			case "zsh":
				return root.GenZshCompletion(w)
			case "fish":
				return root.GenFishCompletion(w, true)
			default:
				return root.GenPowerShellCompletionWithDesc(w)
			}
		},
	}
}

// completeAccounts completes the names of the accounts that are logged in.
func completeAccounts(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	store := ""
	if f := c.Flag("store"); f != nil {
		store = f.Value.String()
	}
	v, err := accounts.Open(c.Context(), io.Discard, store, false)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	defer v.Close()
	names, err := v.Names(c.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeScopes completes a list of scopes.
func completeScopes(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	before := begun[:strings.LastIndexByte(begun, ',')+1]
	taken := strings.Split(before, ",")
	var lists []string
	for _, s := range signin.KnownScopes {
		if !slices.Contains(taken, s) {
			lists = append(lists, before+s)
		}
	}
	return lists, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}
