package demo

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

const pinterestURL = "https://pinterest.test"

// play runs the demo without a socket. It must be called in a bubble.
func play(ctx context.Context, fake *pinteresttest.Handler, base http.RoundTripper) (out string, err error) {
	var b bytes.Buffer
	err = runAgainst(ctx, newTimeline(&b), fake, pinterestURL, base)
	return b.String(), err
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTheDemoCostsNineTokenRequestsInFifteenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := strictFake()
		begin := time.Now()
		out, err := play(t.Context(), fake, fake.Client().Transport)
		require.NoError(t, err)
		assert.NotContains(t, out, "WRONG")
		assert.InDelta(t, 15, time.Since(begin).Seconds(), 1)
		assert.Equal(t, pinteresttest.Counts{
			Authorize: 1, Token: 9, Exchange: 1, Refresh: 8, API: fake.Counts().API, Unauthorized: 2, Issued: 6,
		}, fake.Counts())
	})
}

func TestTheDemoFailsWhenWhatItClaimsIsNotSo(t *testing.T) {
	// Each makes something go otherwise than the demo has planned it.
	for name, test := range map[string]struct {
		after    time.Duration
		sabotage func(*pinteresttest.Handler)
		base     func(http.RoundTripper) http.RoundTripper
		wrong    []string
	}{
		"an API call fails": {
			after: 1100 * time.Millisecond,
			sabotage: func(fake *pinteresttest.Handler) {
				fake.Fail("/v5/user_account", pinteresttest.Fault{Status: 500})
			},
			wrong: []string{"7 API calls before the user left, and none failed: 1 failed, with 500 Internal Server Error; 7 requests were sent, Pinterest counted 7"},
		},
		"calls wait for a token": {
			after: time.Second,
			sabotage: func(fake *pinteresttest.Handler) {
				fake.Fail("/v5/oauth/token", pinteresttest.Fault{Latency: 3 * time.Second})
			},
			wrong: []string{"the slowest took 1000ms: 1 waited", "3 to renew ahead of expiry: it should be 4 at least, and 1 came too late"},
		},
		"the outage is another": {
			after: 7 * time.Second,
			sabotage: func(fake *pinteresttest.Handler) {
				fake.Fail("/v5/oauth/token", pinteresttest.Fault{Status: 503})
			},
			wrong: []string{"3 that met the outage and were sent again: it should be 2"},
		},
		"nothing is rejected": {
			base: func(base http.RoundTripper) http.RoundTripper {
				return roundTripper(func(r *http.Request) (*http.Response, error) {
					resp, err := base.RoundTrip(r)
					if err == nil && resp.StatusCode == http.StatusUnauthorized && r.URL.Path == "/v5/user_account" {
						resp.StatusCode = http.StatusOK
					}
					return resp, err
				})
			},
			wrong: []string{
				"one renewal, one call sent again: 0 renewals, 0 calls sent again",
				"it was told to have its user authorize again: it was told",
				"0 to renew because of a 401: it should be 1",
			},
		},
		"a refresh token is used twice": {
			base: func(base http.RoundTripper) http.RoundTripper {
				return roundTripper(func(r *http.Request) (*http.Response, error) {
					if strings.Contains(formOf(r), "grant_type=refresh_token") {
						first := r.Clone(r.Context())
						first.Body, _ = r.GetBody()
						resp, err := base.RoundTrip(first)
						if err != nil {
							return nil, err
						}
						resp.Body.Close()
					}
					return base.RoundTrip(r)
				})
			},
			wrong: []string{"none was used twice: 2 tokens were issued, 1 replays revoked 1 logins"},
		},
		"somebody else asks for tokens": {
			after: 2 * time.Second,
			sabotage: func(fake *pinteresttest.Handler) {
				resp, err := fake.Client().PostForm(pinterestURL+"/v5/oauth/token", url.Values{"grant_type": {"refresh_token"}})
				if err == nil {
					resp.Body.Close()
				}
			},
			wrong: []string{"the app sent 9, Pinterest counted 10"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := strictFake()
				base := fake.Client().Transport
				if test.base != nil {
					base = test.base(base)
				}
				if test.sabotage != nil {
					time.AfterFunc(test.after, func() { test.sabotage(fake) })
				}
				out, err := play(t.Context(), fake, base)
				assert.ErrorContains(t, err, "of the demo's 12 claims do not hold")
				assert.Equal(t, say.StatusFailed, say.ExitStatus(err))
				for _, wrong := range test.wrong {
					assert.Contains(t, out, wrong)
				}
				assert.NotContains(t, out, "Each line was checked")
			})
		})
	}
}

// formOf returns the body that r is sent with.
func formOf(r *http.Request) string {
	if r.GetBody == nil {
		return ""
	}
	body, err := r.GetBody()
	if err != nil {
		return ""
	}
	form, _ := io.ReadAll(body) // it is in memory
	return string(form)
}

func TestTheDemoChecksTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := strictFake()
		_, err := play(t.Context(), fake, roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := fake.Client().Transport.RoundTrip(r)
			if err == nil && resp.Header.Get("Location") != "" {
				resp.Header.Set("Location", resp.Header.Get("Location")+"x")
			}
			return resp, err
		}))
		assert.EqualError(t, err, "authorize: the browser came back with another state than it left with")
		assert.Zero(t, fake.Counts().Token)
	})
}

func TestTheDemoEndsThoughPinterestHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := strictFake()
		time.AfterFunc(time.Second, func() {
			fake.Fail("/v5/user_account", pinteresttest.Fault{Latency: 24 * time.Hour})
		})
		out, err := play(t.Context(), fake, fake.Client().Transport)
		assert.EqualError(t, err, "the demo did not come to its end within 1m0s")
		assert.NotContains(t, out, "What it cost")
	})
}

func TestTheDemoStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := strictFake()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(2500*time.Millisecond, cancel)
		begin := time.Now()
		_, err := play(ctx, fake, fake.Client().Transport)
		assert.EqualError(t, err, "the demo was stopped before its end")
		assert.Equal(t, 2500*time.Millisecond, time.Since(begin))
	})
}
