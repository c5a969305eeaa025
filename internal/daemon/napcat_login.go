package daemon

import (
	"context"
	"time"

	"github.com/ncatd/ncatd/internal/account"
	"github.com/ncatd/ncatd/internal/control/api"
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
	n := l.n
	cfg := webui.Login{
		UIN: l.tell.UIN(), QRTimeout: n.c.Account.Login.QRTimeout.D(), QuickStarted: l.quickStarted, Memory: n.memory, Logger: n.log,
		PasswordMD5: func() (string, error) { return n.passwordMD5(), nil },
	}
	for _, m := range n.c.Account.Login.Order {
		cfg.Order = append(cfg.Order, webui.Method(m))
	}
	d := webui.NewDriver(n.web, cfg, l.loginEvent)
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
	if err != nil {
		l.tell.Tell(account.Doomed{Fault: shutOut(err)})
		return false
	}
	switch out.Kind {
	case webui.OutcomeLoggedIn:
		l.tell.Tell(account.LoggedIn{UIN: out.UIN, Nickname: out.Nickname})
		l.goes(l.version)
		if out.Nickname == "" {
			l.goes(func() { l.nickname(out.UIN) })
		}
		return true
	case webui.OutcomeWrongAccount:
		l.tell.Tell(account.WrongAccount{Got: out.UIN, Want: out.Want})
	case webui.OutcomeKicked:
		l.tell.Tell(account.Kicked{Text: out.Detail})
	case webui.OutcomeStuck:
		l.tell.Tell(account.Doomed{Fault: failed(supervisor.ReasonNotReady, api.CodeLoginStuck)})
	case webui.OutcomeGone:
		// The worker may be on its way back; the start timeout bounds the wait.
		l.tell.Tell(account.LoggedOut{})
	}
	return false
}

// shutOut is why a WebUI that will never let us in makes the process useless.
func shutOut(err error) *supervisor.Fault {
	switch webui.KindOf(err) {
	case webui.KindBadToken:
		return failed(account.ReasonBadToken, api.CodeWebUIToken)
	case webui.KindNeedsCode, webui.KindBadCode:
		return failed(account.ReasonTwoFactor, api.CodeTwoFactor)
	case webui.KindForbidden:
		return failed(account.ReasonForbidden, api.CodeWebUIForbidden)
	}
	return failed(supervisor.ReasonNotReady, api.CodeLoginStuck)
}

// passwordMD5 returns the MD5 of the password from the environment, "" for none.
func (n *napCat) passwordMD5() string {
	name := n.c.Account.Login.PasswordMD5Env
	if name == "" {
		return ""
	}
	return environ(n.c.Environ, name)
}

// nickname waits for the account's name, which QQ tells some time after the
// login (contract F.2), and gives up after a minute: it may have none.
func (l *life) nickname(uin int64) {
	if s := l.n.store.Saved(); s.UIN == uin && s.Nickname != "" {
		return // known from an earlier login
	}
	for range 60 {
		ctx, cancel := context.WithTimeout(l.ctx, l.n.c.Supervisor.Health.ProbeTimeout.D())
		info, err := l.n.web.GetQQLoginInfo(ctx)
		cancel()
		switch {
		case l.ctx.Err() != nil || err == nil && info.UIN != uin:
			return
		case err == nil && info.Nick != "":
			l.tell.Tell(account.Named{Nickname: info.Nick})
			return
		}
		l.rest(time.Second)
	}
}

// version asks NapCat for its version, which it does not always print.
func (l *life) version() {
	ctx, cancel := context.WithTimeout(l.ctx, l.n.c.Supervisor.Health.ProbeTimeout.D())
	defer cancel()
	if v, err := l.n.web.NapCatVersion(ctx); err == nil {
		l.tell.Tell(account.Versioned{Host: v})
	}
}

// stayIn looks at the WebUI until the account is no longer logged in.
func (l *life) stayIn() {
	h := l.n.c.Supervisor.Health
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
		st, err := l.n.web.CheckLoginStatus(ctx)
		cancel()
		switch {
		case l.ctx.Err() != nil:
			return
		case err == nil:
			e := sessionFact(st)
			if l.tell.Tell(e); e == (account.LoggedOut{}) {
				l.n.log.Info("napcat is no longer logged in")
				return
			}
		case webui.KindOf(err) == webui.KindUnreachable || webui.KindOf(err) == webui.KindBadAnswer || webui.KindOf(err) == "":
			l.tell.Tell(account.HostMissed{})
			l.n.log.Debug("webui did not answer", "err", err)
		default:
			// It answers, if only to refuse: a credential that ended, a limit.
			l.n.log.Debug("webui refused", "err", err)
		}
	}
}

// sessionFact reads a look at the WebUI of an account that was logged in.
func sessionFact(st webui.LoginStatus) account.Fact {
	switch webui.Classify(st, false) {
	case webui.PhaseOnline:
		return account.SessionSeen{Online: true}
	case webui.PhaseOffline:
		return account.SessionSeen{}
	case webui.PhaseKicked:
		return account.Kicked{Text: webui.KickDetail(st)}
	}
	return account.LoggedOut{}
}

// loginEvent takes a step of the login. It runs on the login's goroutine.
func (l *life) loginEvent(e webui.Event) {
	if e.Step == webui.StepFailed {
		l.n.log.Warn("login method did not work", "method", e.Method, "reason", e.Reason, "detail", e.Detail)
	}
	l.tell.Tell(account.LoginStep{
		Step: api.LoginStep(e.Step), Method: api.LoginMethod(e.Method), UIN: e.UIN, Nickname: e.Nickname,
		URL: e.URL, Seq: e.Seq, Reason: api.LoginReason(e.Reason), Detail: e.Detail,
	})
}

// current returns the login under way, [webui.ErrNotRunning] if there is none.
func (n *napCat) current() (*webui.Driver, error) {
	l := n.present()
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
func (n *napCat) QuickAccounts(ctx context.Context) ([]api.QuickAccount, error) {
	if n.present() == nil {
		return nil, webui.ErrNotRunning
	}
	list, err := n.web.GetQuickLoginListNew(ctx)
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
func (n *napCat) LoginQuick(ctx context.Context, uin int64) error {
	d, err := n.current()
	if err != nil {
		return err
	}
	n.memory.Forget()
	return d.Quick(ctx, uin)
}

// LoginPassword logs in with the MD5 of a password, 32 hex digits.
func (n *napCat) LoginPassword(ctx context.Context, uin int64, md5 string) error {
	d, err := n.current()
	if err != nil {
		return err
	}
	n.memory.Forget()
	return d.Password(ctx, uin, md5)
}

// LoginCaptcha answers the captcha that is asked for.
func (n *napCat) LoginCaptcha(ctx context.Context, ticket, randStr, sid string) error {
	d, err := n.current()
	if err != nil {
		return err
	}
	return d.Captcha(ctx, ticket, randStr, sid)
}

// LoginRefresh asks for a new QR code.
func (n *napCat) LoginRefresh(ctx context.Context) error {
	d, err := n.current()
	if err != nil {
		return err
	}
	return d.Refresh(ctx)
}
