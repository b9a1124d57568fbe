package say

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/go-pinterest/pinterest"
)

func TestTheExitStatusSaysWhoCanMendIt(t *testing.T) {
	for err, want := range map[error]int{
		nil:                                   StatusDone,
		errors.New("x"):                       StatusFailed,
		WithHint(errors.New("x"), "y"):        StatusFailed,
		WrongUsage("x", "y"):                  StatusUsage,
		fmt.Errorf("%w", WrongUsage("x", "")): StatusUsage,
		fmt.Errorf("x: %w", pinterest.ErrReauthorize): StatusReauthorize,
	} {
		assert.Equal(t, want, ExitStatus(err), err)
	}
}

func TestEveryLineBeginsWithTheNameOfTheProgramOnce(t *testing.T) {
	var b strings.Builder
	Error(&b, WithHint(errors.New("pinterest: refresh failed: 100%"), "try again"))
	Error(&b, errors.New("x"))
	Error(&b, &Failure{Status: StatusFailed}) // all was said
	assert.Equal(t, "pinterest: refresh failed: 100%\npinterest: hint: try again\npinterest: x\n", b.String())
}
