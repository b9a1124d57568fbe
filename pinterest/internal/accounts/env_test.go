package accounts

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

func TestTheAppIsReadAsItIsMeant(t *testing.T) {
	t.Setenv(EnvAppID, " 1234567\r\n")
	t.Setenv(EnvAppSecret, "\u00a0a secret\n")
	id, secret, err := AppOfEnv()
	require.NoError(t, err)
	assert.Equal(t, "1234567", id)
	assert.Equal(t, "a secret", secret)
}

func TestACharacterThatNobodySeesIsToldByName(t *testing.T) {
	for inside, name := range map[string]string{
		"\r": "a carriage return (U+000D)", "\n": "a line feed (U+000A)", "\t": "a tab (U+0009)", "\x1b": "an escape character (U+001B)",
		"\x01": "a control character (U+0001)", "\ufeff": "a byte order mark (U+FEFF)", "\u200d": "a character that cannot be seen (U+200D)",
	} {
		t.Setenv(EnvAppID, "1234567")
		t.Setenv(EnvAppSecret, "ses"+inside+"ame")
		_, _, err := AppOfEnv()
		assert.EqualError(t, err, EnvAppSecret+" holds "+name)
		assert.Equal(t, say.StatusUsage, say.ExitStatus(err))
	}
}

func TestAServersURLMeansWhatItSays(t *testing.T) {
	for value, want := range map[string]string{
		"https://api.pinterest.com":            "production",
		"https://api.pinterest.com/":           "production",
		"https://api.pinterest.com/v5":         "production",
		"https://API.Pinterest.com/v5/":        "production",
		"https://api-sandbox.pinterest.com/v5": "sandbox",
		"http://127.0.0.1:8086/v5":             "http://127.0.0.1:8086",
		"https://example.com/proxy/v5":         "https://example.com/proxy",
		"https://example.com/pinterest-v5":     "https://example.com/pinterest-v5",
	} {
		t.Setenv(EnvOAuth, "")
		t.Setenv(EnvAPI, value)
		s, named, err := ServerOfEnv()
		require.NoError(t, err, value)
		assert.True(t, named)
		assert.Equal(t, want, s.Name(), value)
	}
}

func TestAnAccountBelongsToTheServerThatIssuedItsToken(t *testing.T) {
	issuedBy := func(host string) *oauth2.Token {
		return new(oauth2.Token).WithExtra(map[string]any{"issuer": host})
	}
	app := &App{ID: "1", API: "http://127.0.0.1:1/v5/oauth/token", OAuth: "http://127.0.0.1:1/oauth/"}
	for _, c := range []struct {
		token *oauth2.Token
		app   *App
		env   string
		want  string
		wrong bool
	}{
		{new(oauth2.Token), nil, "", "production", false},
		{new(oauth2.Token), nil, "http://127.0.0.1:1", "http://127.0.0.1:1", false}, // nobody knows better
		{issuedBy("api-sandbox.pinterest.com"), nil, "", "sandbox", false},
		{issuedBy("api-sandbox.pinterest.com"), nil, "https://api.pinterest.com/v5", "sandbox", true},
		{issuedBy("api.pinterest.com"), nil, "https://api.pinterest.com/v5", "production", false},
		{issuedBy("api.pinterest.com"), nil, "http://127.0.0.1:1", "production", true},
		{issuedBy("127.0.0.1:1"), app, "", "http://127.0.0.1:1", false},
		{new(oauth2.Token), app, "https://api.pinterest.com", "http://127.0.0.1:1", true},
		{issuedBy("api.pinterest.com"), app, "", "production", false}, // another program has logged in since
	} {
		t.Setenv(EnvOAuth, "")
		t.Setenv(EnvAPI, c.env)
		a := &Account{Name: "a", Token: c.token, App: c.app, store: emptyStore("memory")}
		assert.Equal(t, c.want, a.Server().Name(), c)
		assert.Equal(t, c.want, a.Report().Environment)
		conf, _, err := a.Config()
		assert.Equal(t, c.wrong, err != nil, c)
		if err == nil {
			assert.Equal(t, oauth2.Endpoint(a.Server()).TokenURL, conf.Endpoint.TokenURL)
		}
	}
}
