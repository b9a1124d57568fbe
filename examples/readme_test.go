package examples

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheREADMEHasALineAndACommandForEachExample(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	mains, err := filepath.Glob("*/main.go")
	require.NoError(t, err)
	var there, told, run []string
	for _, main := range mains {
		there = append(there, filepath.Dir(main))
	}
	for _, m := range regexp.MustCompile(`(?m)^\| \[(\w+)\]\((\w+)\) \|`).FindAllSubmatch(readme, -1) {
		assert.Equal(t, string(m[1]), string(m[2]))
		told = append(told, string(m[1]))
	}
	for _, m := range regexp.MustCompile(`(?m)^\$ go run \./examples/(\w+)( -fake)?$`).FindAllSubmatch(readme, -1) {
		run = append(run, string(m[1]))
	}
	assert.Len(t, there, 7)
	assert.ElementsMatch(t, there, told)
	assert.ElementsMatch(t, there, run)
}
