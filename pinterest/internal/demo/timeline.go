package demo

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/fatih/color"
	"golang.org/x/term"
)

// A timeline tells what happens, each event with the seconds since it began.
// On a terminal it keeps a last line that says how things stand, and breaks
// lines between words; elsewhere an event is one line, whatever its length.
// It may be used by several goroutines at once.
type timeline struct {
	w      io.Writer
	fd     int // of the terminal, or -1
	colour bool
	begin  time.Time

	mu    sync.Mutex // guards what follows, and every write
	stand string     // the last line, if it is shown
}

func newTimeline(w io.Writer) *timeline {
	t := &timeline{w: w, fd: -1, begin: time.Now()}
	f, ok := w.(interface{ Fd() uintptr })
	if ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		t.fd = int(f.Fd())
		t.colour = !color.NoColor
	}
	return t
}

const timeWidth = 7 // of the seconds before an event

// Say tells of an event.
func (t *timeline) Say(format string, args ...any) { t.event(fmt.Sprintf(format, args...)) }

// Warn tells of an event that looks like trouble and is expected.
func (t *timeline) Warn(format string, args ...any) {
	t.event(fmt.Sprintf(format, args...), color.FgYellow)
}

// Fail tells of an event that should not be.
func (t *timeline) Fail(format string, args ...any) {
	t.event(fmt.Sprintf(format, args...), color.FgRed, color.Bold)
}

func (t *timeline) event(text string, as ...color.Attribute) {
	lines := t.wrap(text, timeWidth+2)
	for i := range lines {
		lines[i] = t.paint(lines[i], as...)
	}
	t.print(t.paint(t.elapsed(), color.Faint) + "  " + strings.Join(lines, "\n"+strings.Repeat(" ", timeWidth+2)))
}

// Print prints a line that is no event.
func (t *timeline) Print(line string) { t.print(strings.Join(t.wrap(line, 0), "\n")) }

// Title prints a heading.
func (t *timeline) Title(line string) { t.print(t.paint(line, color.Bold)) }

// Item prints one of a list, after a mark that says how it is.
func (t *timeline) Item(mark, text string, as ...color.Attribute) {
	indent := len("  " + mark + "  ")
	t.print("  " + t.paint(mark, as...) + "  " + strings.Join(t.wrap(text, indent), "\n"+strings.Repeat(" ", indent)))
}

// Stand says how things stand. It is taken back when the next line comes.
func (t *timeline) Stand(format string, args ...any) {
	if t.fd < 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stand = t.elapsed() + "  " + fmt.Sprintf(format, args...)
	if width := t.width(); len(t.stand) >= width {
		t.stand = t.stand[:max(0, width-1)] // a line that wraps could not be taken back
	}
	fmt.Fprint(t.w, "\r"+t.paint(t.stand, color.Faint)+"\x1b[K")
}

// End takes the last line back for good.
func (t *timeline) End() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stand != "" {
		fmt.Fprint(t.w, "\r\x1b[K")
	}
	t.stand = ""
}

func (t *timeline) print(s string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stand != "" {
		s = "\r\x1b[K" + s
	}
	s += "\n"
	if t.stand != "" {
		s += t.paint(t.stand, color.Faint)
	}
	fmt.Fprint(t.w, s)
}

func (t *timeline) elapsed() string {
	return fmt.Sprintf("%*.1fs", timeWidth-1, time.Since(t.begin).Seconds())
}

func (t *timeline) width() int {
	if width, _, err := term.GetSize(t.fd); err == nil && width > 0 {
		return width
	}
	return 80
}

// wrap breaks text into lines that fit a terminal beside an indent.
func (t *timeline) wrap(text string, indent int) []string {
	if t.fd < 0 {
		return []string{text}
	}
	room := max(20, t.width()-indent-1)
	var lines []string
	for len(text) > room {
		at := strings.LastIndexByte(text[:room+1], ' ')
		if at <= 0 {
			break
		}
		lines, text = append(lines, text[:at]), text[at+1:]
	}
	return append(lines, text)
}

func (t *timeline) paint(s string, as ...color.Attribute) string {
	if !t.colour || len(as) == 0 {
		return s
	}
	c := color.New(as...)
	c.EnableColor()
	return c.Sprint(s)
}
