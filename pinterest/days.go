package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// days is a flag for a duration that may be written in days, as in 14d or 1d12h.
type days time.Duration

const oneDay = 24 * time.Hour

func (d *days) Set(s string) error {
	whole, rest, ok := strings.Cut(s, "d")
	if !ok {
		whole, rest = "0", s
	}
	n, err := strconv.ParseUint(whole, 10, 32)
	var more time.Duration
	if err == nil && (rest != "" || !ok) {
		more, err = time.ParseDuration(rest)
	}
	if err != nil || more < 0 || time.Duration(n) > (math.MaxInt64-more)/oneDay {
		return errors.New("it is no duration: write it like 14d, 1d12h or 36h")
	}
	*d = days(time.Duration(n)*oneDay + more)
	return nil
}

func (d *days) String() string {
	switch t := time.Duration(*d); {
	case t == 0:
		return "0"
	case t%oneDay == 0:
		return fmt.Sprintf("%dd", t/oneDay)
	default:
		return t.String()
	}
}

func (d *days) Type() string { return "duration" }
