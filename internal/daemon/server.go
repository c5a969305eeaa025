package daemon

import (
	"fmt"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/console"
	"github.com/ncatd/ncatd/internal/control"
)

// newServer makes the control API as the config wants it, and its certificate, nil
// for none. listening is called when it listens.
func (d *Daemon) newServer(listening func()) (*control.Server, *certificate, error) {
	c := d.o.Config.Control
	o := control.Options{
		Backend: d, Hub: d.hub, Log: d.log, Metrics: d.metrics,
		Socket: d.o.Home.Socket(), Listen: c.Listen, Token: d.secrets.Control,
		Hosts: c.Hosts, LogDir: string(d.o.Home),
		Ready: func(string) { listening() },
	}
	for _, p := range c.Proxies {
		n, err := config.ParseNetwork(p)
		if err != nil {
			return nil, nil, fmt.Errorf("control.proxies: %w", err)
		}
		o.Proxies = append(o.Proxies, n)
	}
	dir := d.o.Home.Join("console")
	cert := newCertificate(c, dir)
	if cert != nil {
		o.TLS, o.Fingerprint = cert.config(), cert.fingerprint
	}
	if c.Console {
		var err error
		if o.Console, err = console.New(console.Options{Dir: dir, Log: d.log}); err != nil {
			return nil, nil, err
		}
	}
	s, err := control.New(o)
	return s, cert, err
}

// handOut gives the control API to those that use it from inside.
func (d *Daemon) handOut(s *control.Server) {
	d.alerts.server = s
	if d.fleet != nil {
		d.fleet.server = s
	}
}
