package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheTokenGoesFromTheProgramBeforeToTheOneAfter(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	assert.Equal(t, `before: a user logs in: 25 boards
before: the next day, the access token has expired: 25 boards
after: it goes on with the same token: 25 boards
after: the next day, the access token has expired: 25 boards
1 logins, 4 renewals, 0 replays
`, out.String())
}

func TestTheDiffIsThatOfTheTwoPrograms(t *testing.T) {
	want, err := os.ReadFile("move.diff")
	require.NoError(t, err)
	got, err := exec.CommandContext(t.Context(), "diff", "-u", "--label", "before/main.go", "--label", "after/main.go",
		filepath.Join("before", "main.go"), filepath.Join("after", "main.go")).Output()
	var differ *exec.ExitError
	require.True(t, errors.As(err, &differ) && differ.ExitCode() == 1, "diff: %v", err)
	assert.Equal(t, string(want), string(got), "run go generate ./move")
}
