package say

import (
	"fmt"
	"time"
)

// Expires says when something expires that does at the given time, if that is known.
func Expires(at *time.Time) string {
	if at == nil {
		return "expires at a time that is not known"
	}
	switch left := time.Until(*at); {
	case left > 0:
		return "expires in " + roughly(left)
	case left > -time.Second:
		return "has just expired"
	default:
		return "expired " + roughly(-left) + " ago"
	}
}

// roughly says how long d is in the nearest whole number of one unit.
func roughly(d time.Duration) string {
	for _, u := range []struct {
		size time.Duration
		name string
	}{{Day, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if n := d.Round(u.size) / u.size; n >= 2 {
			return fmt.Sprintf("%d %ss", n, u.name)
		}
	}
	if s := max(1, d.Round(time.Second)/time.Second); s != 1 {
		return fmt.Sprintf("%d seconds", s)
	}
	return "1 second"
}
