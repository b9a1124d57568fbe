package sqlstore

import (
	"fmt"
	"regexp"
	"strings"
)

// DefaultTable is the table of a Store that names none.
const DefaultTable = "pinterest_tokens"

// Schema returns the statement that creates the table, for the app's
// migrations. An empty table is DefaultTable.
//
// The columns' types compare keys byte by byte. A key can be as long as
// [MaxKey], which every database can index. Due is in milliseconds of Unix time,
// and 0 for never.
func Schema(d Dialect, table string) (string, error) {
	schema, name, err := splitTable(table)
	if err != nil {
		return "", err
	}
	quoted := d.quote(schema, name)
	switch d {
	case PostgreSQL:
		return fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (
	"key" BYTEA NOT NULL PRIMARY KEY,
	"value" BYTEA NOT NULL,
	"due" BIGINT NOT NULL DEFAULT 0
);
`, quoted), nil
	case MySQL:
		return fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (\n"+
			"\t`key` VARBINARY(%d) NOT NULL PRIMARY KEY,\n"+
			"\t`value` LONGBLOB NOT NULL,\n"+
			"\t`due` BIGINT NOT NULL DEFAULT 0\n"+
			") ENGINE=InnoDB ROW_FORMAT=DYNAMIC;\n", quoted, MaxKey), nil
	case SQLite:
		return fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (
	"key" BLOB NOT NULL PRIMARY KEY,
	"value" BLOB NOT NULL,
	"due" INTEGER NOT NULL DEFAULT 0
) STRICT;
`, quoted), nil
	}
	return "", fmt.Errorf("sqlstore: unknown dialect %d: say PostgreSQL, MySQL or SQLite", uint8(d))
}

// identifier is short enough for PostgreSQL, which cuts a longer one without a
// word.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

func splitTable(table string) (schema, name string, err error) {
	if table == "" {
		return "", DefaultTable, nil
	}
	schema, name, qualified := strings.Cut(table, ".")
	if !qualified {
		schema, name = "", table
	}
	if !identifier.MatchString(name) || qualified && !identifier.MatchString(schema) {
		return "", "", fmt.Errorf("sqlstore: the table's name %q is none: it is made of letters, digits and underscores, at most 63, perhaps after a schema and a dot", table)
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
