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
	"value" BYTEA NOT NULL,
	"due" BIGINT NOT NULL DEFAULT 0
);
`,
		sqlstore.MySQL: "CREATE TABLE IF NOT EXISTS `crm`.`tokens` (\n" +
			"\t`key` VARBINARY(1024) NOT NULL PRIMARY KEY,\n" +
			"\t`value` LONGBLOB NOT NULL,\n" +
			"\t`due` BIGINT NOT NULL DEFAULT 0\n" +
			") ENGINE=InnoDB ROW_FORMAT=DYNAMIC;\n",
		sqlstore.SQLite: `CREATE TABLE IF NOT EXISTS "crm"."tokens" (
	"key" BLOB NOT NULL PRIMARY KEY,
	"value" BLOB NOT NULL,
	"due" INTEGER NOT NULL DEFAULT 0
) STRICT;
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
		".tokens", "crm.", "a.b.c", ".", " ", "tokens ", "tokens\n", "1tokens", "tökens", "t\x00", strings.Repeat("t", 64),
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

func TestATableWithoutDueIsFoundOutBeforeFRuns(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		place := d.table(t)
		s := d.open(t, place)
		keep(t, s, "key", "value")
		name := "pinterest_tokens"
		if d.dialect != sqlstore.SQLite {
			name = place
		}
		_, err := d.connect(t, place).Exec("ALTER TABLE " + name + " DROP COLUMN due")
		require.NoError(t, err)

		require.ErrorContains(t, s.CreateTable(patient(t)), "a table of that name is there, and not as Schema has it")
		for _, key := range []string{"key", "missing"} {
			err := s.Update(patient(t), key, func(context.Context, []byte) ([]byte, time.Time, error) {
				assert.Fail(t, "f runs")
				return nil, time.Time{}, nil
			})
			require.ErrorContains(t, err, "due", "the column's name")
		}
		_, err = s.Load(patient(t), "key")
		require.ErrorContains(t, err, "due")
		require.ErrorContains(t, s.Each(patient(t), time.Now(), nil), "due")
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
