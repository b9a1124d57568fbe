package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/go-pinterest/pinterest/sqlstore"
)

// With SQLite the app's processes share a file.
func Example_sqLite() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	// import _ "modernc.org/sqlite"
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "app.db")+"?_pragma=journal_mode(WAL)")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	ctx := context.Background()
	store := &sqlstore.Store{DB: db, Dialect: sqlstore.SQLite}
	if err := store.CreateTable(ctx); err != nil {
		log.Fatal(err)
	}
	err = store.Update(ctx, "alice", func(ctx context.Context, old []byte) ([]byte, time.Time, error) {
		fmt.Println("nothing yet:", old == nil)
		return []byte("a token"), time.Time{}, nil
	})
	if err != nil {
		log.Fatal(err)
	}
	value, err := store.Load(ctx, "alice")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", value)
	// Output:
	// nothing yet: true
	// a token
}

// The table may be in a schema of the app's.
func Example_postgreSQL() {
	// import _ "github.com/jackc/pgx/v5/stdlib"
	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	ctx := context.Background()
	store := &sqlstore.Store{DB: db, Dialect: sqlstore.PostgreSQL, Table: "crm.pinterest_tokens"}
	if err := store.CreateTable(ctx); err != nil {
		log.Fatal(err)
	}
	soon := time.Now().Add(24 * time.Hour)
	err = store.Each(ctx, soon, func(key string, value []byte) error {
		fmt.Println(key)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
}

// MySQL stands for MariaDB too.
func Example_mySQL() {
	// import _ "github.com/go-sql-driver/mysql"
	db, err := sql.Open("mysql", os.Getenv("MYSQL_DSN"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	ctx := context.Background()
	store := &sqlstore.Store{DB: db, Dialect: sqlstore.MySQL}
	if err := store.CreateTable(ctx); err != nil {
		log.Fatal(err)
	}
	if err := store.Delete(ctx, "alice"); err != nil {
		log.Fatal(err)
	}
}

// The statement that an app with migrations puts into one.
func ExampleSchema() {
	schema, err := sqlstore.Schema(sqlstore.PostgreSQL, "crm.pinterest_tokens")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(schema)
	// Output:
	// CREATE TABLE IF NOT EXISTS "crm"."pinterest_tokens" (
	// 	"key" BYTEA NOT NULL PRIMARY KEY,
	// 	"value" BYTEA,
	// 	"due" BIGINT NOT NULL DEFAULT 0,
	// 	"holder" TEXT NOT NULL DEFAULT '',
	// 	"until" BIGINT NOT NULL DEFAULT 0
	// );
	// CREATE INDEX IF NOT EXISTS "pinterest_tokens_due" ON "crm"."pinterest_tokens" ("due", "key");
}
