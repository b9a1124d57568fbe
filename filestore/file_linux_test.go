package filestore

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestADirectoryThatCannotBeSyncedWillDo(t *testing.T) {
	d, err := os.Open("/proc")
	require.NoError(t, err)
	defer d.Close()
	require.ErrorIs(t, d.Sync(), syscall.EINVAL, "the premise")
	require.NoError(t, syncDir("/proc"))
	require.Error(t, syncDir("/proc/missing"))
}
