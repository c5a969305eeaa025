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
		st.RolledBack = &api.RolledBack{NapCat: r.NapCat, QQ: r.QQ, Reason: r.Reason, Fault: r.Fault, Time: r.Time}
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
		return control.Refuse(control.CodeStopping, api.Because(api.CodeShutdown))
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
		return s.noLogin()
	case errors.Is(err, webui.ErrNoCaptcha):
		return control.Refuse(control.CodeConflict, api.Because(api.CodeLoginNoCaptcha, s.acc.Name()))
	case errors.Is(err, webui.ErrNoUIN):
		return control.Refuse(control.CodeBadRequest, api.Because(api.CodeLoginNoUIN, s.acc.Name()))
	case errors.Is(err, webui.ErrWrongAccount):
		return control.Refuse(control.CodeBadRequest, api.Because(api.CodeLoginOther, s.acc.Name(), s.acc.Snapshot().UIN))
	case errors.Is(err, webui.ErrBadMD5):
		return &api.Error{Code: control.CodeBadRequest, Message: err.Error()}
	case !errors.As(err, &w):
		return err
	}
	switch w.Kind {
	case webui.KindRefused:
		if w.Message == "" {
			return control.Refuse(control.CodeNapCatFailed, api.Because(api.CodeLoginRefused))
		}
		return &api.Error{Code: control.CodeNapCatFailed, Message: w.Message}
	case webui.KindAlreadyLoggedIn:
		return control.Refuse(control.CodeConflict, api.Because(api.CodeLoginDone, s.acc.Name(), s.acc.Snapshot().UIN))
	case webui.KindInvalid:
		return &api.Error{Code: control.CodeBadRequest, Message: err.Error()}
	case webui.KindRateLimited:
		if w.RetryAfter > 0 {
			return control.Refuse(control.CodeTooMany, api.Because(api.CodeLoginTooOftenFor, w.RetryAfter.Round(time.Second)))
		}
		return control.Refuse(control.CodeTooMany, api.Because(api.CodeLoginTooOften))
	case webui.KindNotReady, webui.KindNoQR, webui.KindUnreachable:
		return control.Refuse(control.CodeConflict, api.Because(api.CodeLoginEarly, s.acc.Name()))
	}
	return &api.Error{Code: control.CodeNapCatFailed, Message: err.Error()}
}

// noLogin says why an account whose NapCat cannot be asked waits for no login.
func (s *slot) noLogin() error {
	snap := s.acc.Snapshot()
	why := api.Because(api.CodeLoginEarly, snap.Name)
	switch snap.State {
	case api.StateOnline:
		why = api.Because(api.CodeLoginDone, snap.Name, snap.UIN)
	case api.StateStopped:
		why = api.Because(api.CodeLoginStopped, snap.Name)
	}
	return control.Refuse(control.CodeConflict, why)
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
			return api.CallResponse{}, control.Refuse(control.CodeLoginRequired, api.Because(api.CodeNotLoggedIn, account))
		}
		return api.CallResponse{}, control.Refuse(control.CodeNotOnline, api.Because(api.CodeNotOnline, account).With(snap.Fault))
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
