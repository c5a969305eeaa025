//go:build !linux

package proc

import (
	"strconv"

	"github.com/shirou/gopsutil/v3/host"
	ps "github.com/shirou/gopsutil/v3/process"
)

// table reads all processes that we may see.
func table() ([]Info, error) {
	all, err := ps.Processes()
	if err != nil {
		return nil, err
	}
	list := make([]Info, 0, len(all))
	for _, p := range all {
		if i, err := info(p); err == nil {
			list = append(list, i)
		}
	}
	return list, nil
}

func process(pid int) (Info, error) {
	p, err := ps.NewProcess(int32(pid))
	if err != nil {
		return Info{}, ErrGone
	}
	return info(p)
}

func info(p *ps.Process) (Info, error) {
	start, err := p.CreateTime()
	if err != nil {
		return Info{}, ErrGone
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

func bootID() string {
	t, err := host.BootTime()
	if err != nil {
		return ""
	}
	return strconv.FormatUint(t, 10)
}

// marked always says no: this system does not tell the environment of another
// process, so that only pids written down lead to a survivor.
func marked(int, string) bool { return false }

func ownedByUs(int) bool { return true }
