package napcatsim

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// ipcEnv carries the handles to the worker: "READ,WRITE".
const ipcEnv = "NCATD_SIM_IPC"

// ipcIn is the master's side of what the worker says.
type ipcIn struct {
	*os.File
	theirs []*os.File
}

// afterStart closes what only the worker needs.
func (i *ipcIn) afterStart() error {
	var errs []error
	for _, f := range i.theirs {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// ipcPipes gives cmd the two handles on which master and worker talk.
func ipcPipes(cmd *exec.Cmd) (*ipcIn, io.WriteCloser, error) {
	r, toWorker, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	fromWorker, w, err := os.Pipe()
	if err != nil {
		return nil, nil, errors.Join(err, r.Close(), toWorker.Close())
	}
	var names []string
	attr := &syscall.SysProcAttr{}
	for _, f := range []*os.File{r, w} {
		h := syscall.Handle(f.Fd())
		if err := syscall.SetHandleInformation(h, syscall.HANDLE_FLAG_INHERIT, syscall.HANDLE_FLAG_INHERIT); err != nil {
			return nil, nil, errors.Join(err, r.Close(), w.Close(), toWorker.Close(), fromWorker.Close())
		}
		attr.AdditionalInheritedHandles = append(attr.AdditionalInheritedHandles, h)
		names = append(names, strconv.FormatUint(uint64(h), 10))
	}
	cmd.SysProcAttr = attr
	cmd.Env = append(cmd.Env, ipcEnv+"="+strings.Join(names, ","))
	return &ipcIn{File: fromWorker, theirs: []*os.File{r, w}}, toWorker, nil
}

// openIPC is the worker's side of ipcPipes.
func openIPC() (r io.Reader, w io.Writer) {
	a, b, _ := strings.Cut(os.Getenv(ipcEnv), ",")
	open := func(s string) *os.File {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return nil
		}
		return os.NewFile(uintptr(n), "ipc")
	}
	return open(a), open(b)
}

// ignorePipe does nothing: Windows has no such signal.
func ignorePipe() {}

// signalNumber is 0: Windows processes only exit.
func signalNumber(*os.ProcessState) int { return 0 }

// kill ends a process; Windows knows no other signals.
func kill(pid int, name string) error {
	if name != "KILL" && name != "TERM" {
		return errors.New("unknown signal " + name)
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}

// defaultSignals does nothing: there are none.
func defaultSignals() {}

func knownSignal(name string) bool { return name == "KILL" || name == "TERM" }

// dieOf ends this process.
func dieOf(string) { os.Exit(1) }
