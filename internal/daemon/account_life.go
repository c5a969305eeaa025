package daemon

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/napcat/install"
	"github.com/ncatd/ncatd/internal/napcat/launch"
	"github.com/ncatd/ncatd/internal/napcat/output"
	"github.com/ncatd/ncatd/internal/napcat/webui"
	"github.com/ncatd/ncatd/internal/supervisor"
	"github.com/ncatd/ncatd/onebot"
)

const (
	// stall is how late a timer must be for ncatd itself to have been held up.
	stall = 5 * time.Second
	// unconnected is how long after a login the OneBot server may be out of
	// reach before its configuration is set anew.
	unconnected = 3 * time.Second
	// unconnectedAgain is the same for a connection that was lost, which mostly
	// comes back by itself: a worker that was started again, a reload.
	unconnectedAgain = 12 * time.Second
	// moveSpacing is the time between two such attempts.
	moveSpacing = 15 * time.Second
)

// life is one process of an account and everything that watches it. The facts
// belong to the goroutine of watch; others send it functions that change them.
type life struct {
	a    *Account
	n    uint64
	pair install.Pair
	proc *launch.Process
	web  *webui.Client
	lost <-chan struct{} // the display is gone
	// quickStarted says that NapCat tries the quick login by itself, again with
	// every worker: -q after a crash, the variable after a restart (contract
	// A.10). Set before begin.
	quickStarted bool
	inbox        chan func(f *facts, now time.Time)

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	urlOnce sync.Once
	url     chan struct{} // closed when the WebUI's address is known
	look    chan struct{} // capacity 1: look at the WebUI now

	ready chan struct{} // closed when Spawn has shown the process
	// tls is the certificate that this worker's WebUI shows, nil for plain HTTP.
	// It belongs to the goroutine of the output.
	tls *webui.Pin

	finishing sync.Mutex
	finished  bool // guarded by finishing: nothing of the process is left
	wasOnline atomic.Bool

	mu      sync.Mutex
	over    bool          // no goroutine may be started any more
	driver  *webui.Driver // of the login under way
	linkURL string        // what the link was told to connect to
	// Of the watch goroutine only:
	moved     time.Time
	loginAt   time.Time
	cpu       float64
	cpuAt     time.Time
	activity  uint64
	activeAt  time.Time
	probing   bool
	nextProbe time.Time
}

func newLife(a *Account, n uint64, pair install.Pair, web *webui.Client, lost <-chan struct{}) *life {
	l := &life{a: a, n: n, pair: pair, web: web, lost: lost, inbox: make(chan func(*facts, time.Time), 64), url: make(chan struct{}), ready: make(chan struct{}), look: make(chan struct{}, 1)}
	l.ctx, l.cancel = context.WithCancel(context.Background()) // ended by end
	return l
}

// begin starts to watch the process, whose lines come by line.
func (l *life) begin() {
	l.wg.Go(l.watch)
	l.wg.Go(l.logins)
	l.wg.Go(l.samples)
	l.wg.Go(l.schedule)
	l.wg.Go(func() {
		select {
		case <-l.proc.Exited():
			// Not within wg: the end of the life is waited for in there. Nor
			// before Spawn is done, which would show a process that is gone.
			l.a.bg.Go(func() {
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
				l.post(func(f *facts, _ time.Time) { f.DisplayLost = true })
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
	l.a.link.Disconnect()
	l.wg.Wait()
	l.web.Close()
}

// post changes the facts.
func (l *life) post(f func(*facts, time.Time)) {
	select {
	case l.inbox <- f:
	case <-l.ctx.Done():
	}
}

// watch owns the facts: it enters what comes in, judges, and tells the runner.
func (l *life) watch() {
	h := l.a.c.Supervisor.Health
	f := &facts{Spawned: time.Now(), Adopted: l.proc.Adopted()}
	l.activeAt = f.Spawned
	timer := time.NewTimer(0)
	defer timer.Stop()
	due := f.Spawned
	var last supervisor.Health
	for {
		select {
		case <-l.ctx.Done():
			return
		case change := <-l.inbox:
			change(f, time.Now())
		case <-timer.C:
			if now := time.Now(); now.Sub(due) > stall {
				l.a.log.Info("ncatd was held up", "for", now.Sub(due).Round(time.Second))
				f.forgive(now)
			}
		}
		now := time.Now()
		v := judge(h, f, now)
		if v.fault != nil {
			l.a.runner.Fault(l.n, l.blame(v.fault))
		}
		if v.health != last && v.fault == nil {
			last = v.health
			l.a.runner.Health(l.n, last)
			if last.State == supervisor.StateOnline && !l.wasOnline.Load() {
				l.a.cameOnline(l)
			}
		}
		if v.redial {
			f.linkDown(now, "the connection to OneBot is dead")
			l.a.link.Redial()
			continueWith(timer, &due, now)
			continue
		}
		wake := v.wake
		if v.probe {
			wake = earlier(wake, l.probe(now))
		}
		if f.Login == loginDone && !f.Lifecycle {
			wake = earlier(wake, l.reconfigure(f, now))
		}
		// Even without any deadline a look now and then finds out whether we
		// were held up.
		continueWith(timer, &due, earlier(wake, now.Add(10*time.Second)))
	}
}

func continueWith(t *time.Timer, due *time.Time, at time.Time) {
	*due = at
	t.Reset(max(0, time.Until(at)))
}

// blame gives a kick the pause that many kicks ask for: each new login after a
// kick may draw QQ's risk control.
func (l *life) blame(f *supervisor.Fault) *supervisor.Fault {
	if f.Reason == reasonKicked {
		g := *f
		g.Pause = l.a.kicked()
		return &g
	}
	return f
}

// probe asks OneBot for its status unless that is under way or was just done,
// and returns when the next is due.
func (l *life) probe(now time.Time) time.Time {
	h := l.a.c.Supervisor.Health
	if l.probing || now.Before(l.nextProbe) {
		return l.nextProbe
	}
	l.probing, l.nextProbe = true, now.Add(h.ProbeInterval.D())
	l.goes(func() {
		ctx, cancel := context.WithTimeout(l.ctx, h.ProbeTimeout.D())
		defer cancel()
		status, err := onebot.NewClient(l.a.link).GetStatus(ctx)
		l.post(func(f *facts, now time.Time) {
			l.probing = false
			switch {
			case err == nil && f.Lifecycle:
				f.beat(now, status.Online)
				if !status.Online {
					l.wake()
				}
			case err != nil && f.Lifecycle:
				f.ProbesFailed++
				l.a.log.Debug("probe not answered", "err", err)
			}
		})
	})
	return l.nextProbe
}

// wake makes whoever looks at the WebUI look now.
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

// line takes one line of output. It runs on the process's goroutine.
func (l *life) line(ln output.Line) {
	if l.a.d.Log != nil {
		l.a.d.Log(api.LogRecord{Time: time.Now(), Level: ln.Level, Account: l.a.Name(), Source: "napcat", Message: ln.Message})
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
		output.KindKicked, output.KindOffline, output.KindOnline, output.KindAdapters, output.KindLoggedIn:
		// What is printed is only a hint; the WebUI says how things are.
		l.wake()
	case output.KindOneBotReady:
		l.goes(l.wakeSoon)
	case output.KindVersion:
		l.a.edit(func(s *api.Account) { s.NapCat = fact.Text })
	}
	if ln.Old && fact.Kind != output.KindWebUIURL {
		return // what happened before we came is no news
	}
	l.post(func(f *facts, now time.Time) { l.learn(f, fact, now) })
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

// webuiAt learns where the WebUI listens: it takes another port when its own is
// busy, and only its output tells. pin is its certificate, nil for plain HTTP.
func (l *life) webuiAt(port int, pin *webui.Pin) {
	base := l.reach(port, pin)
	l.a.edit(func(s *api.Account) { s.WebUIURL = base + "/webui" })
	l.a.mu.Lock()
	old := l.a.state.WebUIPort
	l.a.mu.Unlock()
	if old != port {
		l.a.log.Info("webui moved", "port", port, "wanted", old)
	}
	l.a.note(func(s *accountState) { s.WebUIPort, s.WebUIKnown, s.WebUITLS = port, true, pin })
	l.urlOnce.Do(func() { close(l.url) })
	l.wake()
}

// reach tells the WebUI's client where it is, and returns its address.
func (l *life) reach(port int, pin *webui.Pin) string {
	scheme := "http"
	if pin != nil {
		scheme = "https" // whatever the URL says that NapCat prints (C.1)
		l.web.SetPin(*pin)
	}
	base := scheme + "://" + net.JoinHostPort(reachable(l.a.c.Account.WebUI.Host), strconv.Itoa(port))
	l.web.SetBaseURL(base)
	return base
}

// readPin learns which certificate the WebUI shows, from the file that NapCat
// has just read. Without one no answer of the WebUI is believed.
func (l *life) readPin() *webui.Pin {
	b, err := os.ReadFile(filepath.Join(l.a.workDir(), "config", "cert.pem"))
	if err != nil {
		l.a.log.Warn("certificate of the webui not read", "err", err)
		return new(webui.Pin)
	}
	pin, err := webui.PinOf(b)
	if err != nil {
		l.a.log.Warn("certificate of the webui not read", "err", err)
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

// learn enters a fact of the output.
func (l *life) learn(f *facts, fact output.Fact, now time.Time) {
	switch fact.Kind {
	case output.KindWebUIURL:
		f.WebUIKnown = true
	case output.KindNetworkWait:
		f.waitsForNetwork(now)
	case output.KindNetworkUp:
		f.NetworkWait = time.Time{}
	case output.KindQuickBegan:
		if f.Login == loginWaiting && !f.Adopted {
			f.Login, f.LoginReason, f.LoginDetail = loginTrying, reasonQuickLogin, fmt.Sprintf("logging in %d with its saved ticket", fact.UIN)
		}
	case output.KindWorkerExit:
		l.workerDied(f, now, "exit code "+strconv.Itoa(fact.Code)+signalHint(fact.Code))
	case output.KindWorkerAgain:
		// With the exit code 0 it is the only line of a death.
		if n := len(f.WorkerExits); n == 0 || now.Sub(f.WorkerExits[n-1]) > time.Second {
			l.workerDied(f, now, "it ended without an error")
		}
		l.wake()
	case output.KindAdapters:
		f.OneBotFailed, f.PortBusy = "", false
	case output.KindOneBotFailed:
		f.OneBotFailed = or(fact.Text, "no words given")
	case output.KindPortBusy:
		if fact.Text == "onebot" && (fact.Port == 0 || fact.Port == l.a.oneBotPort()) {
			f.PortBusy = true
			l.moved = time.Time{} // now
		}
	case output.KindWebUIDead:
		l.a.runner.Fault(l.n, &supervisor.Fault{Reason: reasonPortBusy, Weight: 1, Detail: "NapCat's WebUI found no port to listen on"})
	}
}

func (l *life) workerDied(f *facts, now time.Time, detail string) {
	if len(f.WorkerExits) >= workerExits {
		f.WorkerExits = f.WorkerExits[1:]
	}
	f.WorkerExits, f.WorkerDetail = append(f.WorkerExits, now), detail
	l.a.log.Warn("napcat worker died", "detail", detail)
	l.a.mu.Lock()
	l.a.deaths++
	l.a.mu.Unlock()
	l.a.edit(func(s *api.Account) { s.Restarts++ })
}

// linkEvent takes what the link tells. It may run on any goroutine.
func (l *life) linkEvent(e LinkEvent) {
	if e.Kind == LinkBotOffline || e.Kind == LinkHeartbeat && !e.Online {
		l.wake() // the session or QQ's connection may be gone
	}
	l.post(func(f *facts, now time.Time) {
		switch e.Kind {
		case LinkUp:
			f.LinkUp, f.BadToken = true, false
		case LinkLifecycle:
			if want := l.wantUIN(); want != 0 && e.SelfID != 0 && e.SelfID != want {
				f.WrongAccount = wrongAccount(e.SelfID, want)
				return
			}
			f.LinkUp, f.Lifecycle, f.EverUp, f.PortBusy, f.BadToken = true, true, true, false, false
			f.LinkErr, f.ProbesFailed, f.DownSince = "", 0, time.Time{}
			f.BeatAt, f.BeatInterval = now, l.a.c.Account.OneBot.Heartbeat.D()
			l.nextProbe = time.Time{}
		case LinkHeartbeat:
			if e.Interval > 0 {
				f.BeatInterval = e.Interval
			}
			f.beat(now, e.Online)
		case LinkDown:
			detail := ""
			if e.Err != nil {
				detail = e.Err.Error()
			}
			if f.LinkUp {
				l.wake() // the worker may be gone
			}
			f.linkDown(now, detail)
			f.BadToken = e.BadToken
		case LinkBotOffline:
			f.Kicked, f.KickDetail = true, e.Text
		case LinkSends:
			f.SendsTimedOut = e.InRow
		}
	})
}

// wantUIN returns who must be logged in, 0 for anybody.
func (l *life) wantUIN() int64 {
	l.a.mu.Lock()
	defer l.a.mu.Unlock()
	return l.a.uin()
}

func wrongAccount(got, want int64) string {
	return fmt.Sprintf("account %d logged in, but %d is configured; log in with %d, or change uin in ncatd.yaml", got, want, want)
}
