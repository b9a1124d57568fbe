package demo

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// onTerminal returns a timeline that takes w for a terminal of eighty columns.
func onTerminal(w *bytes.Buffer) *timeline {
	t := newTimeline(w)
	t.fd = 1 << 20 // nobody can tell its width
	return t
}

func TestATimelineInAPipeIsALineForEachEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		out := newTimeline(&b)
		long := strings.TrimSpace(strings.Repeat("word ", 50))
		out.Stand("so far so good")
		time.Sleep(1234 * time.Millisecond)
		out.Warn("%s", long)
		out.Item("ok", long)
		out.End()
		assert.Equal(t, "   1.2s  "+long+"\n  ok  "+long+"\n", b.String())
	})
}

func TestATimelineOnATerminalKeepsALastLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		out := onTerminal(&b)
		out.Stand("so far so good")
		out.Say("something happens")
		out.End()
		out.Print("the end")
		const stand = "   0.0s  so far so good"
		assert.Equal(t, "\r"+stand+"\x1b[K"+"\r\x1b[K   0.0s  something happens\n"+stand+"\r\x1b[K"+"the end\n", b.String())
	})
}

func TestATimelineOnATerminalBreaksLinesBetweenWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		out := onTerminal(&b)
		out.Say("%s", strings.TrimSpace(strings.Repeat("word ", 15)))
		assert.Equal(t, "   0.0s  "+strings.TrimSpace(strings.Repeat("word ", 14))+"\n         word\n", b.String())

		b.Reset()
		out.Stand("%s", strings.Repeat("x", 100)) // must not wrap: it could not be taken back
		assert.Equal(t, "\r   0.0s  "+strings.Repeat("x", 70)+"\x1b[K", b.String())
	})
}

func TestATimelineIsColouredOnlyWhereThatCanBeSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		out := onTerminal(&b)
		out.Warn("look")
		assert.Equal(t, "   0.0s  look\n", b.String())

		b.Reset()
		out.colour = true
		out.Warn("look")
		assert.Equal(t, "\x1b[2m   0.0s\x1b[22m  \x1b[33mlook\x1b[0m\n", b.String())
	})
}
