package main

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
			30*day - time.Second: "expires in 29 days",
			2 * day:              "expires in 2 days",
			2*day - 1:            "expires in 47 hours",
			2 * time.Hour:        "expires in 2 hours",
			119 * time.Minute:    "expires in 119 minutes",
			90 * time.Second:     "expires in 90 seconds",
			time.Second:          "expires in 1 second",
			1:                    "expires in 0 seconds",
			0:                    "expired 0 seconds ago",
			-2 * time.Hour:       "expired 2 hours ago",
			-400 * day:           "expired 400 days ago",
		} {
			at := time.Now().Add(in)
			assert.Equal(t, want, expires(&at))
		}
		assert.Equal(t, "expires at a time that is not known", expires(nil))
	})
}
