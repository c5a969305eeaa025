//go:build unix

package proc

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	sigTerm = unix.SIGTERM
	sigKill = unix.SIGKILL
)

// job is what ties the processes of one account together: on unix their session
// and process group, which need no object of their own.
type job struct{}

func newJob() (*job, error)                     { return &job{}, nil }
func (*job) assign(*exec.Cmd) error             { return nil }
func (*job) kill()                              {}
func (*job) close()                             {}
func (*job) onStart(cmd *exec.Cmd)              { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
func signalGroup(pgid int, s unix.Signal) error { return unix.Kill(-pgid, s) }

// continueGroup wakes processes that a signal stopped, so that they can obey
// the SIGTERM that waits for them.
func continueGroup(pgid int) { _ = unix.Kill(-pgid, unix.SIGCONT) }

// become makes cmd run as u.
func become(cmd *exec.Cmd, u *User) error {
	if u != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}
	}
	return nil
}

func exitOf(cmd *exec.Cmd) Exit {
	st := cmd.ProcessState
	if st == nil {
		return Exit{Code: -1, Unknown: true}
	}
	if ws, ok := st.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return Exit{Code: -1, Signal: ws.Signal()}
	}
	return Exit{Code: st.ExitCode()}
}
