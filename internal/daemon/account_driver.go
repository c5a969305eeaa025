package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/napcat/conffile"
	"github.com/ncatd/ncatd/internal/napcat/install"
	"github.com/ncatd/ncatd/internal/napcat/launch"
	"github.com/ncatd/ncatd/internal/napcat/webui"
	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// kickMemory is how long a kick makes the pauses after later ones longer.
const kickMemory = 6 * time.Hour

// displayGrace is how much later than QQ's end that of its X server is noticed.
const displayGrace = 150 * time.Millisecond

// driver is the Account as its runner sees it.
type driver Account

var _ supervisor.Driver = (*driver)(nil)

// Spawn implements [supervisor.Driver]: it adopts the process that an earlier
// ncatd left, or starts one.
func (d *driver) Spawn(ctx context.Context, n uint64) error {
	a := (*Account)(d)
	pair, err := a.d.Pair(ctx, func(detail string) {
		a.runner.Health(n, supervisor.Health{State: supervisor.StateInstalling, Reason: reasonInstall, Detail: detail})
	})
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return installFault(err)
	}
	a.runner.Health(n, supervisor.Health{State: supervisor.StateStarting, Reason: supervisor.ReasonSpawn, Detail: "starting " + pair.String()})
	for _, dir := range []string{a.c.Dir, a.home(), a.workDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return diskFault(err)
		}
	}
	a.mu.Lock()
	fresh := a.fresh
	a.fresh = false
	a.mu.Unlock()
	if fresh {
		if l := a.adopt(ctx, n, pair); l != nil {
			a.started(l, pair)
			return nil
		}
	}
	l, err := a.start(ctx, n, pair)
	if err != nil {
		return err
	}
	a.started(l, pair)
	return nil
}

// started shows the process of l and begins to watch it.
func (a *Account) started(l *life, pair install.Pair) {
	a.edit(func(s *api.Account) {
		s.PIDs.NapCat, s.NapCat, s.QQ = l.proc.Identity().PID, pair.NapCat.Version, pair.QQ.Version
		s.Login = nil
	})
	close(l.ready)
}

func (a *Account) home() string    { return filepath.Join(a.c.Dir, "home") }
func (a *Account) workDir() string { return filepath.Join(a.c.Dir, "napcat") }

// start prepares the files and starts a process. Before it does, nothing of an
// earlier one is left.
func (a *Account) start(ctx context.Context, n uint64, pair install.Pair) (*life, error) {
	a.mu.Lock()
	st, uin := a.state, a.uin()
	a.mu.Unlock()
	if err := proc.Sweep(st.Process, st.Marker, a.c.Supervisor.StopTimeout.D()); err != nil {
		return nil, &supervisor.Fault{Reason: supervisor.ReasonSpawnFailed, Detail: err.Error(), Weight: 1}
	}
	c := a.c.Account
	webPort, err := a.d.Ports.Choose(a.Name()+"/webui", c.WebUI.Host, c.WebUI.Port, st.WebUIPort)
	if err != nil {
		return nil, err
	}
	botPort, err := a.d.Ports.Choose(a.Name()+"/onebot", c.OneBot.Host, c.OneBot.Port, st.OneBotPort)
	if err != nil {
		return nil, err
	}
	if c.OneBot.Port != 0 && botPort != c.OneBot.Port {
		a.log.Warn("configured onebot port is taken", "port", c.OneBot.Port, "instead", botPort)
	}
	res, err := conffile.Apply(filepath.Join(a.workDir(), "config"), conffile.Settings{
		UIN:      uin,
		WebUI:    conffile.WebUI{Host: c.WebUI.Host, Port: webPort, Token: a.c.WebUIToken.Reveal()},
		OneBot:   a.oneBotServer(botPort),
		Networks: c.Networks, Managed: st.Networks,
		NapCat: filepath.Join(filepath.Dir(pair.NapCatMain), "config", "napcat.json"),
	})
	for _, bad := range res.Aside {
		a.log.Warn("broken NapCat file put aside", "now", bad.Path, "err", bad.Err)
	}
	if err != nil {
		return nil, diskFault(err)
	}
	if _, err := install.FixVersionsConfig(a.home(), pair.QQ.Version); err != nil {
		a.log.Warn("QQ's version file not corrected", "err", err)
	}
	screen, err := a.d.Display.Get(ctx)
	switch {
	case errors.Is(err, launch.ErrNoXvfb):
		// QQ will say so itself if it needs one.
		a.log.Warn("no X display", "err", err)
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case isDiskFull(err):
		return nil, diskFault(err)
	case err != nil:
		return nil, &supervisor.Fault{Reason: reasonNoDisplay, Detail: err.Error(), Weight: 1}
	}
	quick := uin != 0 && slices.Contains(c.Login.Order, "quick") && !a.memory.QuickRefused(uin)
	if err := a.update(func(s *accountState) {
		s.Quick = quick
		s.Process, s.Output, s.WebUIPort, s.WebUIKnown = proc.Identity{}, 0, webPort, false
		s.WebUITLS = nil
		s.OneBotPort, s.Networks = botPort, res.Managed
		s.Main, s.NapCat, s.QQ = pair.NapCatMain, pair.NapCat.Version, pair.QQ.Version
	}); err != nil {
		return nil, diskFault(err)
	}
	l := a.newLife(n, pair, screen.Lost)
	l.quickStarted = quick
	proc, err := launch.Start(a.spec(l, pair, uin, quick, screen))
	if err != nil {
		l.end()
		return nil, diskFault(err)
	}
	a.note(func(s *accountState) { s.Process, s.Started = proc.Identity(), time.Now() })
	a.log.Info("started", "pid", proc.Identity().PID, "napcat", pair.NapCat.Version, "qq", pair.QQ.Version, "display", screen.Name)
	a.take(l, proc)
	return l, nil
}

// newLife makes a life whose WebUI client is not yet told where the WebUI is.
func (a *Account) newLife(n uint64, pair install.Pair, lost <-chan struct{}) *life {
	a.mu.Lock()
	if a.web == nil {
		// One client for all processes: its credential, signed with a key of
		// ours, outlives them.
		a.web = webui.New("http://127.0.0.1:1", a.c.WebUIToken.Reveal(), webui.Options{
			Timeout: a.c.Supervisor.Health.ProbeTimeout.D(), SigningKey: a.state.SigningKey, TOTPSecret: a.totpSecret, Logger: a.log,
		})
	}
	web := a.web
	a.mu.Unlock()
	return newLife(a, n, pair, web, lost)
}

// totpSecret returns the secret of the WebUI's 2FA, which its owner may have
// switched on there. The file is NapCat's; ncatd only keeps it.
func (a *Account) totpSecret() (string, error) {
	doc, err := conffile.Read(filepath.Join(a.workDir(), "config", "webui.json"))
	if err != nil {
		return "", err
	}
	secret, _ := doc["totpSecret"].(string)
	return secret, nil
}

// take makes l the account's present life.
func (a *Account) take(l *life, proc *launch.Process) {
	a.mu.Lock()
	l.proc = proc // before anybody sees the life
	a.life = l
	a.mu.Unlock()
	l.begin()
}

// spec says how to run qq for this account.
func (a *Account) spec(l *life, pair install.Pair, uin int64, quick bool, screen launch.Screen) launch.Spec {
	a.mu.Lock()
	st := a.state
	a.mu.Unlock()
	args := []string{"--no-sandbox"}
	set := map[string]string{
		"HOME":                        a.home(),
		"NAPCAT_WORKDIR":              a.workDir(),
		"NAPCAT_WEBUI_SECRET_KEY":     a.c.WebUIToken.Reveal(),
		"NAPCAT_WEBUI_JWT_SECRET_KEY": st.SigningKey,
		"NCATD_NAPCAT_MAIN":           pair.NapCatMain,
	}
	if quick {
		number := strconv.FormatInt(uin, 10)
		args = append(args, "-q", number)
		set["NAPCAT_QUICK_ACCOUNT"] = number
	}
	if screen.Name != "" {
		set["DISPLAY"] = screen.Name
	}
	if screen.Authority != "" {
		set["XAUTHORITY"] = screen.Authority
	}
	for k, v := range a.c.Account.Env {
		set[k] = v
	}
	return launch.Spec{OnLine: l.line, Spec: proc.Spec{
		Path: pair.QQExe, Args: append(args, a.c.ExtraArgs...), Dir: a.workDir(),
		Env:    launch.Environ(a.c.Environ, set, a.c.Account.Login.PasswordMD5Env),
		Marker: st.Marker, Output: filepath.Join(a.c.Dir, "output"), Log: a.logs,
		Secrets: []string{a.c.WebUIToken.Reveal(), a.c.OneBotToken.Reveal(), st.SigningKey},
		Logger:  a.log,
	}}
}

func environ(env []string, name string) string {
	for _, kv := range slices.Backward(env) {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}

// Stop implements [supervisor.Driver].
func (d *driver) Stop(ctx context.Context, _ uint64, why *supervisor.Fault) error {
	a := (*Account)(d)
	a.mu.Lock()
	l := a.life
	a.mu.Unlock()
	if l == nil {
		return nil
	}
	err := l.finish(ctx, a.c.Supervisor.StopTimeout.D())
	_ = l.ended(why) // the runner knows why it stops; the daemon may roll back
	return err
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
	for {
		err := l.proc.Stop(ctx, timeout)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return err
		}
		l.a.log.Error("napcat does not end", "err", err)
		timeout = 0
	}
	l.finished = true
	l.a.note(func(s *accountState) { s.Process, s.Output = proc.Identity{}, 0 })
	l.a.mu.Lock()
	if l.a.life == l {
		l.a.life = nil
	}
	l.a.mu.Unlock()
	l.a.edit(func(s *api.Account) {
		s.PIDs, s.RSSBytes, s.CPUPercent, s.Login, s.WebUIURL, s.OneBotURL = api.PIDs{}, 0, 0, nil, "", ""
	})
	return nil
}

// exited deals with a process that ended by itself.
func (l *life) exited() {
	a := l.a
	at := time.Now()
	d := diagnose(l.proc.Exit(), l.proc.Lines())
	fault := &supervisor.Fault{Reason: d.Reason, Detail: d.Detail, Weight: 1}
	if l.proc.Exit().Signal == 0 && l.displayLost() {
		fault.Reason, fault.Detail = reasonDisplayLost, "the X server that QQ draws on is gone, and QQ with it"
	}
	if err := l.finish(context.Background(), 0); err != nil { // no end: see finish
		a.log.Error("napcat not cleaned up", "err", err)
	}
	a.log.Warn("napcat ended", "exit", l.proc.Exit().String(), "reason", fault.Reason, "detail", fault.Detail)
	a.runner.Exited(l.n, l.ended(fault), at)
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

// ended tells the daemon of a process that ended by a fault before the account
// was online; if that rolled the pair back, the fault is no reason to wait.
func (l *life) ended(f *supervisor.Fault) *supervisor.Fault {
	if l.wasOnline.Load() || f.Weight == 0 || l.a.d.NotOnline == nil {
		return f
	}
	if l.a.d.NotOnline(l.pair, string(f.Reason), f.Detail) {
		g := *f
		g.Weight, g.Permanent = 0, false
		return &g
	}
	return f
}

// cameOnline is called once for a life that came online.
func (a *Account) cameOnline(l *life) {
	l.wasOnline.Store(true)
	if a.d.Online != nil {
		a.d.Online(l.pair)
	}
	a.edit(func(s *api.Account) { s.Login = nil })
	a.note(func(s *accountState) { s.Output = l.proc.Offset() })
}

// kicked remembers a kick and returns the pause that it asks for.
func (a *Account) kicked() time.Duration {
	now := time.Now()
	n := 0
	a.note(func(s *accountState) {
		s.Kicks = slices.DeleteFunc(s.Kicks, func(t time.Time) bool { return now.Sub(t) >= kickMemory })
		s.Kicks = append(s.Kicks, now)
		n = len(s.Kicks)
	})
	r := a.c.Supervisor.Restart
	p := supervisor.Policy{Initial: r.Initial.D(), Max: r.Max.D()}
	return p.Pause(n, 0)
}

// diskFault turns an error of preparing or starting into a fault, telling a full
// disk from others.
func diskFault(err error) error {
	if isDiskFull(err) {
		return &supervisor.Fault{Reason: reasonDiskFull, Detail: err.Error() + "; free some space", Weight: 1}
	}
	return err
}

func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

func installFault(err error) error {
	if install.IsDiskFull(err) {
		return &supervisor.Fault{Reason: reasonDiskFull, Detail: err.Error(), Weight: 1}
	}
	return &supervisor.Fault{Reason: reasonInstall, Detail: fmt.Sprintf("NapCat and QQ could not be installed: %v", err), Weight: 1}
}
