package signin

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/cli/browser"
)

// openPage shows the page, and may return only when the browser ends.
func openPage(page string) error {
	if list := os.Getenv("BROWSER"); list != "" {
		return openBy(list, page)
	}
	// Standard output is for data, and what a browser says is for nobody.
	browser.Stdout, browser.Stderr = io.Discard, io.Discard
	return browser.OpenURL(page)
}

// openBy shows the page by the first of the commands in $BROWSER that can: they are
// separated by colons, and %s in one stands for the page, which else is its last word.
func openBy(list, page string) error {
	var failed error
	for line := range strings.SplitSeq(list, string(os.PathListSeparator)) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if !strings.Contains(line, "%s") {
			words = append(words, page)
		}
		for i := range words[1:] {
			words[i+1] = strings.ReplaceAll(words[i+1], "%s", page)
		}
		err := exec.Command(words[0], words[1:]...).Run()
		if err == nil {
			return nil
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

// Where a browser that is opened may be on another machine than the user, or not be there at all.
const (
	here      = ""
	overSSH   = "an SSH session"
	container = "a container"
	underWSL  = "WSL"
)

func place() string {
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return os.Getenv(name) != "" })
	}
	exists := func(file string) bool {
		_, err := os.Stat(file)
		return err == nil
	}
	switch {
	case has("SSH_CONNECTION", "SSH_TTY"):
		return overSSH
	case has("WSL_DISTRO_NAME", "WSL_INTEROP"):
		return underWSL
	case has("REMOTE_CONTAINERS", "CODESPACES", "KUBERNETES_SERVICE_HOST", "container"), exists("/.dockerenv"), exists("/run/.containerenv"):
		return container
	}
	return here
}
