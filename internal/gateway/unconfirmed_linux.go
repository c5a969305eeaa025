package gateway

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// unconfirmed returns how many bytes the system keeps that the other side's has
// not confirmed: of what is wrapped around a connection, 0.
func unconfirmed(c net.Conn) (n int) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { // 0 for one that is closed
		if left, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ); err == nil {
			n = left
		}
	})
	return n
}
