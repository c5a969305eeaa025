package install

import (
	"errors"
	"os"
)

// fileLock is held by one process at a time and dropped by the kernel when that
// process ends, however it ends. Its file is never removed: removing a lock file
// lets two processes hold two files of the same name.
type fileLock struct{ f *os.File }

// lockFile takes the lock, waiting for it or returning [ErrBusy].
func lockFile(path string, wait bool) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := flock(f, wait); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &fileLock{f}, nil
}

func (l *fileLock) unlock() { l.f.Close() }
