package proc

import (
	"errors"
	"fmt"
	"os/exec"
	"reflect"
	"runtime"
	"syscall"

	"golang.org/x/sys/windows"
)

const (
	sigTerm = syscall.SIGTERM
	sigKill = syscall.SIGKILL
)

// job ties the processes of one account together. It ends them when its last
// handle closes, also when ncatd is killed: there is no adoption on Windows.
type job struct{ h windows.Handle }

func newJob() (*job, error) {
	h, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return nil, fmt.Errorf("create a job object: %w", err)
	}
	var info windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	info.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	v := reflect.ValueOf(&info)
	_, err = windows.SetInformationJobObject(h, windows.JobObjectExtendedLimitInformation, v.Pointer(), uint32(v.Elem().Type().Size()))
	runtime.KeepAlive(&info)
	if err != nil {
		windows.CloseHandle(h)
		return nil, fmt.Errorf("limit a job object: %w", err)
	}
	return &job{h}, nil
}

func (j *job) onStart(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP, HideWindow: true}
}

func (j *job) assign(cmd *exec.Cmd) error {
	h, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(cmd.Process.Pid))
	if err != nil {
		return fmt.Errorf("open the process: %w", err)
	}
	defer windows.CloseHandle(h)
	if err := windows.AssignProcessToJobObject(j.h, h); err != nil {
		return fmt.Errorf("assign to a job object: %w", err)
	}
	return nil
}

func (j *job) kill()  { _ = windows.TerminateJobObject(j.h, 1) }
func (j *job) close() { _ = windows.CloseHandle(j.h) }

// BecomeSubreaper does nothing: job objects do its work.
func BecomeSubreaper() error { return nil }

func session(int) int { return 0 }

// signalGroup asks a console process to end; QQ without a console is ended by
// its job object after the stop timeout.
func signalGroup(pgid int, s syscall.Signal) error {
	if s == sigTerm {
		return windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, uint32(pgid))
	}
	return nil
}

func continueGroup(int) {}

func (h *host) signalOne(p Info, _ syscall.Signal) error {
	q, err := h.process(p.PID)
	if err != nil {
		return err
	}
	if q.Start != p.Start {
		return ErrGone
	}
	handle, err := windows.OpenProcess(windows.PROCESS_TERMINATE, false, uint32(p.PID))
	if err != nil {
		return fmt.Errorf("open process %d: %w", p.PID, err)
	}
	defer windows.CloseHandle(handle)
	return windows.TerminateProcess(handle, 1)
}

func (h *host) awaitExit(id Identity, done <-chan struct{}) error { return h.pollExit(id, done) }

func (h *host) reap(int, bool) {}

// become refuses: a process runs as its starter here.
func become(_ *exec.Cmd, u *User) error {
	if u != nil {
		return errors.ErrUnsupported
	}
	return nil
}

func exitOf(cmd *exec.Cmd) Exit {
	if cmd.ProcessState == nil {
		return Exit{Code: -1, Unknown: true}
	}
	return Exit{Code: cmd.ProcessState.ExitCode()}
}
