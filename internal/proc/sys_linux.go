package proc

import (
	"errors"
	"fmt"
	"os"
	"time"

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
func (h *host) openPidfd(id Identity) (*os.File, error) {
	fd, err := h.pidfdOpen(id.PID)
	if err != nil {
		if gone(err) {
			return nil, ErrGone
		}
		return nil, fmt.Errorf("pidfd: %w", err)
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	// Only now is it certain that the pid cannot change its owner.
	if err := h.look(id); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// signalOne signals the process that p names and no other.
func (h *host) signalOne(p Info, sig unix.Signal) error {
	boot, err := h.bootID()
	if err != nil {
		return err
	}
	f, err := h.openPidfd(Identity{PID: p.PID, Start: p.Start, BootID: boot})
	if err != nil {
		if gone(err) {
			return err
		}
		// No pidfd to be had: check, then signal.
		q, err := h.process(p.PID)
		if err != nil {
			return err
		}
		if q.Start != p.Start {
			return ErrGone
		}
		return h.kill(p.PID, sig)
	}
	defer f.Close()
	return h.pidfdSignal(int(f.Fd()), sig)
}

// lookAgain is how long a wait for the end of a process may last before it looks
// with its own eyes.
const lookAgain = 30 * time.Second

// awaitExit waits until the process, no child of ours, ended, or done is closed.
func (h *host) awaitExit(id Identity, done <-chan struct{}) error {
	f, err := h.openPidfd(id)
	if gone(err) {
		return nil
	}
	if err != nil {
		return h.pollExit(id, done)
	}
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return h.pollExit(id, done)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- raw.Read(func(fd uintptr) bool {
			p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, err := unix.Poll(p, 0)
			return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
		})
	}()
	t := time.NewTicker(lookAgain)
	defer t.Stop()
	for {
		select {
		case err = <-ended:
			f.Close()
			if err != nil {
				return h.pollExit(id, done)
			}
			// A poll that failed ends here too.
			if !gone(h.look(id)) {
				return h.pollExit(id, done)
			}
			return nil
		case <-t.C:
			if !gone(h.look(id)) {
				continue
			}
			f.Close()
			_ = <-ended // closing made it return
			return nil
		case <-done:
			f.Close()
			_ = <-ended // closing made it return
			return errReleased
		}
	}
}

// reap waits for the zombies that the session left to us as subreaper, with its
// leader if that was adopted: after an exec it is our child and no one else waits for
// it. Children of other packages are in other sessions and stay theirs.
func (h *host) reap(session int, adopted bool) {
	list, err := h.table()
	if err != nil {
		return // the next one does it
	}
	self := os.Getpid()
	for _, p := range list {
		if p.PPID == self && p.State == 'Z' && p.Session == session && (p.PID != session || adopted) {
			var ws unix.WaitStatus
			_, _ = unix.Wait4(p.PID, &ws, unix.WNOHANG, nil) // nothing to learn from an orphan
		}
	}
}
