package daemon

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"

	"github.com/ncatd/ncatd/internal/control/api"
)

// Ports hands out TCP ports to the accounts of one daemon, so that two of them
// that start together do not choose the same. It is safe for concurrent use.
type Ports struct {
	mu   sync.Mutex
	used map[int]string // by whom
}

// NewPorts returns a Ports that has handed out nothing.
func NewPorts() *Ports { return &Ports{used: make(map[int]string)} }

// Choose returns a port of host that can be listened on now: the first of the
// preferred ones (0 is none), else any. It is held for owner until Choose is
// called for the same owner again.
func (p *Ports) Choose(owner, host string, preferred ...int) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for port, who := range p.used {
		if who == owner {
			delete(p.used, port)
		}
	}
	for _, port := range preferred {
		if port > 0 && p.used[port] == "" && free(host, port) {
			p.used[port] = owner
			return port, nil
		}
	}
	for range 100 {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0")) //nolint:noctx // answers at once
		if err != nil {
			return 0, fmt.Errorf("find a free port: %w", err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if p.used[port] == "" {
			p.used[port] = owner
			return port, nil
		}
	}
	return 0, errors.New("find a free port: all are taken")
}

// Hold takes a port for owner that an earlier daemon handed out.
func (p *Ports) Hold(owner string, port int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used[port] = owner
}

func free(host string, port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port))) //nolint:noctx // answers at once
	if err != nil {
		return false
	}
	l.Close()
	return true
}

// choose returns the port for a server of this account: the configured one, else
// the one it had last, else any. That the configured one is taken is told.
func (n *napCat) choose(what, host string, configured, last int) (int, error) {
	port, err := n.d.Ports.Choose(n.name()+"/"+what, host, configured, last)
	if err != nil {
		return 0, err
	}
	if configured != 0 && port != configured {
		n.d.Health.Set(n.name(), api.CodePortReplaced, strconv.Itoa(configured), holder(configured), strconv.Itoa(port))
	} else if configured != 0 {
		n.d.Health.Clear(n.name(), api.CodePortReplaced, strconv.Itoa(configured))
	}
	return port, nil
}

// holder names the program that listens on a port of this machine.
func holder(port int) string {
	if o, ok := listener(port); ok {
		return o.String()
	}
	return "?"
}
