package install

import (
	"errors"
	"fmt"
	"syscall"
)

// spaceMargin stays free beside what a package needs: QQ and NapCat write logs
// and databases from their first minute on.
const spaceMargin = 16 << 20

// SpaceError says that a package does not fit.
type SpaceError struct {
	Path       string
	Need, Free int64 // bytes
}

// Error implements error.
func (e *SpaceError) Error() string {
	return fmt.Sprintf("not enough disk space at %s: %d MiB needed, %d MiB free", e.Path, e.Need>>20, e.Free>>20)
}

// IsDiskFull reports whether err is a full disk or an exhausted quota, known
// beforehand or met while writing.
func IsDiskFull(err error) bool {
	var space *SpaceError
	return errors.As(err, &space) || errors.Is(err, syscall.ENOSPC) || isQuota(err)
}

// checkSpace compares what is free with what is needed. A file system that
// cannot say how much is free is left to show it by itself.
func checkSpace(dir string, need int64) error {
	if need <= 0 {
		return nil
	}
	free, err := freeBytes(dir)
	if err != nil || free < 0 || free >= need+spaceMargin {
		return nil
	}
	return &SpaceError{Path: dir, Need: need + spaceMargin, Free: free}
}
