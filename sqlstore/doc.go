// Package sqlstore keeps Pinterest tokens in a table of a SQL database:
// PostgreSQL, MySQL or MariaDB, or SQLite. It is a pinterest.Store, for apps
// whose processes share a database anyway.
//
//	db, err := sql.Open("pgx", dsn) // the driver is the app's choice
//	...
//	store := &sqlstore.Store{DB: db, Dialect: sqlstore.PostgreSQL}
//	if err := store.CreateTable(ctx); err != nil {
//		...
//	}
//	accounts := &pinterest.Accounts{Config: config, Store: store}
//	client := accounts.Client("alice")
//
// It imports no driver, and asks nothing of one but that it ends a statement with
// its context. It is tested with github.com/jackc/pgx/v5/stdlib,
// github.com/go-sql-driver/mysql and modernc.org/sqlite, and behind PgBouncer with
// github.com/lib/pq, too; but lib/pq waits on though the context be over while a
// server says nothing at all, and with it a lease can end unnoticed.
//
// # The table
//
// [Schema] has the statements for the app's migrations, and [Store.CreateTable]
// runs them if the table is missing. A row has a key and a value, both of bytes;
// when it is due; who holds it; and until when. Keys are compared byte by byte,
// whatever the collation. Values are as the app gives them: pinterest.Encrypted
// seals them before they come here.
//
// # The lease
//
// [Store.Update] claims the row by one short statement: it writes who holds it,
// and until when by the database's own clock, a minute from now. Then it runs f,
// and at last writes the value by one short statement that changes nothing unless
// the row is still its own. While f runs the lease is extended.
//
// The claim is a write: if there is no room or no leave to write, Update fails
// before f runs. A database that restarts, fails over or cannot be reached for a
// moment while f runs costs nothing: nobody else gets in before the lease is over,
// and Update tries for a minute to write the value. If the lease may be over
// the context of f ends, with [ErrLeaseLost] for its cause.
//
// A process that is killed inside Update holds up its key for the rest of the
// lease. Whoever waits asks again, at first after some milliseconds, later every
// half second; of the goroutines of one process, one asks.
//
// # Connections
//
// No connection is held and no transaction open while f runs. Each statement
// stands for itself and needs no session, so any pool, and any pooler in any mode
// will do. PgBouncer and its like do their part if the driver sends a query in
// one piece: with pgx set default_query_exec_mode to exec, unless the pooler
// knows prepared statements (max_prepared_statements); with lib/pq,
// binary_parameters=yes. If the statements of two clients are mixed up all the
// same, the store notices it and asks again.
//
// A statement that fails is run again, for a second, on another connection: the
// failed one may lead to a server that is gone, or is no primary any more. The statements are plain ones of PostgreSQL 9.5, MySQL 5.7, MariaDB 10.2
// and SQLite 3.37; databases that speak these protocols, as CockroachDB,
// YugabyteDB, Aurora, Galera or Vitess, have not been tried.
//
// # SQLite
//
// Use WAL (PRAGMA journal_mode = WAL), so that reading does not wait for writing,
// and set busy_timeout to a second, so that whoever writes waits for its turn, and does
// not ask again and again. With a driver that sleeps meanwhile and does not look at the context, a wait may
// outlast the context by that much. All processes have to be on one machine. A
// database in memory needs DB.SetMaxOpenConns(1).
//
// # What it cannot promise
//
//	a replica             DB must lead to the primary: a replica shows tokens that
//	                      have been replaced.
//	failover              with asynchronous replication the new primary may lack
//	                      the last tokens kept, and who holds a key. Let commits
//	                      wait for a replica (synchronous_commit, semi-sync), or
//	                      be ready to ask those users to log in again.
//	weakened durability   with synchronous_commit = off,
//	                      innodb_flush_log_at_trx_commit other than 1, or
//	                      SQLite's synchronous below FULL, a power failure may
//	                      take back what Update had returned for.
//	clocks that jump      if the database's clock is set forward while f runs, a
//	                      lease ends early by that much.
//	a process that stops  for longer than a lease and does not know it: what it
//	                      writes then is refused if another came in meanwhile, but
//	                      it may send one more request.
//	a MySQL session       without autocommit, or with READ UNCOMMITTED: it is
//	                      refused, as nothing would be kept, or a key that is
//	                      being written would look missing.
package sqlstore
