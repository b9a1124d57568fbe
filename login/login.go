// Package login logs users in to Pinterest: those of a web app by a [Handler],
// and the user of a program with a browser beside it by [Loopback].
//
//	handler := &login.Handler{Config: conf, Done: done}
//	http.HandleFunc("/login", handler.Start)
//	http.HandleFunc("/pinterest/callback", handler.Callback) // conf.RedirectURL leads here
//
// Each login has a state of its own, which nobody can guess: it is what keeps
// somebody else from having a user come back with a code that is not theirs.
package login

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/internal/wire"
)

var (
	// ErrDenied is the error of a user who said no.
	ErrDenied = errors.New("the user did not allow it")

	// ErrForeign is the error of a callback that belongs to no login that was begun
	// here: by this browser, less than half an hour ago, and not answered yet.
	ErrForeign = errors.New("the callback belongs to no login that was begun here")
)

// check finds fault with what the user would else be bothered for in vain.
func check(c *pinterest.Config) error {
	if c == nil {
		return errors.New("login: the Config is nil")
	}
	const shown = ": set it to what Pinterest's developer page shows for the app"
	for _, field := range []struct{ name, value, such string }{
		{"ClientID", c.ClientID, ""}, {"ClientSecret", c.ClientSecret, ""}, {"RedirectURL", c.RedirectURL, ", such as http://localhost:8085/"},
	} {
		switch {
		case field.value == "":
			return errors.New("login: Config." + field.name + " is empty" + shown)
		case strings.ContainsFunc(field.value, wire.Unseen):
			return errors.New("login: Config." + field.name + " holds white space or a character that cannot be seen" + shown + field.such)
		}
	}
	return nil
}

var errorWord = regexp.MustCompile(`^[a-z_]{1,40}$`)

// codeIn returns the code among the parameters of a callback whose state is right.
func codeIn(q url.Values) (string, error) {
	switch word := q.Get("error"); {
	case word == "access_denied":
		return "", fmt.Errorf("login: %w", ErrDenied)
	case errorWord.MatchString(word):
		return "", fmt.Errorf("login: Pinterest ended the login with the error %s", word)
	case word != "":
		return "", errors.New("login: Pinterest ended the login with an error")
	case q.Get("code") == "":
		return "", errors.New("login: Pinterest ended the login without a code")
	}
	return q.Get("code"), nil
}
