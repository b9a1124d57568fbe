package fleet_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

const (
	account = "the-account"

	// pace is how often a process calls the API.
	pace = 200 * time.Millisecond

	// slowness is how long a process may take from Pinterest's answer to the
	// store: a window for kills that would else be too narrow to hit.
	slowness = 10 * time.Millisecond

	// tooSlow is for a call, with all that it waits for, so long that the next
	// token may have been replaced or have expired by its second sending, too.
	tooSlow = time.Second / 2
)

// A job is what a process of the fleet is told.
type job struct {
	Place    place
	Endpoint oauth2.Endpoint
	API      string
}

// jobVariable holds the job of a process of a fleet.
const jobVariable = "PINTEREST_FLEET_JOB"

// The processes of a fleet are this test binary, too.
func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(jobVariable); ok {
		if err := work(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// Fleets wait more than they compute, so some may run at once, however few the
	// processors; but starting the killed anew takes time, and leases do not wait.
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", "4"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// work calls the API at a steady pace until the parent says to stop, and tells
// it each step. The words are the steps of type step, see there.
func work(text string) error {
	stop := make(chan struct{})
	go func() {
		if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
			os.Exit(1) // the parent is gone
		}
		close(stop)
	}()

	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	raw, closeStore, err := j.Place.open()
	if err != nil {
		return err
	}
	defer closeStore()
	accounts := &pinterest.Accounts{
		Config: &pinterest.Config{
			ClientID:     pinteresttest.DefaultAppID,
			ClientSecret: pinteresttest.DefaultAppSecret,
			Endpoint:     j.Endpoint,
			RefreshAhead: ahead,
			Logger:       slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		},
		Store:      &talkingStore{raw},
		HTTPClient: &http.Client{Transport: &talkingTransport{http.DefaultTransport, j.Endpoint.TokenURL}},
	}
	for tick := time.Tick(pace); ; {
		call(accounts.Client(account), j.API+"/v5/user_account")
		select {
		case <-tick:
		case <-stop:
			return accounts.Wait(context.Background()) // this process must not end like one that is killed
		}
	}
}

func call(client *http.Client, url string) {
	began := time.Now()
	resp, err := client.Get(url)
	switch {
	case errors.Is(err, pinterest.ErrReauthorize):
		say(called, "reauthorize")
		return
	case err != nil:
		say(called, fmt.Sprintf("%q", err))
		return
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode == http.StatusUnauthorized && time.Since(began) > tooSlow {
		say(called, "late")
		return
	}
	say(called, fmt.Sprint(resp.StatusCode))
}

// say tells the parent. A single write to a pipe is neither torn by other
// goroutines' nor lost with the process.
func say(s step, words ...string) {
	if _, err := fmt.Fprintln(os.Stdout, strings.Join(append([]string{string(s)}, words...), " ")); err != nil {
		os.Exit(1)
	}
}

// A talkingStore tells of each Update's steps, and what it finds in the store.
type talkingStore struct{ pinterest.Store }

func (s *talkingStore) Load(ctx context.Context, key string) ([]byte, error) {
	data, err := s.Store.Load(ctx, key)
	if err != nil {
		say(failed, fmt.Sprintf("%q", err))
		return nil, err
	}
	say(loaded, nameOf(data))
	return data, nil
}

func (s *talkingStore) Update(ctx context.Context, key string, f func(context.Context, []byte) ([]byte, time.Time, error)) error {
	var name string
	var declined error
	say(waits)
	err := s.Store.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, time.Time, error) {
		say(locked, nameOf(old))
		value, due, err := f(ctx, old)
		if err != nil {
			declined = err
			return nil, time.Time{}, err
		}
		<-time.After(rand.N(slowness))
		name = nameOf(value)
		say(saves, name)
		return value, due, nil
	})
	switch {
	case err == nil:
		say(saved, name)
	case declined != nil:
		say(left)
	default:
		say(failed, fmt.Sprintf("%q", err))
	}
	return err
}

// A talkingTransport tells of requests to the token endpoint.
type talkingTransport struct {
	base     http.RoundTripper
	tokenURL string
}

func (t *talkingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.String() != t.tokenURL {
		return t.base.RoundTrip(req)
	}
	data, err := io.ReadAll(req.Body)
	req.Body.Close()
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(data))
	if err != nil {
		return nil, err
	}
	req = req.Clone(req.Context())
	req.Body = io.NopCloser(bytes.NewReader(data))

	from := fingerprint(form.Get("refresh_token"))
	say(sends, from)
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		say(unanswered, fmt.Sprintf("%q", err))
		return nil, err
	}
	data, err = io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		say(unanswered, fmt.Sprintf("%q", err))
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(data))
	if resp.StatusCode != http.StatusOK {
		say(refused, fmt.Sprint(resp.StatusCode))
		return resp, nil
	}
	var answer struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return nil, err
	}
	say(answered, fingerprint(answer.RefreshToken), from)
	return resp, nil
}

// nameOf returns the name of the token in a record.
func nameOf(data []byte) string {
	if data == nil {
		return nothing
	}
	t, err := pinterest.UnmarshalToken(data)
	if err != nil {
		return damaged
	}
	return fingerprint(t.RefreshToken)
}

const (
	nothing = "nothing"
	damaged = "damaged"
)

// fingerprint names a token without giving it away.
func fingerprint(refreshToken string) string {
	sum := sha256.Sum256([]byte(refreshToken))
	return fmt.Sprintf("%x", sum[:6])
}
