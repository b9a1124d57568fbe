package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
)

// An endpoint issues access tokens to all contenders alike. As a RoundTripper it
// answers those that speak HTTP; the others call fetch, and are spared the making
// and reading of a request.
type endpoint struct {
	latency time.Duration
	life    time.Duration // of an access token
	failing bool          // it refuses the refresh token

	requests atomic.Int64

	// What all sources of an app have in common: the way here, and the app itself.
	ctx    context.Context
	conf   *pinterest.Config
	theirs *oauth2.Config
}

func newEndpoint(latency, life time.Duration, failing bool) *endpoint {
	e := &endpoint{latency: latency, life: life, failing: failing}
	e.ctx = context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: e})
	e.conf = &pinterest.Config{ClientID: "id", ClientSecret: "secret"}
	e.theirs = &oauth2.Config{ClientID: "id", ClientSecret: "secret", Endpoint: pinterest.Endpoint}
	return e
}

const month = 30 * 24 * time.Hour

var errFailing = errors.New("the endpoint fails")

func (e *endpoint) fetch() (access string, expiry time.Time, err error) {
	e.requests.Add(1)
	if e.latency > 0 {
		time.Sleep(e.latency)
	}
	if e.failing {
		return "", time.Time{}, errFailing
	}
	return "pina_" + rand.Text(), time.Now().Add(e.life), nil
}

func (e *endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body.Close()
	}
	access, _, err := e.fetch()
	status, body := http.StatusOK, fmt.Sprintf(`{"access_token":%q,"token_type":"bearer","expires_in":%d}`, access, int(e.life.Seconds()))
	if err != nil {
		status, body = http.StatusUnauthorized, `{"code":283,"message":"Invalid refresh token"}`
	}
	return &http.Response{
		StatusCode: status,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(strings.NewReader(body)),
		Request:    r,
	}, nil
}

// An answerer is the API in memory, to which every contender sends its requests.
type answerer struct{ answer *http.Response }

func newAnswerer() answerer {
	return answerer{&http.Response{StatusCode: http.StatusOK, Body: http.NoBody}}
}

func (a answerer) RoundTrip(*http.Request) (*http.Response, error) { return a.answer, nil }

// Do is azcore's word for it. Its answers are not in common: azcore writes into
// them.
func (a answerer) Do(*http.Request) (*http.Response, error) {
	answer := *a.answer
	return &answer, nil
}
