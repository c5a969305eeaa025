//go:build unix

package companion

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/ncatd/ncatd/internal/proc"
)

// makeDir makes the folder that a program runs in, for the user that it runs as.
func makeDir(dir string, user *proc.User) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil || user == nil {
		return err
	}
	return os.Chown(dir, int(user.UID), int(user.GID))
}

// mayEnter returns an error that names the folder on the way to dir that a user may
// not enter, which the system itself does not say.
func mayEnter(user *proc.User, dir string) error {
	if user == nil || user.UID == 0 {
		return nil
	}
	var closed error // the outermost
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		fi, err := os.Stat(at)
		if err != nil {
			return err
		}
		st, ok := fi.Sys().(*syscall.Stat_t)
		if !ok {
			return nil
		}
		need := fs.FileMode(0o001)
		switch {
		case st.Uid == user.UID:
			need = 0o100
		case st.Gid == user.GID, slices.Contains(user.Groups, st.Gid):
			need = 0o010
		}
		if fi.Mode()&need == 0 {
			closed = fmt.Errorf("its user may not enter %s", at)
		}
		if at == filepath.Dir(at) {
			return closed
		}
	}
}
