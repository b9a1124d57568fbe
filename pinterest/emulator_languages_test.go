package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// run runs a program of a copy of an example, and returns what it says.
func run(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), program, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "CI=1", "NO_COLOR=1")
	out, err := c.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

func copyOf(t *testing.T, example string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("..", "examples", example))))
	return dir
}

// needs returns the first of the programs that is there.
func needs(t *testing.T, hint string, programs ...string) string {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err == nil {
			return program
		}
	}
	t.Skip(programs[0] + " is missing: " + hint)
	return ""
}

func TestAnAppInPythonIsTestedAgainstTheEmulator(t *testing.T) {
	pytest := needs(t, "apt-get install python3-pytest, or pip install pytest", "pytest-3", "pytest")
	assert.Contains(t, run(t, copyOf(t, "testing-python"), pytest, "-p", "no:cacheprovider"), "4 passed")
}

func TestAnAppInJavaScriptIsTestedAgainstTheEmulator(t *testing.T) {
	npm := needs(t, "apt-get install npm, or see https://nodejs.org", "npm")
	dir := copyOf(t, "testing-javascript")
	run(t, dir, npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	assert.Contains(t, run(t, dir, npm, "test"), "3 passed")
}
