package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/go-pinterest/pinterest/pinteresttest"
)

func TestAShellTakesTheEmulatorsLinesAsTheyAre(t *testing.T) {
	assert.Equal(t, "http://127.0.0.1:8086", shellWord("http://127.0.0.1:8086"))
	assert.Equal(t, "'http://[::1]:8086'", shellWord("http://[::1]:8086"))
	assert.Equal(t, `'it'\''s'`, shellWord("it's"))
}

func TestEveryFieldOfTheFakeHasAFlagOfItsName(t *testing.T) {
	flags := newEmulator().Flags()
	for f := range reflect.TypeFor[pinteresttest.Handler]().Fields() {
		if name := f.Tag.Get("json"); name != "" {
			assert.NotNil(t, flags.Lookup(strings.ReplaceAll(name, "_", "-")), name)
		}
	}
}
