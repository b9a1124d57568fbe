package demo

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// A call is an API call as its caller saw it.
type call struct {
	began, ended time.Time
	newest       int        // the number of the newest token when it began
	sent         []sentCall // a second one is a replay
	status       int
	err          error
}

type sentCall struct {
	at    time.Time
	token int
}

type callKey struct{}

// watch returns a context by which a witness knows the requests of c.
func (c *call) watch(ctx context.Context) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

func (c *call) failed() bool { return c.err != nil || c.status != http.StatusOK }

func (c *call) outcome() string {
	if c.err != nil {
		return c.err.Error()
	}
	return fmt.Sprintf("%d %s", c.status, http.StatusText(c.status))
}

func (c *call) took() time.Duration { return c.ended.Sub(c.began) }

// waited reports whether the call was held up for a token that was not there when it began.
func (c *call) waited() bool {
	if len(c.sent) == 0 {
		return true
	}
	first := c.sent[0]
	return first.token > c.newest && first.at.Sub(c.began) > 50*time.Millisecond
}
