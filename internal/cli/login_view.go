package cli

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/qrterm"
)

// loginLine words an event for a person, "" for one that needs no line.
func (a *app) loginLine(e loginEvent) string {
	name := e.Account
	switch e.Event {
	case "state":
		word := a.t("state." + string(e.State))
		if d := a.why(e.fault, e.Reason, e.Detail); d != "" {
			return a.t("start.state_detail", name, word, d)
		}
		return a.t("start.state", name, word)
	case "failed":
		return a.loginFailure(e)
	case "online":
		nick := printable(e.Nickname)
		if nick == "" {
			nick = name
		}
		return a.t("login.online", name, nick, e.UIN)
	case "quick", "password":
		return a.t("login."+e.Event, name, e.UIN)
	case "accepted", "expired", "timeout", "scanned", "restarted", "away", "back":
		return a.t("login."+e.Event, name)
	}
	return ""
}

// loginFailure words what went wrong with one way to log in.
func (a *app) loginFailure(e loginEvent) string {
	switch e.Reason {
	case "no_ticket", "choose", "refused_before", "no_uin", "bad_md5", "not_ready", "no_password", "captcha_timeout", "device_timeout", "exhausted":
		line := a.t("login.failed."+e.Reason, e.Account)
		if e.Reason == "refused_before" && e.Method != "" {
			line += " (" + a.t("login.method."+e.Method) + ")"
		}
		return line
	}
	method := e.Method
	switch method {
	case "quick", "password", "qr", "captcha":
	default:
		method = "any"
	}
	return a.t("login.refused", e.Account, a.t("login.method."+method), a.said(e.Detail))
}

// printCode prints the code that an account shows, for a glance: what renews
// itself is login. Where there is no room it prints the text of the code.
func (a *app) printCode(acc api.Account) {
	a.out.print("%s", a.t("login.scan", acc.Name))
	code, err := qrterm.New(acc.Login.URL)
	if err == nil && a.out.outTTY {
		cols, rows := terminalSize(a.Stdout)
		if style, fits := a.fit(code, qrterm.Style{Plain: a.getenv("TERM") == "dumb"}, cols-1, rows); fits {
			for _, l := range code.Lines(style) {
				a.out.print("%s", painted(l))
			}
			return
		}
	}
	a.out.print("%s", printable(acc.Login.URL))
}

// drawsBlocks reports whether the terminal can draw half blocks: its character
// set, as far as it is known, has them, and it is none of those that never had.
func (a *app) drawsBlocks() bool {
	switch term, _, _ := strings.Cut(a.getenv("TERM"), "-"); {
	case term == "ansi", term == "dumb", term == "cons25", strings.HasPrefix(term, "vt"):
		return false
	}
	for _, v := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if loc := a.getenv(v); loc != "" {
			loc = strings.ToLower(loc)
			return strings.Contains(loc, "utf-8") || strings.Contains(loc, "utf8")
		}
	}
	return true
}

// fit chooses how to draw a code that may scroll away, in ASCII where the
// terminal cannot draw blocks.
func (a *app) fit(code *qrterm.Code, s qrterm.Style, cols, rows int) (qrterm.Style, bool) {
	if s.ASCII = !a.drawsBlocks(); s.ASCII {
		rows = 1 << 10 // a line at a time
	}
	return code.Fit(s, cols, rows)
}

// terminalSize returns the size of the terminal that stream is, or a common one.
func terminalSize(stream any) (cols, rows int) {
	if f, ok := stream.(*os.File); ok {
		if cols, rows, err := term.GetSize(int(f.Fd())); err == nil && cols > 0 && rows > 0 {
			return cols, rows
		}
	}
	return 80, 24
}

// jsonLogin prints one event a line.
type jsonLogin struct {
	a   *app
	opt loginOptions
}

func (v *jsonLogin) show(e loginEvent) error {
	if (e.Event == "qr" || e.Event == "new_device") && v.opt.form == qrPNG {
		if err := writeQR(v.opt.png, e.URL); err != nil {
			return err
		}
		e.File = v.opt.png
	}
	return v.a.out.json(e, true)
}

func (*jsonLogin) tick() error   { return nil }
func (*jsonLogin) prompt(string) {}
func (*jsonLogin) end()          {}

func writeQR(path, text string) error {
	code, err := qrterm.New(text)
	if err != nil {
		return err
	}
	return code.WritePNG(path)
}

// plainLogin prints each code once and each step on a line, for pipes, logs,
// and the forms of --qr that draw nothing.
type plainLogin struct {
	a    *app
	opt  loginOptions
	last string
}

func (v *plainLogin) show(e loginEvent) error {
	a := v.a
	switch e.Event {
	case "qr", "new_device":
		return v.code(e)
	case "captcha":
		for _, l := range a.captchaLines(e) {
			a.out.stderr("%s", l)
		}
		return nil
	case "online":
		a.out.print("%s", a.loginLine(e))
		return nil
	}
	if line := a.loginLine(e); line != "" && line != v.last {
		v.last = line
		a.out.say("%s", line)
	}
	return nil
}

func (v *plainLogin) code(e loginEvent) error {
	a := v.a
	head := "login.scan"
	switch {
	case e.Event == "new_device":
		head = "login.scan_device"
	case e.Seq > 1:
		head = "login.scan_again"
	}
	v.last = ""
	switch v.opt.form {
	case qrURL:
		a.out.say("%s", a.t(head, e.Account))
		a.out.print("%s", printable(e.URL))
		return nil
	case qrPNG:
		if err := writeQR(v.opt.png, e.URL); err != nil {
			return err
		}
		a.out.say("%s", a.t(head, e.Account))
		a.out.print("%s", v.opt.png)
		return nil
	}
	code, err := qrterm.New(e.URL)
	if err != nil {
		return err
	}
	a.out.say("%s", a.t(head, e.Account))
	for _, l := range code.Lines(qrterm.Style{ASCII: v.opt.form == qrASCII, Plain: true, Quiet: 4}) {
		a.out.print("%s", painted(l))
	}
	a.out.say("%s", a.t("login.url", printable(e.URL)))
	return nil
}

func (*plainLogin) tick() error          { return nil }
func (v *plainLogin) prompt(text string) { fmt.Fprint(v.a.Stderr, text) }
func (*plainLogin) end()                 {}

// captchaLines tells how to solve a captcha.
func (a *app) captchaLines(e loginEvent) []string {
	return append([]string{"ncatd: " + a.t("login.captcha", e.Account), printable(e.URL)},
		strings.Split(a.t("login.captcha_how", e.Account), "\n")...)
}

// screenLogin draws the code and a line of state in place.
type screenLogin struct {
	a    *app
	opt  loginOptions
	scr  *qrterm.Screen
	size func() (cols, rows int)

	cols, rows int
	code       loginEvent // URL is empty if there is none to show
	scrolled   string     // code that went into the scroll-back
	status     string     // the last state line
	since      time.Time
	asking     string // prompt of a line that is being read; the frame stays away
}

func newScreenLogin(a *app, o loginOptions) *screenLogin {
	v := &screenLogin{a: a, opt: o, scr: qrterm.NewScreen(a.Stdout), since: time.Now()}
	v.size = func() (int, int) { return terminalSize(a.Stdout) }
	v.cols, v.rows = v.size()
	v.status = a.t("login.begin")
	return v
}

func (v *screenLogin) show(e loginEvent) error {
	a := v.a
	if v.asking != "" {
		switch e.Event {
		case "failed", "timeout":
			fmt.Fprintf(a.Stdout, "\r\x1b[Kncatd: %s\r\n%s", printable(a.loginLine(e)), v.asking)
			return nil
		case "state", "expired", "back":
			return nil
		}
		v.asking = ""
		fmt.Fprint(a.Stdout, "\r\x1b[K")
	}
	switch e.Event {
	case "qr", "new_device":
		v.code, v.status = e, ""
	case "captcha":
		v.code = loginEvent{}
		for _, l := range a.captchaLines(e) {
			if err := v.scr.Print(l); err != nil {
				return err
			}
		}
		v.status, v.since = a.t("login.captcha_wait"), e.Time
	case "online":
		v.code = loginEvent{}
		if err := v.scr.Clear(); err != nil {
			return err
		}
		a.out.print("%s", a.loginLine(e))
		return nil
	case "failed", "timeout", "restarted", "away":
		if e.Event == "restarted" || e.Event == "away" {
			v.code = loginEvent{} // it ended with the process that issued it
		}
		if err := v.scr.Print("ncatd: " + printable(a.loginLine(e))); err != nil {
			return err
		}
	case "state":
		if e.State != api.StateLoginRequired {
			v.code = loginEvent{}
		}
		if v.code.URL == "" {
			v.set(a.loginLine(e), e.Time)
		}
	case "accepted", "quick", "password":
		v.code = loginEvent{}
		v.set(a.loginLine(e), e.Time)
	default: // expired, scanned, back
		v.set(a.loginLine(e), e.Time)
	}
	return v.draw()
}

func (v *screenLogin) set(line string, at time.Time) {
	if line != "" && line != v.status {
		v.status, v.since = line, at
	}
}

func (v *screenLogin) tick() error {
	if cols, rows := v.size(); cols != v.cols || rows != v.rows {
		v.cols, v.rows = cols, rows
		if err := v.scr.Resized(rows); err != nil {
			return err
		}
	}
	return v.draw()
}

// draw composes the frame: a heading, the code, a line of state.
func (v *screenLogin) draw() error {
	if v.asking != "" {
		return nil
	}
	a := v.a
	if v.code.URL == "" {
		return v.scr.Draw([]string{v.cut(a.t("login.status", v.status, age(time.Since(v.since))))})
	}
	code, err := qrterm.New(v.code.URL)
	if err != nil {
		return err
	}
	head := a.t("login.scan", v.code.Account)
	if v.code.Event == "new_device" {
		head = a.t("login.scan_device", v.code.Account)
	}
	state := a.t("login.status_code", max(v.code.Seq, 1), age(time.Since(v.code.Time)))
	if v.status != "" {
		state = v.status
	}
	lines := []string{v.cut(head)}
	// The last column stays free: a terminal that stands in it wraps at the
	// next character, some also at the clearing of the rest of the line.
	style, fits := code.Fit(qrterm.Style{ASCII: v.opt.form == qrASCII}, v.cols-1, v.rows-2)
	switch {
	case fits:
		lines = append(lines, code.Lines(style)...)
	case v.opt.form == qrASCII && v.wideEnough(code):
		// A console of 24 lines has no room for ASCII; it can scroll.
		if v.scrolled != v.code.URL {
			v.scrolled = v.code.URL
			style, _ = code.Fit(style, v.cols-1, 1<<10)
			for _, l := range append([]string{head}, code.Lines(style)...) {
				if err := v.scr.Print(l); err != nil {
					return err
				}
			}
		}
		lines = nil
	default:
		w, h := code.Cells(qrterm.Style{ASCII: v.opt.form == qrASCII, Quiet: 1})
		lines = append(lines, v.cut(a.t("login.small", w+1, h+2, v.cols, v.rows)))
		for url := printable(v.code.URL); url != ""; {
			n := min(len(url), max(v.cols-1, 1))
			lines = append(lines, url[:n])
			url = url[n:]
		}
		if len(lines) > v.rows-1 {
			lines = lines[:max(v.rows-1, 0)]
		}
	}
	return v.scr.Draw(append(lines, v.cut(state)))
}

func (v *screenLogin) wideEnough(code *qrterm.Code) bool {
	_, ok := code.Fit(qrterm.Style{ASCII: true}, v.cols-1, 1<<10)
	return ok
}

// cut shortens a line to the window.
func (v *screenLogin) cut(s string) string {
	return runewidth.Truncate(printable(s), max(v.cols-1, 1), "…")
}

func (v *screenLogin) prompt(text string) {
	v.asking = text
	_ = v.scr.Clear() // a terminal that went away shows with the next event
	fmt.Fprint(v.a.Stdout, "\r"+text+"\x1b[K")
}

func (v *screenLogin) end() { _ = v.scr.Clear() }
