package control

import (
	"net"
	"sync"
)

// connLimit returns how many connections each of n listeners may have open, if
// the process may have files open altogether (0: no limit is known).
func connLimit(files, n int) int {
	if files <= 0 {
		return maxConns
	}
	return min(maxConns, max(minConns, (files-reservedFDs)/n))
}

// limitConns returns l with at most n connections open at a time; further ones
// are closed at once, so that a user with too many hurts only that user.
func limitConns(l net.Listener, n int) net.Listener {
	return &limited{Listener: l, free: make(chan struct{}, n)}
}

type limited struct {
	net.Listener
	free chan struct{}
}

// Accept waits for the next connection that fits.
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.free <- struct{}{}:
			return &limitedConn{Conn: c, release: sync.OnceFunc(func() { <-l.free })}, nil
		default:
			c.Close()
		}
	}
}

type limitedConn struct {
	net.Conn
	release func()
}

// Close closes the connection and makes room for another.
func (c *limitedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
