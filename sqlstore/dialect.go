package sqlstore

import (
	"fmt"
	"regexp"
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
	health string // asks for what would make the others lie

	claim    *statement // (key, holder, milliseconds): the row, if it is the holder's now
	load     *statement // (key): the row, or nothing in its place
	all      *statement // (key): the rows that follow
	due      *statement // (due, before): the rows that follow and that nobody holds
	sameDue  *statement // (due, key): the same, of one due
	dueByKey *statement // (key, before): the rows that follow and that nobody holds

	extend  *statement // (key, holder, milliseconds)
	keep    *statement // (key, holder, value, due, the next holder)
	release *statement // (key, holder)
	forget  *statement // (key, holder): if it has no value
	delete  *statement // (key, holder)
}

// A statement knows itself again: a pooler that mixes up the prepared statements
// of its clients may run another in its place, of another table. So what changes
// something is given its tag as its last argument, and changes nothing if it is
// another's, and what asks for something is answered with its tag.
type statement struct {
	tag  string
	text string
	args []int // which argument stands at each mark

	silent bool // its answer may be nothing
}

func (q *statement) bind(args []any) []any {
	args = append(args, q.tag)
	bound := make([]any, len(q.args))
	for i, n := range q.args {
		bound[i] = args[n]
	}
	return bound
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
	write := func(what, text string) *statement {
		s := &statement{tag: strings.TrimPrefix(schema+"."+name, ".") + " " + what}
		text = strings.NewReplacer(append(words, "{tag}", "'"+s.tag+"'")...).Replace(text)
		s.text = mark.ReplaceAllStringFunc(text, func(m string) string {
			n := int(m[1] - '1')
			switch d {
			case MySQL: // has no numbers
				s.args = append(s.args, n)
				return "?"
			case SQLite: // would take $1 for a name
				m = "?" + m[1:]
			}
			for len(s.args) <= n {
				s.args = append(s.args, len(s.args))
			}
			return m
		})
		return s
	}

	q.probe = write("", `SELECT t."key", t."value", due, holder, until FROM {table} AS t LIMIT 0`).text
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
	const held = `COALESCE(t.holder, ''), (CASE WHEN t.until > {now} THEN 1 ELSE 0 END)::bigint`
	q.load = write("load", `SELECT `+row+held+` FROM (SELECT 1) AS o LEFT JOIN {table} AS t ON t."key" = $1::bytea`)
	q.claim = write("claim", `INSERT INTO {table} AS t ("key", holder, until) SELECT $1::bytea, $2::text, {now} + $3::bigint WHERE $4::text = {tag}
		ON CONFLICT ("key") DO UPDATE SET holder = excluded.holder, until = excluded.until WHERE t.until <= {now} OR t.holder = excluded.holder
		RETURNING `+strings.ReplaceAll(row, "t.", "")+`holder, 1::bigint`)
	q.claim.silent = true
	if d == MySQL {
		q.claim = write("claim", `INSERT INTO {table} ("key", holder, until) VALUES ($1, $2, {now} + $3)
			ON DUPLICATE KEY UPDATE holder = IF(until <= {now} OR holder = $2, $2, holder), until = IF(holder = $2, {now} + $3, until)`)
	}

	page := func(what, where, order string) *statement {
		text := `SELECT ` + row + `''::text, due FROM {table} AS t WHERE t."value" IS NOT NULL AND ` + where + ` ORDER BY ` + order + ` LIMIT {rows}`
		if d == PostgreSQL { // a row that is none, lest no answer to another question be taken for an empty page
			text = `(` + text + `) UNION ALL SELECT {tag}::text, NULL, NULL, 0::bigint, ''::text, 0::bigint`
		}
		p := write(what, text)
		p.silent = d != PostgreSQL
		return p
	}
	q.all = page("all", `t."key" > $1`, `t."key"`)
	q.due = page("due", `due > $1 AND due < $2 AND until <= {now}`, `due, t."key"`)
	q.sameDue = page("same due", `due = $1 AND t."key" > $2 AND until <= {now}`, `t."key"`)

	q.dueByKey = page("due by key", `t."key" > $1 AND due > 0 AND due < $2 AND until <= {now}`, `t."key"`)

	const mine = ` WHERE "key" = $1 AND holder = $2`
	q.extend = write("extend", `UPDATE {table} SET until = {now} + $3::bigint`+mine+` AND $4::text = {tag}`)
	q.keep = write("keep", `UPDATE {table} SET "value" = $3, due = $4, holder = $5, until = 0`+mine+` AND $6::text = {tag}`)
	q.release = write("release", `UPDATE {table} SET holder = '', until = 0`+mine+` AND $3::text = {tag}`)
	q.forget = write("forget", `DELETE FROM {table}`+mine+` AND $3::text = {tag} AND "value" IS NULL`)
	q.delete = write("delete", `DELETE FROM {table}`+mine+` AND $3::text = {tag}`)
	return q, nil
}

var mark = regexp.MustCompile(`\$\d`)
