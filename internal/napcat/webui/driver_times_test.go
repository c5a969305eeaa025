package webui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// line is what happened at a moment, or again and again until the last of them.
type line struct {
	text        string
	first, last time.Duration
	times       int
}

func (l line) String() string {
	if l.times == 1 {
		return fmt.Sprintf("%v %s", l.first, l.text)
	}
	return fmt.Sprintf("%v-%v %s (%d times)", l.first, l.last, l.text, l.times)
}

// timeline plays a login in a bubble and returns, line by line and with their
// times, what it asked of NapCat ("<") and what it reported.
func timeline(t *testing.T, setUp func(n *napcat), cfg Login, limit time.Duration, script func(ctx context.Context, n *napcat, d *Driver)) string {
	t.Helper()
	var lines []line
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		n := new(napcat)
		note := func(text string) {
			at := time.Since(start)
			for i := max(0, len(lines)-2); i < len(lines); i++ {
				if lines[i].text == text {
					lines[i].last = at
					lines[i].times++
					return
				}
			}
			lines = append(lines, line{text, at, at, 1})
		}
		n.called = func(s string) { note("< " + s) }
		n.do(func() { setUp(n) })
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		d := NewDriver(n, cfg, func(e Event) {
			words := []string{string(e.Step)}
			for _, w := range []string{string(e.Method), e.Reason, strings.TrimPrefix(e.URL, "https://"), e.Detail} {
				if w != "" {
					words = append(words, w)
				}
			}
			if e.Seq > 0 {
				words = append(words, fmt.Sprint("#", e.Seq))
			}
			n.do(func() { note(strings.Join(words, " ")) })
		})
		var wg sync.WaitGroup
		if script != nil {
			wg.Go(func() { script(ctx, n, d) })
		}
		out, err := d.Run(ctx)
		wg.Wait()
		switch {
		case out.Kind != "":
			note(strings.TrimSpace(string(out.Kind) + " " + out.Detail))
		case KindOf(err) != "":
			note("ends: " + string(KindOf(err)))
		}
	})
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintln(&b, l)
	}
	return b.String()
}

// A login's times: when it asks NapCat for what, and when a person is told.
func TestTimesOfALogin(t *testing.T) {
	ticket := []QuickAccount{{10001, "bot", true}}
	notReady := &Error{Kind: KindNotReady, Message: "not ready"}
	order := func(m ...Method) Login { return Login{UIN: 10001, Order: m, PasswordMD5: md5Func} }
	at := func(seconds int) time.Duration { // between two looks
		return time.Duration(seconds)*time.Second + 40*time.Millisecond
	}
	lost := &Error{Kind: KindUnreachable}
	code := func(n *napcat) { n.issue() }
	command := func(after time.Duration, f func(ctx context.Context, d *Driver) error) func(ctx context.Context, n *napcat, d *Driver) {
		return func(ctx context.Context, n *napcat, d *Driver) {
			time.Sleep(after)
			err := f(ctx, d)
			time.Sleep(time.Millisecond) // what follows from it at once comes first
			n.do(func() { n.called(fmt.Sprint("a person's command: ", err)) })
		}
	}
	quick := func(ctx context.Context, d *Driver) error { return d.Quick(ctx, 10001) }
	refresh := func(ctx context.Context, d *Driver) error { return d.Refresh(ctx) }
	password := func(ctx context.Context, d *Driver) error { return d.Password(ctx, 10001, testMD5) }
	var b strings.Builder
	for _, tt := range []struct {
		name   string
		napcat func(n *napcat)
		cfg    Login
		limit  time.Duration
		script func(ctx context.Context, n *napcat, d *Driver)
	}{
		// Codes.
		{"a code is shown at the first look", code, order(MethodQR), time.Second, nil},
		{"no code comes", func(n *napcat) { n.refresh = func() error { return nil } }, order(MethodQR), 1500 * time.Second, nil},
		{"asking for a code fails", func(n *napcat) { n.refresh = func() error { return notReady } }, order(MethodQR), 60 * time.Second, nil},
		{"a code nobody scans", code, order(MethodQR), 400 * time.Second, nil},
		{"after the timeout", code, Login{Order: []Method{MethodQR}, QRTimeout: 100 * time.Second}, 1500 * time.Second, nil},
		{"a person asks for a code after the timeout", code, Login{Order: []Method{MethodQR}, QRTimeout: 100 * time.Second}, 500 * time.Second, command(at(150), refresh)},
		{"a person's wish for a code is refused", func(n *napcat) { n.issue(); n.refresh = func() error { return notReady } }, order(MethodQR), 15 * time.Second, command(at(3), refresh)},
		{"a code is asked for when QQ accepted", func(n *napcat) { n.issue(); n.logined = true }, order(MethodQR), 15 * time.Second, command(at(3), refresh)},
		{"QQ refuses a scan twice with one text", func(n *napcat) {
			n.issue()
			n.refresh = func() error { n.after(at(1), n.issue); return nil }
			n.after(at(5), func() { n.st.LoginError = "refused" })
			n.after(at(20), func() { n.st.LoginError = "" })
			n.after(at(25), func() { n.st.LoginError = "refused" })
		}, order(MethodQR), 40 * time.Second, nil},
		{"NapCat asks for the next code late", func(n *napcat) {
			n.issue()
			n.after(at(100), func() { n.st.LoginError = expiredText })
			n.after(at(108), n.issue)
		}, order(MethodQR), 130 * time.Second, nil},
		// Tickets.
		{"a ticket, then a password, neither ready for long", func(n *napcat) {
			n.issue()
			n.tickets = ticket
			n.quick = func(int64) error { return notReady }
			n.password = func(string) (Challenge, error) { return Challenge{}, notReady }
		}, order(MethodQuick, MethodPassword, MethodQR), 25 * time.Second, nil},
		{"the tickets come late", func(n *napcat) {
			n.after(at(4), func() { n.tickets = ticket })
		}, order(MethodQuick, MethodQR), time.Minute, nil},
		{"no tickets, and no code for long", func(n *napcat) {}, order(MethodQuick, MethodQR), 30 * time.Second, nil},
		{"no list of tickets", func(n *napcat) { n.issue(); n.list = &Error{Kind: KindNotFound} }, order(MethodQuick, MethodQR), 5 * time.Second, nil},
		{"the list of tickets fails for long", func(n *napcat) { n.issue(); n.list = &Error{Kind: KindInternal} }, order(MethodQuick, MethodQR), 15 * time.Second, nil},
		{"NapCat tries the ticket for long, without a code", func(n *napcat) { n.tickets = ticket }, Login{UIN: 10001, QuickStarted: true}, 20 * time.Second, nil},
		{"NapCat tries the ticket beside a code", func(n *napcat) { n.issue(); n.tickets = ticket }, Login{UIN: 10001, QuickStarted: true}, 20 * time.Second, nil},
		{"NapCat's own login with the ticket is refused", func(n *napcat) {
			n.issue()
			n.tickets = ticket
			n.after(at(1), func() { n.st.LoginError = "refused" })
		}, Login{UIN: 10001, QuickStarted: true, Memory: new(Memory)}, 20 * time.Second, command(at(5), quick)},
		{"the ticket is refused while a code is shown", func(n *napcat) {
			n.issue()
			n.quick = func(int64) error { n.st.LoginError = "refused"; return refused }
		}, order(MethodQR), 20 * time.Second, command(at(5), quick)},
		{"the ticket is refused while a captcha waits", func(n *napcat) {
			n.password = func(string) (Challenge, error) { return captcha, nil }
			n.quick = func(int64) error { n.st.LoginError = "refused"; return refused }
		}, order(MethodPassword), 20 * time.Second, command(at(5), quick)},
		{"the ticket is refused while a new device waits", func(n *napcat) {
			n.password = func(string) (Challenge, error) { return device, nil }
			n.poll = func() (DeviceState, error) { return DeviceState{}, nil }
			n.quick = func(int64) error { return refused }
		}, order(MethodPassword), 10 * time.Second, command(at(5), quick)},
		{"the ticket is refused when nothing is left", func(n *napcat) {
			n.issue()
			n.quick = func(int64) error { n.st.LoginError = "refused"; return refused }
		}, Login{UIN: 10001, Order: []Method{MethodPassword}}, 20 * time.Second, command(at(15), quick)},
		{"a person's quick login is not ready", func(n *napcat) { n.issue(); n.quick = func(int64) error { return notReady } }, order(MethodQR), 10 * time.Second, command(at(5), quick)},
		{"no ticket for a person's quick login", code, Login{Order: []Method{MethodQR}}, 10 * time.Second, command(at(5), func(ctx context.Context, d *Driver) error { return d.Quick(ctx, 0) })},
		// Passwords.
		{"no password is configured", code, Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}}, 5 * time.Second, nil},
		{"the password is empty", code, Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: alternate("")}, 5 * time.Second, nil},
		{"the password cannot be read", code, Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: func() (string, error) { return "", errors.New("no such file") }}, 5 * time.Second, nil},
		{"the password's answer is lost", func(n *napcat) { n.issue(); n.password = func(string) (Challenge, error) { return Challenge{}, lost } }, order(MethodPassword, MethodQR), 70 * time.Second, nil},
		{"a typed password's answer is lost", func(n *napcat) { n.issue(); n.password = func(string) (Challenge, error) { return Challenge{}, lost } }, order(MethodQR), 70 * time.Second, command(at(2), password)},
		{"a typed password when QQ accepted", func(n *napcat) {
			n.issue()
			n.password = func(string) (Challenge, error) { return Challenge{}, &Error{Kind: KindAlreadyLoggedIn} }
		}, order(MethodQR), 5 * time.Second, command(at(2), password)},
		{"a typed password while NapCat is not ready", func(n *napcat) {
			n.issue()
			n.password = func(string) (Challenge, error) { return Challenge{}, notReady }
		}, order(MethodQR), 5 * time.Second, command(at(2), password)},
		{"a typed password needs a captcha", func(n *napcat) { n.issue(); n.password = func(string) (Challenge, error) { return captcha, nil } }, order(MethodQR), 5 * time.Second, command(at(2), password)},
		{"a captcha's answer is lost, then QQ has accepted", func(n *napcat) {
			tries := 0
			n.password = func(string) (Challenge, error) { return captcha, nil }
			n.captcha = func(string, string, string) (Challenge, error) {
				if tries++; tries == 1 {
					return Challenge{}, lost
				}
				n.accept(10001)
				return Challenge{}, &Error{Kind: KindAlreadyLoggedIn}
			}
		}, order(MethodPassword, MethodQR), 30 * time.Second, func(ctx context.Context, n *napcat, d *Driver) {
			for range 2 {
				time.Sleep(at(2))
				err := d.Captcha(ctx, "t", "r", "")
				time.Sleep(time.Millisecond)
				n.do(func() { n.called(fmt.Sprint("a person's command: ", err)) })
			}
		}},
		{"a captcha is refused, and then the password", func(n *napcat) {
			n.issue()
			first := true
			n.password = func(string) (Challenge, error) {
				if first {
					first = false
					return captcha, nil
				}
				return Challenge{}, wrong
			}
			n.captcha = func(string, string, string) (Challenge, error) { return Challenge{}, wrong }
		}, order(MethodPassword, MethodQR), 20 * time.Second, command(at(3), func(ctx context.Context, d *Driver) error { return d.Captcha(ctx, "t", "r", "") })},
		{"nobody solves a captcha, nobody confirms a device", func(n *napcat) {
			n.issue()
			asked := []Challenge{captcha, device}
			n.password = func(string) (Challenge, error) { c := asked[0]; asked = asked[1:]; return c, nil }
			n.poll = func() (DeviceState, error) { return DeviceState{}, nil }
		}, order(MethodPassword, MethodPassword, MethodQR), 12 * time.Minute, nil},
		{"a device's code fails at first, its look is lost once", func(n *napcat) {
			n.password = func(string) (Challenge, error) { return device, nil }
			codes, polls := 0, 0
			n.deviceQR = func() (DeviceQR, error) {
				if codes++; codes < 3 {
					return DeviceQR{}, &Error{Kind: KindInternal, Message: "no"}
				}
				return DeviceQR{URL: "https://device", Token: "x"}, nil
			}
			n.poll = func() (DeviceState, error) {
				switch polls++; polls {
				case 1:
					return DeviceState{}, lost
				case 2, 3:
					return DeviceState{Scanned: true}, nil
				}
				return DeviceState{Scanned: true, Confirmed: true, Token: "k"}, nil
			}
		}, order(MethodPassword, MethodQR), 2 * time.Minute, nil},
		{"the device is confirmed and QQ refuses", func(n *napcat) {
			n.issue()
			n.password = func(string) (Challenge, error) { return device, nil }
			n.poll = func() (DeviceState, error) { return DeviceState{Confirmed: true}, nil }
			n.device = func(string) (Challenge, error) { return Challenge{}, wrong }
		}, order(MethodPassword, MethodQR), 20 * time.Second, nil},
		{"the device is confirmed and the answer is lost", func(n *napcat) {
			n.issue()
			n.password = func(string) (Challenge, error) { return device, nil }
			n.poll = func() (DeviceState, error) { return DeviceState{Confirmed: true}, nil }
			n.device = func(string) (Challenge, error) { n.accept(10001); return Challenge{}, lost }
		}, order(MethodPassword, MethodQR), 20 * time.Second, nil},
		{"the device is confirmed and QQ has accepted", func(n *napcat) {
			n.issue()
			n.password = func(string) (Challenge, error) { return device, nil }
			n.poll = func() (DeviceState, error) { return DeviceState{Confirmed: true}, nil }
			n.device = func(string) (Challenge, error) {
				n.accept(10001)
				return Challenge{}, &Error{Kind: KindAlreadyLoggedIn}
			}
		}, order(MethodPassword, MethodQR), 20 * time.Second, nil},
		// What a yes is followed by.
		{"QQ accepts and nothing follows", func(n *napcat) { n.issue(); n.logined = true }, order(MethodQR), 2 * time.Minute, nil},
		{"QQ accepts, the account's number comes late", func(n *napcat) {
			n.issue()
			n.st.IsLogin = true
			n.after(at(3), func() { n.info = LoginInfo{UIN: 10001} })
		}, order(MethodQR), 2 * time.Minute, nil},
		{"the adapter does not start", func(n *napcat) { n.st.IsLogin = true }, order(MethodQR), 2 * time.Minute, nil},
		{"another account came", func(n *napcat) { n.st.IsLogin = true; n.info.UIN = 10002 }, order(MethodQR), 2 * time.Minute, nil},
		{"QQ's connection is down", func(n *napcat) { n.st.IsOffline = true }, order(MethodQR), 2 * time.Minute, nil},
		{"QQ's connection is down twice, shortly", func(n *napcat) {
			n.issue()
			for i, off := range []bool{true, false, true, false} {
				n.after(at(1+40*i), func() { n.st.IsOffline = off })
			}
		}, order(MethodQR), 3 * time.Minute, nil},
		// Silence.
		{"NapCat is gone", func(n *napcat) { n.issue(); n.after(at(5), func() { n.down = lost }) }, order(MethodQR), 2 * time.Minute, nil},
		{"NapCat is silent twice, shortly", func(n *napcat) {
			n.issue()
			for i, down := range []error{lost, nil, lost, nil} {
				n.after(at(5+20*i), func() { n.down = down })
			}
		}, order(MethodQR), 2 * time.Minute, nil},
		{"the WebUI lets nobody in for a while", func(n *napcat) {
			n.issue()
			n.after(at(5), func() { n.down = &Error{Kind: KindRateLimited} })
			n.after(at(65), func() { n.down = nil })
		}, order(MethodQR), 2 * time.Minute, nil},
		{"NapCat restarts when QQ accepted", func(n *napcat) {
			n.issue()
			n.logined = true
			n.after(at(5), func() { n.restart(at(3)); n.after(at(4), n.issue) })
		}, order(MethodQR), time.Minute, nil},
		{"NapCat restarts when nothing is left to try", func(n *napcat) {
			n.issue()
			n.after(at(20), func() { n.restart(at(3)); n.tickets = ticket })
		}, Login{UIN: 10001, Order: []Method{MethodQuick}}, time.Minute, nil},
		{"a code vanishes", func(n *napcat) {
			n.issue()
			n.after(at(5), func() { n.st.QRCodeURL = "" })
			n.after(at(8), n.issue)
		}, order(MethodQR), 20 * time.Second, nil},
	} {
		fmt.Fprintf(&b, "-- %s --\n%s", tt.name, timeline(t, tt.napcat, tt.cfg, tt.limit, tt.script))
	}
	const golden = "testdata/times.txt"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	section := ""
	got := strings.Split(b.String(), "\n")
	for i, w := range strings.Split(string(want), "\n") {
		if strings.HasPrefix(w, "-- ") {
			section = w
		}
		if i >= len(got) || got[i] != w {
			t.Fatalf("%s\n%s\nwant\n%s", section, got[min(i, len(got)-1)], w)
		}
	}
	if n := strings.Count(string(want), "\n") + 1; len(got) != n {
		t.Errorf("%d lines, want %d", len(got), n)
	}
}
