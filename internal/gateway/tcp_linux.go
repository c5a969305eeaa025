package gateway

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// unconfirmed returns how many bytes the system keeps that the other side's has
// not confirmed: of what is wrapped around a connection, 0.
func unconfirmed(c net.Conn) (n int) {
	control(c, func(fd int) { // 0 for one that is closed
		if left, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ); err == nil {
			n = left
		}
	})
	return n
}

// ended reports whether the other side has ended a connection, whose end may not
// have been read yet.
func ended(c net.Conn) (yes bool) {
	control(c, func(fd int) {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		yes = err == nil && info.State != unix.BPF_TCP_ESTABLISHED
	})
	return yes
}

// control calls f with a connection's descriptor, if it has one.
func control(c net.Conn, f func(fd int)) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { f(int(fd)) }) // one that is closed has none
}
