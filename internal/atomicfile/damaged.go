package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// DamagedError says that a file of ours holds what we never wrote into it, or is
// none. Path is its absolute path. Set aside, it is made anew.
type DamagedError struct {
	Path string
	Err  error
}

// Error implements error.
func (e *DamagedError) Error() string { return fmt.Sprintf("%s is damaged: %v", e.Path, e.Err) }

// Unwrap returns what is wrong with it.
func (e *DamagedError) Unwrap() error { return e.Err }

// Damaged reports whether an error is about a damaged file of ours, or about
// something else in its place, such as a folder.
func Damaged(err error) (*DamagedError, bool) {
	var d *DamagedError
	if errors.As(err, &d) {
		return d, true
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		for _, e := range []syscall.Errno{syscall.EISDIR, syscall.ENOTDIR, syscall.ENOTEMPTY, syscall.ELOOP} {
			if errors.Is(pe.Err, e) {
				return &DamagedError{Path: pe.Path, Err: pe.Err}, true
			}
		}
	}
	return nil, false
}
