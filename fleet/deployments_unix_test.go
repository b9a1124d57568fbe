//go:build unix

package fleet_test

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/pinteresttest"
	"github.com/go-pinterest/pinterest/sqlstore"
)

// pause is how long a paused server stands still: longer than a token lives.
const pause = 3 * time.Second

// deployments are ways to run a store. Each makes an empty place, and may return
// what befalls its server while the processes renew.
var deployments = map[string]func(t *testing.T) (place, func() error){
	"PostgreSQL restarted": onPostgres((*server).restart, syscall.SIGINT),
	"PostgreSQL crashes":   onPostgres((*server).restart, syscall.SIGQUIT),
	"PostgreSQL paused":    onPostgres((*server).pause, pause),
	"PostgreSQL fails over": func(t *testing.T) (place, func() error) {
		dsn, failover := postgresPair(t)
		return withTable(t, sqlstore.PostgreSQL, "pgx", dsn), failover
	},
	"MariaDB restarted": onMariaDB((*server).restart, syscall.SIGTERM),
	"MariaDB crashes":   onMariaDB((*server).restart, syscall.SIGKILL),
	"MariaDB paused":    onMariaDB((*server).pause, pause),
	"MariaDB fails over": func(t *testing.T) (place, func() error) {
		dsn, failover := mariaDBPair(t)
		return withTable(t, sqlstore.MySQL, "mysql", dsn), failover
	},
	"Redis restarted": onRedis((*server).restart, syscall.SIGTERM),
	"Redis crashes":   onRedis((*server).restart, syscall.SIGKILL),
	"Redis paused":    onRedis((*server).pause, pause),
	"Redis fails over, by Sentinel": func(t *testing.T) (place, func() error) {
		url, failover := sentinelPair(t)
		return withPrefix(t, url), failover
	},

	"PgBouncer, session mode, pgx":                           behindPgBouncer("session", "pgx", ""),
	"PgBouncer, session mode, pq":                            behindPgBouncer("session", "postgres", ""),
	"PgBouncer, transaction mode, pgx with exec":             behindPgBouncer("transaction", "pgx", "default_query_exec_mode=exec"),
	"PgBouncer, transaction mode, pgx with cache_describe":   behindPgBouncer("transaction", "pgx", "default_query_exec_mode=cache_describe"),
	"PgBouncer, transaction mode, pgx with simple_protocol":  behindPgBouncer("transaction", "pgx", "default_query_exec_mode=simple_protocol"),
	"PgBouncer, transaction mode, pq":                        behindPgBouncer("transaction", "postgres", ""),
	"PgBouncer, transaction mode, pq with binary_parameters": behindPgBouncer("transaction", "postgres", "binary_parameters=yes"),
	"PgBouncer restarted": func(t *testing.T) (place, func() error) {
		s := startPgBouncer(t, "transaction")
		return withTable(t, sqlstore.PostgreSQL, "pgx", postgresDSN(s.addr(), "default_query_exec_mode=exec")), s.restart(syscall.SIGTERM)
	},

	"PostgreSQL, a pool of one": poolOfOne("sqlstore on PostgreSQL"),
	"MariaDB, a pool of one":    poolOfOne("sqlstore on MariaDB"),
	"SQLite, a pool of one":     poolOfOne("sqlstore on SQLite"),
}

func onPostgres[A any](disturb func(*server, A) func() error, how A) func(t *testing.T) (place, func() error) {
	return func(t *testing.T) (place, func() error) {
		s := startPostgres(t)
		return withTable(t, sqlstore.PostgreSQL, "pgx", postgresDSN(s.addr())), disturb(s, how)
	}
}

func onMariaDB[A any](disturb func(*server, A) func() error, how A) func(t *testing.T) (place, func() error) {
	return func(t *testing.T) (place, func() error) {
		s := startMariaDB(t)
		return withTable(t, sqlstore.MySQL, "mysql", mariaDSN(s.addr())), disturb(s, how)
	}
}

func onRedis[A any](disturb func(*server, A) func() error, how A) func(t *testing.T) (place, func() error) {
	return func(t *testing.T) (place, func() error) {
		s := startRedis(t)
		return withPrefix(t, redisURL(s)), disturb(s, how)
	}
}

func behindPgBouncer(mode, driver, settings string) func(t *testing.T) (place, func() error) {
	return func(t *testing.T) (place, func() error) {
		s := startPgBouncer(t, mode)
		return withTable(t, sqlstore.PostgreSQL, driver, postgresDSN(s.addr(), settings)), nil
	}
}

func poolOfOne(store string) func(t *testing.T) (place, func() error) {
	return func(t *testing.T) (place, func() error) {
		p := stores[store](t)
		p.Pool = 1
		return p, nil
	}
}

// moments are what a process has just begun when its store's server is disturbed.
var moments = []step{sends, answered, saves, locked, waits}

// disturbances is how often a fleet's server is disturbed. A fleet whose server is
// left alone has twice as many generations.
func disturbances() int {
	if os.Getenv("PINTEREST_TEST_FLEET") == "full" {
		return 20
	}
	return 3
}

func TestAFleetLosesNoLoginWhateverItsStoreGoesThrough(t *testing.T) {
	results := newTable(t, "deployment", "generations", "disturbances", "requests", "replays", "logins lost", "tokens lost", "store errors", "failed calls")
	for name, deploy := range deployments {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, disturb := deploy(t)
			p.Lease = 0 // nobody is killed
			f := launch(t, p, &pinteresttest.Handler{StrictRotation: true})
			n := 0
			if disturb == nil {
				f.sail(nil, func() bool { return f.ledger.generations() >= 2*disturbances() })
			} else {
				f.ledger.disturbed = true
				for ; n < disturbances(); n++ {
					f.disturb(moments[n%len(moments)], disturb)
				}
			}
			counts := f.land()

			lost := f.ledger.lost(counts.Issued)
			results.add(name, f.ledger.generations(), n, counts.Refresh, counts.Replays, counts.FamiliesRevoked, count(lost), f.ledger.storeErrors, f.ledger.failedCalls)
			assert.Empty(t, lost)
			assert.Zero(t, counts.Replays)
			assert.Zero(t, counts.FamiliesRevoked)
			assert.Equal(t, f.ledger.generations(), counts.Refresh, "one request for each generation")
			f.requireAllCallsAnswered()
		})
	}
}

// disturb lets the fleet work until a process takes the step, has its store's
// server disturbed, and waits for the fleet to renew its token twice thereafter.
func (f *fleet) disturb(at step, disturb func() error) {
	f.t.Helper()
	f.last = ""
	f.sail(nil, func() bool { return f.last == at })
	var failed error
	done := make(chan struct{})
	f.t.Cleanup(func() { <-done }) // before the server ends
	go func() {
		defer close(done)
		failed = disturb()
	}()
	f.sail(nil, func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	require.NoError(f.t, failed)
	reached := f.ledger.generations() + 2 // the first may be one that was on its way
	f.sail(nil, func() bool { return f.ledger.generations() >= reached })
}
