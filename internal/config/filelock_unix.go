//go:build unix

package config

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// withFileLock runs f while no other ncatd edits a file of the same folder: the
// daemon may be writing back a number while somebody sets a key.
func withFileLock(path string, f func() error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("lock the config: %w", err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("lock the config: %w", err)
	}
	defer d.Close()
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock the config: %w", err)
	}
	return f()
}
