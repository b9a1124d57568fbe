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
// It imports no driver. Its tests run with github.com/jackc/pgx/v5/stdlib,
// github.com/go-sql-driver/mysql and modernc.org/sqlite; it also knows the
// errors of github.com/lib/pq, github.com/mattn/go-sqlite3 and
// github.com/ncruces/go-sqlite3 by their shape.
//
// # The table
//
// [Schema] has the statement for the app's migrations, and
// [Store.CreateTable] runs it if the table is missing. There are three columns:
// the key and the value, both of bytes, and when the key is due, in milliseconds
// of Unix time. Keys are compared byte by byte, whatever the collation. Values are
// as the app gives them: pinterest.Encrypted seals them before they come here.
//
// # What holds the lock
//
// While f runs in [Store.Update], nobody else is in an Update or Delete of the
// same key, in any process. What holds the others off is let go when the
// process dies, however it dies: there is no lease to run out.
//
//	            what is locked             for the length of f      lost when
//	PostgreSQL  the row, FOR UPDATE        one connection           the connection breaks
//	MySQL       the row, FOR UPDATE        one connection           the connection breaks
//	SQLite      a file beside the          nothing of the database  never
//	            database, key by key
//
// A key without a row is locked by inserting one, which nobody sees before the
// value is kept, and which goes with the transaction if f fails.
//
// A connection that breaks while f runs, or a server that ends it, loses the
// lock: within about a second f's context is cancelled, and Update returns an
// error. What f returns then is not kept, so it cannot overwrite what the next
// Update has kept.
//
// # SQLite
//
// SQLite has one lock for the whole database. To hold it for the length of f
// would make all accounts wait for one account's network: a sweep over 100,000
// accounts, 50 milliseconds each and eight at a time, would take 83 minutes and
// not 10. So Update locks a file beside the database, in the name of the key, by
// an advisory lock of the operating system, and takes SQLite's own lock only to
// write, by one statement. On Linux that is one byte of an empty file named
// after the database with "-lock" at its end, which stays. Elsewhere it is a file
// for each key under way, which goes when Update is done, or with the key's next
// Update if the process was killed. On Linux that costs a few microseconds. The
// lock binds only those who use this package: do not write to the table by other
// means while they do, nor remove the files.
//
// That needs what SQLite needs itself in WAL mode: all processes on one machine,
// the file and its directory on a disk of that machine, seen by all. A database
// in memory is locked by its Store alone.
//
// Use WAL (PRAGMA journal_mode = WAL), so that reading does not wait for
// writing. Whoever waits to write asks again and again under his context,
// whether or not busy_timeout is set. With a driver that sleeps until
// busy_timeout is over and does not look at the context, a wait may outlast the
// context by that much.
//
// # Connections
//
// With PostgreSQL and MySQL every Update under way has a connection of the pool.
// A limit (SetMaxOpenConns) of as many as there are Updates at once, and one
// more, is a good one: with KeepAlive at its eight, nine. Let as many stay open
// (SetMaxIdleConns), or all but two are opened anew again and again. Fewer
// connections are slower and not wrong, down to a single one, as long as f does not use the same pool: then it
// waits for a connection that its own Update has, until its context is over.
// Goroutines that wait for a key that their process has locked wait without a
// connection. With SQLite no connection is held while f runs.
//
// A MySQL server does not notice that a client which waited for a lock has left:
// the connection of an Update or Delete whose context ends while another process
// has the key counts towards max_connections until that one is done, or
// innodb_lock_wait_timeout (50 seconds) has passed. It gets nobody into Update.
//
// A transaction is open while f runs, and idle. PostgreSQL's
// idle_in_transaction_session_timeout and the like should be longer than two
// seconds; the connection is used once a second. A pooler in front of the
// database must keep a transaction on one connection, as PgBouncer's transaction
// mode does.
//
// # What it cannot promise
//
//	a replica               DB must be the primary: a replica shows tokens that
//	                        have been replaced, and cannot lock.
//	failover                with asynchronous replication the new primary may
//	                        lack the last tokens kept. Let commits wait for a
//	                        replica (synchronous_commit, semi-sync), or be ready
//	                        to ask those users to log in again.
//	several primaries       Galera and group replication lock rows on one node
//	                        only. Let all processes use the same one.
//	weakened durability     with synchronous_commit = off,
//	                        innodb_flush_log_at_trx_commit other than 1, or
//	                        SQLite's synchronous below FULL, a power failure may
//	                        take back what Update had returned for.
//	statement-based binlog  MySQL refuses READ COMMITTED with binlog_format =
//	                        STATEMENT. MIXED and ROW are fine.
//
// Load, Each and the waiting of Update and Delete are tried again when the
// database says that others were in the way: a deadlock, a lock timeout, a busy
// file. Once f has run it is never run again, and an error is returned.
package sqlstore
