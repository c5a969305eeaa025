//go:build unix

package atomicfile

import (
	"errors"
	"io/fs"
	"os"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

const noFollow = unix.O_NOFOLLOW

func create(root *os.Root, base string, perm fs.FileMode) (*renameio.PendingFile, error) {
	return renameio.NewPendingFile(base, renameio.WithRoot(root), renameio.WithStaticPermissions(perm))
}

// keepOwner gives f to the owner of the file, or of the folder it lies in: what root
// writes into somebody's home must not shut that user out.
func keepOwner(root *os.Root, base string, f *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}
	fi, err := root.Lstat(base)
	if err != nil || !fi.Mode().IsRegular() {
		fi, err = root.Stat(".")
	}
	if err != nil {
		return err
	}
	uid, gid, ok := owner(fi)
	if !ok || uid == 0 && gid == 0 {
		return nil
	}
	return f.Chown(uid, gid)
}

// syncDir makes the names in a folder durable. A file system that cannot sync a
// folder has no need to.
func syncDir(root *os.Root) error {
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
