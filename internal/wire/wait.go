package wire

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RetryAfter returns how long the server asks to wait: what Retry-After says
// or, as Pinterest often leaves that out of a 429, x-ratelimit-reset. Each may
// be seconds, also with parameters or as a list, a date, or a Unix time. Times
// are taken against the answer's own Date, whatever the local clock shows.
// What cannot be meant, such as more than 30 days, is zero.
func RetryAfter(resp *http.Response) time.Duration {
	const most = 30 * 24 * time.Hour
	names := []string{"Retry-After"}
	if resp.StatusCode == http.StatusTooManyRequests {
		names = append(names, "X-Ratelimit-Reset")
	}
	now, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	for _, name := range names {
		value := resp.Header.Get(name)
		t, _ := http.ParseTime(value)
		wait := t.Sub(now) // long gone by, if it is no date
		first, _, _ := strings.Cut(strings.ReplaceAll(value, ";", ","), ",")
		switch n, _ := Number(first); {
		case n > most.Seconds():
			wait = time.Unix(int64(n), 0).Sub(now)
		case n > 0:
			wait = time.Duration(n * float64(time.Second))
		}
		if wait > 0 && wait <= most {
			return wait
		}
	}
	return 0
}

// Number reads a JSON number, also one in a string, or any of Go's own: a
// token's Extra fields may come from anywhere.
func Number(v any) (float64, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(fmt.Sprint(v)), 64)
	return f, !math.IsNaN(f) && (err == nil || errors.Is(err, strconv.ErrRange))
}
