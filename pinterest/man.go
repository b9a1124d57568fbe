package main

import (
	"bytes"
	"fmt"
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
	var page bytes.Buffer
	if err := doc.GenMan(c, &doc.GenManHeader{Section: "1", Date: builtFrom(info), Source: "pinterest " + moduleVersion(info), Manual: "pinterest"}, &page); err != nil {
		return err
	}
	const last = ".SH SEE ALSO\n"
	before, after, found := strings.Cut(page.String(), last)
	if found {
		after = last + after
	}
	_, err := io.WriteString(w, before+manSections()+after)
	return err
}

// manSections returns the sections that every page has and cobra knows nothing of.
func manSections() string {
	var b strings.Builder
	list := func(title string, items [][2]string) {
		fmt.Fprintf(&b, ".SH %s\n", title)
		for _, item := range items {
			fmt.Fprintf(&b, ".TP\n\\fB%s\\fP\n%s\n", item[0], strings.ReplaceAll(item[1], "\\", "\\\\"))
		}
		b.WriteString("\n")
	}
	list("ENVIRONMENT", environment)
	list("EXIT STATUS", [][2]string{
		{"0", "It is done."},
		{"1", "It failed."},
		{"2", "The program was called wrongly."},
		{"3", "Only another login helps."},
	})
	list("FILES", [][2]string{
		{"~/.config/pinterest", "where accounts are kept if no store is named; on macOS ~/Library/Application Support/pinterest, on Windows %AppData%\\pinterest"},
		{"~/.config/pinterest/apps", "the apps that they belong to, with secrets that were typed in"},
		{"~/.config/pinterest/keyring", "the names of accounts that are in the key ring of the system"},
	})
	return b.String()
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
