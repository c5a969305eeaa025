//go:build unix && !linux

package proc

import "golang.org/x/sys/unix"

// BecomeSubreaper does nothing: this system has no such thing.
func BecomeSubreaper() error { return nil }

// signalOne signals the process that p names. Between the check and the signal
// the pid could change its owner; without pidfd there is nothing better.
func (h *host) signalOne(p Info, sig unix.Signal) error {
	q, err := h.process(p.PID)
	if err != nil {
		return err
	}
	if q.Start != p.Start {
		return ErrGone
	}
	return unix.Kill(p.PID, sig)
}

func (h *host) awaitExit(id Identity, done <-chan struct{}) error { return h.pollExit(id, done) }

func (h *host) reap(int, bool) {}

func session(pid int) int {
	s, err := unix.Getsid(pid)
	if err != nil {
		return 0
	}
	return s
}
