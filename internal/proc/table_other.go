//go:build !linux

package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strconv"

	gohost "github.com/shirou/gopsutil/v3/host"
	ps "github.com/shirou/gopsutil/v3/process"
)

// host is how the package sees and reaches processes.
type host struct {
	start func(*exec.Cmd) error
}

func system() *host { return &host{start: (*exec.Cmd).Start} }

// gone reports whether err says that a process does not exist. Every other error
// says that it could not be looked at.
func gone(err error) bool {
	return errors.Is(err, ps.ErrorProcessNotRunning) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrGone)
}

// table reads all processes that we may see.
func (h *host) table() ([]Info, error) {
	all, err := ps.Processes()
	if err != nil {
		return nil, fmt.Errorf("read the process table: %w", err)
	}
	list := make([]Info, 0, len(all))
	for _, p := range all {
		i, err := info(p)
		switch {
		case err == nil:
			list = append(list, i)
		case !gone(err) && !errors.Is(err, fs.ErrPermission): // other users' processes may be hidden
			return nil, err
		}
	}
	return list, nil
}

func (h *host) process(pid int) (Info, error) {
	p, err := ps.NewProcess(int32(pid))
	if gone(err) {
		return Info{}, ErrGone
	}
	if err != nil {
		return Info{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	return info(p)
}

func info(p *ps.Process) (Info, error) {
	start, err := p.CreateTime()
	if err != nil {
		// The call tells no difference between "gone" and "could not look".
		if there, e := ps.PidExists(p.Pid); e == nil && !there {
			return Info{}, ErrGone
		}
		return Info{}, fmt.Errorf("look at process %d: %w", p.Pid, err)
	}
	i := Info{PID: int(p.Pid), Start: uint64(start), Session: session(int(p.Pid))}
	if ppid, err := p.Ppid(); err == nil {
		i.PPID = int(ppid)
	}
	if m, err := p.MemoryInfo(); err == nil && m != nil {
		i.RSS = m.RSS
	}
	if t, err := p.Times(); err == nil && t != nil {
		i.CPU = t.User + t.System
	}
	if s, err := p.Status(); err == nil && len(s) > 0 {
		switch s[0] {
		case ps.Zombie:
			i.State = 'Z'
		case ps.Stop:
			i.State = 'T'
		default:
			i.State = 'S'
		}
	}
	return i, nil
}

func (h *host) bootID() (string, error) {
	t, err := gohost.BootTime()
	if err != nil {
		return "", fmt.Errorf("read the boot time: %w", err)
	}
	return strconv.FormatUint(t, 10), nil
}

// marked always says no: this system does not tell the environment of another
// process, so that only pids written down lead to a survivor.
func (h *host) marked(int, string) (bool, error) { return false, nil }

// user is not told here.
func (h *host) user(int) (string, error) { return "", nil }

func (h *host) ownedByUs(int) (bool, error) { return true, nil }
