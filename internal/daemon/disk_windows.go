package daemon

import (
	"path/filepath"

	"golang.org/x/sys/windows"
)

// lookAtDisk looks at the disk of a folder without writing anything.
func lookAtDisk(dir string) (disk, error) {
	p, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return disk{}, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(p, &free, nil, nil); err != nil {
		return disk{}, err
	}
	return disk{device: filepath.VolumeName(dir), free: int64(free)}, nil
}
