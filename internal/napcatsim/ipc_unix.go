//go:build !windows

package napcatsim

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// ipcIn is the master's side of what the worker says.
type ipcIn struct {
	*os.File
	theirs []*os.File // the worker's ends, open here until it has them
}

// afterStart closes what only the worker needs.
func (i *ipcIn) afterStart() error {
	var errs []error
	for _, f := range i.theirs {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// ipcPipes gives cmd the two descriptors on which master and worker talk: 3 to
// read, 4 to write.
func ipcPipes(cmd *exec.Cmd) (*ipcIn, io.WriteCloser, error) {
	r, toWorker, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	fromWorker, w, err := os.Pipe()
	if err != nil {
		return nil, nil, errors.Join(err, r.Close(), toWorker.Close())
	}
	cmd.ExtraFiles = []*os.File{r, w}
	return &ipcIn{File: fromWorker, theirs: []*os.File{r, w}}, toWorker, nil
}

// openIPC is the worker's side of ipcPipes.
func openIPC() (r io.Reader, w io.Writer) {
	return os.NewFile(3, "ipc-in"), os.NewFile(4, "ipc-out")
}

// ignorePipe makes a write to a stdout without reader an error instead of the
// end of the process.
func ignorePipe() { signal.Ignore(syscall.SIGPIPE) }

// signalNumber is the signal that ended a process, 0 if it exited.
func signalNumber(s *os.ProcessState) int {
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return int(ws.Signal())
	}
	return 0
}

// kill sends the signal called name (KILL, TERM …) to a process.
func kill(pid int, name string) error {
	sig, ok := map[string]syscall.Signal{
		"KILL": syscall.SIGKILL, "TERM": syscall.SIGTERM, "ABRT": syscall.SIGABRT, "INT": syscall.SIGINT, "SEGV": syscall.SIGSEGV,
		"HUP": syscall.SIGHUP, "BUS": syscall.SIGBUS, "ILL": syscall.SIGILL, "FPE": syscall.SIGFPE, "STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT,
	}[name]
	if !ok {
		return errors.New("unknown signal " + name)
	}
	return syscall.Kill(pid, sig)
}

// defaultSignals lets the signals that end a process end this one.
func defaultSignals() { signal.Reset(os.Interrupt, syscall.SIGTERM) }

// exitSignals end a Go program as they end any other; the rest of them are
// caught by Go's runtime.
var exitSignals = map[string]bool{"KILL": true, "TERM": true, "INT": true, "HUP": true}

// crashSignals are those of broken native code, by number.
var crashSignals = map[string]int{"SEGV": 11, "ABRT": 6, "BUS": 7, "ILL": 4, "FPE": 8}

func knownSignal(name string) bool { return exitSignals[name] || crashSignals[name] != 0 }

// dieOf ends this process by a signal. Electron reports the number of a signal
// as the exit code of a worker, so that exiting with it looks the same.
func dieOf(name string) {
	if n := crashSignals[name]; n != 0 {
		os.Exit(n)
	}
	if kill(os.Getpid(), name) != nil {
		os.Exit(1)
	}
}
