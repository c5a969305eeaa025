package cli

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
)

const (
	// awayLimit is how long login waits for a daemon that went away; a restart
	// by systemd takes less.
	awayLimit = 30 * time.Second
	// rewatch is the pause between two tries to reach it.
	rewatch = 250 * time.Millisecond
	// staleCode is the age at which a code that was there before us is replaced.
	staleCode = 100 * time.Second
	// codeless is how long nothing may be to do, and on its way, before a code is
	// asked for.
	codeless = 5 * time.Second
)

// loginView shows a login. It is used by one goroutine.
type loginView interface {
	show(e loginEvent) error
	tick() error
	// prompt says that a line is about to be read from the terminal.
	prompt(text string)
	// end leaves the terminal tidy.
	end()
}

// loginSession follows one login until it is over. Only run's goroutine touches
// its fields.
type loginSession struct {
	a    *app
	cl   *client.Client
	name string
	opt  loginOptions
	own  bool // the daemon runs in this process, for this login
	view loginView
	talk *prompter // nil: nobody can be asked

	wg      sync.WaitGroup
	items   chan watchNews
	replies chan func() error // results of what runs beside

	acc    api.Account // as the daemon sees it
	shown  api.Account // as the view shows it
	known  bool        // acc was seen
	begun  bool
	since  time.Time // of the state, or of its being idle
	old    string    // a code that is being replaced
	asking bool      // somebody is answering a captcha
	loginWish
}

// loginWish is what was asked of the daemon for this login.
type loginWish struct {
	wish    func(context.Context) error
	wishing bool
	method  api.LoginMethod // of the wish
	renewed bool            // a code was asked for in this spell of login_required
}

// watchNews is an item of the stream, or that the stream is lost.
type watchNews struct {
	item *api.WatchItem
	away bool
	err  error // final
}

func newLoginSession(a *app, cl *client.Client, name string, o loginOptions, own bool) *loginSession {
	s := &loginSession{a: a, cl: cl, name: name, opt: o, own: own,
		items: make(chan watchNews), replies: make(chan func() error)}
	if o.form == qrTerminal && a.out.outTTY && !a.drawsBlocks() {
		o.form, s.opt.form = qrASCII, qrASCII
	}
	switch {
	// NO_COLOR does not count here: black and white are the code itself, and a
	// code that changes has to be drawn in its place.
	case o.json:
		s.view = &jsonLogin{a: a, opt: o}
	case a.out.outTTY && a.getenv("TERM") != "dumb" && (o.form == qrTerminal || o.form == qrASCII):
		s.view = newScreenLogin(a, o)
	default:
		s.view = &plainLogin{a: a, opt: o}
	}
	if !o.json {
		s.talk = newPrompter(a)
	}
	return s
}

func (s *loginSession) wishPassword(md5 string) {
	s.method = api.MethodPassword
	s.wish = func(ctx context.Context) error {
		return s.cl.LoginPassword(ctx, s.acc.Name, api.PasswordLoginRequest{PasswordMD5: md5})
	}
}

func (s *loginSession) wishQuick(uin int64) {
	s.method = api.MethodQuick
	s.wish = func(ctx context.Context) error { return s.cl.LoginQuick(ctx, s.acc.Name, uin) }
}

// run follows the login to its end.
func (s *loginSession) run(parent context.Context) error {
	ctx, cancel := context.WithCancel(parent)
	defer s.wg.Wait()
	defer cancel()
	if s.talk != nil {
		defer s.talk.close()
	}
	defer s.view.end()
	s.wg.Go(func() { s.follow(ctx) })
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		var done bool
		var err error
		select {
		case n := <-s.items:
			done, err = s.take(ctx, n)
		case f := <-s.replies:
			err = f()
		case <-tick.C:
			s.nudge(ctx)
			err = s.view.tick()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if done || err != nil {
			return err
		}
	}
}

// beside runs f without holding up the session; what f returns is carried out
// by the session.
func (s *loginSession) beside(ctx context.Context, f func() func() error) {
	s.wg.Go(func() {
		then := f()
		select {
		case s.replies <- then:
		case <-ctx.Done():
		}
	})
}

// follow watches the account, and goes on watching when the daemon restarts.
func (s *loginSession) follow(ctx context.Context) {
	send := func(n watchNews) bool {
		select {
		case s.items <- n:
			return true
		case <-ctx.Done():
			return false
		}
	}
	var lost time.Time
	for {
		err := s.cl.Watch(ctx, s.name, nil, func(it api.WatchItem) error {
			lost = time.Time{}
			if !send(watchNews{item: &it}) {
				return context.Cause(ctx)
			}
			return nil
		})
		var refused *api.Error
		switch {
		case ctx.Err() != nil:
			return
		case errors.As(err, &refused) && refused.Code != "stopping":
			send(watchNews{err: err})
			return
		case lost.IsZero():
			lost = time.Now()
			if !send(watchNews{away: true}) {
				return
			}
		case time.Since(lost) > awayLimit:
			if errors.Is(err, io.EOF) {
				err = client.ErrNotRunning
			}
			send(watchNews{err: err})
			return
		}
		t := time.NewTimer(rewatch)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}

// take handles what the stream brought.
func (s *loginSession) take(ctx context.Context, n watchNews) (done bool, err error) {
	switch {
	case n.err != nil:
		return true, n.err
	case n.away:
		if !s.known {
			return false, nil // it is still starting
		}
		return false, s.show(loginEvent{Event: "away"})
	}
	it := *n.item
	switch {
	case it.Status != nil:
		acc, err := s.a.pickAccount(*it.Status, s.name)
		if err != nil {
			return true, err
		}
		if s.known {
			if err := s.show(loginEvent{Event: "back"}); err != nil {
				return true, err
			}
			s.shown = api.Account{} // what the daemon says now counts
		} else if acc.Login != nil { // what did not work before is no news of this login
			s.shown.Login = &api.Login{Failed: acc.Login.Failed}
		}
		s.name = acc.Name
		return s.account(ctx, acc)
	case it.State != nil && it.State.Name == s.name:
		return s.account(ctx, *it.State)
	case it.Dropped > 0:
		st, err := s.cl.Status(ctx)
		if err != nil {
			return false, nil // the stream will tell
		}
		acc, err := s.a.pickAccount(st, s.name)
		if err != nil {
			return true, err
		}
		return s.account(ctx, acc)
	}
	return false, nil
}

// account handles the account as it stands now.
func (s *loginSession) account(ctx context.Context, acc api.Account) (done bool, err error) {
	if !s.known || acc.State != s.acc.State {
		s.since, s.renewed = time.Now(), false
	} else if acc.Login.Idle() && !s.acc.Login.Idle() {
		s.since = time.Now()
	}
	s.acc, s.known = acc, true
	if acc.State == api.StateOnline && s.wish != nil && !s.begun && s.method == api.MethodQuick && acc.UIN != s.opt.quick {
		return true, fail(exitFailure, errString(s.a.t("err.login_other", acc.Name, acc.UIN, s.opt.quick)), s.a.t("hint.logout", acc.Name))
	}
	first := !s.begun
	if first && acc.State != api.StateOnline {
		s.begun = true
		s.begin(ctx)
	}
	if err := s.present(ctx); err != nil {
		return true, err
	}
	switch {
	case acc.State == api.StateOnline:
		return true, nil
	case !first && (acc.State == api.StateFailed || acc.State == api.StateStopped):
		return true, s.ended()
	}
	s.nudge(ctx)
	return false, nil
}

// present shows what is new about the account, and asks for the answer to a
// captcha.
func (s *loginSession) present(ctx context.Context) error {
	to := s.acc
	if l := to.Login; l.Code() && l.Step != api.StepNewDevice && (s.wish != nil || l.URL == s.old) {
		// Shown if what was asked for does not work, or never.
		hidden := *l
		hidden.URL = ""
		to.Login = &hidden
	}
	events := loginEvents(s.shown, to)
	s.shown = to
	for _, e := range events {
		if e.Event == "failed" && s.talk != nil && (e.Reason == string(api.LoginNoTicket) || e.Reason == string(api.LoginExhausted)) {
			continue // nothing a person could do about it: the code follows
		}
		if err := s.show(e); err != nil {
			return err
		}
		if e.Event == "captcha" {
			s.askCaptcha(ctx)
		}
	}
	return nil
}

// captcha reports whether one is asked for.
func (s *loginSession) captcha() bool {
	return s.acc.Login != nil && s.acc.Login.Step == api.StepCaptcha
}

// begin brings the account from where it is found to where it can log in.
func (s *loginSession) begin(ctx context.Context) {
	name := s.acc.Name
	act := func(f func(context.Context) error) {
		s.beside(ctx, func() func() error {
			err := f(ctx)
			return func() error { return err }
		})
	}
	switch s.acc.State {
	case api.StateStopped:
		if !s.own {
			act(func(ctx context.Context) error { return s.cl.Want(ctx, name, "running") })
		}
	case api.StateFailed, api.StateBackoff:
		// Somebody is here and wants it now.
		act(func(ctx context.Context) error { return s.cl.Restart(ctx, name) })
	case api.StateLoginRequired:
		// The code of a new device is looked after; asking for one ends its login.
		if l := s.acc.Login; l.Code() && l.Step != api.StepNewDevice && time.Since(l.Issued) > staleCode && s.wish == nil {
			s.renewed, s.old = true, l.URL
			act(func(ctx context.Context) error { return s.again(s.cl.LoginRefresh(ctx, name)) })
		}
	}
}

// again drops an error that only says "not at this moment".
func (s *loginSession) again(err error) error {
	var e *api.Error
	if errors.As(err, &e) {
		return nil
	}
	return err
}

// ended is the error for an account that will not log in any more by itself.
func (s *loginSession) ended() error {
	detail := s.a.detail(s.acc)
	switch {
	case s.acc.Reason == "wrong_account":
		return fail(exitFailure, errString(s.a.t("err.login_wrong", s.acc.Name, detail)), s.a.t("hint.wrong_account", s.acc.Name))
	case s.acc.State == api.StateStopped:
		return fail(exitFailure, errString(s.a.t("err.login_stopped", s.acc.Name)), s.a.t("hint.login_again"))
	}
	return fail(exitNapCatFailed, errString(s.a.t("err.account_failed", s.acc.Name, detail)), s.a.remedy(s.acc))
}

// nudge does what is due while the account waits for a login.
func (s *loginSession) nudge(ctx context.Context) {
	if s.acc.State != api.StateLoginRequired {
		return
	}
	if s.wish != nil && !s.wishing {
		s.wishing = true
		wish, method := s.wish, s.method
		s.beside(ctx, func() func() error {
			err := wish(ctx)
			return func() error { return s.wished(ctx, method, err) }
		})
		return
	}
	if s.wish == nil && !s.renewed && s.acc.Login.Idle() && time.Since(s.since) > codeless {
		s.renewed = true
		name := s.acc.Name
		s.beside(ctx, func() func() error {
			err := s.again(s.cl.LoginRefresh(ctx, name))
			return func() error { return err }
		})
	}
}

// wished handles the answer to --quick or --password-stdin.
func (s *loginSession) wished(ctx context.Context, method api.LoginMethod, err error) error {
	s.wishing = false
	if err == nil {
		s.wish = nil
		return nil
	}
	var e *api.Error
	if !errors.As(err, &e) || ctx.Err() != nil {
		return nil // the daemon is away; try again when it is back
	}
	switch {
	case slices.Contains(notYetCodes, e.Code):
		return nil
	case e.Code == "bad_request":
		return err
	}
	s.wish = nil
	if s.talk == nil {
		// A program asked for this way, not for whatever way works.
		return fail(exitLoginRequired, errString(s.a.t("err.login_refused", s.acc.Name, s.a.said(e.Message))), s.a.t("hint.login_qr", s.acc.Name))
	}
	if err := s.show(loginEvent{Event: "failed", Method: string(method), Reason: string(api.LoginRefused), Detail: e.Message}); err != nil {
		return err
	}
	return s.present(ctx) // the code, which now counts
}

// askCaptcha reads an answer from the terminal and hands it in, again and again
// while the captcha is asked for.
func (s *loginSession) askCaptcha(ctx context.Context) {
	if !s.captcha() || s.talk == nil {
		return
	}
	s.view.prompt(s.a.t("login.captcha_prompt"))
	if s.asking {
		return
	}
	s.asking = true
	name := s.acc.Name
	s.beside(ctx, func() func() error {
		answer, err := s.talk.captcha(ctx)
		if err == nil {
			err = s.cl.LoginCaptcha(ctx, name, answer)
		}
		return func() error {
			s.asking = false
			var e *api.Error
			switch {
			case ctx.Err() != nil, err == nil, errors.Is(err, io.EOF):
				return nil
			case errors.As(err, &e) && e.Code != "napcat_failed":
				// What QQ refuses is told to everybody who watches.
				if err := s.show(loginEvent{Event: "failed", Method: string(api.MethodCaptcha), Reason: e.Code, Detail: e.Message}); err != nil {
					return err
				}
			case !errors.As(err, &e) && !errors.Is(err, errBadAnswer):
				return err
			}
			s.askCaptcha(ctx)
			return nil
		}
	})
}

// show fills in what every event has and hands it to the view.
func (s *loginSession) show(e loginEvent) error {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Account = s.acc.Name
	return s.view.show(e)
}

// notYetCodes refuse what is possible as soon as NapCat is further.
var notYetCodes = []string{"conflict", "not_online", "login_required", "stopping"}
