package main

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/go-pinterest/pinterest/login"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

func TestThePastedAddressMustHaveTheState(t *testing.T) {
	for pasted, want := range map[string]string{
		"http://localhost:8085/?code=c&state=right":              "c",
		"https://example.com/cb?x=y&code=c&state=right#":         "c",
		"http://localhost:8085/?state=right&code=c":              "c",
		"?code=c&state=right":                                    "c",
		"http://localhost:8085/?code=c":                          "",
		"http://localhost:8085/?code=c&state=wrong":              "",
		"http://localhost:8085/?state=right":                     "",
		"http://localhost:8085/?error=access_denied&state=right": "",
		"c": "", "": "", "?%zz": "",
	} {
		code, err := codeOf(pasted, "right")
		assert.Equal(t, want, code, pasted)
		assert.Equal(t, want == "", err != nil, pasted)
		var f *say.Failure
		assert.True(t, err == nil || errors.Is(err, login.ErrDenied) || errors.As(err, &f) && f.Hint != "", pasted)
	}
	_, err := codeOf("?error=access_denied&state=right", "right")
	assert.ErrorIs(t, err, login.ErrDenied)
}
