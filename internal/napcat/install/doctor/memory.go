package doctor

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memory looks at what this process may use: the machine's memory, or the limit
// of a control group around it, of either kind.
func (x *examination) memory() {
	limit, where := x.machineMemory(), "/proc/meminfo"
	for _, g := range x.cgroupFiles() {
		b, err := os.ReadFile(x.path(g))
		if err != nil {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
		// "max", and the huge number of the old kind, are no limits.
		if err == nil && n > 0 && (limit == 0 || n < limit) {
			limit, where = n, g
		}
	}
	if limit == 0 {
		return
	}
	s := OK
	switch {
	case limit < memError:
		s = Error
	case limit < memWarning:
		s = Warning
	}
	x.add(CodeMemory, s, limit>>20, where)
}

func (x *examination) machineMemory() int64 {
	f, err := os.Open(x.path("/proc/meminfo"))
	if err != nil {
		return 0
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		if v, ok := strings.CutPrefix(s.Text(), "MemTotal:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(v, "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return n << 10
		}
	}
	return 0
}

// cgroupFiles are the limits that hold for this process: those of its own group
// and of all above it, since any of them may be the tightest.
func (x *examination) cgroupFiles() []string {
	b, err := os.ReadFile(x.path("/proc/self/cgroup"))
	if err != nil {
		return nil
	}
	var files []string
	for line := range strings.SplitSeq(strings.TrimSpace(string(b)), "\n") {
		parts := strings.SplitN(line, ":", 3)
		if len(parts) != 3 {
			continue
		}
		base, name := "/sys/fs/cgroup", "memory.max"
		switch {
		case parts[0] == "0":
		case strings.Contains(","+parts[1]+",", ",memory,"):
			base, name = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		for dir := filepath.Clean("/" + parts[2]); ; dir = filepath.Dir(dir) {
			files = append(files, filepath.Join(base, dir, name))
			if dir == "/" {
				break
			}
		}
	}
	return files
}
