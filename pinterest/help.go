package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:                   "help [COMMAND]",
		Short:                 "Explain this program, or one of its commands",
		DisableFlagsInUseLine: true,
		RunE: func(c *cobra.Command, args []string) error {
			about, rest, err := c.Root().Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return unknownCommand(about, rest[0])
			}
			about.InitDefaultHelpFlag() // or else help would not mention it
			return about.Help()
		},
	}
}

// unknownCommand names the command that was meant, if one is near.
func unknownCommand(parent *cobra.Command, name string) error {
	message := fmt.Sprintf("there is no command %q", name)
	near := parent.SuggestionsFor(name)
	if begun := slices.DeleteFunc(slices.Clone(near), func(s string) bool { return !strings.HasPrefix(s, name) }); len(begun) > 0 {
		near = begun // an abbreviation is nearer than a slip of the finger
	}
	for i := range near {
		near[i] = fmt.Sprintf("%q", near[i])
	}
	if len(near) > 0 {
		message += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return say.WrongUsage(message, fmt.Sprintf(`"%s help" lists the commands`, parent.Root().Name()))
}
