package cli

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// selfExe leads to this program wherever it lies, also where another user cannot
// go.
const selfExe = "/proc/self/exe"

// closeOthers keeps descriptors that this process was given from the program that comes after
// it, and rights from being gained again.
func closeOthers() error {
	if err := unix.CloseRange(3, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC); err != nil && err != unix.ENOSYS && err != unix.EINVAL {
		return fmt.Errorf("close what was inherited: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up rights: %w", err)
	}
	return nil
}
