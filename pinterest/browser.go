package main

import (
	"io"

	"github.com/cli/browser"
)

func init() {
	// Standard output is for data, and what a browser says is for nobody.
	browser.Stdout, browser.Stderr = io.Discard, io.Discard
}

// openBrowser shows the page, and may return only when the browser ends.
func openBrowser(page string) error { return browser.OpenURL(page) }
