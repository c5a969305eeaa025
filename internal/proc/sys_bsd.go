//go:build unix && !linux

package proc

import "golang.org/x/sys/unix"

// BecomeSubreaper does nothing: this system has no such thing.
func BecomeSubreaper() error { return nil }

// signalOne signals the process that p names. Between the check and the signal
// the pid could change its owner; without pidfd there is nothing better.
func signalOne(p Info, sig unix.Signal) error {
	if q, err := process(p.PID); err != nil || q.Start != p.Start {
		return ErrGone
	}
	return unix.Kill(p.PID, sig)
}

func awaitExit(id Identity, done <-chan struct{}) error { return pollExit(id, done) }

func reap(int) {}

func session(pid int) int {
	s, err := unix.Getsid(pid)
	if err != nil {
		return 0
	}
	return s
}
