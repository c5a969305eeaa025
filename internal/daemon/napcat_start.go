package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ncatd/ncatd/internal/account"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/napcat/conffile"
	"github.com/ncatd/ncatd/internal/napcat/install"
	"github.com/ncatd/ncatd/internal/napcat/launch"
	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// displayGrace is how much later than QQ's end that of its X server is noticed.
const displayGrace = 150 * time.Millisecond

// Spawn implements [account.Host].
func (n *napCat) Spawn(ctx context.Context, tell *account.Life) error {
	pair, err := n.d.Pair(ctx, func(step api.Fault) { tell.Tell(account.Installing{Step: step}) })
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return installFault(err)
	}
	tell.Tell(account.Starting{Host: pair.NapCat.Version, Client: pair.QQ.Version})
	for _, dir := range []string{n.c.Dir, n.home(), n.workDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return diskFault(err)
		}
	}
	n.mu.Lock()
	fresh := n.fresh
	n.fresh, n.pair = false, pair
	n.mu.Unlock()
	if fresh && n.adopt(ctx, tell, pair) {
		return nil
	}
	return n.start(ctx, tell, pair)
}

// start prepares the files and starts a process. Before it does, nothing of an
// earlier one is left.
func (n *napCat) start(ctx context.Context, tell *account.Life, pair install.Pair) error {
	n.mu.Lock()
	st := n.state
	n.mu.Unlock()
	uin := tell.UIN()
	if err := proc.Sweep(st.Process, st.Marker, n.c.Supervisor.StopTimeout.D()); err != nil {
		return failed(supervisor.ReasonSpawnFailed, api.CodeSpawnFailed, err)
	}
	n.d.Health.Clear(n.name(), api.CodeNoPacket)
	c := n.c.Account
	webPort, err := n.choose("webui", c.WebUI, st.WebUIPort)
	if err != nil {
		return err
	}
	botPort, err := n.choose("onebot", c.OneBot.Endpoint, st.OneBotPort)
	if err != nil {
		return err
	}
	if st.Stranger || c.WebUI.Port != 0 && webPort != c.WebUI.Port || c.OneBot.Port != 0 && botPort != c.OneBot.Port {
		n.renewTokens()
	}
	token := n.secrets()
	res, err := conffile.Apply(filepath.Join(n.workDir(), "config"), conffile.Settings{
		UIN:      uin,
		WebUI:    conffile.WebUI{Host: c.WebUI.Host, Port: webPort, Token: token.webUI.Reveal()},
		OneBot:   n.oneBotServer(botPort, token.oneBot),
		Networks: c.Networks, Managed: st.Networks,
		NapCat: filepath.Join(filepath.Dir(pair.NapCatMain), "config", "napcat.json"),
	})
	for _, bad := range res.Aside {
		n.log.Warn("broken NapCat file put aside", "now", bad.Path, "err", bad.Err)
	}
	if err != nil {
		return diskFault(err)
	}
	if _, err := install.FixVersionsConfig(n.home(), pair.QQ.Version); err != nil {
		n.log.Warn("QQ's version file not corrected", "err", err)
	}
	screen, err := n.screen(ctx)
	if err != nil {
		return err
	}
	quick := uin != 0 && slices.Contains(c.Login.Order, "quick") && !n.memory.QuickRefused(uin)
	if err := n.update(func(s *napCatState) {
		*s = napCatState{
			Marker: s.Marker, WebUIPort: webPort, OneBotPort: botPort, Networks: res.Managed, Quick: quick,
			Main: pair.NapCatMain, NapCat: pair.NapCat.Version, QQ: pair.QQ.Version,
			// Of this process alone: an earlier one is of no use to a program that saw it.
			SigningKey: rand.Text() + rand.Text(),
		}
	}); err != nil {
		return diskFault(err)
	}
	n.web.SetKeys(token.webUI.Reveal(), n.signingKey())
	l := n.newLife(ctx, tell, pair, screen.Lost)
	l.quickStarted = quick
	process, err := launch.Start(n.spec(l, pair, uin, quick, screen))
	if err != nil {
		l.end()
		return diskFault(err)
	}
	started := time.Now()
	n.note(func(s *napCatState) { s.Process, s.Started = process.Identity(), started })
	n.log.Info("started", "pid", process.Identity().PID, "napcat", pair.NapCat.Version, "qq", pair.QQ.Version, "display", screen.Name)
	tell.Tell(account.Started{PID: process.Identity().PID, DisplayPID: n.d.Display.PID(), Since: started})
	n.take(l, process)
	return nil
}

// screen returns the display to draw on, none if there is none to be had: QQ will
// say so itself if it needs one.
func (n *napCat) screen(ctx context.Context) (launch.Screen, error) {
	screen, err := n.d.Display.Get(ctx)
	switch {
	case errors.Is(err, launch.ErrNoXvfb):
		n.log.Warn("no X display", "err", err)
	case ctx.Err() != nil:
		return screen, context.Cause(ctx)
	case isDiskFull(err):
		return screen, diskFault(err)
	case err != nil:
		return screen, failed(account.ReasonNoDisplay, api.CodeDisplayFailed, err)
	}
	return screen, nil
}

func (n *napCat) signingKey() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state.SigningKey
}

// totpSecret returns the secret of the WebUI's 2FA, which its owner may have
// switched on there. The file is NapCat's; ncatd only keeps it.
func (n *napCat) totpSecret() (string, error) { return n.webUISetting("totpSecret") }

// webUIToken returns the token that the WebUI has written down: its owner may have
// chosen another there.
func (n *napCat) webUIToken() (string, error) { return n.webUISetting("token") }

func (n *napCat) webUISetting(key string) (string, error) {
	doc, err := conffile.Read(filepath.Join(n.workDir(), "config", "webui.json"))
	if err != nil {
		return "", err
	}
	s, _ := doc[key].(string)
	return s, nil
}

// take makes l the present life and begins to watch its process.
func (n *napCat) take(l *life, p *launch.Process) {
	n.mu.Lock()
	l.proc = p // before anybody sees the life
	n.life = l
	n.mu.Unlock()
	l.tell.Tell(account.ServerAt{URL: n.serverURL()})
	l.begin()
	close(l.ready)
}

// spec says how to run qq for this account.
func (n *napCat) spec(l *life, pair install.Pair, uin int64, quick bool, screen launch.Screen) launch.Spec {
	n.mu.Lock()
	st, token := n.state, n.tokens
	n.mu.Unlock()
	args := []string{"--no-sandbox"}
	set := map[string]string{
		"HOME":                        n.home(),
		"NAPCAT_WORKDIR":              n.workDir(),
		"NAPCAT_WEBUI_SECRET_KEY":     token.webUI.Reveal(),
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
	for k, v := range n.c.Account.Env {
		set[k] = v
	}
	return launch.Spec{OnLine: l.line, Spec: proc.Spec{
		Path: pair.QQExe, Args: append(args, n.c.ExtraArgs...), Dir: n.workDir(),
		Env:    launch.Environ(n.c.Environ, set, n.c.Account.Login.PasswordMD5Env),
		Marker: st.Marker, Output: filepath.Join(n.c.Dir, "output"), Log: n.logs,
		Secrets: []string{token.webUI.Reveal(), token.oneBot.Reveal(), st.SigningKey},
		Logger:  n.log,
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

func failed(r supervisor.Reason, code api.Code, args ...any) *supervisor.Fault {
	return &supervisor.Fault{Cause: supervisor.Because(r, code, args...), Weight: 1}
}

// diskFault turns an error of preparing or starting into a fault, telling a full
// disk from others.
func diskFault(err error) error {
	if isDiskFull(err) {
		return failed(account.ReasonDiskFull, api.CodeDiskError, err)
	}
	return err
}

func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

func installFault(err error) error {
	if install.IsDiskFull(err) {
		return failed(account.ReasonDiskFull, api.CodeDiskError, err)
	}
	return &supervisor.Fault{Cause: supervisor.Cause{Reason: account.ReasonInstall, Why: api.Because(api.CodeInstallFailed).With(install.Fault(err))}, Weight: 1}
}
