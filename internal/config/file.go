package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ncatd/ncatd/internal/atomicfile"
)

// writeAtomic replaces the file at path by data: whoever reads it, or loses
// power, has the old content or the new. A link is followed, so that a config
// kept elsewhere stays a link.
func writeAtomic(path string, data []byte, mode fs.FileMode) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return atomicfile.Write(path, data, mode)
}

// WriteFile writes a new config file (0600), atomically.
func WriteFile(path string, src []byte) error { return writeAtomic(path, src, 0o600) }
