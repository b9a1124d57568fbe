package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheTestsThatTheDocsShowAreThoseOfTheExamples(t *testing.T) {
	docs, err := os.ReadFile(filepath.Join("..", "docs", "testing.md"))
	require.NoError(t, err)
	for language, example := range map[string]string{"python": "testing-python/test_app.py", "js": "testing-javascript/app.test.js"} {
		code, err := os.ReadFile(filepath.Join("..", "examples", filepath.FromSlash(example)))
		require.NoError(t, err)
		fence := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindSubmatch(docs)
		require.NotNil(t, fence, language)
		assert.Contains(t, string(code), string(fence[1]))
	}
}
