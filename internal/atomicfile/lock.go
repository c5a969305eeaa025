package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/gofrs/flock"
)

// ErrLocked says that another process holds the lock.
var ErrLocked = errors.New("locked by another process")

// Lock is held by one process at a time and dropped by the kernel when that
// process ends, however it ends. Its file is never removed: removing a lock file
// lets two processes hold two files of the same name.
type Lock struct{ f *flock.Flock }

// TryLock takes the lock of the file or folder at path, or returns [ErrLocked].
// It makes no file: an error wraps [fs.ErrNotExist] where there is none.
func TryLock(path string) (*Lock, error) {
	return take(path, os.O_RDONLY, (*flock.Flock).TryLock)
}

// TryCreateLock is [TryLock], but makes the file, mode 0600, if there is none.
func TryCreateLock(path string) (*Lock, error) {
	return take(path, os.O_RDWR|os.O_CREATE, (*flock.Flock).TryLock)
}

// WaitLock waits for the lock of the file or folder at path, which exists.
func WaitLock(path string) (*Lock, error) { return take(path, os.O_RDONLY, wait) }

// WaitCreateLock is [WaitLock], but makes the file, mode 0600, if there is none.
func WaitCreateLock(path string) (*Lock, error) { return take(path, os.O_RDWR|os.O_CREATE, wait) }

func wait(f *flock.Flock) (bool, error) { return true, f.Lock() }

func take(path string, flag int, how func(*flock.Flock) (bool, error)) (*Lock, error) {
	f := flock.New(path, flock.SetFlag(flag|noFollow), flock.SetPermissions(fs.FileMode(0o600)))
	ok, err := how(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	if !ok {
		return nil, errors.Join(ErrLocked, f.Close())
	}
	return &Lock{f}, nil
}

// Unlock gives the lock up.
func (l *Lock) Unlock() error { return l.f.Close() }
