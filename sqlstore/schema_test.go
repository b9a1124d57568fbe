package sqlstore_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/sqlstore"
)

func TestSchemaIsReadyForAMigration(t *testing.T) {
	for dialect, want := range map[sqlstore.Dialect]string{
		sqlstore.PostgreSQL: `CREATE TABLE IF NOT EXISTS "crm"."tokens" (
	"key" BYTEA NOT NULL PRIMARY KEY,
	"value" BYTEA,
	"due" BIGINT NOT NULL DEFAULT 0,
	"holder" TEXT NOT NULL DEFAULT '',
	"until" BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS "tokens_due" ON "crm"."tokens" ("due", "key");
`,
		sqlstore.MySQL: "CREATE TABLE IF NOT EXISTS `crm`.`tokens` (\n" +
			"\t`key` VARBINARY(1024) NOT NULL PRIMARY KEY,\n" +
			"\t`value` LONGBLOB,\n" +
			"\t`due` BIGINT NOT NULL DEFAULT 0,\n" +
			"\t`holder` VARBINARY(32) NOT NULL DEFAULT '',\n" +
			"\t`until` BIGINT NOT NULL DEFAULT 0,\n" +
			"\tINDEX (`due`, `key`)\n" +
			") ENGINE=InnoDB ROW_FORMAT=DYNAMIC;\n",
		sqlstore.SQLite: `CREATE TABLE IF NOT EXISTS "crm"."tokens" (
	"key" BLOB NOT NULL PRIMARY KEY,
	"value" BLOB,
	"due" INTEGER NOT NULL DEFAULT 0,
	"holder" TEXT NOT NULL DEFAULT '',
	"until" INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS "crm"."tokens_due" ON "tokens" ("due", "key");
`,
	} {
		got, err := sqlstore.Schema(dialect, "crm.tokens")
		require.NoError(t, err)
		require.Equal(t, want, got)

		byDefault, err := sqlstore.Schema(dialect, "")
		require.NoError(t, err)
		named, err := sqlstore.Schema(dialect, "pinterest_tokens")
		require.NoError(t, err)
		require.Equal(t, named, byDefault)
	}
}

func TestAHostileTableNameIsRefused(t *testing.T) {
	d := find(t, sqlstore.SQLite)
	for _, name := range []string{
		`tokens"; DROP TABLE users; --`, "tokens`; DROP TABLE users; --", "tokens users", "tokens;", "tokens--", "tokens'",
		".tokens", "crm.", "a.b.c", ".", " ", "tokens ", "tokens\n", "1tokens", "tökens", "t\x00", strings.Repeat("t", 60),
	} {
		_, err := sqlstore.Schema(sqlstore.SQLite, name)
		require.ErrorContains(t, err, "the table's name", "%q", name)

		s := d.open(t, d.emptyPlace(t))
		s.Table = name
		require.ErrorContains(t, s.CreateTable(t.Context()), "the table's name", "%q", name)
		_, err = s.Load(t.Context(), "key")
		require.ErrorContains(t, err, "the table's name", "%q", name)
		require.ErrorContains(t, s.Update(t.Context(), "key", returning("")), "the table's name", "%q", name)
		require.ErrorContains(t, s.Delete(t.Context(), "key"), "the table's name", "%q", name)
		require.ErrorContains(t, s.Each(t.Context(), time.Time{}, nil), "the table's name", "%q", name)
	}
}

func TestAStoreThatIsNotSetUpSaysSo(t *testing.T) {
	_, err := new(sqlstore.Store).Load(t.Context(), "key")
	require.ErrorContains(t, err, "has no DB")

	d := find(t, sqlstore.SQLite)
	s := &sqlstore.Store{DB: d.connect(t, d.emptyPlace(t))}
	_, err = s.Load(t.Context(), "key")
	require.ErrorContains(t, err, "unknown dialect 0: say PostgreSQL, MySQL or SQLite")
}

func TestATableMayHaveAReservedName(t *testing.T) {
	d := find(t, sqlstore.SQLite)
	s := d.open(t, d.emptyPlace(t))
	s.Table = "main.select"
	require.NoError(t, s.CreateTable(t.Context()))
	keep(t, s, "key", "value")
	require.Equal(t, "value", kept(t, s, "key"))
}

func TestATableThatLacksAColumnIsFoundOutBeforeFRuns(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		for _, column := range []string{"due", "holder", "until"} {
			place := d.table(t)
			db := d.connect(t, place)
			if d.dialect == sqlstore.SQLite && column == "due" {
				_, err := db.Exec("DROP INDEX pinterest_tokens_due")
				require.NoError(t, err)
			}
			_, err := db.Exec("ALTER TABLE " + d.name(place) + " DROP COLUMN " + column)
			require.NoError(t, err)

			s := d.open(t, place)
			require.ErrorContains(t, s.CreateTable(patient(t)), "a table of that name is there, and not as Schema has it")
			err = s.Update(patient(t), "key", func(context.Context, []byte) ([]byte, time.Time, error) {
				assert.Fail(t, "f runs")
				return nil, time.Time{}, nil
			})
			require.ErrorContains(t, err, "which has to be there as Schema has it")
			require.ErrorContains(t, err, column)
			_, err = s.Load(patient(t), "key")
			require.ErrorContains(t, err, column)
			require.ErrorContains(t, s.Each(patient(t), time.Now(), nil), column)
		}
	})
}

func TestCreateTableTwice(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		s := d.open(t, d.table(t))
		keep(t, s, "key", "value")
		require.NoError(t, s.CreateTable(t.Context()))
		require.Equal(t, "value", kept(t, s, "key"))
	})
}

// creator names the place where another process of this test creates the table.
const creator = "SQLSTORE_TEST_CREATE"

func TestCreateTableInSeveralProcessesAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		if place, ok := os.LookupEnv(creator); ok {
			require.NoError(t, d.open(t, place).CreateTable(patient(t)))
			return
		}
		place := d.emptyPlace(t)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				exe, err := os.Executable()
				if !assert.NoError(t, err) {
					return
				}
				cmd := exec.Command(exe, "-test.run=^TestCreateTableInSeveralProcessesAtOnce$/^"+d.dialect.String()+"$", "-test.count=1")
				cmd.Env = append(os.Environ(), creator+"="+place)
				out, err := cmd.CombinedOutput()
				assert.NoError(t, err, "%s", out)
			})
		}
		wg.Wait()
		s := d.open(t, place)
		keep(t, s, "key", "value")
		require.Equal(t, "value", kept(t, s, "key"))
	})
}

func TestCreateTableByManyAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		for range 5 {
			place := d.emptyPlace(t)
			begin := make(chan struct{})
			var wg sync.WaitGroup
			for range 6 {
				s := d.open(t, place)
				wg.Go(func() {
					<-begin
					assert.NoError(t, s.CreateTable(patient(t)))
				})
			}
			close(begin)
			wg.Wait()
		}
	})
}
