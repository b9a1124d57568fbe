package main

import (
	"io"
	"strings"
)

// An indenter lays out the JSON that is written to it, as it passes. Of the
// JSON it changes nothing but white space.
type indenter struct {
	w       io.Writer
	depth   int
	fresh   bool // nothing came yet since an object or array began
	text    bool // inside a string
	escaped bool // after a backslash there
	buf     []byte
}

func (i *indenter) Write(p []byte) (int, error) {
	i.buf = i.buf[:0]
	for _, c := range p {
		i.put(c)
	}
	if _, err := i.w.Write(i.buf); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (i *indenter) put(c byte) {
	if i.text {
		i.text = c != '"' || i.escaped
		i.escaped = c == '\\' && !i.escaped
		i.buf = append(i.buf, c)
		return
	}
	switch c {
	case ' ', '\t', '\r', '\n':
		return
	case '}', ']':
		i.depth = max(0, i.depth-1)
		if !i.fresh {
			i.newLine()
		}
		i.fresh = false
		i.buf = append(i.buf, c)
		if i.depth == 0 {
			i.buf = append(i.buf, '\n')
		}
		return
	case ',':
		i.buf = append(i.buf, c)
		i.newLine()
		return
	case ':':
		i.buf = append(i.buf, ": "...)
		return
	}
	if i.fresh {
		i.newLine()
	}
	i.fresh = c == '{' || c == '['
	if i.fresh {
		i.depth++
	}
	i.text = c == '"'
	i.buf = append(i.buf, c)
}

func (i *indenter) newLine() {
	i.buf = append(i.buf, "\n"+strings.Repeat("  ", i.depth)...)
}

// A lastByte remembers how what was written ends.
type lastByte struct {
	w    io.Writer
	last byte
}

func (l *lastByte) Write(p []byte) (int, error) {
	if len(p) > 0 {
		l.last = p[len(p)-1]
	}
	return l.w.Write(p)
}

// endLine ends the last line, if that has no end.
func (l *lastByte) endLine() error {
	if l.last == 0 || l.last == '\n' {
		return nil
	}
	_, err := io.WriteString(l, "\n")
	return err
}
