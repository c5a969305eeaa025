package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ncatd/ncatd/internal/control"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/napcat/webui"
	"github.com/ncatd/ncatd/onebot"
)

var _ control.Backend = (*Daemon)(nil)

// The words of api.WantRequest.
const (
	wantRunning = "running"
	wantStopped = "stopped"
)

// Status implements [control.Backend].
func (d *Daemon) Status() api.Status {
	d.mu.Lock()
	slots := append([]*slot(nil), d.slots...)
	d.mu.Unlock()
	st := api.Status{Version: d.o.Version, PID: os.Getpid(), Started: d.started, Home: string(d.o.Home), Accounts: make([]api.Account, 0, len(slots)), LastCrash: d.crashes.snapshot(), Alerts: d.alerts.status()}
	if d.o.Self.Left != nil {
		st.LeftVersion = d.o.Self.Left()
	}
	if d.fleet != nil {
		st.Host = d.fleet.name
		if silent := d.fleet.silent.Load(); silent != nil {
			st.SilentHosts = *silent
		}
	}
	if r, ok := d.releases.store.LastRollBack(); ok && r.ByItself {
		st.RolledBack = &api.RolledBack{NapCat: r.NapCat, QQ: r.QQ, Reason: r.Reason, Time: r.Time}
	}
	st.Newer = d.releases.newer.than(d.store.Current)
	st.Apps = d.apps.snapshot()
	for _, s := range slots {
		st.Accounts = append(st.Accounts, s.acc.Snapshot())
	}
	return st
}

// Want implements [control.Backend].
func (d *Daemon) Want(_ context.Context, account, want string) error {
	if want != wantRunning && want != wantStopped {
		return &api.Error{Code: control.CodeBadRequest, Message: fmt.Sprintf("want is %q", want), Hint: `expected "running" or "stopped"`}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.slotLocked(account)
	if err != nil {
		return err
	}
	if err := d.stoppingLocked(); err != nil {
		return err
	}
	s.wanted = want == wantRunning
	s.acc.Want(s.wanted)
	return nil
}

// Restart implements [control.Backend].
func (d *Daemon) Restart(_ context.Context, account string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.stoppingLocked(); err != nil {
		return err
	}
	if account == "" {
		for _, s := range d.slots {
			if s.wanted {
				d.restartLocked(s)
			}
		}
		return nil
	}
	s, err := d.slotLocked(account)
	if err != nil {
		return err
	}
	s.wanted = true
	d.restartLocked(s)
	return nil
}

// restartLocked gives a slot a fresh NapCat, with its new config if a reload
// left one.
func (d *Daemon) restartLocked(s *slot) {
	if s.next == nil {
		s.acc.Restart()
		return
	}
	cancel, done := s.cancel, s.done
	s.acc, s.host = d.newAccount(*s.next)
	s.next = nil
	ctx, stop := context.WithCancel(d.run)
	s.cancel, s.done = stop, make(chan struct{})
	acc, host, ended := s.acc, s.host, s.done
	d.wg.Go(func() {
		defer close(ended)
		cancel()
		<-done
		if ctx.Err() != nil {
			return
		}
		acc.Want(true)
		d.runAccount(ctx, acc, host)
	})
}

func (d *Daemon) stoppingLocked() error {
	if d.stopping {
		return &api.Error{Code: control.CodeStopping, Message: "ncatd is stopping"}
	}
	return nil
}

// QuickAccounts implements [control.Backend].
func (d *Daemon) QuickAccounts(ctx context.Context, account string) ([]api.QuickAccount, error) {
	s, err := d.slotOf(account)
	if err != nil {
		return nil, err
	}
	list, err := s.host.QuickAccounts(ctx)
	return list, s.loginError(err)
}

// LoginQuick implements [control.Backend].
func (d *Daemon) LoginQuick(ctx context.Context, account string, uin int64) error {
	return d.login(account, func(n *napCat) error { return n.LoginQuick(ctx, uin) })
}

// LoginPassword implements [control.Backend].
func (d *Daemon) LoginPassword(ctx context.Context, account string, r api.PasswordLoginRequest) error {
	return d.login(account, func(n *napCat) error { return n.LoginPassword(ctx, r.UIN, r.PasswordMD5) })
}

// LoginCaptcha implements [control.Backend].
func (d *Daemon) LoginCaptcha(ctx context.Context, account string, r api.CaptchaRequest) error {
	return d.login(account, func(n *napCat) error { return n.LoginCaptcha(ctx, r.Ticket, r.RandStr, r.SID) })
}

// LoginRefresh implements [control.Backend].
func (d *Daemon) LoginRefresh(ctx context.Context, account string) error {
	return d.login(account, func(n *napCat) error { return n.LoginRefresh(ctx) })
}

func (d *Daemon) login(account string, step func(*napCat) error) error {
	s, err := d.slotOf(account)
	if err != nil {
		return err
	}
	return s.loginError(step(s.host))
}

// loginError sorts what the WebUI said into the codes of the control API.
func (s *slot) loginError(err error) error {
	var w *webui.Error
	switch {
	case errors.Is(err, webui.ErrNotRunning):
		snap := s.acc.Snapshot()
		hint := "wait until NapCat has started, see `ncatd status`"
		switch snap.State {
		case api.StateOnline:
			hint = fmt.Sprintf("the account is logged in already, as %d", snap.UIN)
		case api.StateStopped:
			hint = "start it first: ncatd restart " + snap.Name
		}
		return &api.Error{Code: control.CodeConflict, Message: fmt.Sprintf("account %s waits for no login, it is %s", snap.Name, snap.State), Hint: hint}
	case errors.Is(err, webui.ErrNoCaptcha):
		return &api.Error{Code: control.CodeConflict, Message: err.Error(), Hint: "`ncatd login` shows what the login waits for"}
	case errors.Is(err, webui.ErrNoUIN):
		return &api.Error{Code: control.CodeBadRequest, Message: err.Error(), Hint: "give the uin, or set it in ncatd.yaml"}
	case errors.Is(err, webui.ErrWrongAccount):
		snap := s.acc.Snapshot()
		return &api.Error{Code: control.CodeBadRequest, Message: fmt.Sprintf("account %s is configured as %d", snap.Name, snap.UIN), Hint: "change uin in ncatd.yaml, or log in with the configured account"}
	case errors.Is(err, webui.ErrBadMD5):
		return &api.Error{Code: control.CodeBadRequest, Message: err.Error()}
	case !errors.As(err, &w):
		return err
	}
	out := &api.Error{Code: control.CodeNapCatFailed, Message: err.Error()}
	switch w.Kind {
	case webui.KindRefused:
		out.Message = w.Message
		if out.Message == "" {
			out.Message = "QQ refused without a word"
		}
	case webui.KindAlreadyLoggedIn:
		out.Code = control.CodeConflict
	case webui.KindInvalid:
		out.Code = control.CodeBadRequest
	case webui.KindRateLimited:
		out.Code = control.CodeTooMany
		if w.RetryAfter > 0 {
			out.Hint = "try again in " + w.RetryAfter.Round(time.Second).String()
		}
	case webui.KindNotReady, webui.KindNoQR, webui.KindUnreachable:
		out.Code = control.CodeConflict
		out.Hint = "NapCat is still starting, try again in a moment"
	}
	return out
}

// Call implements [control.Backend].
func (d *Daemon) Call(ctx context.Context, account, action string, params json.RawMessage) (api.CallResponse, error) {
	s, err := d.slotOf(account)
	if err != nil {
		return api.CallResponse{}, err
	}
	var p any
	if len(params) > 0 {
		p = params
	}
	var data json.RawMessage
	err = s.acc.Link().Call(ctx, action, p, &data)
	var refused *onebot.Error
	switch {
	case errors.As(err, &refused):
		return api.CallResponse{Status: "failed", RetCode: refused.RetCode, Data: data, Message: refused.Message, Wording: refused.Wording}, nil
	case errors.Is(err, onebot.ErrNotSent) && ctx.Err() == nil:
		snap := s.acc.Snapshot()
		if snap.State == api.StateLoginRequired {
			return api.CallResponse{}, &api.Error{Code: control.CodeLoginRequired, Message: fmt.Sprintf("account %s is not logged in", account), Hint: "ncatd login " + account}
		}
		return api.CallResponse{}, &api.Error{Code: control.CodeNotOnline, Message: fmt.Sprintf("account %s is %s: %s", account, snap.State, snap.Detail), Hint: "ncatd status"}
	case err != nil:
		return api.CallResponse{}, err
	}
	return api.CallResponse{Status: "ok", Data: data}, nil
}

// Plugins implements [control.Backend].
func (d *Daemon) Plugins(context.Context) ([]api.Plugin, error) { return d.bots.plugins(), nil }

// SetPlugin implements [control.Backend].
func (d *Daemon) SetPlugin(ctx context.Context, id string, enabled bool) error {
	return d.bots.setPlugin(ctx, id, enabled)
}

// Stop implements [control.Backend].
func (d *Daemon) Stop(keepNapCat, again bool) {
	d.mu.Lock()
	if again && d.o.Self.Again != nil && !d.stopping {
		d.again = true
		d.o.Self.Again()
	}
	if keepNapCat && !d.stopping {
		d.keep = true
		d.display.Keep()
		d.apps.detach()
		for _, s := range d.slots {
			s.acc.Detach()
		}
	}
	d.mu.Unlock()
	d.cancel(errStopAsked)
}
