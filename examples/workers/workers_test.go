package main

import (
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/examples/internal/process"
	"github.com/go-pinterest/pinterest/pinteresttest"
	"github.com/go-pinterest/pinterest/sqlstore"
)

func TestMain(m *testing.M) { process.TestMain(m, main) }

func database(t *testing.T) string {
	t.Helper()
	url := os.Getenv("PINTEREST_TEST_POSTGRES")
	if url == "" {
		t.Skip("PINTEREST_TEST_POSTGRES is not set: there is nothing for a fleet to share")
	}
	return url
}

func newTestFleet(t *testing.T) *fakeFleet {
	t.Helper()
	f, err := newFleet(t.Context(), slog.New(slog.DiscardHandler), database(t))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.close()) })
	require.NoError(t, f.fill(t.Context()))
	return f
}

func assertNothingLeft(t *testing.T, f *fakeFleet) {
	t.Helper()
	left, err := f.queue.left(t.Context())
	require.NoError(t, err)
	assert.Zero(t, left, "jobs left")
	assert.Zero(t, f.pinterest.Fake.Counts().Replays, "replays")
}

func TestAFleetRenewsTheTokenOfEachAccountOnce(t *testing.T) {
	p := process.Start(t, []string{"DATABASE_URL=" + database(t)}, "-fake")
	p.Ends()
	assert.Contains(t, p.Output(), "3 processes, 20 accounts, 60 jobs: 0 left, 20 renewals, 0 replays\n")
	process.NoSecrets(t, p.Output(), pinteresttest.DefaultAppSecret)
}

func TestTheJobOfAProcessThatIsKilledIsDoneByAnother(t *testing.T) {
	f := newTestFleet(t)
	f.pinterest.Fake.Fail("/v5/boards", pinteresttest.Fault{Latency: time.Hour})
	killed := process.Start(t, f.env(), "-once", "-parallel", "1", "-lease", "2s")
	require.Eventually(t, func() bool { return f.pinterest.Fake.Counts().API == 1 }, time.Minute, time.Millisecond)
	killed.Kill()

	other := process.Start(t, f.env(), "-lease", "2s")
	require.Eventually(t, func() bool {
		left, err := f.queue.left(t.Context())
		return err == nil && left == 0
	}, time.Minute, 10*time.Millisecond)
	other.Stop()
	assert.Contains(t, other.Output(), "try=2")
	assertNothingLeft(t, f)
}

func TestAProcessThatIsToldToEndFinishesItsJobs(t *testing.T) {
	f := newTestFleet(t)
	f.pinterest.Fake.Fail("/v5/boards", pinteresttest.Fault{Latency: time.Second})
	p := process.Start(t, f.env(), "-parallel", "1")
	require.Eventually(t, func() bool { return f.pinterest.Fake.Counts().API == 1 }, time.Minute, time.Millisecond)
	p.Stop()
	left, err := f.queue.left(t.Context())
	require.NoError(t, err)
	assert.Equal(t, logins*jobsPerAccount-1, left)
}

func TestAnAccountWhoseUserHasToLogInAgainStopsNoOther(t *testing.T) {
	f := newTestFleet(t)
	f.pinterest.Fake.RevokeGrants()
	p := process.Start(t, f.env(), "-once")
	p.Ends()
	assert.Contains(t, p.Output(), "the user has to log in again")
	assertNothingLeft(t, f)
}

func TestAWrongSecretEndsTheWorker(t *testing.T) {
	f := newTestFleet(t)
	f.pinterest.Fake.Change(func(h *pinteresttest.Handler) { h.AccessLife = time.Second })
	accounts := &pinterest.Accounts{Config: f.pinterest.Config, Store: &sqlstore.Store{DB: f.db, Dialect: sqlstore.PostgreSQL}}
	for i := range logins {
		require.NoError(t, accounts.Save(t.Context(), fmt.Sprintf("account-%d", i+1), f.pinterest.Fake.Login()))
	}
	f.pinterest.Fake.ExpireAccess()
	p := process.Start(t, append(f.env(), "PINTEREST_APP_SECRET=wrong"))
	p.Fails()
	left, err := f.queue.left(t.Context())
	require.NoError(t, err)
	assert.Equal(t, logins*jobsPerAccount, left)
}

func TestAnyAccountOfTheStoreGetsAJob(t *testing.T) {
	f := newTestFleet(t)
	before, err := f.queue.left(t.Context())
	require.NoError(t, err)
	process.Start(t, f.env(), "-enqueue").Ends()
	after, err := f.queue.left(t.Context())
	require.NoError(t, err)
	assert.Equal(t, before+logins, after)
}
