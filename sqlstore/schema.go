package sqlstore

import (
	"fmt"
	"regexp"
	"strings"
)

// DefaultTable is the table of a Store that names none.
const DefaultTable = "pinterest_tokens"

// Schema returns the statements that create the table, for the app's
// migrations. An empty table is DefaultTable.
//
// Keys are compared byte by byte, and can be as long as [MaxKey], which every
// database can index.
// Due and until are in milliseconds of Unix time. A due of 0 is never, and a row
// whose value is NULL is held for a key that nothing is kept under yet.
func Schema(d Dialect, table string) (string, error) {
	create, err := d.schema(table)
	return strings.Join(create, ""), err
}

func (d Dialect) schema(table string) ([]string, error) {
	schema, name, err := splitTable(table)
	if err != nil {
		return nil, err
	}
	quoted := d.quote(schema, name)
	switch d {
	case PostgreSQL:
		return []string{fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (
	"key" BYTEA NOT NULL PRIMARY KEY,
	"value" BYTEA,
	"due" BIGINT NOT NULL DEFAULT 0,
	"holder" TEXT NOT NULL DEFAULT '',
	"until" BIGINT NOT NULL DEFAULT 0
);
`, quoted), fmt.Sprintf(`CREATE INDEX IF NOT EXISTS "%s_due" ON %s ("due", "key");
`, name, quoted)}, nil
	case MySQL:
		return []string{fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (\n"+
			"\t`key` VARBINARY(%d) NOT NULL PRIMARY KEY,\n"+
			"\t`value` LONGBLOB,\n"+
			"\t`due` BIGINT NOT NULL DEFAULT 0,\n"+
			"\t`holder` VARBINARY(32) NOT NULL DEFAULT '',\n"+
			"\t`until` BIGINT NOT NULL DEFAULT 0,\n"+
			"\tINDEX (`due`, `key`)\n"+
			") ENGINE=InnoDB ROW_FORMAT=DYNAMIC;\n", quoted, MaxKey)}, nil
	case SQLite:
		return []string{fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (
	"key" BLOB NOT NULL PRIMARY KEY,
	"value" BLOB,
	"due" INTEGER NOT NULL DEFAULT 0,
	"holder" TEXT NOT NULL DEFAULT '',
	"until" INTEGER NOT NULL DEFAULT 0
) STRICT;
`, quoted), fmt.Sprintf(`CREATE INDEX IF NOT EXISTS %s ON "%s" ("due", "key");
`, d.quote(schema, name+"_due"), name)}, nil
	}
	return nil, fmt.Errorf("sqlstore: unknown dialect %d: say PostgreSQL, MySQL or SQLite", uint8(d))
}

// identifier is so short that PostgreSQL, which cuts a longer one without a word,
// has room for the index's name.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,58}$`)

func splitTable(table string) (schema, name string, err error) {
	if table == "" {
		return "", DefaultTable, nil
	}
	schema, name, qualified := strings.Cut(table, ".")
	if !qualified {
		schema, name = "", table
	}
	if !identifier.MatchString(name) || qualified && !identifier.MatchString(schema) {
		return "", "", fmt.Errorf("sqlstore: the table's name %q is none: it is made of letters, digits and underscores, at most 59, perhaps after a schema and a dot", table)
	}
	return schema, name, nil
}

// quote makes names of words that the database has reserved for itself.
func (d Dialect) quote(schema, name string) string {
	mark := `"`
	if d == MySQL {
		mark = "`"
	}
	if schema != "" {
		return mark + schema + mark + "." + mark + name + mark
	}
	return mark + name + mark
}
