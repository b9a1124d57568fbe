package accounts

import (
	"fmt"
	"os"
	"strings"
	"unicode"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// The environment variables. Pinterest's own sample clients have the first four, too.
const (
	EnvAppID     = "PINTEREST_APP_ID"
	EnvAppSecret = "PINTEREST_APP_SECRET"
	EnvAPI       = "PINTEREST_API_URI"
	EnvOAuth     = "PINTEREST_OAUTH_URI"
	EnvStore     = "PINTEREST_STORE"
	EnvAccount   = "PINTEREST_ACCOUNT"
)

// NameOfEnv returns the name of the account that is meant where nobody names one.
func NameOfEnv() string {
	if name := strings.TrimSpace(os.Getenv(EnvAccount)); name != "" {
		return name
	}
	return DefaultName
}

// AppOfEnv returns the app's id and secret, each empty if the environment has none.
func AppOfEnv() (id, secret string, err error) {
	if id, err = Clean(EnvAppID, os.Getenv(EnvAppID)); err != nil {
		return "", "", err
	}
	secret, err = Clean(EnvAppSecret, os.Getenv(EnvAppSecret))
	return id, secret, err
}

// secretOfEnv returns the secret in the environment if it may be that of the app.
func secretOfEnv(appID string) string {
	id, secret, err := AppOfEnv()
	if err != nil || id != "" && id != appID {
		return ""
	}
	return secret
}

// Clean returns the value that somebody set or typed without the white space around
// it. A character inside that nobody sees, and Pinterest would take for a part of
// the value, is an error.
func Clean(name, value string) (string, error) {
	value = strings.TrimSpace(value)
	for _, r := range value {
		if r != ' ' && !unicode.IsPrint(r) {
			return "", say.WrongUsage(fmt.Sprintf("%s holds %s", name, unseen(r)), "copy it again from https://developers.pinterest.com/apps/, without what is around it")
		}
	}
	return value, nil
}

// unseen names a character that nobody sees.
func unseen(r rune) string {
	names := map[rune]string{'\t': "a tab", '\n': "a line feed", '\r': "a carriage return", 0x1b: "an escape character", 0xa0: "a no-break space", 0x200b: "a zero width space", 0xfeff: "a byte order mark"}
	name, known := names[r]
	switch {
	case known:
	case unicode.IsControl(r):
		name = "a control character"
	default:
		name = "a character that cannot be seen"
	}
	return fmt.Sprintf("%s (%U)", name, r)
}
