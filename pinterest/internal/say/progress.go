package say

import (
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
)

// A Progress shows on a terminal how far a run is, and what is written to it
// above that. Elsewhere it just passes on what is written.
type Progress struct {
	w   io.Writer
	bar *progressbar.ProgressBar // nil: not shown
}

// NewProgress returns a Progress that is shown if w is a terminal, unless it is
// to be hidden. It counts things of the given name up to an unknown number.
func NewProgress(w io.Writer, things, begin string, hidden bool) *Progress {
	p := &Progress{w: w}
	if IsTerminal(w) && !hidden && os.Getenv("TERM") != "dumb" {
		p.bar = progressbar.NewOptions(-1,
			progressbar.OptionSetWriter(w),
			progressbar.OptionSetDescription(begin),
			progressbar.OptionShowIts(),
			progressbar.OptionSetItsString(things),
			progressbar.OptionClearOnFinish(),
		)
		_ = p.bar.RenderBlank()
	}
	return p
}

// Visible reports whether the progress can be seen.
func (p *Progress) Visible() bool { return p.bar != nil }

// Show shows how far the run is, which is a thing further than before.
func (p *Progress) Show(t fmt.Stringer) {
	if p.bar != nil {
		p.bar.Describe(t.String())
		_ = p.bar.Add(1)
	}
}

// Write writes lines, above the bar if there is one.
func (p *Progress) Write(lines []byte) (int, error) {
	if p.bar == nil {
		return p.w.Write(lines)
	}
	if _, err := progressbar.Bprintf(p.bar, "%s", lines); err != nil {
		return 0, err
	}
	return len(lines), p.bar.RenderBlank()
}

// End takes the bar back.
func (p *Progress) End() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
