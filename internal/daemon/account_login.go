package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/napcat/conffile"
	"github.com/ncatd/ncatd/internal/napcat/webui"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// logins leads a login whenever NapCat is not logged in, and looks now and then
// whether it still is.
func (l *life) logins() {
	select {
	case <-l.url:
	case <-l.ctx.Done():
		return
	}
	for l.ctx.Err() == nil {
		if l.login() {
			l.stayIn()
		} else {
			l.rest(time.Second)
		}
	}
}

// rest waits for d or the end of the life.
func (l *life) rest(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.ctx.Done():
	}
}

// login leads one login and reports whether it succeeded.
func (l *life) login() bool {
	a := l.a
	a.mu.Lock()
	uin := a.uin()
	a.mu.Unlock()
	cfg := webui.Login{
		UIN: uin, QRTimeout: a.c.Account.Login.QRTimeout.D(), QuickStarted: l.quickStarted, Memory: a.memory, Logger: a.log,
		PasswordMD5: func() (string, error) { return a.passwordMD5(), nil },
	}
	for _, m := range a.c.Account.Login.Order {
		cfg.Order = append(cfg.Order, webui.Method(m))
	}
	d := webui.NewDriver(l.web, cfg, l.loginEvent)
	l.mu.Lock()
	l.driver = d
	l.mu.Unlock()
	out, err := d.Run(l.ctx)
	l.mu.Lock()
	l.driver = nil
	l.mu.Unlock()
	if l.ctx.Err() != nil {
		return false
	}
	fail := func(r supervisor.Reason, detail string) {
		a.runner.Fault(l.n, &supervisor.Fault{Reason: r, Detail: detail, Weight: 1})
	}
	if err != nil {
		fail(webuiReason(webui.KindOf(err)), err.Error())
		return false
	}
	switch out.Kind {
	case webui.OutcomeLoggedIn:
		l.loggedIn(out)
		return true
	case webui.OutcomeWrongAccount:
		l.post(func(f *facts, _ time.Time) { f.WrongAccount = wrongAccount(out.UIN, out.Want) })
	case webui.OutcomeKicked:
		l.post(func(f *facts, _ time.Time) { f.Kicked, f.KickDetail = true, out.Detail })
	case webui.OutcomeStuck:
		fail(supervisor.ReasonNotReady, or(out.Detail, "QQ accepted the login but the account never came online"))
	case webui.OutcomeGone:
		// The worker may be on its way back; the start timeout bounds the wait.
		l.post(func(f *facts, _ time.Time) { f.loggedOut() })
	}
	return false
}

// webuiReason is why a WebUI that will never let us in makes the process useless.
func webuiReason(k webui.Kind) supervisor.Reason {
	switch k {
	case webui.KindBadToken:
		return reasonBadToken
	case webui.KindNeedsCode, webui.KindBadCode:
		return reasonTwoFactor
	case webui.KindForbidden:
		return reasonForbidden
	}
	return supervisor.ReasonNotReady
}

// passwordMD5 returns the MD5 of the password from the environment, "" for none.
func (a *Account) passwordMD5() string {
	name := a.c.Account.Login.PasswordMD5Env
	if name == "" {
		return ""
	}
	return environ(a.c.Environ, name)
}

// loggedIn enters a login that succeeded and connects to OneBot.
func (l *life) loggedIn(out webui.Outcome) {
	a := l.a
	if out.UIN != 0 {
		a.mu.Lock()
		if out.Nickname == "" && a.state.UIN == out.UIN {
			out.Nickname = a.state.Nickname // QQ has not said it yet
		}
		news := a.state.UIN != out.UIN || a.state.Nickname != out.Nickname
		a.mu.Unlock()
		if news {
			a.note(func(s *accountState) { s.UIN, s.Nickname = out.UIN, out.Nickname })
		}
		if a.d.Remember != nil {
			a.d.Remember(a.Name(), out.UIN)
		}
	}
	l.connect(false)
	l.post(func(f *facts, now time.Time) {
		f.Login, f.WebUIMisses, f.OfflineSeen = loginDone, 0, 0
		l.loginAt = now
	})
	a.edit(func(s *api.Account) {
		s.UIN, s.Nickname, s.Login = out.UIN, out.Nickname, nil
	})
	l.goes(l.version)
	if out.Nickname == "" {
		l.goes(func() { l.nickname(out.UIN) })
	}
}

// nickname waits for the account's name, which QQ tells some time after the
// login (contract F.2), and gives up after a minute: it may have none.
func (l *life) nickname(uin int64) {
	for range 60 {
		ctx, cancel := context.WithTimeout(l.ctx, l.a.c.Supervisor.Health.ProbeTimeout.D())
		info, err := l.web.GetQQLoginInfo(ctx)
		cancel()
		switch {
		case l.ctx.Err() != nil || err == nil && info.UIN != uin:
			return
		case err == nil && info.Nick != "":
			l.a.note(func(s *accountState) { s.Nickname = info.Nick })
			l.a.edit(func(s *api.Account) { s.Nickname = info.Nick })
			return
		}
		l.rest(time.Second)
	}
}

// version asks NapCat for its version, which it does not always print.
func (l *life) version() {
	ctx, cancel := context.WithTimeout(l.ctx, l.a.c.Supervisor.Health.ProbeTimeout.D())
	defer cancel()
	if v, err := l.web.NapCatVersion(ctx); err == nil && v != "" {
		l.a.edit(func(s *api.Account) { s.NapCat = v })
	}
}

// connect makes the link want the OneBot server of this process. Unless anew is
// set, a link that wants it already is left alone: NapCat's worker was started
// again, and the link is back by itself or about to be.
func (l *life) connect(anew bool) {
	port := l.a.oneBotPort()
	url := "ws://" + net.JoinHostPort(reachable(l.a.c.Account.OneBot.Host), strconv.Itoa(port)) + "/"
	l.mu.Lock()
	same := l.linkURL == url
	l.linkURL = url
	l.mu.Unlock()
	if same && !anew {
		return
	}
	l.a.edit(func(s *api.Account) { s.OneBotURL = url })
	l.a.link.Connect(url, l.a.c.OneBotToken.Reveal())
}

func (a *Account) oneBotPort() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state.OneBotPort
}

// stayIn looks at the WebUI until the account is no longer logged in.
func (l *life) stayIn() {
	h := l.a.c.Supervisor.Health
	t := time.NewTicker(h.ProbeInterval.D())
	defer t.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-t.C:
		case <-l.look:
		}
		ctx, cancel := context.WithTimeout(l.ctx, h.ProbeTimeout.D())
		st, err := l.web.CheckLoginStatus(ctx)
		cancel()
		switch {
		case l.ctx.Err() != nil:
			return
		case err == nil:
			again := make(chan bool, 1)
			l.post(func(f *facts, _ time.Time) {
				out := f.seeLogin(st)
				if out {
					f.loggedOut()
				}
				again <- out
			})
			select {
			case out := <-again:
				if out {
					l.a.log.Info("napcat is no longer logged in")
					return
				}
			case <-l.ctx.Done():
				return
			}
		case webui.KindOf(err) == webui.KindUnreachable || webui.KindOf(err) == webui.KindBadAnswer || webui.KindOf(err) == "":
			l.post(func(f *facts, _ time.Time) { f.WebUIMisses++ })
			l.a.log.Debug("webui did not answer", "err", err)
		default:
			// It answers, if only to refuse: a credential that ended, a limit.
			l.a.log.Debug("webui refused", "err", err)
		}
	}
}

// loginEvent takes a step of the login. It runs on the login's goroutine.
func (l *life) loginEvent(e webui.Event) {
	a := l.a
	a.edit(func(s *api.Account) { s.Login = nextLogin(s.Login, e, time.Now()) })
	enter := func(to login, r supervisor.Reason, detail string) {
		l.post(func(f *facts, _ time.Time) { f.Login, f.LoginReason, f.LoginDetail, f.WebUIKnown = to, r, detail, true })
	}
	switch e.Step {
	case webui.StepQuick:
		enter(loginTrying, reasonQuickLogin, fmt.Sprintf("logging in %d with its saved ticket", e.UIN))
	case webui.StepPassword:
		enter(loginTrying, reasonPasswordLogin, fmt.Sprintf("logging in %d with its password", e.UIN))
	case webui.StepWaiting, webui.StepRefreshed:
		enter(loginHuman, reasonQR, "waiting for somebody to scan the QR code with the phone")
	case webui.StepTimeout:
		enter(loginHuman, reasonQR, "nobody scanned the QR code in time; a new one is shown from time to time")
	case webui.StepCaptcha:
		enter(loginHuman, reasonCaptcha, "QQ asks for a captcha")
	case webui.StepNewDevice:
		enter(loginHuman, reasonNewDevice, "QQ asks to confirm this device by scanning a QR code")
	case webui.StepAccepted:
		enter(loginAccepted, "", "")
	case webui.StepFailed:
		a.log.Warn("login method did not work", "method", e.Method, "reason", e.Reason, "detail", e.Detail)
		if e.Reason == webui.ReasonExhausted {
			enter(loginHuman, reasonLoginFailed, "no way of login.order worked; somebody must log in")
		}
	case webui.StepRestarted:
		enter(loginWaiting, "", "")
	}
}

// reconfigure sets NapCat's OneBot server up anew, on another port, when it
// cannot be reached although the account is logged in: another program has its
// port, its configuration is not what was written before the start (contract
// B.1, K.9), or the port leads nowhere. It returns when to look again.
func (l *life) reconfigure(f *facts, now time.Time) time.Time {
	due := l.loginAt.Add(unconnected)
	switch {
	case f.PortBusy:
		due = now
	case f.EverUp:
		// Nothing listens any more, or what we send goes nowhere.
		if again := f.DownSince.Add(unconnectedAgain); again.After(due) {
			due = again
		}
	}
	if !l.moved.IsZero() {
		if next := l.moved.Add(moveSpacing); due.Before(next) {
			due = next
		}
	}
	if now.Before(due) {
		return due
	}
	l.moved = now
	l.goes(func() {
		if err := l.moveOneBot(); err != nil {
			if l.ctx.Err() == nil {
				l.a.log.Warn("onebot server not set up anew", "err", err)
			}
			return
		}
		l.post(func(f *facts, _ time.Time) { f.OneBotFailed = "" })
	})
	return now.Add(moveSpacing)
}

// moveOneBot gives the OneBot server another port while NapCat runs.
func (l *life) moveOneBot() error {
	a := l.a
	c := a.c.Account.OneBot
	host := c.Host
	old := a.oneBotPort()
	port, err := a.d.Ports.Choose(a.Name()+"/onebot", host, c.Port)
	if err != nil {
		return err
	}
	dir := filepath.Join(a.c.Dir, "napcat", "config")
	a.mu.Lock()
	uin, managed := a.state.UIN, a.state.Networks
	a.mu.Unlock()
	path := filepath.Join(dir, "onebot11_"+strconv.FormatInt(uin, 10)+".json")
	// Not from the WebUI, whose copy lacks keys that it does not know (C.6).
	doc, err := conffile.Read(path)
	if err != nil {
		doc = conffile.Object{}
		if raw, err := l.web.OB11Config(l.ctx); err == nil {
			if parsed, err := conffile.Parse(raw); err == nil {
				doc = parsed
			}
		}
	}
	managed = conffile.Network(doc, a.oneBotServer(port), a.c.Account.Networks, managed)
	body, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	if err := l.web.SetOB11Config(l.ctx, body); err != nil {
		return err
	}
	if _, err := os.Stat(path); err == nil {
		if err := conffile.Write(path, doc); err != nil {
			a.log.Warn("onebot configuration not written", "err", err)
		}
	}
	a.log.Warn("onebot server moved", "from", old, "to", port)
	a.note(func(s *accountState) { s.OneBotPort, s.Networks = port, managed })
	l.connect(true)
	return nil
}

func (a *Account) oneBotServer(port int) conffile.Server {
	c := a.c.Account.OneBot
	return conffile.Server{Host: c.Host, Port: port, Token: a.c.OneBotToken.Reveal(), Heartbeat: c.Heartbeat.D(), ReportSelfMessage: c.ReportSelfMessage}
}

// current returns the login under way, [webui.ErrNotRunning] if there is none.
func (a *Account) current() (*webui.Driver, error) {
	a.mu.Lock()
	l := a.life
	a.mu.Unlock()
	if l == nil {
		return nil, webui.ErrNotRunning
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.driver == nil {
		return nil, webui.ErrNotRunning
	}
	return l.driver, nil
}

// QuickAccounts lists the accounts that have a login ticket here.
func (a *Account) QuickAccounts(ctx context.Context) ([]api.QuickAccount, error) {
	a.mu.Lock()
	l := a.life
	a.mu.Unlock()
	if l == nil {
		return nil, webui.ErrNotRunning
	}
	list, err := l.web.GetQuickLoginListNew(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]api.QuickAccount, 0, len(list))
	for _, q := range list {
		out = append(out, api.QuickAccount{UIN: q.UIN, Nickname: q.Nickname, Quick: q.Quick})
	}
	return out, nil
}

// LoginQuick logs in with the ticket of uin, 0 for the configured account. Like
// the other steps of a login it returns [webui.ErrNotRunning] when none is under
// way.
func (a *Account) LoginQuick(ctx context.Context, uin int64) error {
	d, err := a.current()
	if err != nil {
		return err
	}
	a.memory.Forget()
	return d.Quick(ctx, uin)
}

// LoginPassword logs in with the MD5 of a password, 32 hex digits.
func (a *Account) LoginPassword(ctx context.Context, uin int64, md5 string) error {
	d, err := a.current()
	if err != nil {
		return err
	}
	a.memory.Forget()
	return d.Password(ctx, uin, md5)
}

// LoginCaptcha answers the captcha that is asked for.
func (a *Account) LoginCaptcha(ctx context.Context, ticket, randStr, sid string) error {
	d, err := a.current()
	if err != nil {
		return err
	}
	return d.Captcha(ctx, ticket, randStr, sid)
}

// LoginRefresh asks for a new QR code.
func (a *Account) LoginRefresh(ctx context.Context) error {
	d, err := a.current()
	if err != nil {
		return err
	}
	return d.Refresh(ctx)
}
