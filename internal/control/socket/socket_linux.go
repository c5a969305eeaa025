package socket

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// shorten returns a name for path that fits a socket address: path itself or,
// if it is too long, the same file reached through an open descriptor of its
// folder. The name holds until done is called.
func shorten(path string) (name string, done func(), err error) {
	if len(path) <= maxPath {
		return path, func() {}, nil
	}
	fd, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, &os.PathError{Op: "open", Path: filepath.Dir(path), Err: err}
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", fd, filepath.Base(path)), func() { unix.Close(fd) }, nil
}

// checkPeer refuses a connection of another user than this process's and root.
func checkPeer(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if credErr != nil {
		return credErr
	}
	if !mayConnect(int(cred.Uid), os.Geteuid()) {
		return fmt.Errorf("user %d may not connect", cred.Uid)
	}
	return nil
}

// mayConnect tells whether a process of user peer may talk to one of user own.
func mayConnect(peer, own int) bool { return peer == own || peer == 0 }
