package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/filestore"
	"github.com/go-pinterest/pinterest/pinteresttest"
	"github.com/go-pinterest/pinterest/redisstore"
	"github.com/go-pinterest/pinterest/sqlstore"
)

// An engine is what a store keeps tokens in.
type engine struct {
	name    string
	dialect sqlstore.Dialect // of those that speak SQL
	address string           // empty: the engine is in this process, or missing
	missing string           // how to name the engine's address, if there is none
}

func engines(o options) []engine {
	all := []engine{
		{name: "memory"},
		{name: "files"},
		{name: "SQLite", dialect: sqlstore.SQLite},
		{name: "PostgreSQL", dialect: sqlstore.PostgreSQL, address: o.postgres},
		{name: "MySQL", dialect: sqlstore.MySQL, address: o.mysql},
		{name: "Redis", address: o.redis},
	}
	for i, flag := range map[int]string{3: "-postgres", 4: "-mysql", 5: "-redis"} {
		if all[i].address == "" {
			all[i].missing = flag
		}
	}
	return all
}

// version returns what the engine calls itself; empty if it does not tell.
func (e engine) version(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	query := "SELECT version()"
	switch {
	case e.missing != "":
		return ""
	case e.name == "Redis":
		client, err := e.client()
		if err != nil {
			return ""
		}
		defer client.Close()
		info := client.InfoMap(ctx, "server").Item("Server", "redis_version")
		return "Redis " + info
	case e.dialect == 0:
		return ""
	case e.dialect == sqlstore.SQLite:
		query = "SELECT sqlite_version()"
	}
	p := place{engine: e}
	db, err := p.connect(1)
	if err != nil {
		return ""
	}
	defer db.Close()
	var version string
	if db.QueryRowContext(ctx, query).Scan(&version) != nil {
		return ""
	}
	if e.dialect == sqlstore.PostgreSQL {
		return strings.Join(strings.Fields(version)[:2], " ")
	}
	if strings.Contains(version, "MariaDB") {
		return "MariaDB " + version
	}
	return e.name + " " + version
}

func (e engine) client() (*redis.Client, error) {
	opts, err := redis.ParseURL(e.address)
	if err != nil {
		return nil, err
	}
	return redis.NewClient(opts), nil
}

// A place is a table, a directory or a prefix of the measure's own.
type place struct {
	engine
	table string // or prefix
	dir   string // of files
	store pinterest.Store

	closers []func() error // in the order of their making
}

// newPlace makes a place; close removes it.
func (e engine) newPlace(ctx context.Context) (*place, error) {
	p := &place{engine: e, table: "bench_" + strings.ToLower(rand.Text()[:12])}
	if err := p.create(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", e.name, err), p.close())
	}
	return p, nil
}

func (p *place) create(ctx context.Context) error {
	if p.name == "files" || p.dialect == sqlstore.SQLite {
		dir, err := os.MkdirTemp("", "bench")
		if err != nil {
			return err
		}
		p.dir = dir
		p.closers = append(p.closers, func() error { return os.RemoveAll(dir) })
	}
	s, err := p.open(1)
	if err != nil {
		return err
	}
	p.store = s
	switch s := s.(type) {
	case *sqlstore.Store:
		if err := s.CreateTable(ctx); err != nil {
			return err
		}
		if p.dialect != sqlstore.SQLite {
			p.closers = append(p.closers, func() error { _, err := s.DB.Exec("DROP TABLE " + p.table); return err })
		}
	case *redisstore.Store:
		p.closers = append(p.closers, func() error { return forget(s.Client, p.table) })
	}
	return nil
}

// forget deletes all that a redisstore has kept.
func forget(client redis.UniversalClient, prefix string) error {
	ctx := context.Background()
	for cursor := uint64(0); ; {
		keys, next, err := client.Scan(ctx, cursor, prefix+"*", 1000).Result()
		if err == nil && len(keys) > 0 {
			err = client.Unlink(ctx, keys...).Err()
		}
		if err != nil || next == 0 {
			return err
		}
		cursor = next
	}
}

func (p *place) close() error {
	var errs []error
	for i := len(p.closers) - 1; i >= 0; i-- {
		errs = append(errs, p.closers[i]())
	}
	return errors.Join(errs...)
}

// open returns a Store as a process of its own would have it, with enough
// connections to sweep so many accounts at a time.
func (p *place) open(parallel int) (pinterest.Store, error) {
	switch p.name {
	case "memory":
		if p.store != nil {
			return p.store, nil
		}
		return pinterest.NewMemoryStore(), nil
	case "files":
		return filestore.New(filepath.Join(p.dir, "tokens"))
	case "Redis":
		client, err := p.client()
		if err != nil {
			return nil, err
		}
		p.closers = append(p.closers, client.Close)
		return &redisstore.Store{Client: client, Prefix: p.table + ":"}, nil
	}
	db, err := p.connect(parallel + 1)
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, db.Close)
	return &sqlstore.Store{DB: db, Dialect: p.dialect, Table: p.table}, nil
}

// connect returns a pool whose connections stay open: the two that database/sql
// keeps by default would have the others dialled again and again.
func (p *place) connect(connections int) (*sql.DB, error) {
	var db *sql.DB
	var err error
	switch p.dialect {
	case sqlstore.SQLite:
		if p.dir == "" { // to ask for the version
			return sql.Open("sqlite", ":memory:")
		}
		db, err = sql.Open("sqlite", "file:"+filepath.Join(p.dir, "tokens.db")+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)")
	case sqlstore.PostgreSQL:
		db, err = sql.Open("pgx", p.address)
	default:
		var c *mysql.Config
		if c, err = mysql.ParseDSN(p.address); err != nil {
			return nil, err
		}
		c.InterpolateParams = true // one round trip for each statement, ours and the bare ones
		db, err = sql.Open("mysql", c.FormatDSN())
	}
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// key is long, so that a sweep that made a list of the keys would be seen to.
func key(i int) string { return fmt.Sprintf("account-%0120d", i) }

// seed logs n accounts in, of which the first few have refresh tokens that lapse
// within a day. What these are renewed to lives for sixty. The others have one
// record in common, that nobody renews.
func (p *place) seed(ctx context.Context, fake *pinteresttest.Handler, n, due int) error {
	tomorrow, later := time.Now().Add(24*time.Hour), time.Now().Add(60*24*time.Hour)
	idle, err := pinterest.MarshalToken(fake.Login())
	if err != nil {
		return err
	}
	fake.Change(func(h *pinteresttest.Handler) { h.RefreshLife = 24 * time.Hour })
	defer fake.Change(func(h *pinteresttest.Handler) { h.RefreshLife = 0 })
	record := func(i int) (value []byte, at time.Time, err error) {
		if i >= due {
			return idle, later, nil
		}
		value, err = pinterest.MarshalToken(fake.Login(pinterest.ScopeUserAccountsRead, pinterest.ScopeBoardsRead))
		return value, tomorrow, err
	}
	if s, ok := p.store.(*sqlstore.Store); ok {
		return seedTable(ctx, s, n, record)
	}
	const writers = 32
	var writing sync.WaitGroup
	errs := make(chan error, writers)
	for w := range writers {
		writing.Go(func() {
			for i := w; i < n; i += writers {
				value, at, err := record(i)
				if err == nil {
					err = p.store.Update(ctx, key(i), func(context.Context, []byte) ([]byte, time.Time, error) { return value, at, nil })
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	writing.Wait()
	close(errs)
	return <-errs
}

// seedTable inserts the records, many at a time.
func seedTable(ctx context.Context, s *sqlstore.Store, n int, record func(i int) ([]byte, time.Time, error)) error {
	const many = 300 // SQLite takes no more than 999 parameters
	tx, err := s.DB.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for i := 0; i < n; i += many {
		var rows []string
		var args []any
		for j := i; j < min(i+many, n); j++ {
			value, due, err := record(j)
			if err != nil {
				return err
			}
			args = append(args, []byte(key(j)), value, due.UnixMilli())
			if s.Dialect == sqlstore.MySQL {
				rows = append(rows, "(?, ?, ?)")
			} else {
				rows = append(rows, fmt.Sprintf("($%d, $%d, $%d)", len(args)-2, len(args)-1, len(args)))
			}
		}
		insert := "INSERT INTO " + s.Table + ` ("key", "value", "due") VALUES ` + strings.Join(rows, ", ")
		if _, err := tx.ExecContext(ctx, inDialect(s.Dialect, insert), args...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// inDialect turns the quotes of a statement into those of MySQL.
func inDialect(d sqlstore.Dialect, statement string) string {
	if d == sqlstore.MySQL {
		return strings.ReplaceAll(statement, `"`, "`")
	}
	return statement
}
