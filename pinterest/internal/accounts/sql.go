package accounts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
	"github.com/go-pinterest/pinterest/sqlstore"
)

// appsTable is beside the tokens' table, which a service may share.
const appsTable = sqlstore.DefaultTable + "_apps"

func openPostgres(ctx context.Context, name string, create bool) (*Store, error) {
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

func openMySQL(ctx context.Context, name string, create bool) (*Store, error) {
	const hint = "write it like mysql://user@host:3306/database"
	dsn := strings.TrimPrefix(name, "mysql:")
	conf, err := mysql.ParseDSN(dsn)
	if strings.HasPrefix(dsn, "//") {
		var u *url.URL
		if u, err = url.Parse(name); err == nil {
			conf = mysql.NewConfig()
			conf.User = u.User.Username()
			conf.Passwd, _ = u.User.Password()
			conf.Net, conf.Addr, conf.DBName = "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
			if u.Port() == "" {
				conf.Addr = u.Host + ":3306"
			}
		}
	}
	if err != nil { // it could quote a password
		return nil, say.WrongUsage("the store is not the address of a MySQL database", hint)
	}
	conf.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(conf)
	if err != nil {
		return nil, say.WrongUsage("the store is not the address of a MySQL database", hint)
	}
	return openSQL(ctx, "mysql://"+conf.User+"@"+conf.Addr+"/"+conf.DBName, sql.OpenDB(connector), sqlstore.MySQL, create)
}

func openSQLite(ctx context.Context, name string, create bool) (*Store, error) {
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
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: "_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)"}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, err
	}
	return openSQL(ctx, name, db, sqlstore.SQLite, create)
}

func openSQL(ctx context.Context, name string, db *sql.DB, dialect sqlstore.Dialect, create bool) (*Store, error) {
	tokens := &sqlstore.Store{DB: db, Dialect: dialect}
	if err := tokens.CreateTable(ctx); err != nil {
		db.Close()
		return nil, say.WithHint(fmt.Errorf("the store %s cannot be used: %w", name, err), "is the database there, and may you use it?")
	}
	var apps pinterest.Store = &sqlstore.Store{DB: db, Dialect: dialect, Table: appsTable}
	if err := apps.(*sqlstore.Store).CreateTable(ctx); err != nil {
		if create {
			db.Close()
			return nil, say.WithHint(fmt.Errorf("the store %s cannot be used: %w", name, err), "let its owner make the table "+appsTable+" like "+sqlstore.DefaultTable)
		}
		apps = pinterest.NewMemoryStore() // the database is another program's
	}
	return newStore(name, tokens, apps, db.Close), nil
}
