package main

import (
	"fmt"
	"time"
)

// expires says when something expires that does at the given time, if that is known.
func expires(at *time.Time) string {
	if at == nil {
		return "expires at a time that is not known"
	}
	if left := time.Until(*at); left > 0 {
		return "expires in " + roughly(left)
	}
	return "expired " + roughly(time.Since(*at)) + " ago"
}

// roughly says how long d is in one unit, and never makes it longer.
func roughly(d time.Duration) string {
	const day = 24 * time.Hour
	for _, u := range []struct {
		size time.Duration
		name string
	}{{day, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if d >= 2*u.size {
			return fmt.Sprintf("%d %ss", d/u.size, u.name)
		}
	}
	if s := d / time.Second; s != 1 {
		return fmt.Sprintf("%d seconds", s)
	}
	return "1 second"
}
