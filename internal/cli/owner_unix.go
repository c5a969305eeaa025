//go:build unix

package cli

import (
	"os"
	"syscall"
)

// owner returns the uid of who owns a path itself, -1 if that cannot be told.
func owner(path string) int {
	fi, err := os.Lstat(path)
	if err != nil {
		return -1
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return -1
	}
	return int(st.Uid)
}
