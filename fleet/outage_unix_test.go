//go:build unix

package fleet_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
	"github.com/go-pinterest/pinterest/sqlstore"
)

// One process renews many accounts while Pinterest does not answer, and does its
// own work with the same few connections. If a renewal held one while it waits, no
// more than three would come to ask Pinterest.
func TestAnOutageOfPinterestHoldsNoConnections(t *testing.T) {
	const accounts, pool = 400, 3
	const outage = 12 * time.Second     // in which each lease is extended, as it is every ten
	const apart = 25 * time.Millisecond // then Pinterest answers what waits
	results := newTable(t, "400 renewals in an outage", "of", "connections at most", "at work at most", "connection-seconds at work", "SELECT 1 answered", "failed", "slowest")

	// The servers are the test's own: who else is connected is the process.
	const postgresConnections = `SELECT count(*), count(*) FILTER (WHERE state <> 'idle')
		FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`
	const mariaConnections = `SELECT count(*), COALESCE(sum(COMMAND <> 'Sleep'), 0)
		FROM information_schema.PROCESSLIST WHERE USER = 'root' AND ID <> CONNECTION_ID()`
	for name, on := range map[string]struct {
		place func(t *testing.T) place
		query string
	}{
		"PostgreSQL": {func(t *testing.T) place {
			return withTable(t, sqlstore.PostgreSQL, "pgx", postgresDSN(startPostgres(t).addr()))
		}, postgresConnections},
		"MariaDB": {func(t *testing.T) place {
			return withTable(t, sqlstore.MySQL, "mysql", mariaDSN(startMariaDB(t).addr()))
		}, mariaConnections},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := on.place(t)
			p.Pool, p.Lease = pool, 0
			store, err := p.table()
			require.NoError(t, err)
			defer store.DB.Close()
			store.DB.SetMaxIdleConns(pool)
			fake := pinteresttest.NewServer(&pinteresttest.Handler{}) // which forgives that a busy machine gives an answer up
			defer fake.Close()
			app := &pinterest.Accounts{
				Config:     &pinterest.Config{ClientID: pinteresttest.DefaultAppID, ClientSecret: pinteresttest.DefaultAppSecret, Endpoint: fake.Endpoint()},
				Store:      store,
				HTTPClient: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: accounts}},
			}
			for n := range accounts {
				tok := fake.Login(pinterest.ScopeUserAccountsRead)
				tok.Expiry = time.Now().Add(-time.Second)
				require.NoError(t, app.Save(t.Context(), fmt.Sprint(n), tok))
			}
			for n := range accounts {
				fake.Fail("/v5/oauth/token", pinteresttest.Fault{Latency: outage + time.Duration(n)*apart})
			}

			watched, stop := context.WithCancel(t.Context())
			defer stop()
			var watching, renewing sync.WaitGroup
			var seen connections
			var work answers
			watching.Go(func() { seen = watch(t, watched, p, on.query) })
			watching.Go(func() { work = keepAsking(t, watched, store.DB) })
			tokens := make([]*oauth2.Token, accounts)
			for n := range accounts {
				renewing.Go(func() {
					tok, err := app.Source(fmt.Sprint(n)).TokenContext(t.Context())
					assert.NoError(t, err)
					tokens[n] = tok
				})
			}
			require.Eventually(t, func() bool { return fake.Counts().Refresh >= accounts }, time.Minute, 10*time.Millisecond,
				"those who wait for Pinterest keep the others from the database")
			renewing.Wait()
			stop()
			watching.Wait()

			results.add(name, outage, seen.most, seen.atWork, seen.seconds, work.answered, work.failed, work.slowest.Round(time.Millisecond))
			assert.LessOrEqual(t, seen.most, 2*pool, "what is replaced may be seen a little longer")
			assert.Zero(t, work.failed, "of the app's own queries")
			for n, tok := range tokens {
				kept, err := app.Load(t.Context(), fmt.Sprint(n))
				require.NoError(t, err)
				require.NotNil(t, tok)
				require.Equal(t, tok.RefreshToken, kept.RefreshToken)
			}
		})
	}
}

// Connections are what a server had, seen from outside.
type connections struct {
	most, atWork int
	seconds      string // of all that were at work
}

// watch asks the server for its connections again and again.
func watch(t *testing.T, ctx context.Context, p place, query string) (seen connections) {
	db, err := sql.Open(p.Driver, p.DSN)
	if !assert.NoError(t, err) {
		return seen
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	atWork := time.Duration(0)
	for before := time.Now(); ctx.Err() == nil; {
		var all, working int
		assert.NoError(t, db.QueryRowContext(context.WithoutCancel(ctx), query).Scan(&all, &working))
		now := time.Now()
		atWork += time.Duration(working) * now.Sub(before)
		before = now
		seen.most = max(seen.most, all)
		seen.atWork = max(seen.atWork, working)
		<-time.After(5 * time.Millisecond)
	}
	seen.seconds = fmt.Sprintf("%.1f", atWork.Seconds())
	return seen
}

// Answers are what became of an app's own queries.
type answers struct {
	answered, failed int
	slowest          time.Duration
}

func keepAsking(t *testing.T, ctx context.Context, db *sql.DB) (a answers) {
	for tick := time.Tick(20 * time.Millisecond); ctx.Err() == nil; <-tick {
		began := time.Now()
		attempt, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		_, err := db.ExecContext(attempt, "SELECT 1")
		cancel()
		if !assert.NoError(t, err) {
			a.failed++
			continue
		}
		a.answered++
		a.slowest = max(a.slowest, time.Since(began))
	}
	return a
}
