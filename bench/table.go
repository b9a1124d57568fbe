package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A table has a row of names first.
type table [][]string

func (t *table) add(cells ...string) { *t = append(*t, cells) }

// write prints r as Markdown that can also be read as it is.
func (r report) write(w io.Writer) {
	fmt.Fprintf(w, "\n## %s\n\n", r.title)
	width := make([]int, len(r.table[0]))
	for _, row := range r.table {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	line := func(row []string, fill string) {
		for i := range width {
			cell := ""
			if i < len(row) {
				cell = row[i]
			}
			pad := strings.Repeat(fill, width[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				cell += pad
			} else {
				cell = pad + cell
			}
			fmt.Fprintf(w, "| %s ", cell)
		}
		fmt.Fprintln(w, "|")
	}
	line(r.table[0], " ")
	rule := make([]string, len(width))
	for i := range rule[1:] {
		rule[i+1] = ":"
	}
	line(rule, "-")
	for _, row := range r.table[1:] {
		line(row, " ")
	}
	for _, note := range r.notes {
		fmt.Fprintf(w, "\n%s\n", note)
	}
}

// figure shows three digits of x.
func figure(x float64) string {
	digits := 2 - int(math.Floor(math.Log10(max(math.Abs(x), 0.01))))
	s := strconv.FormatFloat(x, 'f', min(max(digits, 0), 2), 64)
	if len(s) > 4 && !strings.Contains(s, ".") {
		return count(int(math.Round(x)))
	}
	return s
}

// count shows n with commas.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// duration shows d in a unit that suits it.
func duration(d time.Duration) string {
	switch {
	case d < time.Microsecond:
		return figure(float64(d)) + " ns"
	case d < time.Millisecond:
		return figure(float64(d)/1e3) + " µs"
	case d < time.Second:
		return figure(float64(d)/1e6) + " ms"
	}
	return figure(d.Seconds()) + " s"
}

func nanoseconds(ns float64) string {
	if ns < 1 {
		return strconv.FormatFloat(ns, 'g', 2, 64) + " ns"
	}
	return duration(time.Duration(ns))
}

func mebibytes(n float64) string { return figure(n/(1<<20)) + " MiB" }
