package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/go-pinterest/pinterest/pinteresttest"
)

func TestEveryFieldOfTheFakeHasAFlagOfItsName(t *testing.T) {
	flags := newEmulator().Flags()
	for f := range reflect.TypeFor[pinteresttest.Handler]().Fields() {
		if name := f.Tag.Get("json"); name != "" {
			assert.NotNil(t, flags.Lookup(strings.ReplaceAll(name, "_", "-")), name)
		}
	}
}
