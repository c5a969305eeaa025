package proc

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Listener is a program that listens on a TCP port.
type Listener struct {
	PID  int // 0: not to be found, mostly another user's
	Name string
	UID  string
}

// String names it for a person.
func (o Listener) String() string {
	if o.PID == 0 {
		return "a program of user " + o.UID
	}
	return fmt.Sprintf("%s (pid %d)", o.Name, o.PID)
}

// maxAncestors bounds the walk from a process to its master.
const maxAncestors = 32

// Of reports whether it is a process of the account whose master is root and
// whose processes carry marker: one that descends from the master, or, where the
// way to it is lost, one with the marker. One of our own user that cannot be found
// is: what may not be looked at is another user's. An error says that it could not
// be looked at.
func (o Listener) Of(root int, marker string) (bool, error) {
	if o.PID == 0 {
		return o.UID == strconv.Itoa(os.Geteuid()), nil
	}
	pid := o.PID
	for range maxAncestors {
		if pid == root {
			return true, nil
		}
		parent, err := Parent(pid)
		if err != nil && !errors.Is(err, ErrGone) {
			return false, err
		}
		if err != nil || parent <= 1 {
			break
		}
		pid = parent
	}
	env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(o.PID), "environ"))
	if err != nil && !hidden(err) {
		return false, err
	}
	return bytes.Contains(append([]byte{0}, env...), []byte("\x00"+MarkerEnv+"="+marker+"\x00")), nil
}

// hidden reports whether an error says that something is not there, or another's.
func hidden(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ESRCH)
}

// tables are where the kernel lists TCP sockets.
var tables = [...]string{"/proc/net/tcp", "/proc/net/tcp6"}

// ListensOn returns which program listens on a TCP port of this machine; false if
// none does, or the system does not tell.
func ListensOn(port int) (Listener, bool) {
	for _, table := range tables {
		all, err := sockets(table, port)
		if err != nil {
			continue
		}
		for _, s := range all {
			if s.listens && int(s.local.Port()) == port {
				o, err := s.holder()
				return o, err == nil
			}
		}
	}
	return Listener{}, false
}

// ServerOf returns which program has the other end of c, a connection to this
// machine; false if the system does not tell, an error if it could not be looked
// at. A connection that waits to be taken is that of what listens.
func ServerOf(c net.Conn) (Listener, bool, error) {
	near, far := address(c.LocalAddr()), address(c.RemoteAddr())
	var listening *socket
	seen := false // our own end
	for _, table := range tables {
		all, err := sockets(table, int(far.Port()))
		if err != nil && !hidden(err) {
			return Listener{}, false, fmt.Errorf("look at who listens at %s: %w", far, err)
		}
		for _, s := range all {
			switch {
			case s.local == far && s.remote == near && s.inode != "0":
				o, err := s.holder()
				return o, true, err
			case s.local == near && s.remote == far:
				seen = true
			case s.listens && s.local == far:
				listening = &s
			case s.listens && s.local.Port() == far.Port() && s.local.Addr().IsUnspecified() && listening == nil:
				listening = &s
			}
		}
	}
	if listening != nil {
		o, err := listening.holder()
		return o, true, err
	}
	if seen {
		return Listener{}, false, fmt.Errorf("nothing listens at %s any more", far)
	}
	return Listener{}, false, nil
}

func address(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

// socket is a line of the kernel's table.
type socket struct {
	local, remote netip.AddrPort
	listens       bool
	inode, uid    string // the inode is 0 until the connection is taken
}

func (s socket) holder() (Listener, error) {
	o := Listener{UID: s.uid}
	var err error
	o.PID, o.Name, err = holderOf("socket:[" + s.inode + "]")
	return o, err
}

// sockets reads the sockets of a table that have port at one of their ends.
func sockets(table string, port int) ([]socket, error) {
	f, err := os.Open(table)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []socket
	want := fmt.Sprintf(":%04X", port)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
		w := strings.Fields(lines.Text())
		if len(w) < 10 || !strings.HasSuffix(w[1], want) && !strings.HasSuffix(w[2], want) {
			continue
		}
		all = append(all, socket{local: parseSocket(w[1]), remote: parseSocket(w[2]), listens: w[3] == "0A", uid: w[7], inode: w[9]})
	}
	return all, lines.Err()
}

// parseSocket reads an address as the kernel writes it: its words in the order of
// bytes of this machine. What is none is the zero address.
func parseSocket(s string) netip.AddrPort {
	ip, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(ip)
	n, e := strconv.ParseUint(port, 16, 16)
	if err != nil || e != nil || len(b)%4 != 0 {
		return netip.AddrPort{}
	}
	for w := b; len(w) > 0; w = w[4:] {
		binary.NativeEndian.PutUint32(w, binary.BigEndian.Uint32(w))
	}
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(n))
}

// holderOf finds the process that has a socket open; 0 if it is none that we may
// look at. An error says that it could not be looked for.
func holderOf(socket string) (pid int, name string, err error) {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return 0, "", err
	}
	for _, d := range dirs {
		if d.Name()[0] < '1' || d.Name()[0] > '9' {
			continue
		}
		dir := filepath.Join("/proc", d.Name())
		fds, err := os.ReadDir(filepath.Join(dir, "fd"))
		if err != nil && !hidden(err) {
			return 0, "", err
		}
		for _, fd := range fds {
			if to, err := os.Readlink(filepath.Join(dir, "fd", fd.Name())); err == nil && to == socket {
				pid, err := strconv.Atoi(d.Name())
				comm, _ := os.ReadFile(filepath.Join(dir, "comm")) // a name is a courtesy
				return pid, strings.TrimSpace(string(comm)), err
			}
		}
	}
	return 0, "", nil
}
