package main

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestVersionIsTheModulesOrElseTheRevision(t *testing.T) {
	main := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"}
	modified := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	clean := debug.BuildSetting{Key: "vcs.modified", Value: "false"}
	for want, info := range map[string]*debug.BuildInfo{
		"v0.1.0":                        main("v0.1.0", revision, clean),
		"devel 0123456789ab":            main("(devel)", revision, clean),
		"devel 0123456789ab (modified)": main("", revision, modified),
		"devel":                         main("(devel)"),
	} {
		assert.Equal(t, want, moduleVersion(info))
	}
}
