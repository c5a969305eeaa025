// Package atomicfile is the one way to write a file of ours, and to lock one.
// [Write] replaces a file so that a reader, and a start after a loss of power, sees
// the old content or the new; [Move] does so for what is too large for that.
// [Exchange] lets two of them change places; [OpenFile] opens a file that is written in
// place, such as a log; [TryLock] and
// [WaitLock] lock. None of them follows a link in the place of
// the file: another user may have planted it.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// OpenFile is [os.OpenFile] but for a link or a folder in the place of the file,
// which it refuses.
func OpenFile(path string, flag int, perm fs.FileMode) (*os.File, error) {
	return os.OpenFile(path, flag|noFollow, perm)
}

// Write replaces the file at path by b, with mode perm. What it replaces may be a
// link, whose target stays as it is. A superuser's file belongs to the owner of
// the one it replaces, or of its folder. An error wraps that of the system.
func Write(path string, b []byte, perm fs.FileMode) error {
	if err := write(path, b, perm); err != nil {
		return &fs.PathError{Op: "write", Path: path, Err: bare(err)}
	}
	return nil
}

// bare returns what the system says, without the name of a file that nobody knows
// and that is another each time.
func bare(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

func write(path string, b []byte, perm fs.FileMode) error {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer root.Close()
	base := filepath.Base(path)
	sweep(root, base)
	f, err := create(root, base, perm)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = keepOwner(root, base, f.File)
	}
	if err == nil {
		err = f.CloseAtomicallyReplace()
	}
	if err != nil {
		return errors.Join(err, f.Cleanup())
	}
	return syncDir(root)
}

// Move puts the file tmp in the place of path, in the same folder: its content is
// on disk before its name is, and its name when Move returns. It is for what
// cannot be handed to [Write] as a whole. A superuser's file belongs as there.
func Move(tmp, path string) error {
	if err := move(tmp, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func move(tmp, path string) error {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer root.Close()
	from, to := filepath.Base(tmp), filepath.Base(path)
	fi, err := root.Lstat(from)
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() {
		return &fs.PathError{Op: "move", Path: tmp, Err: fs.ErrInvalid}
	}
	f, err := root.OpenFile(from, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	err = f.Sync()
	if err == nil {
		err = keepOwner(root, to, f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := root.Rename(from, to); err != nil {
		return err
	}
	return syncDir(root)
}

// staleAfter is the age from which a temporary file is one that its writer,
// killed, left behind: writing takes milliseconds.
const staleAfter = time.Minute

// sweep removes what killed writers of a file left.
func sweep(root *os.Root, base string) {
	d, err := root.Open(".")
	if err != nil {
		return
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return
	}
	for _, n := range names {
		rest, ok := strings.CutPrefix(n, "."+base)
		if !ok || rest == "" || strings.Trim(rest, "0123456789") != "" {
			continue
		}
		if fi, err := root.Lstat(n); err == nil && fi.Mode().IsRegular() && time.Since(fi.ModTime()) > staleAfter {
			_ = root.Remove(n) // another process may have
		}
	}
}
