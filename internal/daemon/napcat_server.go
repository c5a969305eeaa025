package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/ncatd/ncatd/internal/account"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/napcat/conffile"
	"github.com/ncatd/ncatd/internal/proc"
)

func (n *napCat) oneBotPort() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state.OneBotPort
}

// serverURL returns where the OneBot server is to be reached.
func (n *napCat) serverURL() string {
	return "ws://" + net.JoinHostPort(reachable(n.c.Account.OneBot.Host), strconv.Itoa(n.oneBotPort())) + "/"
}

func (n *napCat) oneBotServer(port int, token config.Secret) conffile.Server {
	c := n.c.Account.OneBot
	return conffile.Server{Host: c.Host, Port: port, Token: token.Reveal(), Heartbeat: c.Heartbeat.D(), ReportSelfMessage: c.ReportSelfMessage || n.c.OwnMessages}
}

// Repair implements [account.Host]: it sets NapCat's OneBot server up anew, on
// another port. A server that listens is left alone, whatever else is wrong, but
// for one whose token somebody changed on NapCat's page: it gets ours back. A
// NapCat that does not answer at once is asked nothing: what waits in a frozen
// worker is carried out when it thaws, and would close every connection then
// (contract L.4).
func (n *napCat) Repair(ctx context.Context, why account.Link, still func() bool) error {
	l := n.present()
	if l == nil || !still() {
		return nil
	}
	c := n.c.Account.OneBot
	old := n.oneBotPort()
	port, err := old, error(nil)
	switch ours := why != account.LinkBusy && listens(ctx, reachable(c.Host), old) && n.owns(old); {
	case !ours:
		port, err = n.another("onebot", c.Endpoint, old)
	case why != account.LinkRefused:
		return nil
	}
	if err != nil {
		return err
	}
	dir := filepath.Join(n.workDir(), "config")
	n.mu.Lock()
	managed := n.state.Networks
	n.mu.Unlock()
	path := filepath.Join(dir, "onebot11_"+strconv.FormatInt(l.tell.UIN(), 10)+".json")
	// It must answer now; what it answers is needed only if there is no file,
	// since its copy lacks keys that the WebUI does not know (C.6).
	pctx, cancel := context.WithTimeout(ctx, n.c.Supervisor.Health.ProbeTimeout.D())
	defer cancel()
	raw, err := n.web.OB11Config(pctx)
	if err != nil {
		return fmt.Errorf("napcat does not answer, nothing is changed: %w", err)
	}
	doc, err := conffile.Read(path)
	if err != nil {
		if doc, err = conffile.Parse(raw); err != nil {
			doc = conffile.Object{}
		}
	}
	if listens(ctx, reachable(c.Host), old) && !n.owns(old) {
		n.renewTokens() // the WebUI's is that of the process, and new with the next
	}
	managed = conffile.Network(doc, n.oneBotServer(port, n.secrets().oneBot), n.c.Account.Networks, managed)
	body, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	if !still() || pctx.Err() != nil {
		return nil // it came back by itself meanwhile
	}
	if err := n.web.SetOB11Config(pctx, body); err != nil {
		return err
	}
	if _, err := os.Stat(path); err == nil {
		if err := conffile.Write(path, doc); err != nil {
			n.log.Warn("onebot configuration not written", "err", err)
		}
	}
	n.log.Warn("onebot server set up anew", "from", old, "to", port)
	n.note(func(s *napCatState) { s.OneBotPort, s.Networks = port, managed })
	l.tell.Tell(account.ServerAt{URL: n.serverURL()})
	return nil
}

// another returns a port for a server that cannot be reached at old: the
// configured one if it is free, else any but old.
func (n *napCat) another(what string, e config.Endpoint, old int) (int, error) {
	for range 10 {
		port, err := n.choose(what, e, 0)
		// Where nothing listens on the configured port the server is missing, not
		// misplaced.
		if err != nil || port != old || port == e.Port {
			return port, err
		}
	}
	return 0, errors.New("no other port is free")
}

// owns reports whether it is this account's NapCat that listens on a port of this
// machine, as far as the system tells.
func (n *napCat) owns(port int) bool {
	o, ok := proc.ListensOn(port)
	if !ok {
		return true
	}
	ours, err := o.Of(n.mark())
	return ours || err != nil
}

func (n *napCat) mark() (root int, marker string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state.Process.PID, n.state.Marker
}

// trust refuses a connection at whose other end another program is: NapCat has
// not come up yet, or is down for a moment, and whatever took its port must not
// get what only NapCat may know.
func (n *napCat) trust(c net.Conn) error {
	o, ok, err := proc.ServerOf(c)
	if err != nil || !ok {
		return err
	}
	ours, err := o.Of(n.mark())
	if err != nil {
		return fmt.Errorf("look at who listens at %s: %w", c.RemoteAddr(), err)
	}
	if ours {
		return nil
	}
	n.mu.Lock()
	known := n.state.Stranger
	n.mu.Unlock()
	if !known {
		n.log.Warn("another program listens on NapCat's port; it is told nothing", "address", c.RemoteAddr().String(), "program", o.String())
		n.note(func(s *napCatState) { s.Stranger = true })
	}
	return fmt.Errorf("%s is taken by %s", c.RemoteAddr(), o)
}

// secrets returns the tokens that hold now.
func (n *napCat) secrets() tokens {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.tokens
}

// renewTokens makes new tokens where another program may know the old ones. If
// that fails the old ones stay.
func (n *napCat) renewTokens() {
	if n.d.NewTokens == nil {
		return
	}
	t, err := n.d.NewTokens()
	if err != nil {
		n.log.Warn("tokens not renewed", "err", err)
		return
	}
	n.mu.Lock()
	n.tokens = t
	n.mu.Unlock()
	n.log.Info("tokens renewed: another program had the port")
}

// listens reports whether a program takes connections there now.
func listens(ctx context.Context, host string, port int) bool {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	c.Close()
	return true
}
