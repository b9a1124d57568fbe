//go:build unix

package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/filestore"
)

func init() {
	away = func(t *testing.T, dir string) func() { // as a volume that is not mounted
		require.NoError(t, os.Rename(dir, dir+".away"))
		return func() { require.NoError(t, os.Rename(dir+".away", dir)) }
	}
	if os.Geteuid() != 0 { // to whom a mode means nothing
		readOnly = func(t *testing.T, dir string) func() {
			require.NoError(t, os.Chmod(dir, 0o500))
			writable := func() { require.NoError(t, os.Chmod(dir, 0o700)) }
			t.Cleanup(writable)
			return writable
		}
	}
}

func TestFileStoreOfAnOrdinaryUserIsAStore(t *testing.T) {
	if os.Geteuid() != 0 {
		return // that is the test without OfAnOrdinaryUser
	}
	runAsOrdinaryUser(t, "^TestFileStoreIsAStore$/^a_store_that_refuses_writes", "--- PASS: TestFileStoreIsAStore/a_store_that_refuses_writes")
}

func TestOnlyTheOwnerCanReadWhatIsKept(t *testing.T) {
	umask := syscall.Umask(0) // the most generous
	defer syscall.Umask(umask)
	root := t.TempDir()
	dir := filepath.Join(root, "app", "tokens")
	s := open(t, dir)
	for _, key := range []string{"alice", strings.Repeat("long", 100)} {
		keep(t, s, key, "value")
		require.NoError(t, s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, time.Time, error) {
			return []byte("value"), time.Time{}, nil
		}))
	}
	n := 0
	require.NoError(t, filepath.WalkDir(filepath.Join(root, "app"), func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = fs.ModeDir | 0o700
		}
		assert.Equal(t, want, info.Mode(), path)
		n++
		return nil
	}))
	require.Equal(t, 2+4, n)
}

func TestNewRefusesADirectoryThatOthersCanReadOrEnter(t *testing.T) {
	for _, mode := range []fs.FileMode{0o755, 0o750, 0o710, 0o701, 0o720, 0o777} {
		dir := filepath.Join(t.TempDir(), "tokens")
		require.NoError(t, os.Mkdir(dir, 0o700))
		require.NoError(t, os.Chmod(dir, mode))
		_, err := filestore.New(dir)
		require.EqualError(t, err, fmt.Sprintf("filestore: others can get at the tokens in %s, whose mode is %04o: mend it by chmod 700 %q", dir, mode, dir))

		require.NoError(t, os.Chmod(dir, 0o700)) // as told
		open(t, dir)
	}
}

func TestNewRefusesADirectoryOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	dir := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.Chown(dir, nobody, nobody))
	_, err := filestore.New(dir)
	require.EqualError(t, err, fmt.Sprintf("filestore: %s belongs to user %d, and this process runs as user 0: name a directory inside it, which will be made for that user alone, or run as the other", dir, nobody))
}

func TestSymbolicLinksAreNotFollowed(t *testing.T) {
	elsewhere := t.TempDir()
	secret := filepath.Join(elsewhere, "secret")
	require.NoError(t, os.WriteFile(secret, []byte("secret"), 0o600))
	dir := filepath.Join(t.TempDir(), "tokens")
	s := open(t, dir)

	// For a value, be there something behind the link or not.
	for key, target := range map[string]string{"alice": secret, "bob": filepath.Join(elsewhere, "nothing")} {
		link := filepath.Join(dir, "key-"+key)
		require.NoError(t, os.Symlink(target, link))
		_, err := s.Load(t.Context(), key)
		require.EqualError(t, err, fmt.Sprintf("filestore: load %q: %s is a symbolic link, which is not followed", key, link))
		require.ErrorContains(t, s.Update(t.Context(), key, returning("x")), link)
		require.Empty(t, keys(t, s))
		require.NoError(t, s.Delete(t.Context(), key), "which removes the link")
	}

	require.NoError(t, os.Symlink(secret, filepath.Join(dir, "tmp.key-carol")))
	keep(t, s, "carol", "value")
	require.NoError(t, s.Delete(t.Context(), "carol"))

	lock := filepath.Join(dir, "lock.key-dave")
	require.NoError(t, os.Symlink(filepath.Join(elsewhere, "made"), lock))
	require.ErrorContains(t, s.Update(t.Context(), "dave", returning("x")), lock)
	require.NoError(t, os.Remove(lock))

	link := dir + ".link"
	require.NoError(t, os.Symlink(dir, link))
	_, err := filestore.New(link)
	require.ErrorContains(t, err, link+" is a symbolic link")

	require.Equal(t, []string{"secret"}, names(t, elsewhere))
	data, err := os.ReadFile(secret)
	require.NoError(t, err)
	require.Equal(t, "secret", string(data))
}

func TestAPipeDoesNotHoldUpALoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tokens")
	s := open(t, dir)
	pipe := filepath.Join(dir, "key-alice")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	_, err := s.Load(t.Context(), "alice")
	require.ErrorContains(t, err, pipe+" is not a regular file")
}

func TestAReadOnlyDirectoryCanBeReadAndLosesNothing(t *testing.T) {
	if !ordinaryUser(t) {
		return
	}
	dir := filepath.Join(t.TempDir(), "tokens")
	s := open(t, dir)
	keep(t, s, "alice", "value")
	require.NoError(t, os.Chmod(dir, 0o500))
	defer os.Chmod(dir, 0o700)

	again := open(t, dir)
	require.Equal(t, "value", kept(t, again, "alice"))
	require.Equal(t, []string{"alice"}, keys(t, again))
	for _, key := range []string{"alice", "bob"} { // alice's lock file is there already
		err := again.Update(t.Context(), key, mustNotRun(t))
		require.ErrorIs(t, err, fs.ErrPermission)
		require.ErrorContains(t, err, dir)
	}
	require.ErrorIs(t, again.Delete(t.Context(), "alice"), fs.ErrPermission)
	require.Equal(t, "value", kept(t, s, "alice"))

	_, err := filestore.New(filepath.Join(dir, "below"))
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, filepath.Join(dir, "below"))
}

// A pod's volume belongs to root and to the group in fsGroup, and the pod's
// process is in that group.
func TestNewKeepsItsDirectoryToItselfOnAVolumeOfAGroup(t *testing.T) {
	volume := os.Getenv(volumeVariable)
	if volume == "" {
		volume = t.TempDir()
		if os.Geteuid() == 0 {
			require.NoError(t, os.Chown(volume, 0, nobody))
			require.NoError(t, os.Chmod(filepath.Dir(volume), 0o755))
		}
		require.NoError(t, os.Chmod(volume, fs.ModeSetgid|0o770))
		t.Setenv(volumeVariable, volume)
	}
	if !ordinaryUser(t) {
		return
	}
	umask := syscall.Umask(0) // the most generous
	defer syscall.Umask(umask)
	_, err := filestore.New(volume)
	if info, serr := os.Stat(volume); assert.NoError(t, serr) && int(info.Sys().(*syscall.Stat_t).Uid) != os.Geteuid() {
		require.ErrorContains(t, err, "name a directory inside it")
	}

	dir := filepath.Join(volume, "pinterest", "tokens")
	mode := func() fs.FileMode {
		t.Helper()
		info, err := os.Stat(dir)
		require.NoError(t, err)
		return info.Mode()
	}
	keep(t, open(t, dir), "alice", "value")
	require.Equal(t, fs.FileMode(0o700), mode().Perm())

	// The pod starts again, and all that is on the volume is opened to the group.
	require.NoError(t, filepath.WalkDir(filepath.Join(volume, "pinterest"), func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		if d.IsDir() {
			return os.Chmod(path, info.Mode()|fs.ModeSetgid|0o770)
		}
		return os.Chmod(path, info.Mode()|0o660)
	}))
	require.Equal(t, fs.ModeDir|fs.ModeSetgid|0o770, mode(), "the premise")
	s := open(t, dir)
	require.Equal(t, "value", kept(t, s, "alice"))
	keep(t, s, "alice", "newer")
	require.Equal(t, fs.FileMode(0o700), mode().Perm())

	require.NoError(t, os.Chmod(dir, fs.ModeSetgid|0o775))
	_, err = filestore.New(dir)
	require.ErrorContains(t, err, "others can get at the tokens", "a directory that everybody may read is another matter")
}

func TestRoomIsTakenBeforeFRuns(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tokens")
	s := open(t, dir)
	for _, size := range []int{0, 5, 100_000} {
		old := strings.Repeat("o", size)
		keep(t, s, "alice", old)
		err := s.Update(t.Context(), "alice", func(context.Context, []byte) ([]byte, time.Time, error) {
			info, err := os.Stat(filepath.Join(dir, "tmp.key-alice"))
			if assert.NoError(t, err) {
				assert.EqualValues(t, max(2*size, 16<<10), info.Size())
				if runtime.GOOS == "linux" { // where a file's blocks are counted at once
					assert.GreaterOrEqual(t, int64(info.Sys().(*syscall.Stat_t).Blocks)*512, info.Size())
				}
			}
			return []byte("value"), time.Time{}, nil
		})
		require.NoError(t, err)
		require.Equal(t, "value", kept(t, s, "alice"))
		require.Empty(t, left(t, dir, "tmp."))
	}
}

func TestAFullDiskIsFoundBeforeFRuns(t *testing.T) {
	if !alone(t) {
		return
	}
	dir := filepath.Join(t.TempDir(), "tokens")
	s := open(t, dir)
	long := strings.Repeat("long", 100)
	keep(t, s, "alice", "value")
	keep(t, s, long, "value")

	lift := fillDisk(t)
	for _, key := range []string{"alice", "missing", long} {
		err := s.Update(t.Context(), key, mustNotRun(t))
		require.ErrorIs(t, err, syscall.EFBIG)
		require.ErrorContains(t, err, "no room or leave to write")
		require.ErrorContains(t, err, dir)
	}
	require.Equal(t, "value", kept(t, s, "alice"))
	require.ElementsMatch(t, []string{"alice", long}, keys(t, s))
	require.Empty(t, left(t, dir, "tmp."), "what was half written goes, to make room")
	require.NoError(t, s.Delete(t.Context(), long), "which makes room")
	lift()
	keep(t, s, "alice", "newer")
	require.Equal(t, "newer", kept(t, s, "alice"))
}

func TestWhatCannotBeSavedIsTriedAgainWithTheKeyLocked(t *testing.T) {
	if !alone(t) {
		return
	}
	value := strings.Repeat("new", 5000) // not all of which goes on the disk
	dir := filepath.Join(t.TempDir(), "tokens")
	for name, failing := range map[string]func(*testing.T) (lift func()){
		"the disk is full": fillDisk,
		"the directory is away": func(t *testing.T) func() {
			require.NoError(t, os.Rename(dir, dir+".moved"))
			return func() { assert.NoError(t, os.Rename(dir+".moved", dir)) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, other := open(t, dir), open(t, dir)
				keep(t, s, "alice", "old")
				ctx, cancel := context.WithCancel(t.Context())
				failed := func(context.Context, []byte) ([]byte, time.Time, error) {
					lift := failing(t)
					cancel()
					time.AfterFunc(25*time.Second, lift)
					time.AfterFunc(26*time.Second-time.Millisecond, func() {
						for _, s := range []*filestore.Store{s, other} {
							ctx, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
							defer cancel()
							assert.ErrorIs(t, s.Update(ctx, "alice", mustNotRun(t)), context.DeadlineExceeded)
						}
					})
					return []byte(value), time.Time{}, nil
				}
				require.NoError(t, s.Update(ctx, "alice", failed))
				require.Equal(t, value, kept(t, other, "alice"))
				keep(t, other, "alice", "newer")
			})
		})
	}
}

func TestWhatCannotBeSavedIsGivenUpInTheEnd(t *testing.T) {
	if !alone(t) {
		return
	}
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "tokens")
		s := open(t, dir)
		keep(t, s, "alice", "old")
		var lift func()
		began := time.Now()
		err := s.Update(t.Context(), "alice", func(context.Context, []byte) ([]byte, time.Time, error) {
			lift = fillDisk(t)
			return []byte(strings.Repeat("new", 5000)), time.Time{}, nil
		})
		require.WithinRange(t, time.Now(), began.Add(30*time.Second), began.Add(31*time.Second))
		require.ErrorIs(t, err, syscall.EFBIG)
		require.ErrorContains(t, err, "half a minute")
		require.ErrorContains(t, err, dir)
		lift()
		require.Equal(t, "old", kept(t, s, "alice"))
		require.Empty(t, left(t, dir, "tmp."))
		keep(t, s, "alice", "newer")
	})
}

func TestAFleetLosesNothingOnAFullDisk(t *testing.T) {
	const processes, times = 4, 40
	increment := func(_ context.Context, old []byte) ([]byte, time.Time, error) {
		n, err := strconv.Atoi("0" + string(old))
		return []byte(strconv.Itoa(n + 1)), time.Time{}, err
	}
	if dir := os.Getenv(fleetVariable); dir != "" {
		s := open(t, dir)
		for range times { // each process's disk is full at times of its own
			lift := fillDisk(t)
			assert.ErrorIs(t, s.Update(t.Context(), "alice", mustNotRun(t)), syscall.EFBIG)
			lift()
			assert.NoError(t, s.Update(t.Context(), "alice", increment))
		}
		return
	}
	dir := filepath.Join(t.TempDir(), "tokens")
	var wg sync.WaitGroup
	for range processes {
		cmd := rerun(t)
		cmd.Env = append(os.Environ(), fleetVariable+"="+dir)
		wg.Go(func() {
			out, err := cmd.CombinedOutput()
			assert.NoError(t, err, "%s", out)
		})
	}
	wg.Wait()
	require.Equal(t, fmt.Sprint(processes*times), kept(t, open(t, dir), "alice"))
	require.Len(t, names(t, dir), 2)
}

func TestADirectoryThatVanishesInsideUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in which half a minute is short
		dir := filepath.Join(t.TempDir(), "tokens")
		s := open(t, dir)
		keep(t, s, "alice", "value")
		err := s.Update(t.Context(), "alice", func(context.Context, []byte) ([]byte, time.Time, error) {
			return []byte("other"), time.Time{}, os.Rename(dir, dir+".moved")
		})
		require.ErrorContains(t, err, dir)
		require.NotErrorIs(t, err, fs.ErrNotExist)
		require.NoError(t, os.Rename(dir+".moved", dir))
		require.Equal(t, "value", kept(t, s, "alice"))
		keep(t, s, "alice", "other")
	})
}

func TestFilesOfDeletedKeysGo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tokens")
	s := open(t, dir)
	for _, key := range []string{"alice", strings.Repeat("long", 100)} {
		keep(t, s, key, "value")
		require.Len(t, names(t, dir), 2)
		require.NoError(t, s.Delete(t.Context(), key))
		require.NoError(t, s.Delete(t.Context(), key))
		refused := errors.New("refused")
		require.ErrorIs(t, s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, time.Time, error) { return nil, time.Time{}, refused }), refused)
		require.Empty(t, names(t, dir))
	}
}

func TestALockExcludesThoughItsFileComesAndGoes(t *testing.T) {
	// Nothing is kept, so that every Update removes the lock file it made. Each
	// Store locks files by itself, as processes do.
	dir := filepath.Join(t.TempDir(), "tokens")
	refused := errors.New("refused")
	var inside atomic.Int32
	var wg sync.WaitGroup
	for range 4 {
		s := open(t, dir)
		wg.Go(func() {
			for range 1000 {
				err := s.Update(t.Context(), "alice", func(context.Context, []byte) ([]byte, time.Time, error) {
					assert.EqualValues(t, 1, inside.Add(1), "how many Updates run at once")
					runtime.Gosched()
					inside.Add(-1)
					return nil, time.Time{}, refused
				})
				assert.ErrorIs(t, err, refused)
			}
		})
	}
	wg.Wait()
	require.Empty(t, names(t, dir))
}

// killedVariable holds the directory that a process writes to until it is killed.
const killedVariable = "PINTEREST_FILESTORE_KILLED"

func TestAKilledProcessLeavesAWholeValue(t *testing.T) {
	const rounds = 40
	value := func(n int) string { return strings.Repeat(fmt.Sprintf("%d,", n), 5000+n%5*5000) }
	long := strings.Repeat("long", 100)
	if dir := os.Getenv(killedVariable); dir != "" {
		s := open(t, dir)
		go func() { // the parent may die first
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(1)
		}()
		for n := 0; ; n++ {
			keep(t, s, "alice", value(n))
			keep(t, s, long, value(n))
			fmt.Println("wrote")
		}
	}

	dir := filepath.Join(t.TempDir(), "tokens")
	s := open(t, dir)
	temps := 0
	for range rounds {
		cmd := rerun(t)
		cmd.Env = append(os.Environ(), killedVariable+"="+dir)
		stdin, err := cmd.StdinPipe()
		require.NoError(t, err)
		defer stdin.Close()
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		_, err = stdout.Read(make([]byte, 1))
		require.NoError(t, err)
		<-time.After(rand.N(8 * time.Millisecond)) // at any moment
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())

		temps += len(left(t, dir, "tmp."))
		require.ElementsMatch(t, []string{"alice", long}, keys(t, s))
		for _, key := range []string{"alice", long} {
			got := kept(t, s, key)
			first, _, _ := strings.Cut(got, ",")
			n, err := strconv.Atoi(first)
			require.NoError(t, err)
			require.True(t, got == value(n), "half a value: %d bytes that begin %.20q", len(got), got)
		}
	}
	t.Logf("%d kills, of which %d in the middle of a write", rounds, temps)
	for _, key := range []string{"alice", long} {
		keep(t, s, key, "after")
		require.Equal(t, "after", kept(t, s, key))
	}
	require.Empty(t, left(t, dir, "tmp."))
	require.Len(t, names(t, dir), 4)
}

// ordinaryUser tells whether the test runs as one; if not it runs the test
// again as one, for permissions mean nothing to root.
func ordinaryUser(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return true
	}
	runAsOrdinaryUser(t, "^"+t.Name()+"$", "--- PASS: "+t.Name())
	return false
}

// runAsOrdinaryUser runs tests in a process of another user, who must find that
// they passed.
func runAsOrdinaryUser(t *testing.T, pattern, passed string) {
	t.Helper()
	cmd := rerun(t)
	cmd.Args = []string{cmd.Path, "-test.run=" + pattern, "-test.count=1", "-test.v"}
	// The other user must be able to reach the binary.
	dir, err := os.MkdirTemp("", "filestore")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	require.NoError(t, os.Chmod(dir, 0o755))
	binary, err := os.ReadFile(cmd.Path)
	require.NoError(t, err)
	cmd.Path = filepath.Join(dir, "test")
	require.NoError(t, os.WriteFile(cmd.Path, binary, 0o755))
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), passed)
}

const (
	aloneVariable  = "PINTEREST_FILESTORE_ALONE"  // is set in a process that has a test to itself
	fleetVariable  = "PINTEREST_FILESTORE_FLEET"  // holds the directory that a fleet shares
	volumeVariable = "PINTEREST_FILESTORE_VOLUME" // holds the directory of a volume
)

// alone tells whether the test has this process to itself; if not it runs the
// test again in one.
func alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(aloneVariable) != "" {
		return true
	}
	cmd := rerun(t)
	cmd.Env = append(os.Environ(), aloneVariable+"=yes")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "PASS")
	return false
}

// fillDisk has this process's writes fail as on a full disk, by a limit on the
// size of its files, until lift is called.
func fillDisk(t *testing.T) (lift func()) {
	signal.Ignore(syscall.SIGXFSZ)
	var old syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old))
	full := old
	full.Cur = 4096 // a write begins, and ends in the middle
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full))
	return func() { assert.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old)) }
}

func mustNotRun(t *testing.T) func(context.Context, []byte) ([]byte, time.Time, error) {
	return func(context.Context, []byte) ([]byte, time.Time, error) {
		assert.Fail(t, "f runs")
		return nil, time.Time{}, errors.New("f runs")
	}
}

const nobody = 65534

// rerun makes ready to run the calling test in another process.
func rerun(t *testing.T) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	return exec.Command(exe, "-test.run=^"+t.Name()+"$", "-test.count=1")
}
