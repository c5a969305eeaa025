package daemon

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"

	"github.com/ncatd/ncatd/internal/account"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// Ports hands out TCP ports to the accounts of one daemon, so that two of them
// that start together do not choose the same. It is safe for concurrent use.
type Ports struct {
	mu   sync.Mutex
	used map[int]string // by which account
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
// the one it had last, else any. Where the configured one is taken, the config says
// whether another may take its place; that one did is told.
func (n *napCat) choose(what string, e config.Endpoint, last int) (int, error) {
	if l, err := net.Listen("tcp", net.JoinHostPort(e.Host, "0")); err == nil { //nolint:noctx // answers at once
		l.Close()
	} else if notHere(err) {
		return 0, failed(account.ReasonBadConfig, api.CodeHostNotHere, n.name()+"."+what+".host", e.Host)
	}
	port, err := n.d.Ports.Choose(n.name()+"/"+what, e.Host, e.Port, last)
	if err != nil {
		return 0, err
	}
	if f := n.placed(what, e, port); f != nil {
		return 0, f
	}
	return port, nil
}

// placed says whether a server may be at port instead of at the configured one, and
// shows that it is.
func (n *napCat) placed(what string, e config.Endpoint, port int) *supervisor.Fault {
	want := strconv.Itoa(e.Port)
	switch {
	case e.Port == 0:
		return nil
	case port == e.Port:
		n.d.Health.Clear(n.name(), api.CodePortReplaced, want)
		return nil
	case e.PortBusy != portReplace:
		return failed(account.ReasonPortBusy, api.CodePortBusy, n.name()+"."+what+".port", want, holder(e.Port))
	}
	n.d.Health.Set(n.name(), api.CodePortReplaced, want, holder(e.Port), strconv.Itoa(port))
	return nil
}

// elsewhere reports whether a server is at another port than it should be now.
func elsewhere(e config.Endpoint, port int) bool {
	return e.Port != 0 && e.Port != port && (e.PortBusy != portReplace || free(e.Host, e.Port))
}

// portReplace is the word of port_busy that lets another port take the place of
// one that is taken.
const portReplace = "replace"

// notHere reports whether an address could not be listened on because it is none
// of this machine.
func notHere(err error) bool {
	var dns *net.DNSError
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.As(err, &dns)
}

// holder names the program that listens on a port of this machine.
func holder(port int) string {
	if o, ok := proc.ListensOn(port); ok {
		return o.String()
	}
	return "?"
}
