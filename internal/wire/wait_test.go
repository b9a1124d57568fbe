package wire

import (
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestRetryAfterIsReadInEveryForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const retry, reset = "Retry-After", "X-Ratelimit-Reset"
		at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
		unix := func(d time.Duration) string { n, _ := json.Marshal(time.Now().Add(d).Unix()); return string(n) }
		for name, c := range map[string]struct {
			header, value string
			status        int
			want          time.Duration
		}{
			"seconds":               {retry, "120", 429, 2 * time.Minute},
			"a fraction":            {retry, "1.5", 429, 1500 * time.Millisecond},
			"a list":                {retry, "120, 120", 429, 2 * time.Minute},
			"a date":                {retry, at(90 * time.Second), 429, 90 * time.Second},
			"a date gone by":        {retry, at(-time.Hour), 429, 0},
			"a Unix time":           {retry, unix(time.Minute), 503, time.Minute},
			"thirty-one days off":   {retry, at(31 * 24 * time.Hour), 429, 0},
			"a limit's old date":    {retry, time.Now().Add(time.Minute).UTC().Format(time.ANSIC), 429, time.Minute},
			"nothing":               {retry, "", 429, 0},
			"nonsense":              {retry, "soon", 429, 0},
			"not a number":          {retry, "NaN", 429, 0},
			"infinite":              {retry, "Inf", 429, 0},
			"negative":              {retry, "-5", 429, 0},
			"huge":                  {retry, "99999999999999999999", 429, 0},
			"at a fault":            {retry, "60", 503, time.Minute},
			"at a refusal":          {retry, "60", 401, time.Minute},
			"thirty days":           {retry, "2592000", 429, 30 * 24 * time.Hour},
			"more than thirty days": {retry, "2592001", 429, 0},
			"the limit's":           {reset, "75", 429, 75 * time.Second},
			"the limit's window":    {reset, "7;w=60", 429, 7 * time.Second},
			"two limits":            {reset, "75, 3600;w=3600", 429, 75 * time.Second},
			"the limit's date":      {reset, at(time.Hour), 429, time.Hour},
			"the limit's Unix time": {reset, unix(time.Hour), 429, time.Hour},
			"a Unix time gone by":   {reset, unix(-time.Hour), 429, 0},
			"a Unix time years off": {reset, "1795555555", 429, 0},
			"no limit was hit":      {reset, "75", 500, 0},
		} {
			resp := &http.Response{StatusCode: c.status, Header: http.Header{c.header: {c.value}}}
			assert.Equal(t, c.want, RetryAfter(resp), name)
		}
		for _, first := range []string{"soon", "0", at(0)} {
			assert.Equal(t, 7*time.Second, RetryAfter(&http.Response{StatusCode: 429, Header: http.Header{retry: {first}, reset: {"7"}}}), "the second if the first says nothing: %s", first)
		}
		assert.Zero(t, RetryAfter(&http.Response{StatusCode: 429}))
	})
}

func TestTimesAreTakenAgainstTheAnswersOwnDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, skew := range []time.Duration{-2 * time.Hour, 2 * time.Hour} {
			server := time.Now().Add(skew)
			for header, value := range map[string]string{
				"Retry-After":       server.Add(time.Minute).UTC().Format(http.TimeFormat),
				"X-Ratelimit-Reset": string(jsonOf(t, server.Add(time.Minute).Unix())),
			} {
				resp := &http.Response{StatusCode: 429, Header: http.Header{header: {value}, "Date": {server.UTC().Format(http.TimeFormat)}}}
				assert.Equal(t, time.Minute, RetryAfter(resp), header)
			}
		}
	})
}

func TestNumberReadsEveryKindOfNumber(t *testing.T) {
	type seconds string
	for _, v := range []any{
		7, int8(7), int16(7), int32(7), int64(7), uint(7), uint8(7), uint16(7), uint32(7), uint64(7), uintptr(7),
		float32(7), float64(7), json.Number("7"), "7", " 7.0 ", seconds("7e0"), "0x7p0",
	} {
		n, ok := Number(v)
		assert.True(t, ok, "%T", v)
		assert.Equal(t, 7.0, n, "%T", v)
	}
	for _, v := range []any{nil, true, "", "seven", []byte("7"), []any{7}, "NaN", math.NaN(), struct{}{}} {
		_, ok := Number(v)
		assert.False(t, ok, "%T %v", v, v)
	}
	n, ok := Number("1e999")
	assert.True(t, ok)
	assert.Equal(t, math.Inf(1), n)
}

func FuzzRetryAfter(f *testing.F) {
	f.Add(429, "120", "7;w=60", "Wed, 25 Nov 2026 10:00:00 GMT")
	f.Add(503, "Wed, 25 Nov 2026 10:00:00 GMT", "1795555555", "")
	f.Add(429, "-1", "1e999", "Sun, 06-Nov-94 08:49:37 GMT")
	f.Add(429, strings.Repeat("9", 30), "0x7p3", "soon")
	f.Fuzz(func(t *testing.T, status int, retry, reset, date string) {
		wait := RetryAfter(&http.Response{StatusCode: status, Header: http.Header{"Retry-After": {retry}, "X-Ratelimit-Reset": {reset}, "Date": {date}}})
		assert.GreaterOrEqual(t, wait, time.Duration(0))
		assert.LessOrEqual(t, wait, 30*24*time.Hour)
	})
}
