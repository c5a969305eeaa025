//go:build unix

package daemon

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// lookAtDisk looks at the disk of a folder without writing anything.
func lookAtDisk(dir string) (disk, error) {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return disk{}, err
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return disk{}, err
	}
	err := unix.Access(dir, unix.W_OK)
	return disk{
		device: fmt.Sprint(st.Dev), free: int64(fs.Bavail) * int64(fs.Bsize),
		readOnly: errors.Is(err, unix.EROFS) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM),
	}, nil
}
