package sqlstore

import (
	"fmt"
	"strconv"
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

// Statements are what a Store says to its database, each for itself: none needs
// a transaction or a session. A row is held while until, in milliseconds of the
// database's clock, is ahead.
type statements struct {
	table  string // quoted
	create []string
	probe  string // fails if the table cannot be used
	health string // asks for settings that would lose what is kept

	claim *statement // (key, holder, milliseconds): the row, if it is the holder's now
	load  *statement // (key): the row, or nothing in its place
	all   *statement // (key): the rows that follow
	due   *statement // (due, due, key, before): the rows that follow by due and key, and that nobody holds

	extend  *statement // (milliseconds, key, holder)
	keep    *statement // (value, due, key, holder)
	release *statement // (key, holder)
	forget  *statement // (key, holder): if it has no value
	delete  *statement // (key, holder)
}

// A statement knows itself again: a pooler that mixes up the prepared statements
// of its clients may run another in its place, of another table. So what changes
// something is given its tag as its last argument, and changes nothing if it is
// another's, and what asks for something is answered with its tag.
type statement struct {
	tag      string
	text     string
	isTagged bool // its last argument is the tag
	mayEmpty bool // its answer may be nothing
}

func (q *statement) with(args []any) []any {
	if q.isTagged {
		return append(args, q.tag)
	}
	return args
}

// statements are written in PostgreSQL's words and put into the dialect's.
func (d Dialect) statements(table string) (*statements, error) {
	create, err := d.schema(table)
	if err != nil {
		return nil, err
	}
	schema, name, _ := splitTable(table)
	q := &statements{table: d.quote(schema, name), create: create}

	// A name in quotes that SQLite does not find is a string to it, and a table
	// that lacks the column would not be found out. So only key and value, which
	// others reserve, have quotes, after the table's name.
	words := []string{"{now}", "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"}
	switch d {
	case MySQL:
		words = []string{`"`, "`", "{now}", "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)"}
	case SQLite:
		words = []string{"{now}", "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"}
	}
	words = append(words, "{table}", q.table, "{rows}", strconv.Itoa(pageRows))
	if d != PostgreSQL {
		words = append(words, "::bytea", "", "::bigint", "", "::text", "")
	}
	compile := func(what, text string) *statement {
		s := &statement{tag: strings.TrimPrefix(schema+"."+name, ".") + " " + what, isTagged: strings.Contains(text, tagged)}
		s.text = strings.NewReplacer(append(words, "{tag}", "'"+s.tag+"'")...).Replace(text)
		for n := 1; d == PostgreSQL && strings.Contains(s.text, "?"); n++ {
			s.text = strings.Replace(s.text, "?", fmt.Sprint("$", n), 1)
		}
		return s
	}

	q.probe = compile("", `SELECT t."key", t."value", due, holder, until FROM {table} AS t LIMIT 0`).text
	switch d {
	case MySQL:
		q.health = "SHOW SESSION VARIABLES WHERE Variable_name IN ('autocommit', 'tx_isolation', 'transaction_isolation')"
	case SQLite:
		if schema == "" {
			schema = "main"
		}
		q.health = "SELECT COALESCE(file, '') FROM pragma_database_list WHERE name = '" + schema + "' COLLATE NOCASE"
	}

	// All answers have columns of the same types, since a mixed up one is read by
	// the types of the other.
	const row = `{tag}::text, t."key", t."value", (CASE WHEN t."value" IS NULL THEN 0 ELSE 1 END)::bigint, `
	q.load = compile("load", `SELECT `+row+`COALESCE(t.holder, ''), COALESCE(t.due, 0) FROM (SELECT 1) AS o LEFT JOIN {table} AS t ON t."key" = ?::bytea`)
	q.claim = compile("claim", `INSERT INTO {table} AS t ("key", holder, until) SELECT ?::bytea, ?::text, {now} + ?::bigint WHERE `+tagged+`
		ON CONFLICT ("key") DO UPDATE SET holder = excluded.holder, until = excluded.until WHERE t.until <= {now} OR t.holder = excluded.holder
		RETURNING `+strings.ReplaceAll(row, "t.", "")+`holder, due`)
	q.claim.mayEmpty = true
	if d == MySQL {
		q.claim = compile("claim", `INSERT INTO {table} ("key", holder, until) VALUES (?, ?, {now} + ?)
			ON DUPLICATE KEY UPDATE holder = IF(until <= {now} OR holder = VALUES(holder), VALUES(holder), holder), until = IF(holder = VALUES(holder), VALUES(until), until)`)
	}

	page := func(what, where, order string) *statement {
		text := `SELECT ` + row + `(CASE WHEN until > {now} THEN holder ELSE '' END), due FROM {table} AS t WHERE t."value" IS NOT NULL AND ` + where + ` ORDER BY ` + order + ` LIMIT {rows}`
		if d == PostgreSQL { // a row that is none, lest no answer to another question be taken for an empty page
			text = `(` + text + `) UNION ALL SELECT {tag}::text, NULL, NULL, 0::bigint, ''::text, 0::bigint`
		}
		p := compile(what, text)
		p.mayEmpty = d != PostgreSQL
		return p
	}
	q.all = page("all", `t."key" > ?`, `t."key"`)
	q.due = page("due", `due >= ? AND (due > ? OR t."key" > ?) AND due < ? AND until <= {now}`, `due, t."key"`)

	const mine = ` WHERE "key" = ? AND holder = ? AND ` + tagged
	q.extend = compile("extend", `UPDATE {table} SET until = {now} + ?::bigint`+mine)
	q.keep = compile("keep", `UPDATE {table} SET "value" = ?, due = ?, holder = '', until = 0`+mine)
	q.release = compile("release", `UPDATE {table} SET holder = '', until = 0`+mine)
	q.forget = compile("forget", `DELETE FROM {table}`+mine+` AND "value" IS NULL`)
	q.delete = compile("delete", `DELETE FROM {table}`+mine)
	return q, nil
}

// tagged is what a statement that changes something asks for last.
const tagged = "?::text = {tag}"
