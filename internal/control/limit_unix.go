//go:build unix

package control

import (
	"math"
	"syscall"
)

// openFiles returns how many files this process may have open, 0 if there is
// no limit to speak of.
func openFiles() int {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil || uint64(l.Cur) > math.MaxInt32 {
		return 0
	}
	return int(l.Cur)
}
