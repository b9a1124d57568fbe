package sqlstore

import (
	"fmt"
	"strings"
)

// A Dialect is a kind of database.
type Dialect uint8

const (
	PostgreSQL Dialect = iota + 1
	MySQL              // MariaDB too
	SQLite
)

func (d Dialect) String() string {
	switch d {
	case PostgreSQL:
		return "PostgreSQL"
	case MySQL:
		return "MySQL"
	case SQLite:
		return "SQLite"
	}
	return fmt.Sprintf("Dialect(%d)", uint8(d))
}

// Statements are what a Store says to its database.
type statements struct {
	table  string // quoted
	schema string // that the app named, not quoted
	name   string // the table's without its schema, not quoted

	create string
	probe  string // fails if the table cannot be used
	load   string // (key)
	page   string // (key, how many): the rows that follow
	due    string // (key, before, how many): those of them that are due

	begin  []string
	hold   string // (key): load, and lock the row
	claim  string // (key): make an empty row that is seen by nobody yet
	keep   string // (value, due, key)
	delete string // (key)
}

// statements are written in PostgreSQL's words and put into the dialect's.
func (d Dialect) statements(table string) (*statements, error) {
	create, err := Schema(d, table)
	if err != nil {
		return nil, err
	}
	schema, name, _ := splitTable(table)
	q := &statements{table: d.quote(schema, name), schema: schema, name: name, create: create}
	words := strings.NewReplacer("{table}", q.table)
	switch d {
	case MySQL:
		words = strings.NewReplacer("{table}", q.table, `"`, "`", "$1", "?", "$2", "?", "$3", "?")
	case SQLite:
		words = strings.NewReplacer("{table}", q.table, "$1", "?1", "$2", "?2", "$3", "?3")
	}

	// Due has no quotes: a quoted name that SQLite does not find is a string to
	// it, and a table that lacks the column would not be found out. That is why
	// load asks for it, too: Update has to fail before f runs.
	q.probe = words.Replace(`SELECT "key", "value", due FROM {table} LIMIT 0`)
	q.load = words.Replace(`SELECT "value", due FROM {table} WHERE "key" = $1`)
	q.page = words.Replace(`SELECT "key", "value" FROM {table} WHERE "key" > $1 ORDER BY "key" LIMIT $2`)
	q.due = words.Replace(`SELECT "key", "value" FROM {table} WHERE "key" > $1 AND due <> 0 AND due < $2 ORDER BY "key" LIMIT $3`)
	q.hold = q.load + " FOR UPDATE"
	q.claim = words.Replace(`INSERT INTO {table} ("key", "value") VALUES ($1, '')`)
	q.keep = words.Replace(`UPDATE {table} SET "value" = $1, due = $2 WHERE "key" = $3`)
	q.delete = words.Replace(`DELETE FROM {table} WHERE "key" = $1`)

	// A transaction of a stricter level would lock gaps between the rows
	// (MySQL), which are other keys', or not see the value that it has waited
	// for (both).
	switch d {
	case PostgreSQL:
		q.begin = []string{"BEGIN ISOLATION LEVEL READ COMMITTED"}
		q.claim += ` ON CONFLICT DO NOTHING` // an error would end the transaction
	case MySQL:
		q.begin = []string{"SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "START TRANSACTION"}
	case SQLite:
		q.keep = words.Replace(`INSERT INTO {table} ("value", due, "key") VALUES ($1, $2, $3) ON CONFLICT ("key") DO UPDATE SET "value" = excluded."value", due = excluded.due`)
	}
	return q, nil
}
