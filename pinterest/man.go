package main

import (
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

func newMan() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "man [COMMAND]",
		Short: "Print a manual page",
		Long: `Print the manual page of this program or of one of its commands. With --dir, write
all pages into a directory that man reads; it is made if it is not there.`,
		Example: `  pinterest man login | man -l -
  pinterest man --dir ~/.local/share/man/man1`,
		RunE: func(c *cobra.Command, args []string) error {
			about, rest, err := c.Root().Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return unknownCommand(about, rest[0])
			}
			if dir == "" {
				return printPage(about, c.OutOrStdout())
			}
			if len(args) > 0 {
				return say.WrongUsage("--dir is for the pages of all commands", "leave out "+args[0])
			}
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			return writePages(c.Root(), dir)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "write the pages of all commands into this directory")
	return c
}

func printPage(c *cobra.Command, w io.Writer) error {
	c.DisableAutoGenTag = true
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = new(debug.BuildInfo)
	}
	return doc.GenMan(c, &doc.GenManHeader{Section: "1", Date: builtFrom(info), Source: "pinterest " + moduleVersion(info), Manual: "pinterest"}, w)
}

// builtFrom returns the time of the source that the program was built from, so
// that its pages are the same whenever they are printed; nil if it is not known.
func builtFrom(info *debug.BuildInfo) *time.Time {
	for _, s := range info.Settings {
		if at, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
			return &at
		}
	}
	return nil
}

// writePages writes the page of c, and those of the commands below it.
func writePages(c *cobra.Command, dir string) error {
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			if err := writePages(sub, dir); err != nil {
				return err
			}
		}
	}
	file, err := os.Create(filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1"))
	if err != nil {
		return err
	}
	defer file.Close()
	if err := printPage(c, file); err != nil {
		return err
	}
	return file.Close()
}
