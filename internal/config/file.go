package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ncatd/ncatd/internal/atomicfile"
)

// writeAtomic replaces the file at path by data: a reader sees
// the old content or the new, and so does a start after a loss of power. A link is followed, so that a config
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

// ErrChanged says that a file is not the one a change was made to.
var ErrChanged = errors.New("the config file was changed meanwhile")

// ReadFile returns the text of a config and its sum, for [Replace]. A file that
// does not exist is empty.
func ReadFile(path string) (src []byte, sum string, err error) {
	src, err = readBounded(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("read the config: %w", err)
	}
	return src, sumOf(src), nil
}

func sumOf(src []byte) string {
	return fmt.Sprintf("%x", sha256.Sum256(src))
}

// Replace writes src in the place of the file that had sum, atomically, and
// returns its own sum. It returns [ErrChanged] if the file is another one by now.
func Replace(path string, src []byte, sum string) (string, error) {
	return sumOf(src), withFileLock(path, func() error {
		_, now, err := ReadFile(path)
		if err != nil {
			return err
		}
		if now != sum {
			return ErrChanged
		}
		mode := fs.FileMode(0o600)
		if fi, err := os.Stat(path); err == nil {
			mode = fi.Mode().Perm()
		}
		return writeAtomic(path, src, mode)
	})
}
