package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/qrterm"
)

// stages tells a person, line by line, how the accounts come up. It is fed with
// a watch stream and used by one goroutine.
type stages struct {
	a          *app
	began      time.Time
	sim        bool
	foreground bool

	said   map[string]string // account -> last state line
	codes  map[string]string // account -> last QR drawn
	latest map[string]api.Account
	tried  bool // the advice was given
	looked bool // for a crash of the process before
}

func (s *stages) init() {
	if s.said == nil {
		s.said, s.codes = map[string]string{}, map[string]string{}
		s.latest = map[string]api.Account{}
	}
}

// show handles one item of a watch stream.
func (s *stages) show(it api.WatchItem) error {
	s.init()
	switch {
	case it.Status != nil:
		for _, acc := range it.Status.Accounts {
			s.account(acc)
		}
	case it.State != nil:
		s.account(*it.State)
	}
	return nil
}

func (s *stages) account(acc api.Account) {
	events := loginEvents(s.latest[acc.Name], acc)
	s.latest[acc.Name] = acc
	a := s.a
	if acc.State == api.StateOnline {
		defer s.degraded(acc)
		line := "online"
		if s.said[acc.Name] == line {
			return
		}
		s.said[acc.Name] = line
		nick := printable(acc.Nickname)
		if nick == "" {
			nick = acc.Name
		}
		a.out.say("%s", a.t(s.how(acc), acc.Name, nick, acc.UIN, time.Since(s.began).Seconds()))
		s.advice(acc)
		return
	}
	if acc.State == api.StateStopped && acc.Reason == "wanted" && s.codes[acc.Name] == "" {
		return // it has not begun yet
	}
	s.tell(acc)
	for _, e := range events {
		s.login(acc, e)
	}
}

// degraded says once each why an account does less than it should.
func (s *stages) degraded(acc api.Account) {
	for _, d := range acc.Degraded {
		line := s.a.t("start.degraded", acc.Name, s.a.degradedText(api.Degraded{Code: d.Code, Args: d.Args, Cause: d.Cause, Detail: d.Detail}))
		if key := acc.Name + " " + line; s.said[key] == "" {
			s.said[key] = line
			s.a.out.say("%s", line)
			if h := text.FaultHint(s.a.lang, api.Fault{Code: d.Code}); h != "" {
				s.a.out.hint(h)
			}
		}
	}
}

// follow shows a watch stream until each returns an error, which it returns, or
// the stream ends; on a terminal the time until the next try counts down.
func (s *stages) follow(ctx context.Context, cl *client.Client, each func() error) error {
	s.init()
	items := make(chan api.WatchItem)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return cl.Watch(gctx, "", nil, func(it api.WatchItem) error {
			select {
			case items <- it:
				return nil
			case <-gctx.Done():
				return context.Cause(gctx)
			}
		})
	})
	g.Go(func() error {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case it := <-items:
				if err := s.show(it); err != nil {
					return err
				}
				s.crash(gctx, cl)
				if err := each(); err != nil {
					return err
				}
			case <-tick.C:
				s.countDown()
			case <-gctx.Done():
				return nil
			}
		}
	})
	return g.Wait()
}

// crash says once how the process before this one ended, if that was badly. The
// message that it was at is known when the first account is online.
func (s *stages) crash(ctx context.Context, cl *client.Client) {
	if s.looked || !slices.ContainsFunc(slices.Collect(maps.Values(s.latest)), func(a api.Account) bool { return a.State == api.StateOnline }) {
		return
	}
	s.looked = true
	if st, err := cl.Status(ctx); err == nil && st.LastCrash != nil && st.LastCrash.Fresh {
		for _, line := range s.a.crashText(st.LastCrash) {
			s.a.out.say("%s", line)
		}
	}
}

// countDown shows when the next tries are.
func (s *stages) countDown() {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(s.latest)) {
		if t := s.a.nextTry(s.latest[name]); t != "" {
			parts = append(parts, name+": "+t)
		}
	}
	s.a.out.passing(strings.Join(parts, " · "))
}

// tell prints the line of a state once, with what helps.
func (s *stages) tell(acc api.Account) {
	if acc.Fault.Code == api.CodeLoginQRExpired {
		return // the next code says so
	}
	a := s.a
	line := a.t("start.state", acc.Name, a.t("state."+string(acc.State)))
	if d := a.detail(acc); d != "" {
		line = a.t("start.state_detail", acc.Name, a.t("state."+string(acc.State)), d)
	}
	if s.said[acc.Name] == line {
		return
	}
	s.said[acc.Name] = line
	if t := a.nextTry(acc); t != "" {
		a.out.say("%s · %s", line, t)
	} else {
		a.out.say("%s", line)
	}
	if acc.State == api.StateFailed {
		a.out.hint(a.remedy(acc))
	}
}

// how is the text that tells how an account came online since the start: with a
// code or a password, in a NapCat that was running already, or by its ticket.
func (s *stages) how(acc api.Account) string {
	if s.codes[acc.Name] != "" || len(acc.History) == 0 {
		return "start.online"
	}
	code := "start.online_quick"
	for _, t := range acc.History {
		if t.Time.Before(s.began) {
			continue
		}
		switch t.Reason {
		case "adopted":
			code = "start.online_kept"
		case "spawn":
			code = "start.online_quick"
		case "qr", "captcha", "new_device", "password_login":
			return "start.online"
		}
		// Not quick_login: one that was adopted tells again how it logged in.
	}
	return code
}

func (s *stages) login(acc api.Account, e loginEvent) {
	switch e.Event {
	case "quick":
		delete(s.codes, acc.Name) // no code has to do with this login
		s.a.out.say("%s", s.a.t("start.quick", acc.Name))
	case "accepted":
		if s.codes[acc.Name] != "" {
			s.a.out.say("%s", s.a.t("start.scanned", acc.Name))
		}
	case "qr":
		s.qr(acc, e.URL)
	}
}

// qr draws a code once: on a terminal as wide as it has room, elsewhere in
// plain half blocks with the text below, so that a container's log can be
// scanned too.
func (s *stages) qr(acc api.Account, url string) {
	a := s.a
	switch {
	case s.codes[acc.Name] != "":
		a.out.say("%s", a.t("start.qr_again", acc.Name))
	case acc.UIN != 0:
		a.out.say("%s", a.t("start.qr", acc.Name, acc.UIN))
	default:
		a.out.say("%s", a.t("start.qr_any", acc.Name))
	}
	s.codes[acc.Name] = url
	code, err := qrterm.New(url)
	if err == nil {
		style, fits := qrterm.Style{Plain: !a.out.colerr, Quiet: 2}, true
		if f, ok := a.Stderr.(*os.File); ok && a.out.errTTY {
			if cols, rows, err := term.GetSize(int(f.Fd())); err == nil {
				style, fits = a.fit(code, style, cols, rows)
			}
		}
		if fits {
			for _, l := range code.Lines(style) {
				a.out.stderr("%s", painted(l))
			}
		}
	}
	a.out.stderr("%s", printable(url))
}

// advice says, once, what to do with an account that is online.
func (s *stages) advice(acc api.Account) {
	if s.tried {
		return
	}
	s.tried = true
	a := s.a
	if s.sim {
		a.out.say("%s", a.t("start.try"))
		for _, l := range []string{
			"ncatd sim say --user 3001000001 测试",
			"ncatd sim say --group 700000001 /ping",
			"ncatd status",
		} {
			if a.homeFlag != "" || a.getenv("NCATD_HOME") != "" {
				l += " --home " + shellQuote(a.simHomeText())
			}
			a.out.stderr("    %s", l)
		}
	} else {
		a.out.say("%s", a.t("start.try_real", acc.Name, acc.UIN))
	}
	if s.foreground {
		a.out.say("%s", a.t("start.stop_with"))
	} else {
		a.out.say("%s", a.t("start.stop_with_d"))
	}
}

func (a *app) simHomeText() string {
	h, err := a.startHome(true)
	if err != nil {
		return ""
	}
	return string(h)
}

// shellQuote makes s one word of a shell.
func shellQuote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+:@%") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

var errSettled = errors.New("settled")

// awaitAccounts shows the stages until every account is online or waits for
// something that only a person can do.
func (a *app) awaitAccounts(ctx context.Context, h home.Dir, o startOptions, began time.Time, died func() error) error {
	cl := client.New(h.Socket())
	defer cl.Close()
	wctx, cancel := context.WithTimeout(ctx, o.wait)
	defer cancel()
	p := &stages{a: a, began: began, sim: o.sim}
	err := p.follow(wctx, cl, func() error {
		for _, acc := range p.latest {
			if !settled(acc, o.sim && o.scanAfter >= 0) {
				return nil
			}
		}
		return errSettled
	})
	switch {
	case errors.Is(err, errSettled):
	case errors.Is(err, io.EOF):
		return died()
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, context.DeadlineExceeded):
		return failf(a, exitFailure, "err.wait_timeout", o.wait)
	default:
		return err
	}
	for _, acc := range p.latest {
		if acc.State == api.StateFailed {
			return fail(exitNapCatFailed, errors.New(a.t("err.account_failed", acc.Name, a.detail(acc))), a.remedy(acc))
		}
	}
	for _, acc := range p.latest {
		if acc.State == api.StateLoginRequired {
			a.out.hint(a.t("hint.login", acc.Name))
		}
	}
	return nil
}

// settled tells whether waiting longer would show nothing new. scans says that
// somebody (the simulated phone) scans by itself. An account that is stopped
// has not begun yet: a daemon that starts runs all of them.
func settled(acc api.Account, scans bool) bool {
	switch acc.State {
	case api.StateOnline, api.StateFailed:
		return true
	case api.StateLoginRequired:
		// Without a code or a challenge there is nothing to do for a person yet.
		return !scans && acc.Login.Waits()
	}
	return false
}

// randomWord returns a short word that no other process uses.
func randomWord() string { return strings.ToLower(rand.Text()[:10]) }
