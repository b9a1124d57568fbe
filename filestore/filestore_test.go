package filestore_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/filestore"
	"github.com/go-pinterest/pinterest/storetest"
)

var _ pinterest.Store = (*filestore.Store)(nil)

func TestFileStoreIsAStore(t *testing.T) {
	storetest.TestSharedStore(t, storetest.Shared{
		Place: func(t *testing.T) string { return filepath.Join(t.TempDir(), "tokens") },
		Open:  func(t *testing.T, dir string) pinterest.Store { return open(t, dir) },

		ReadOnly: readOnly,
		Away:     away,
	})
}

// What is done to a store's directory, where it can be done.
var readOnly, away func(t *testing.T, dir string) (undo func())

func TestNewMakesTheDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "of", "my", "app")
	open(t, dir)
	open(t, dir) // once more, now that it is there
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.True(t, info.IsDir())
}

func TestNewRefusesWhatIsNoDirectory(t *testing.T) {
	_, err := filestore.New("")
	require.EqualError(t, err, "filestore: the directory's name is empty")

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = filestore.New(file)
	require.EqualError(t, err, "filestore: "+file+" is not a directory")

	_, err = filestore.New(filepath.Join(file, "below"))
	require.ErrorContains(t, err, file)
}

func TestTheDirectoryStaysWhenTheProcessMoves(t *testing.T) {
	t.Chdir(t.TempDir())
	s := open(t, "tokens")
	t.Chdir(t.TempDir())
	keep(t, s, "alice", "value")
	require.NoDirExists(t, "tokens")
}

func TestErrorsSayWhichStoreAndKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tokens")
	s := open(t, dir)
	_, err := s.Load(t.Context(), "al ice")
	require.EqualError(t, err, `filestore: nothing is kept under "al ice" in `+dir+`: file does not exist`)
	_, err = s.Load(t.Context(), "")
	require.EqualError(t, err, "filestore: the key is empty: name the account that the token belongs to")
}

func TestADirectoryThatVanishedIsNotAnEmptyOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tokens")
	s := open(t, dir)
	keep(t, s, "alice", "value")
	require.NoError(t, os.Rename(dir, dir+".moved"))

	check := func(err error) {
		t.Helper()
		require.ErrorContains(t, err, dir)
		require.NotErrorIs(t, err, fs.ErrNotExist, "it would read as: log in again")
	}
	_, err := s.Load(t.Context(), "alice")
	check(err)
	check(s.Update(t.Context(), "alice", returning("other")))
	check(s.Delete(t.Context(), "alice"))
	check(s.Each(t.Context(), time.Time{}, func(string, []byte) error { return nil }))
	require.NoDirExists(t, dir)

	require.NoError(t, os.Rename(dir+".moved", dir))
	require.Equal(t, "value", kept(t, s, "alice"))
}

func TestADirectoryThatVanishesInsideEachIsAnError(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tokens")
	s := open(t, dir)
	keep(t, s, "alice", "value")
	keep(t, s, "bob", "value")
	n := 0
	err := s.Each(t.Context(), time.Time{}, func(string, []byte) error {
		n++
		return os.Rename(dir, dir+".moved")
	})
	require.ErrorContains(t, err, dir)
	require.NotErrorIs(t, err, fs.ErrNotExist)
	require.Equal(t, 1, n)
}

func TestTemporaryFilesOfTheDeadAreIgnoredAndRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tokens")
	s := open(t, dir)
	keep(t, s, "alice", "value")
	long := strings.Repeat("long", 100)
	keep(t, s, long, "value")

	var temps []string
	for _, name := range names(t, dir) {
		if !strings.HasPrefix(name, "lock.") {
			temps = append(temps, "tmp."+name)
		}
	}
	temps = append(temps, "tmp.key-never")
	require.Len(t, temps, 3)
	leave := func() {
		for _, name := range temps {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("hal"), 0o600))
		}
	}
	leave()
	require.ElementsMatch(t, []string{"alice", long}, keys(t, s))
	require.Equal(t, "value", kept(t, s, "alice"))
	_, err := s.Load(t.Context(), "never")
	require.ErrorIs(t, err, fs.ErrNotExist)

	keep(t, s, "alice", "newer")
	keep(t, s, long, "newer")
	require.NoError(t, s.Delete(t.Context(), "never"))
	require.Empty(t, left(t, dir, "tmp."), "after the next change")

	leave()
	var again *filestore.Store
	require.Eventually(t, func() bool { // a process that another test just starts may have a lock for a moment
		again = open(t, dir)
		return len(left(t, dir, "tmp.")) == 0
	}, 10*time.Second, time.Millisecond, "after New")
	require.Equal(t, "newer", kept(t, again, "alice"))
	require.Equal(t, "newer", kept(t, again, long))
}

func TestNewLeavesTheLivingTheirTemporaryFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tokens")
	s := open(t, dir)
	temp := filepath.Join(dir, "tmp.key-alice")
	require.NoError(t, s.Update(t.Context(), "alice", func(context.Context, []byte) ([]byte, time.Time, error) {
		open(t, dir)
		assert.FileExists(t, temp)
		return []byte("value"), time.Time{}, nil
	}))
	require.NoFileExists(t, temp)
}

func TestStrangersFilesAreLeftAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tokens")
	s := open(t, dir)
	strangers := []string{"README", "key-Alice", "key-", "long-", "long-ago", "long-" + strings.Repeat("A", 64), "tmp.mine", "lock.key-gone"}
	for _, name := range strangers {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o600))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "key-dir"), 0o700))
	require.Empty(t, keys(t, s))
	open(t, dir)
	require.ElementsMatch(t, append(strangers, "key-dir"), names(t, dir))
	_, err := s.Load(t.Context(), "dir")
	require.ErrorContains(t, err, filepath.Join(dir, "key-dir"))
}

func TestADamagedFileIsAnErrorAndStays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tokens")
	s := open(t, dir)
	long := strings.Repeat("long", 100)
	keep(t, s, long, "value")
	path := filepath.Join(dir, left(t, dir, "long-")[0])
	require.NoError(t, os.WriteFile(path, []byte(`"other"`+"\nvalue"), 0o600))

	_, err := s.Load(t.Context(), long)
	require.ErrorContains(t, err, path+" is damaged")
	require.ErrorContains(t, s.Update(t.Context(), long, returning("new")), path+" is damaged")
	keep(t, s, "alice", "value")
	keep(t, s, strings.Repeat("z", 200), "value")
	good := 0
	err = s.Each(t.Context(), time.Time{}, func(string, []byte) error {
		good++
		return nil
	})
	require.ErrorContains(t, err, path+" is damaged")
	require.Equal(t, 2, good, "it hides no other key")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, `"other"`+"\nvalue", string(data))
}

// BenchmarkUpdate compares with what any durable replacement of a file costs.
func BenchmarkUpdate(b *testing.B) {
	value, bare := []byte(strings.Repeat("token", 300)), b.TempDir()
	s, err := filestore.New(filepath.Join(b.TempDir(), "tokens"))
	require.NoError(b, err)
	compare(b, func() error {
		return s.Update(b.Context(), "alice", func(context.Context, []byte) ([]byte, time.Time, error) { return value, time.Time{}, nil })
	}, func() error { return replace(bare, value) })
}

func BenchmarkLoad(b *testing.B) {
	value := []byte(strings.Repeat("token", 300))
	dir := filepath.Join(b.TempDir(), "tokens")
	s, err := filestore.New(dir)
	require.NoError(b, err)
	require.NoError(b, s.Update(b.Context(), "alice", func(context.Context, []byte) ([]byte, time.Time, error) { return value, time.Time{}, nil }))
	compare(b, func() error {
		_, err := s.Load(b.Context(), "alice")
		return err
	}, func() error {
		_, err := os.ReadFile(filepath.Join(dir, "key-alice"))
		return err
	})
}

// compare runs both sides in turn and reports the time of each and their ratio.
func compare(b *testing.B, ours, bare func() error) {
	var spent [2]time.Duration
	for b.Loop() {
		for i, f := range []func() error{ours, bare} {
			start := time.Now()
			if err := f(); err != nil {
				b.Fatal(err)
			}
			spent[i] += time.Since(start)
		}
	}
	b.ReportMetric(0, "ns/op") // of both together: not shown
	b.ReportMetric(float64(spent[0].Nanoseconds())/float64(b.N), "store-ns")
	b.ReportMetric(float64(spent[1].Nanoseconds())/float64(b.N), "bare-ns")
	b.ReportMetric(spent[0].Seconds()/spent[1].Seconds(), "x-of-bare")
}

func replace(dir string, value []byte) error {
	file, err := os.OpenFile(filepath.Join(dir, "temp"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(value)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), filepath.Join(dir, "value")); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func open(t *testing.T, dir string) *filestore.Store {
	t.Helper()
	s, err := filestore.New(dir)
	require.NoError(t, err)
	return s
}

func returning(value string) func(context.Context, []byte) ([]byte, time.Time, error) {
	return func(context.Context, []byte) ([]byte, time.Time, error) { return []byte(value), time.Time{}, nil }
}

func keep(t *testing.T, s *filestore.Store, key, value string) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), key, returning(value)))
}

func kept(t *testing.T, s *filestore.Store, key string) string {
	t.Helper()
	value, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	return string(value)
}

func keys(t *testing.T, s *filestore.Store) (keys []string) {
	t.Helper()
	require.NoError(t, s.Each(t.Context(), time.Time{}, func(key string, _ []byte) error {
		keys = append(keys, key)
		return nil
	}))
	return keys
}

// names returns the names of the files in dir, left those that begin so.
func names(t *testing.T, dir string) []string { return left(t, dir, "") }

func left(t *testing.T, dir, prefix string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			names = append(names, e.Name())
		}
	}
	return names
}
