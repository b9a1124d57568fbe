package main

import (
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
)

// A progress shows on a terminal how far a sweep is, and what is written to it
// above that. Elsewhere it just passes on what is written.
type progress struct {
	w   io.Writer
	bar *progressbar.ProgressBar // nil: not shown
}

// newProgress returns a progress that is shown if w is a terminal, unless it is
// to be hidden.
func newProgress(w io.Writer, hidden bool) *progress {
	p := &progress{w: w}
	if isTerminal(w) && !hidden && os.Getenv("TERM") != "dumb" {
		p.bar = newBar(w)
	}
	return p
}

// newBar returns a bar for an unknown number of accounts: most of them need
// nothing, and are not heard of.
func newBar(w io.Writer) *progressbar.ProgressBar {
	bar := progressbar.NewOptions(-1,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription("0 renewed"),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("accounts"),
		progressbar.OptionClearOnFinish(),
	)
	_ = bar.RenderBlank()
	return bar
}

func (p *progress) visible() bool { return p.bar != nil }

// show shows how far the sweep is.
func (p *progress) show(t tally) {
	if p.bar != nil {
		p.bar.Describe(t.String())
		_ = p.bar.Add(1)
	}
}

// Write writes lines, above the bar if there is one.
func (p *progress) Write(lines []byte) (int, error) {
	if p.bar == nil {
		return p.w.Write(lines)
	}
	if _, err := progressbar.Bprintf(p.bar, "%s", lines); err != nil {
		return 0, err
	}
	return len(lines), p.bar.RenderBlank()
}

// end takes the bar back.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
