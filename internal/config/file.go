package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
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
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	removeStale(dir, filepath.Base(path))
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails after the rename, as it should
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	syncDir(dir)
	return nil
}

// staleAfter is the age from which a temporary file is one that its writer,
// killed, left behind: writing takes milliseconds.
const staleAfter = time.Minute

// removeStale removes what killed writers of a file left.
func removeStale(dir, base string) {
	left, err := filepath.Glob(filepath.Join(escapeGlob(dir), "."+escapeGlob(base)+".*.tmp"))
	if err != nil {
		return // no pattern of ours is bad
	}
	for _, p := range left {
		if fi, err := os.Lstat(p); err == nil && time.Since(fi.ModTime()) > staleAfter {
			os.Remove(p) // somebody else may have
		}
	}
}

func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(s)
}

// syncDir makes a rename in dir survive a power loss. Systems that cannot sync
// a folder have no need to.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}

// WriteFile writes a new config file (0600), atomically.
func WriteFile(path string, src []byte) error { return writeAtomic(path, src, 0o600) }
