package main

import (
	"encoding/xml"
	"io"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAShortRunMeasuresEverythingAndWritesItDown(t *testing.T) {
	dir, out := t.TempDir(), new(strings.Builder)
	require.NoError(t, run(t.Context(), []string{"-short", "-dir", dir, "-note", "a test"}, out, log.New(t.Output(), "", 0)))

	written, err := os.ReadFile(filepath.Join(dir, "results.md"))
	require.NoError(t, err)
	assert.Equal(t, out.String(), string(written))
	assert.Contains(t, out.String(), "a test.")
	for _, m := range measures {
		assertSVG(t, filepath.Join(dir, m.name+".svg"))
	}
	for _, variable := range []string{"PINTEREST_TEST_POSTGRES", "PINTEREST_TEST_MYSQL", "PINTEREST_TEST_REDIS"} {
		if os.Getenv(variable) != "" {
			continue
		}
		assert.Contains(t, out.String(), "is left out", "%s is not set", variable)
	}
	// What the measures themselves promise, whatever the machine.
	assert.Regexp(t, regexp.MustCompile(`\| pinterest +\| +1 \| +\S+ \S+ \| +1 \|`), section(t, out.String(), "goroutines at an expired token"), "one renewal, answered or refused")
	assert.NotContains(t, out.String(), "NaN")
}

func TestOneMeasureCanBeRunAlone(t *testing.T) {
	out := new(strings.Builder)
	require.NoError(t, run(t.Context(), []string{"-short", "-only", "idle"}, out, log.New(t.Output(), "", 0)))
	assert.Equal(t, 1, strings.Count(out.String(), "\n## "))
	require.EqualError(t, run(t.Context(), []string{"-only", "sleep"}, out, log.New(t.Output(), "", 0)), `there is no measure "sleep"`)
}

func section(t *testing.T, text, title string) string {
	_, rest, ok := strings.Cut(text, title)
	require.True(t, ok, title)
	found, _, _ := strings.Cut(rest, "\n## ")
	return found
}

func assertSVG(t *testing.T, name string) {
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	d := xml.NewDecoder(f)
	for {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if !assert.NoError(t, err, name) {
			return
		}
	}
}
