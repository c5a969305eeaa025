package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// userHZ is the unit of times in /proc/PID/stat: 100 on every Linux ABI that Go
// runs on.
const userHZ = 100

// host is how the package sees and reaches processes: the system calls, so that
// a test can make each of them fail.
type host struct {
	readFile    func(name string) ([]byte, error)
	readDir     func(name string) ([]string, error)
	owner       func(dir string) (uint32, error)
	pidfdOpen   func(pid int) (int, error)
	pidfdSignal func(fd int, sig unix.Signal) error
	kill        func(pid int, sig unix.Signal) error
	start       func(*exec.Cmd) error
}

func system() *host {
	return &host{
		readFile: os.ReadFile,
		readDir: func(name string) ([]string, error) {
			dir, err := os.Open(name)
			if err != nil {
				return nil, err
			}
			defer dir.Close()
			return dir.Readdirnames(-1)
		},
		owner: func(dir string) (uint32, error) {
			var st unix.Stat_t
			err := unix.Stat(dir, &st)
			return st.Uid, err
		},
		pidfdOpen:   func(pid int) (int, error) { return unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK) },
		pidfdSignal: func(fd int, sig unix.Signal) error { return unix.PidfdSendSignal(fd, sig, nil, 0) },
		kill:        unix.Kill,
		start:       (*exec.Cmd).Start,
	}
}

// gone reports whether err says that a process does not exist. Every other error
// says that it could not be looked at.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) || errors.Is(err, ErrGone)
}

// denied reports whether err says that we may not look.
func denied(err error) bool { return errors.Is(err, fs.ErrPermission) }

func procDir(pid int) string { return "/proc/" + strconv.Itoa(pid) }

// table reads all processes of this machine, or those that we may see. It fails
// if one of them could not be looked at. /proc is read directly and not through
// gopsutil, since one stat file holds all that is needed, and ten accounts look
// at it every few seconds.
func (h *host) table() ([]Info, error) {
	names, err := h.readDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("read the process table: %w", err)
	}
	list := make([]Info, 0, len(names))
	for _, n := range names {
		if n[0] < '1' || n[0] > '9' {
			continue
		}
		pid, err := strconv.Atoi(n)
		if err != nil {
			continue
		}
		p, err := h.process(pid)
		if denied(err) {
			// /proc can be mounted so that other users' processes are hidden.
			ours, e := h.ownedByUs(pid)
			if e == nil && !ours {
				continue
			}
		}
		switch {
		case err == nil:
			list = append(list, p)
		case !gone(err):
			return nil, err
		}
	}
	return list, nil
}

// process reads one process; ErrGone if there is none with that pid.
func (h *host) process(pid int) (Info, error) {
	b, err := h.readFile(procDir(pid) + "/stat")
	if err != nil {
		if gone(err) {
			return Info{}, ErrGone
		}
		return Info{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	return parseStat(b)
}

// parseStat reads a /proc/PID/stat line (proc(5)). The name in parentheses may
// hold anything, also parentheses. A process that the kernel is just releasing has
// no session any more, -1, whatever its state says: it is gone.
func parseStat(b []byte) (Info, error) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 1 || end < open {
		return Info{}, fmt.Errorf("malformed stat line %.60q", b)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:open])))
	f := strings.Fields(string(b[end+1:]))
	if err != nil || len(f) < 22 || len(f[0]) != 1 {
		return Info{}, fmt.Errorf("malformed stat line %.60q", b)
	}
	if f[3] == "-1" {
		return Info{}, ErrGone
	}
	num := func(i int) uint64 {
		n, e := strconv.ParseUint(f[i], 10, 64)
		if e != nil && err == nil {
			err = fmt.Errorf("malformed stat line %.60q", b)
		}
		return n
	}
	p := Info{PID: pid, State: f[0][0]}
	p.PPID, p.Session = int(num(1)), int(num(3))
	p.CPU = float64(num(11)+num(12)) / userHZ
	p.Start = num(19)
	if rss, e := strconv.ParseInt(f[21], 10, 64); e == nil && rss > 0 {
		p.RSS = uint64(rss) * uint64(os.Getpagesize())
	}
	return p, err
}

func (h *host) bootID() (string, error) {
	b, err := h.readFile("/proc/sys/kernel/random/boot_id")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the boot id: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// marked reports whether the process carries the marker in the environment with
// which it was started. A process whose environment we may not read does not.
func (h *host) marked(pid int, marker string) (bool, error) {
	b, err := h.readFile(procDir(pid) + "/environ")
	if gone(err) || denied(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at process %d: %w", pid, err)
	}
	want := []byte(MarkerEnv + "=" + marker)
	for len(b) > 0 {
		var v []byte
		v, b, _ = bytes.Cut(b, []byte{0})
		if bytes.Equal(v, want) {
			return true, nil
		}
	}
	return false, nil
}

// user returns the user that the process runs as.
func (h *host) user(pid int) (string, error) {
	uid, err := h.owner(procDir(pid))
	if gone(err) {
		return "", ErrGone
	}
	if err != nil {
		return "", fmt.Errorf("look at process %d: %w", pid, err)
	}
	return strconv.FormatUint(uint64(uid), 10), nil
}

// ownedByUs reports whether the process runs under our user.
func (h *host) ownedByUs(pid int) (bool, error) {
	u, err := h.user(pid)
	if gone(err) {
		return false, nil
	}
	return u == strconv.Itoa(os.Geteuid()), err
}
