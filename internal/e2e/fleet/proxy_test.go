//go:build e2e_fleet && linux

package fleet

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/ncatd/ncatd/internal/fleet/natstest"
)

// link is the way of one host to the servers, which can be cut: then bytes go nowhere
// and nobody is told, as when a cable is pulled.
type link struct {
	mu   sync.Mutex // guards the fields below
	cut  chan struct{}
	open []net.Conn
}

// newLink returns a link to all servers, and the URL of its near end.
func newLink(t *testing.T, s *natstest.Servers, n int) (*link, string) {
	t.Helper()
	l := &link{}
	var urls []string
	for i := range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		urls = append(urls, fmt.Sprintf("nats://%s", ln.Addr()))
		go func() { // ends with the listener
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				go l.carry(c, s.Addr(i))
			}
		}()
	}
	t.Cleanup(l.heal)
	return l, strings.Join(urls, ",")
}

func (l *link) carry(near net.Conn, addr string) {
	defer near.Close()
	far, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer far.Close()
	l.mu.Lock()
	l.open = append(l.open, near, far)
	l.mu.Unlock()
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		go func() {
			_, _ = io.Copy(gated{way[1], l}, way[0]) // it ends when either side does
			done <- struct{}{}
		}()
	}
	<-done
}

// gated is a connection whose writes wait while the link is cut.
type gated struct {
	net.Conn
	l *link
}

func (g gated) Write(p []byte) (int, error) {
	g.l.mu.Lock()
	cut := g.l.cut
	g.l.mu.Unlock()
	if cut != nil {
		<-cut
	}
	return g.Conn.Write(p)
}

func (l *link) sever() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = make(chan struct{})
}

// heal lets bytes through again, over new connections.
func (l *link) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.open {
		c.Close()
	}
	l.open = nil
	if l.cut != nil {
		close(l.cut)
		l.cut = nil
	}
}
