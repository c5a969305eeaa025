package daemon

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/account"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/napcat/install"
	"github.com/ncatd/ncatd/internal/napcat/launch"
	"github.com/ncatd/ncatd/internal/napcat/output"
	"github.com/ncatd/ncatd/internal/napcat/webui"
	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// life is one process of NapCat and everything that watches it and tells what it
// sees.
type life struct {
	n    *napCat
	tell *account.Life
	pair install.Pair
	proc *launch.Process
	lost <-chan struct{} // the display is gone
	// quickStarted says that NapCat tries the quick login by itself, again with
	// every worker: -q after a crash, the variable after a restart (contract
	// A.10). Set before begin.
	quickStarted bool

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	urlOnce sync.Once
	url     chan struct{} // closed when the WebUI's address is known
	look    chan struct{} // capacity 1: look at the WebUI now
	ready   chan struct{} // closed when Spawn has shown the process
	// tls is the certificate that this worker's WebUI shows, nil for plain HTTP.
	// It belongs to the goroutine of the output.
	tls *webui.Pin

	finishing sync.Mutex
	finished  bool // guarded by finishing: nothing of the process is left

	mu     sync.Mutex
	over   bool          // no goroutine may be started any more
	driver *webui.Driver // of the login under way
}

// newLife makes a life that ends with end, not with ctx.
func (n *napCat) newLife(ctx context.Context, tell *account.Life, pair install.Pair, lost <-chan struct{}) *life {
	l := &life{n: n, tell: tell, pair: pair, lost: lost, url: make(chan struct{}), ready: make(chan struct{}), look: make(chan struct{}, 1)}
	l.ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return l
}

// begin starts to watch the process, whose lines come by line.
func (l *life) begin() {
	l.wg.Go(l.logins)
	l.wg.Go(l.samples)
	l.wg.Go(l.schedule)
	l.wg.Go(func() {
		select {
		case <-l.proc.Exited():
			// Not within wg: the end of the life is waited for in there. Nor
			// before Spawn is done, which would show a process that is gone.
			l.n.bg.Go(func() {
				<-l.ready
				l.exited()
			})
		case <-l.ctx.Done():
		}
	})
	if l.lost != nil {
		l.wg.Go(func() {
			select {
			case <-l.lost:
				l.tell.Tell(account.Doomed{Fault: failed(account.ReasonDisplayLost, api.CodeDisplayLost)})
			case <-l.ctx.Done():
			}
		})
	}
}

// goes runs f in the background unless the life is over.
func (l *life) goes(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over {
		l.wg.Go(f)
	}
}

// end stops watching and waits until that is done.
func (l *life) end() {
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	l.cancel()
	l.wg.Wait()
	l.n.web.Close()
}

// finish ends the process and all that belongs to it, once. It does not give up
// before ctx ends: as long as anything lives no other may start.
func (l *life) finish(ctx context.Context, timeout time.Duration) error {
	l.finishing.Lock()
	defer l.finishing.Unlock()
	if l.finished {
		return nil
	}
	l.end()
	for tries := 1; ; tries++ {
		err := l.proc.Stop(ctx, timeout)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return err
		}
		if tries&(tries-1) == 0 { // each time costs seconds at best
			l.n.log.Error("napcat does not end", "err", err, "tries", tries)
		}
		timeout = 0
	}
	l.finished = true
	l.n.mu.Lock()
	if l.n.life == l {
		l.n.life = nil
	}
	l.n.mu.Unlock()
	l.n.note(func(s *napCatState) { s.Process, s.Output = proc.Identity{}, 0 })
	return nil
}

// exited deals with a process that ended by itself.
func (l *life) exited() {
	at := time.Now()
	fault := diagnose(l.proc.Exit(), l.proc.Lines())
	if l.proc.Exit().Signal == 0 && l.displayLost() {
		fault.Cause = supervisor.Because(account.ReasonDisplayLost, api.CodeDisplayLost)
	}
	if err := l.finish(context.WithoutCancel(l.ctx), 0); err != nil { // no end: see finish
		l.n.log.Error("napcat not cleaned up", "err", err)
	}
	l.n.log.Warn("napcat ended", "exit", l.proc.Exit().String(), "reason", fault.Reason, "detail", say(fault.Why))
	l.tell.Exited(fault, at)
}

// displayLost reports whether the X server of a process that just ended is gone
// too: QQ ends with it, and may be the first to be noticed.
func (l *life) displayLost() bool {
	if l.lost == nil {
		return false
	}
	t := time.NewTimer(displayGrace)
	defer t.Stop()
	select {
	case <-l.lost:
		return true
	case <-t.C:
		return false
	}
}

// wake has the WebUI looked at now.
func (l *life) wake() {
	l.mu.Lock()
	d := l.driver
	l.mu.Unlock()
	if d != nil {
		d.Wake()
	}
	select {
	case l.look <- struct{}{}:
	default:
	}
}

// wakeSoon looks at the WebUI several times within a short while: it says that
// the account is logged in some milliseconds after OneBot is up.
func (l *life) wakeSoon() {
	l.wake()
	for _, pause := range []time.Duration{10, 15, 25, 50, 100, 200} {
		t := time.NewTimer(pause * time.Millisecond)
		select {
		case <-t.C:
			l.wake()
		case <-l.ctx.Done():
			t.Stop()
			return
		}
	}
}

// line takes one line of output. It runs on the process's goroutine.
func (l *life) line(ln output.Line) {
	if l.n.d.Log != nil {
		l.n.d.Log(api.LogRecord{Time: time.Now(), Level: ln.Level, Account: l.n.name(), Source: "napcat", Message: ln.Message})
	}
	if ln.Fact == nil {
		return
	}
	fact := *ln.Fact
	switch fact.Kind {
	case output.KindLoading:
		l.tls = nil // the next worker looks for a certificate anew
	case output.KindWebUITLS:
		l.tls = l.readPin()
	case output.KindWebUIURL:
		l.webuiAt(fact.Port, l.tls)
	case output.KindQR, output.KindQRExpired, output.KindLoginError, output.KindQuickFailed, output.KindCaptcha, output.KindNewDevice,
		output.KindKicked, output.KindOffline, output.KindOnline, output.KindAdapters, output.KindLoggedIn, output.KindWorkerAgain:
		// What is printed is only a hint; the WebUI says how things are.
		l.wake()
	case output.KindOneBotReady:
		l.goes(l.wakeSoon)
	}
	switch fact.Kind {
	case output.KindPacketOff:
		// Said once, at the start: also news of an old line.
		l.n.d.Health.Set(l.n.name(), api.CodeNoPacket)
		l.tell.Tell(account.PacketBackEnd{State: api.PacketMissing})
		return
	case output.KindVersion:
		l.tell.Tell(account.Versioned{Host: fact.Text})
		return
	}
	if !ln.Old { // what happened before we came is no news
		l.learn(fact)
	}
}

// learn tells a fact of the output.
func (l *life) learn(fact output.Fact) {
	switch fact.Kind {
	case output.KindNetworkWait:
		l.tell.Tell(account.NetworkWaited{})
	case output.KindNetworkUp:
		l.tell.Tell(account.NetworkCame{})
	case output.KindQuickBegan:
		l.tell.Tell(account.OwnQuickLogin{UIN: fact.UIN})
	case output.KindWorkerExit:
		why := api.Because(api.CodeWorkerDied, strconv.Itoa(fact.Code)+signalHint(fact.Code))
		l.n.log.Warn("napcat worker died", "detail", say(why))
		l.tell.Tell(account.WorkerDied{Why: why})
	case output.KindWorkerAgain:
		l.tell.Tell(account.WorkerAgain{})
	case output.KindAdapters:
		l.tell.Tell(account.ServerSetUp{})
	case output.KindOneBotFailed:
		l.tell.Tell(account.ServerFailed{Text: fact.Text})
	case output.KindPortBusy:
		// Where it is not told whose port it is, the number tells.
		if port := l.n.oneBotPort(); fact.Port == port || fact.Port == 0 && fact.Text == "onebot" {
			busy := account.ServerBusy{Port: port}
			if e := l.n.c.Account.OneBot; e.Port == port && e.PortBusy != portReplace {
				busy.Key, busy.Holder = l.n.name()+".onebot.port", holder(port)
			}
			l.tell.Tell(busy)
		}
	case output.KindWebUIDead:
		l.tell.Tell(account.Doomed{Fault: failed(account.ReasonPortBusy, api.CodeWebUIPort)})
	}
}

// webuiAt learns where the WebUI listens: it takes another port when its own is
// busy, and only its output tells. pin is its certificate, nil for plain HTTP.
func (l *life) webuiAt(port int, pin *webui.Pin) {
	base := l.reach(port, pin)
	l.n.mu.Lock()
	old := l.n.state.WebUIPort
	l.n.mu.Unlock()
	if old != port {
		l.n.log.Info("webui moved", "port", port, "wanted", old)
	}
	if f := l.n.placed("webui", l.n.c.Account.WebUI, port); f != nil {
		l.tell.Tell(account.Doomed{Fault: f})
		return
	}
	l.n.note(func(s *napCatState) { s.WebUIPort, s.WebUIKnown, s.WebUITLS = port, true, pin })
	l.tell.Tell(account.HostAt{URL: base + "/webui"})
	l.urlOnce.Do(func() { close(l.url) })
	l.wake()
}

// reach tells the WebUI's client where it is, and returns its address.
func (l *life) reach(port int, pin *webui.Pin) string {
	scheme := "http"
	if pin != nil {
		scheme = "https" // whatever the URL says that NapCat prints (C.1)
		l.n.web.SetPin(*pin)
	}
	base := scheme + "://" + net.JoinHostPort(reachable(l.n.c.Account.WebUI.Host), strconv.Itoa(port))
	l.n.web.SetBaseURL(base)
	return base
}

// readPin learns which certificate the WebUI shows, from the file that NapCat
// has just read. Without one no answer of the WebUI is believed.
func (l *life) readPin() *webui.Pin {
	b, err := os.ReadFile(filepath.Join(l.n.workDir(), "config", "cert.pem"))
	if err != nil {
		l.n.log.Warn("certificate of the webui not read", "err", err)
		return new(webui.Pin)
	}
	pin, err := webui.PinOf(b)
	if err != nil {
		l.n.log.Warn("certificate of the webui not read", "err", err)
	}
	return &pin
}

// reachable returns the address by which a server that listens on host is
// reached from this machine.
func reachable(host string) string {
	switch host {
	case "", "0.0.0.0":
		return "127.0.0.1"
	case "::":
		return "::1"
	}
	return host
}
