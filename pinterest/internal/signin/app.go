package signin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/go-pinterest/pinterest/pinterest/internal/accounts"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// app returns the app's id and secret: from the environment, or else as the user
// types them in, in which case typed is set.
func (l *Login) app(ctx context.Context) (id, secret string, typed bool, err error) {
	id, secret, err = accounts.AppOfEnv()
	if err != nil || id != "" && secret != "" {
		return id, secret, false, err
	}
	tty, ok := l.In.(*os.File)
	if !ok || !term.IsTerminal(int(tty.Fd())) {
		return "", "", false, say.WrongUsage("the app is not known: "+accounts.EnvAppID+" and "+accounts.EnvAppSecret+" are not both set, and there is no terminal to ask on",
			"set both; they are shown on https://developers.pinterest.com/apps/")
	}
	if id == "" {
		fmt.Fprint(l.Told, say.Prefix+"app id, as shown on https://developers.pinterest.com/apps/: ")
		if id, err = readLine(ctx, tty, "it is shown on https://developers.pinterest.com/apps/"); err != nil {
			return "", "", false, err
		}
	}
	if id, err = accounts.Clean("the app id", id); err != nil {
		return "", "", false, err
	}
	fmt.Fprint(l.Told, say.Prefix+"app secret key of app "+id+" (it is not shown, and kept with the token): ")
	if secret, err = readSecret(ctx, tty); err != nil {
		return "", "", false, err
	}
	fmt.Fprintln(l.Told)
	if secret, err = accounts.Clean("the app secret key", secret); err != nil {
		return "", "", false, err
	}
	if id == "" || secret == "" {
		return "", "", false, say.WithHint(errors.New("the app id and its secret must not be empty"), "both are shown on https://developers.pinterest.com/apps/")
	}
	return id, secret, true, nil
}

// readSecret reads a line without showing it. If ctx ends, the terminal shows
// again what is typed.
func readSecret(ctx context.Context, tty *os.File) (string, error) {
	before, err := term.GetState(int(tty.Fd()))
	if err != nil {
		return "", err
	}
	type line struct {
		text []byte
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(int(tty.Fd()))
		read <- line{text, err}
	}()
	select {
	case l := <-read:
		return strings.TrimSpace(string(l.text)), l.err
	case <-ctx.Done():
		_ = term.Restore(int(tty.Fd()), before)
		return "", ctx.Err()
	}
}

// readLine reads a line, no longer than ctx lasts. The hint is for when none comes.
func readLine(ctx context.Context, r io.Reader, hint string) (string, error) {
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(io.LimitReader(r, 64<<10)).ReadString('\n')
		if err == io.EOF && text != "" {
			err = nil
		}
		read <- line{strings.TrimSpace(text), err}
	}()
	select {
	case l := <-read:
		if l.err == io.EOF {
			return "", say.WithHint(errors.New("standard input ended before anything came"), hint)
		}
		return l.text, l.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
