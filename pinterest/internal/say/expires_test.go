package say

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestExpiriesAreToldInWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const day = 24 * time.Hour
		for in, want := range map[time.Duration]string{
			60*day - time.Second:         "expires in 60 days",
			30*day - time.Second:         "expires in 30 days",
			30*day - 13*time.Hour:        "expires in 29 days",
			2*day - 1:                    "expires in 2 days",
			36*time.Hour - 1:             "expires in 36 hours",
			2 * time.Hour:                "expires in 2 hours",
			89 * time.Minute:             "expires in 89 minutes",
			time.Minute + 29*time.Second: "expires in 89 seconds",
			time.Second:                  "expires in 1 second",
			1:                            "expires in 1 second",
			0:                            "has just expired",
			-time.Second + 1:             "has just expired",
			-time.Second:                 "expired 1 second ago",
			-2 * time.Hour:               "expired 2 hours ago",
			-400 * day:                   "expired 400 days ago",
		} {
			at := time.Now().Add(in)
			assert.Equal(t, want, Expires(&at))
		}
		assert.Equal(t, "expires at a time that is not known", Expires(nil))
	})
}
