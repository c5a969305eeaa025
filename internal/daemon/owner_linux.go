package daemon

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ncatd/ncatd/internal/proc"
)

// owner is a program that listens on a TCP port.
type owner struct {
	pid  int // 0: not to be found, mostly another user's
	name string
	uid  string
}

// String names it for a person.
func (o owner) String() string {
	if o.pid == 0 {
		return "a program of user " + o.uid
	}
	return fmt.Sprintf("%s (pid %d)", o.name, o.pid)
}

// maxAncestors bounds the walk from a process to its master.
const maxAncestors = 32

// of reports whether it is a process of the account whose master is root and
// whose processes carry marker: one that descends from the master, or, where the
// way to it is lost, one with the marker.
func (o owner) of(root int, marker string) bool {
	if o.pid == 0 {
		return false
	}
	pid := o.pid
	for range maxAncestors {
		if pid == root {
			return true
		}
		parent, err := proc.Parent(pid)
		if err != nil || parent <= 1 {
			break
		}
		pid = parent
	}
	env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(o.pid), "environ"))
	return err == nil && bytes.Contains(append([]byte{0}, env...), []byte("\x00"+proc.MarkerEnv+"="+marker+"\x00"))
}

// listener returns which program listens on a TCP port of this machine; false if
// none does, or the system does not tell.
func listener(port int) (owner, bool) {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		if inode, uid, ok := listening(table, port); ok {
			o := owner{uid: uid}
			o.pid, o.name = holderOf("socket:[" + inode + "]")
			return o, true
		}
	}
	return owner{}, false
}

// listening finds the socket that listens on port in a table of the kernel.
func listening(table string, port int) (inode, uid string, ok bool) {
	f, err := os.Open(table)
	if err != nil {
		return "", "", false
	}
	defer f.Close()
	want := fmt.Sprintf(":%04X", port)
	for s := bufio.NewScanner(f); s.Scan(); {
		// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
		w := strings.Fields(s.Text())
		if len(w) > 9 && w[3] == "0A" && strings.HasSuffix(w[1], want) {
			return w[9], w[7], true
		}
	}
	return "", "", false
}

// holderOf finds the process that has a socket open.
func holderOf(socket string) (pid int, name string) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, ""
	}
	for _, dir := range dirs {
		fds, err := os.ReadDir(filepath.Join(dir, "fd"))
		if err != nil {
			continue // another user's, or gone
		}
		for _, fd := range fds {
			if to, err := os.Readlink(filepath.Join(dir, "fd", fd.Name())); err == nil && to == socket {
				pid, _ = strconv.Atoi(filepath.Base(dir))
				comm, _ := os.ReadFile(filepath.Join(dir, "comm")) // a name is a courtesy
				return pid, strings.TrimSpace(string(comm))
			}
		}
	}
	return 0, ""
}
