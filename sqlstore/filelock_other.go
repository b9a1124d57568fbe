//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package sqlstore

import (
	"errors"
	"os"
)

type lockedFile struct{}

func openLocked(string, [32]byte, os.FileMode) (*lockedFile, error) {
	return nil, errors.New("this operating system has no file locks that sqlstore knows: use a database server")
}

func (*lockedFile) unlock() {}
