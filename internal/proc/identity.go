package proc

import (
	"errors"
	"fmt"
	"syscall"
)

// MarkerEnv is the environment variable that every process of an account
// carries. Its value is random and belongs to one account of one home, so that
// a process which only looks like QQ is never taken for ours, and one of ours
// is found although ncatd died before it could write its pid down.
const MarkerEnv = "NCATD_INSTANCE"

// Identity names one process for ever: pids are used again, a pid with a start
// time within one boot is not.
type Identity struct {
	PID    int    `json:"pid"`
	Start  uint64 `json:"start"` // clock ticks since boot (Linux), milliseconds since 1970 (elsewhere)
	BootID string `json:"boot_id"`
	UID    string `json:"uid,omitempty"` // the user that it runs as; "" if not told
}

// IsZero reports whether id names nothing.
func (id Identity) IsZero() bool { return id.PID == 0 }

// ErrGone says that a process does not exist any more, or that its pid belongs
// to another one now. Nothing but ENOENT and ESRCH leads to it: every other
// error says that the process could not be looked at, and may live.
var ErrGone = errors.New("process is gone")

// Starved reports whether err says that the machine or our limits are short of
// something that comes back: descriptors, memory, processes.
func Starved(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EAGAIN, syscall.ENOBUFS} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Exit is how a process ended.
type Exit struct {
	Code   int            // exit code; -1 if a signal ended it or Unknown
	Signal syscall.Signal // 0: none
	// Unknown says that the process was not our child (an adopted one), so that
	// how it ended was not told.
	Unknown bool
}

// String says it in words.
func (e Exit) String() string {
	switch {
	case e.Unknown:
		return "ended, exit code unknown"
	case e.Signal != 0:
		return fmt.Sprintf("killed by signal %d (%s)", int(e.Signal), e.Signal)
	}
	return fmt.Sprintf("exit code %d", e.Code)
}

// Info is one process of a process table.
type Info struct {
	PID, PPID, Session int
	Start              uint64
	State              byte // as in ps: R, S, D, Z, T …; 0 if unknown
	RSS                uint64
	CPU                float64 // seconds of CPU time so far
}
