package install

import (
	"errors"
	"os"
	"runtime"

	"github.com/ncatd/ncatd/internal/atomicfile"
)

// lockFile takes the lock of the file at path, waiting for it or returning
// [ErrBusy].
func lockFile(path string, wait bool) (*atomicfile.Lock, error) {
	if wait {
		return atomicfile.WaitCreateLock(path)
	}
	l, err := atomicfile.TryCreateLock(path)
	if errors.Is(err, atomicfile.ErrLocked) {
		return nil, ErrBusy
	}
	return l, err
}

// syncDir makes the names in a folder durable. Windows has no such call and
// needs none.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
