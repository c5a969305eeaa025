// Package socket listens on and dials the control API's unix socket: private to
// one user, whatever the length of its path, and never in the way of a next
// start. It knows nothing of what is spoken over it.
package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// maxPath is the longest path that fits struct sockaddr_un everywhere (104
// bytes on macOS, 108 on Linux, each with its final zero).
const maxPath = 103

// staleTimeout bounds the question whether a socket is still answered.
const staleTimeout = 2 * time.Second

// ErrInUse says that a process answers on the socket.
var ErrInUse = errors.New("socket in use")

// Listen creates the socket at path, mode 0600 in a folder of mode 0700. A
// leftover socket without a server is replaced; one that answers is
// [ErrInUse]. Where the system can tell, connections of other users than this
// one and root are closed at once. Close removes the file.
func Listen(ctx context.Context, path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if _, err := os.Lstat(path); err == nil {
		dctx, cancel := context.WithTimeout(ctx, staleTimeout)
		c, err := Dial(dctx, path)
		cancel()
		if err == nil {
			c.Close()
			return nil, fmt.Errorf("listen on %s: %w", path, ErrInUse)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("listen on %s: %w", path, err)
		}
	}
	addr, done, err := shorten(path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	defer done()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: addr, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	l.SetUnlinkOnClose(false) // addr may be a name that ends with done
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		os.Remove(path)
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return &listener{UnixListener: l, path: path}, nil
}

// Dial connects to the socket at path.
func Dial(ctx context.Context, path string) (net.Conn, error) {
	addr, done, err := shorten(path)
	if err != nil {
		return nil, err
	}
	defer done()
	var d net.Dialer
	return d.DialContext(ctx, "unix", addr)
}

type listener struct {
	*net.UnixListener
	path string
	once sync.Once
	err  error
}

// Accept waits for the next connection of a process that may connect.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if err := checkPeer(c); err != nil {
			_ = c.Close()
			continue
		}
		return c, nil
	}
}

// Close stops listening and removes the socket.
func (l *listener) Close() error {
	l.once.Do(func() {
		os.Remove(l.path)
		l.err = l.UnixListener.Close()
	})
	return l.err
}
