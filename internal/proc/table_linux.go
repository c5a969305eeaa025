package proc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// userHZ is the unit of times in /proc/PID/stat: 100 on every Linux ABI that Go
// runs on.
const userHZ = 100

var pageSize = uint64(os.Getpagesize())

// table reads all processes of this machine, or those that we may see. /proc is
// read directly and not through gopsutil, since one stat file holds all that is
// needed, and ten accounts look at it every few seconds.
func table() ([]Info, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
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
		if p, err := process(pid); err == nil {
			list = append(list, p)
		}
	}
	return list, nil
}

// process reads one process; ErrGone if there is none with that pid.
func process(pid int) (Info, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Info{}, ErrGone
	}
	return parseStat(b)
}

// parseStat reads a /proc/PID/stat line (proc(5)). The name in parentheses may
// hold anything, also parentheses.
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
		p.RSS = uint64(rss) * pageSize
	}
	return p, err
}

func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// marked reports whether the process carries the marker in the environment with
// which it was started. A process whose environment we may not read does not.
func marked(pid int, marker string) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false
	}
	want := []byte(MarkerEnv + "=" + marker)
	for len(b) > 0 {
		var v []byte
		v, b, _ = bytes.Cut(b, []byte{0})
		if bytes.Equal(v, want) {
			return true
		}
	}
	return false
}

// ownedByUs reports whether the process runs under our user.
func ownedByUs(pid int) bool {
	var st unix.Stat_t
	return unix.Stat(filepath.Join("/proc", strconv.Itoa(pid)), &st) == nil && int(st.Uid) == os.Geteuid()
}
