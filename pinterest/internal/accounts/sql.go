package accounts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
	"github.com/go-pinterest/pinterest/sqlstore"
)

// appsTable is beside the tokens' table, which a service may share.
const appsTable = sqlstore.DefaultTable + "_apps"

func openPostgres(ctx context.Context, _ io.Writer, name string, create bool) (*Store, error) {
	dsn := name
	if kind, rest, _ := strings.Cut(name, ":"); !strings.HasPrefix(rest, "//") {
		dsn, name = rest, kind+":" // words like host=… password=…, or nothing: the variables of PostgreSQL's own clients
	}
	conf, err := pgx.ParseConfig(dsn)
	if err != nil { // it could quote a password
		return nil, say.WrongUsage("the store is not the address of a PostgreSQL database", "write it like postgres://user@host:5432/database")
	}
	return openSQL(ctx, shown(name), stdlib.OpenDB(*conf), sqlstore.PostgreSQL, create)
}

func openMySQL(ctx context.Context, _ io.Writer, name string, create bool) (*Store, error) {
	const hint = "write it like mysql://user@host:3306/database, with ?tls=true to have the connection encrypted"
	dsn := strings.TrimPrefix(name, "mysql:")
	u, err := url.Parse(name)
	if strings.HasPrefix(dsn, "//") && err == nil {
		dsn = "/?" + u.RawQuery
	} else {
		u = nil
	}
	conf, err := mysql.ParseDSN(dsn)
	if err != nil { // it could quote a password
		return nil, say.WrongUsage("the store is not the address of a MySQL database, or a parameter has no such value", hint)
	}
	for _, name := range slices.Sorted(maps.Keys(conf.Params)) { // what the driver does not know, and would have the server set
		return nil, say.WrongUsage(fmt.Sprintf("the store has a parameter %q, which is not known for MySQL", say.OneLine(name)), hint)
	}
	if u != nil {
		conf.User = u.User.Username()
		conf.Passwd, _ = u.User.Password()
		conf.Net, conf.Addr, conf.DBName = "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
		if u.Port() == "" {
			conf.Addr = net.JoinHostPort(u.Hostname(), "3306")
		}
		if conf.TLS != nil {
			conf.TLS.ServerName = u.Hostname() // it was made before the host was known
		}
	}
	conf.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(conf)
	if err != nil {
		return nil, say.WrongUsage("the store is not the address of a MySQL database", hint)
	}
	return openSQL(ctx, "mysql://"+conf.User+"@"+conf.Addr+"/"+conf.DBName, sql.OpenDB(connector), sqlstore.MySQL, create)
}

func openSQLite(ctx context.Context, _ io.Writer, name string, create bool) (*Store, error) {
	path := strings.TrimPrefix(name, "sqlite:")
	if path == "" || strings.ContainsAny(path, "?#") {
		return nil, say.WrongUsage("the store is not the path of an SQLite database", "write it like sqlite:pinterest.db")
	}
	path, err := directory(path)
	if err != nil {
		return nil, err
	}
	name = "sqlite:" + path
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if !create {
			return emptyStore(name), nil
		}
		// SQLite would let everybody read it.
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		file.Close()
	}
	pragmas := "_pragma=busy_timeout(5000)"
	if create {
		pragmas = "_pragma=journal_mode(WAL)&" + pragmas // which the file keeps
	}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: pragmas}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, err
	}
	return openSQL(ctx, name, db, sqlstore.SQLite, create)
}

// openSQL creates the tables if it may, and else does with those that there are:
// the database can be another program's.
func openSQL(ctx context.Context, name string, db *sql.DB, dialect sqlstore.Dialect, create bool) (*Store, error) {
	fail := func(err error, hint string) (*Store, error) {
		db.Close()
		return nil, say.WithHint(fmt.Errorf("the store %s cannot be used: %w", name, err), hint)
	}
	open := func(s *sqlstore.Store) (pinterest.Store, error) {
		if create {
			return s, s.CreateTable(ctx)
		}
		_, err := s.Load(ctx, "nobody") // which looks at the table first
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return s, err
	}
	tokens, err := open(&sqlstore.Store{DB: db, Dialect: dialect})
	switch {
	case err == nil:
	case !create && noTable(err):
		db.Close()
		return emptyStore(name), nil
	default:
		return fail(err, "is the database there, and may you use it?")
	}
	apps, err := open(&sqlstore.Store{DB: db, Dialect: dialect, Table: appsTable})
	switch {
	case err == nil:
	case !create && (noTable(err) || noLeave(err)):
		apps = pinterest.NewMemoryStore()
	default:
		return fail(err, "let its owner make the table "+appsTable+" like "+sqlstore.DefaultTable)
	}
	return newStore(name, tokens, apps, db.Close), nil
}

// noTable reports whether err is a database's for a table that is not there.
func noTable(err error) bool {
	var pg *pgconn.PgError
	var my *mysql.MySQLError
	var lite *sqlite.Error
	return errors.As(err, &pg) && pg.Code == "42P01" ||
		errors.As(err, &my) && my.Number == 1146 ||
		errors.As(err, &lite) && strings.Contains(lite.Error(), "no such table")
}

// noLeave reports whether err is a database's for a table that one may not read.
func noLeave(err error) bool {
	var pg *pgconn.PgError
	var my *mysql.MySQLError
	return errors.As(err, &pg) && pg.Code == "42501" || errors.As(err, &my) && my.Number == 1142
}
