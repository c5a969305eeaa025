//go:build unix

package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ncatd/ncatd/internal/atomicfile"
)

// withFileLock runs f while no other ncatd edits a file of the same folder: the
// daemon may be writing back a number while somebody sets a key.
func withFileLock(path string, f func() error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("lock the config: %w", err)
	}
	l, err := atomicfile.WaitLock(dir)
	if err != nil {
		return fmt.Errorf("lock the config: %w", err)
	}
	err = f()
	return errors.Join(err, l.Unlock())
}
