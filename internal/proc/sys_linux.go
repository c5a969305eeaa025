package proc

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// BecomeSubreaper makes this process the parent of whatever its descendants
// leave behind, so that orphans can be found and waited for. It holds until the
// process ends.
func BecomeSubreaper() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become a subreaper: %w", err)
	}
	return nil
}

// openPidfd returns a file that becomes readable when the process ended.
func openPidfd(id Identity) (*os.File, error) {
	fd, err := unix.PidfdOpen(id.PID, unix.PIDFD_NONBLOCK)
	if err != nil {
		if errors.Is(err, unix.ESRCH) {
			return nil, ErrGone
		}
		return nil, fmt.Errorf("pidfd: %w", err)
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	// Only now is it certain that the pid cannot change its owner.
	if !Alive(id) {
		f.Close()
		return nil, ErrGone
	}
	return f, nil
}

// signalOne signals the process that p names and no other.
func signalOne(p Info, sig unix.Signal) error {
	f, err := openPidfd(Identity{PID: p.PID, Start: p.Start, BootID: bootID()})
	if err != nil {
		if errors.Is(err, ErrGone) {
			return err
		}
		// A kernel without pidfd: check, then signal.
		if q, err := process(p.PID); err != nil || q.Start != p.Start {
			return ErrGone
		}
		return unix.Kill(p.PID, sig)
	}
	defer f.Close()
	return unix.PidfdSendSignal(int(f.Fd()), sig, nil, 0)
}

// awaitExit waits until the process, no child of ours, ended, or done is closed.
func awaitExit(id Identity, done <-chan struct{}) error {
	f, err := openPidfd(id)
	if errors.Is(err, ErrGone) {
		return nil
	}
	if err != nil {
		return pollExit(id, done)
	}
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return pollExit(id, done)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- raw.Read(func(fd uintptr) bool {
			p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, err := unix.Poll(p, 0)
			return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
		})
	}()
	select {
	case err = <-ended:
		f.Close()
		if err != nil {
			return pollExit(id, done)
		}
		return nil
	case <-done:
		f.Close()
		<-ended //nolint:errcheck // closing made it return
		return errReleased
	}
}

// reap waits for the zombies that the session left to us as subreaper. Children
// of other packages are in other sessions and stay theirs.
func reap(session int) {
	list, err := table()
	if err != nil {
		return
	}
	self := os.Getpid()
	for _, p := range list {
		if p.PPID == self && p.State == 'Z' && p.Session == session && p.PID != session {
			var ws unix.WaitStatus
			_, _ = unix.Wait4(p.PID, &ws, unix.WNOHANG, nil) // nothing to learn from an orphan
		}
	}
}
