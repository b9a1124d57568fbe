package api

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

const testAPI = "https://api.pinterest.test/v5"

func TestAPathOfTheAPIIsTakenInEveryFormThatUsersHaveSeen(t *testing.T) {
	for path, want := range map[string]string{
		"user_account":            testAPI + "/user_account",
		"/user_account":           testAPI + "/user_account",
		"v5/user_account":         testAPI + "/user_account",
		"/v5/user_account":        testAPI + "/user_account",
		testAPI + "/user_account": testAPI + "/user_account",
		"https://API.pinterest.test/v5/user_account": "https://API.pinterest.test/v5/user_account",
		"boards?page_size=5&bookmark=a%2Bb==":        testAPI + "/boards?bookmark=a%2Bb%3D%3D&page_size=5",
		"search/pins?term=köln dom":                  testAPI + "/search/pins?term=k%C3%B6ln+dom",
		"boards/a%2Fb/pins":                          testAPI + "/boards/a%2Fb/pins",
		"boards/1/pins?next=https://evil.test/":      testAPI + "/boards/1/pins?next=https%3A%2F%2Fevil.test%2F",
		"v5x":                                        testAPI + "/v5x",
		"@evil.test/x":                               testAPI + "/@evil.test/x",
		`\\evil.test\x`:                              testAPI + "/%5C%5Cevil.test%5Cx",
		"///evil.test/x":                             testAPI + "///evil.test/x",
	} {
		u, err := apiURL(testAPI, path)
		if assert.NoError(t, err, path) {
			assert.Equal(t, want, u.String(), path)
		}
	}
}

func TestAPathBehindAServerWithAPathOfItsOwn(t *testing.T) {
	for _, path := range []string{"user_account", "/v5/user_account", "v5/user_account"} {
		u, err := apiURL("https://proxy.test/pinterest/v5", path)
		require.NoError(t, err)
		assert.Equal(t, "https://proxy.test/pinterest/v5/user_account", u.String())
	}
}

func TestNoOtherHostIsCalledWithTheAccountsToken(t *testing.T) {
	for _, path := range []string{
		"https://evil.test/v5/user_account",
		"https://api.pinterest.test.evil.test/v5/user_account",
		"https://api.pinterest.test@evil.test/v5/user_account",
		"https://me@api.pinterest.test/v5/user_account",
		"https://api.pinterest.test:8443/v5/user_account",
		"http://api.pinterest.test/v5/user_account",
		"//evil.test/v5/user_account",
		"evil.test:443/v5/user_account",
		"file:///etc/passwd",
		"C:/Program Files/Git/user_account", // what Git's shell on Windows makes of /user_account
	} {
		_, err := apiURL(testAPI, path)
		require.Error(t, err, path)
		assert.Equal(t, say.StatusUsage, say.ExitStatus(err), path)
		assert.ErrorContains(t, err, "the token goes nowhere else")
	}
}

func TestAPathStaysWithinTheAPI(t *testing.T) {
	for _, path := range []string{"..", "../oauth/", "boards/../user_account", "boards/%2e%2E/pins", "boards/a%2F../pins", testAPI + "/../oauth/"} {
		_, err := apiURL(testAPI, path)
		assert.Equal(t, say.StatusUsage, say.ExitStatus(err), path)
	}
	for _, path := range []string{"boards/a..b", "boards/...", "search/pins?term=../x"} {
		_, err := apiURL(testAPI, path)
		assert.NoError(t, err, path)
	}
}

func TestAPathThatCouldNotBeSentAsItIsIsRefused(t *testing.T) {
	for _, path := range []string{"search/pins?term=a#b", "boards/%zz", "boards?a=%zz", "boards\n"} {
		_, err := apiURL(testAPI, path)
		assert.Equal(t, say.StatusUsage, say.ExitStatus(err), path)
	}
}
