package say

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Days is a flag for a duration that may be written in days, as in 14d or 1d12h.
type Days time.Duration

// Day is a day.
const Day = 24 * time.Hour

// Set reads a flag.
func (d *Days) Set(s string) error {
	whole, rest, ok := strings.Cut(s, "d")
	if !ok {
		whole, rest = "0", s
	}
	n, err := strconv.ParseUint(whole, 10, 32)
	var more time.Duration
	if err == nil && (rest != "" || !ok) {
		more, err = time.ParseDuration(rest)
	}
	if err != nil || more < 0 || time.Duration(n) > (math.MaxInt64-more)/Day {
		return errors.New("it is no duration: write it like 14d, 1d12h or 36h")
	}
	*d = Days(time.Duration(n)*Day + more)
	return nil
}

func (d *Days) String() string {
	switch t := time.Duration(*d); {
	case t == 0:
		return "0"
	case t%Day == 0:
		return fmt.Sprintf("%dd", t/Day)
	default:
		return t.String()
	}
}

func (d *Days) Type() string { return "duration" }
