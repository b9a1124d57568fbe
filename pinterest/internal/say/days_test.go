package say

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestADurationCanBeWrittenInDays(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"14d":     14 * Day,
		"1d12h":   36 * time.Hour,
		"1d90s":   Day + 90*time.Second,
		"36h":     36 * time.Hour,
		"0":       0,
		"0d":      0,
		"106751d": 106751 * Day,
	} {
		var d Days
		require.NoError(t, d.Set(text), text)
		assert.Equal(t, want, time.Duration(d), text)
		var again Days
		require.NoError(t, again.Set(d.String()))
		assert.Equal(t, d, again)
	}
}

func TestWhatIsNoDurationIsRefused(t *testing.T) {
	for _, text := range []string{"", "d", "soon", "14", "-1d", "1d-1h", "-1h", "1.5d", "1dd", "1h1d", "106752d", "106751d24h", "99999999999d", "1d 2h"} {
		d := Days(Day)
		assert.Error(t, d.Set(text), text)
		assert.Equal(t, Days(Day), d)
	}
}
