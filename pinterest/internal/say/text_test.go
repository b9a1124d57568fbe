package say

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAShellTakesAWordAsItIs(t *testing.T) {
	assert.Equal(t, "http://127.0.0.1:8086", ShellWord("http://127.0.0.1:8086"))
	assert.Equal(t, "'http://[::1]:8086'", ShellWord("http://[::1]:8086"))
	assert.Equal(t, `'it'\''s'`, ShellWord("it's"))
}

func TestWhatOthersSayTakesOneLine(t *testing.T) {
	assert.Equal(t, "a [2Jb", OneLine(" a\n\x1b[2Jb\u009b"))
	assert.Equal(t, strings.Repeat("é", 300)+"…", OneLine(strings.Repeat("é", 1000)))
}

func TestJSONIsLaidOutAndChangesNoText(t *testing.T) {
	var b strings.Builder
	require.NoError(t, JSON(&b, map[string]string{"a": "<&>"}))
	assert.Equal(t, "{\n  \"a\": \"<&>\"\n}\n", b.String())
}
