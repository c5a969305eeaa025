//go:build unix

package cost

import (
	"syscall"
	"time"
)

// CPU returns how long this process has computed, which a busy machine does not
// make longer as it does the time that passes.
func CPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
