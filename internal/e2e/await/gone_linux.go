package await

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// Gone waits until none of the processes runs, whoever started them, and
// reports whether that came about within limit. A zombie counts as gone.
func Gone(limit time.Duration, pids ...int) bool {
	deadline := time.Now().Add(limit)
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			return false
		}
		gone := readable(fd, deadline)
		_ = unix.Close(fd) // nothing was written
		if !gone {
			return false
		}
	}
	return true
}

// readable waits until fd can be read, which a pidfd can when its process has
// ended.
func readable(fd int, deadline time.Time) bool {
	for {
		left := max(0, time.Until(deadline))
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds()))
		if !errors.Is(err, unix.EINTR) {
			return n > 0
		}
	}
}
