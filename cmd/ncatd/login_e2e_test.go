//go:build e2e_login

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/e2e/tmux"
	"github.com/ncatd/ncatd/internal/napcatsim"
)

// TestLoginScreens: what stands on the screen of a real terminal is read by
// zbarimg, on dark and light grounds, also right after a code expired.
func TestLoginScreens(t *testing.T) {
	t.Parallel()
	s := newSite(t, account(0, ""), napcatsim.Options{})
	s.start()
	decode := func(p *tmux.Pane, history bool) {
		t.Helper()
		if !await.Poll(10*time.Second, func() bool {
			// The codes on screen before and after the capture: it may change
			// in between.
			want := s.status().Login
			cells := p.Cells(history)
			if !want.Code() {
				return false
			}
			dark, light := tmux.Decode(t, cells, tmux.Dark), tmux.Decode(t, cells, tmux.Light)
			if history { // the codes before it stand there too
				dark, light = only(dark, want.URL), only(light, want.URL)
			}
			return len(dark) == 1 && dark[0] == want.URL && len(light) == 1 && light[0] == want.URL
		}) {
			t.Fatalf("not decoded:\n%s", p.Text(history))
		}
	}
	panes := []*tmux.Pane{
		tmux.New(t, 80, 24, s.env, s.bin, "login"),
		tmux.New(t, 200, 50, s.env, s.bin, "login", "--lang", "zh"),
		tmux.New(t, 80, 24, s.env, s.bin, "login", "--qr", "ascii"),
	}
	file := filepath.Join(t.TempDir(), "qr.png")
	panes = append(panes, tmux.New(t, 80, 24, s.env, s.bin, "login", "--qr", "png="+file))
	for round := range 3 {
		for i, p := range panes[:3] {
			decode(p, i == 2)
			if round == 2 {
				continue
			}
			// Right after the expiry the old code or the next one stands there,
			// never half of either.
			s.expire()
			for _, theme := range []tmux.Theme{tmux.Dark, tmux.Light} {
				if got := tmux.Decode(t, panes[0].Cells(false), theme); len(got) != 1 {
					t.Errorf("%s: right after the expiry: %q\n%s", theme.Name, got, panes[0].Text(false))
				}
			}
		}
	}
	await.True(t, 10*time.Second, "the newest code in the file", func() bool {
		a := s.status()
		if _, err := os.Stat(file); err != nil || !a.Login.Code() {
			return false
		}
		got := tmux.DecodeFile(t, file)
		return len(got) == 1 && got[0] == a.Login.URL
	})
	s.scan(testUIN)
	for i, p := range panes {
		if code := p.Exit(20 * time.Second); code != 0 || !strings.Contains(p.Text(false), strconv.Itoa(testUIN)) {
			t.Errorf("pane %d: exit %d\n%s", i, code, p.Text(true))
		}
	}
	if n := s.webuiLogins(); n > 2 {
		t.Errorf("%d logins to the WebUI", n)
	}
}

func only(texts []string, want string) []string {
	return slices.DeleteFunc(texts, func(s string) bool { return s != want })
}

// TestLoginFirstEver: from an empty home to online, and a restart with the
// ticket, for which nobody is asked for anything.
func TestLoginFirstEver(t *testing.T) {
	t.Parallel()
	zero := napcatsim.Duration(0)
	s := newSite(t, "# mine\naccounts:\n  - name: main # the first\n    uin: 0 # not known yet\n    login: {order: [quick, qr]} # no password\n", napcatsim.Options{ScanAfter: &zero})
	began := time.Now()
	s.start()
	a := s.login("")
	if code := a.exit(); code != 0 {
		t.Fatalf("exit %d: %s\n%s", code, a.steps(), a.errs.String())
	}
	took := time.Since(began)
	t.Logf("first login after %v, of which the simulator takes 450ms", took.Round(time.Millisecond))
	if took > 3*time.Second+450*time.Millisecond {
		t.Errorf("the first login took %v", took)
	}
	if b, err := os.ReadFile(s.home.Config()); err != nil || !strings.Contains(string(b), fmt.Sprintf("uin: %d", napcatsim.DefaultUIN)) {
		t.Errorf("%v: the account was not remembered:\n%s", err, b)
	} else {
		for _, comment := range []string{"# mine", "# the first", "# not known yet", "# no password"} {
			if !strings.Contains(string(b), comment) {
				t.Errorf("the config lost %q:\n%s", comment, b)
			}
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cl := client.New(s.home.Socket())
	defer cl.Close()
	var kinds []string
	left := false
	restarted := false
	err := cl.Watch(ctx, "main", nil, func(it api.WatchItem) error {
		if !restarted {
			restarted = true
			if err := cl.Restart(ctx, "main"); err != nil {
				return err
			}
		}
		switch {
		case it.State != nil:
			if it.State.Login.Waits() {
				kinds = append(kinds, "asked to scan "+it.State.Login.URL)
			}
			if it.State.State != api.StateOnline {
				left = true
			} else if left {
				return io.EOF
			}
		}
		return nil
	})
	if !errors.Is(err, io.EOF) || len(kinds) > 0 {
		t.Errorf("%v; a restart with a ticket asked for a hand: %q", err, kinds)
	}
	if n := s.webuiLogins(); n > 2 {
		t.Errorf("%d logins to the WebUI", n)
	}
}

func TestLoginQuickOnDemand(t *testing.T) {
	t.Parallel()
	s := newSite(t, account(0, "order: [qr]"), napcatsim.Options{})
	s.start()
	a := s.login("")
	a.code()
	s.scan(testUIN)
	a.succeeds("qr online")
	if out, errs, code := s.run("", "restart"); code != 0 {
		t.Fatal(out, errs)
	}
	s.await("shows a code again", func(a api.Account) bool { return a.Login.Code() && a.State == api.StateLoginRequired })
	if out, _, code := s.run("", "login", "--list"); code != 0 || !strings.Contains(out, strconv.Itoa(testUIN)) {
		t.Errorf("--list: exit %d\n%s", code, out)
	}
	a = s.login("", "--quick", strconv.Itoa(testUIN))
	a.succeeds("quick online")
}

func TestLoginQuickFails(t *testing.T) {
	t.Parallel()
	s := newSite(t, account(0, ""), napcatsim.Options{})
	s.start()
	a := s.login("")
	a.code()
	s.scan(testUIN)
	a.succeeds("qr online")
	opts, err := napcatsim.ReadOptions(napcatsim.AccountHome(string(s.home), "main"))
	if err != nil {
		t.Fatal(err)
	}
	opts.QuickFail = "你的用户身份已失效"
	if err := napcatsim.WriteOptions(napcatsim.AccountHome(string(s.home), "main"), opts); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := s.run("", "restart"); code != 0 {
		t.Fatal(out, errs)
	}
	s.await("asks for a scan", func(a api.Account) bool { return a.State == api.StateLoginRequired && a.Login.Code() })
	a = s.login("")
	a.code()
	s.scan(testUIN)
	a.succeeds("qr online")
	out, errs, code := s.run("", "logs", "-n", "200")
	if b, _ := os.ReadFile(s.home.Join("logs", "ncatd.log")); !bytes.Contains(b, []byte("你的用户身份已失效")) {
		t.Errorf("the log does not say why the quick login failed (logs: exit %d\n%s%s)", code, out, errs)
	}
}

func TestLoginCodeExpiresFiveTimes(t *testing.T) {
	t.Parallel()
	s := newSite(t, account(0, ""), napcatsim.Options{})
	s.start()
	a := s.login("")
	last := a.code()
	for range 5 {
		s.expire()
		next := a.code()
		if next.URL == last.URL || next.Seq != last.Seq+1 {
			t.Errorf("code %d after %d", next.Seq, last.Seq)
		}
		last = next
	}
	s.scan(testUIN)
	if code := a.exit(); code != 0 {
		t.Errorf("exit %d", code)
	}
	if n := s.webuiLogins(); n > 2 {
		t.Errorf("%d logins to the WebUI", n)
	}
}

func TestLoginAfterAKick(t *testing.T) {
	t.Parallel()
	s := newSite(t, account(0, ""), napcatsim.Options{})
	s.start()
	a := s.login("")
	a.code()
	s.scan(testUIN)
	a.succeeds("qr online")
	old := s.status().PIDs.NapCat
	if err := s.sim.Kick(t.Context(), "下线通知", "你的帐号当前登录已失效，请重新登录。", false); err != nil {
		t.Fatal(err)
	}
	s.await("left online", func(a api.Account) bool { return a.State != api.StateOnline })
	a = s.login("")
	a.code()
	if pid := s.status().PIDs.NapCat; pid == old {
		t.Errorf("the kicked process %d goes on", pid)
	}
	s.scan(testUIN)
	if code := a.exit(); code != 0 {
		t.Errorf("exit %d: %s", code, a.steps())
	}
}

func TestLoginOfAnotherAccount(t *testing.T) {
	t.Parallel()
	s := newSite(t, account(testUIN, "order: [qr]"), napcatsim.Options{})
	s.start()
	a := s.login("")
	a.code()
	s.scan(20002)
	code := a.exit()
	msg := a.errs.String()
	if code != 1 || !strings.Contains(msg, "20002") || !strings.Contains(msg, strconv.Itoa(testUIN)) || !strings.Contains(msg, "hint:") {
		t.Errorf("exit %d: %s\n%s", code, a.steps(), msg)
	}
	if st := s.status(); st.State != api.StateFailed || st.Reason != "wrong_account" {
		t.Errorf("%s %s", st.State, st.Reason)
	}
	// The right one afterwards.
	a = s.login("")
	a.code()
	s.scan(testUIN)
	if code := a.exit(); code != 0 {
		t.Errorf("exit %d: %s\n%s", code, a.steps(), a.errs.String())
	}
}

func TestLoginNapCatRestarts(t *testing.T) {
	t.Parallel()
	s := newSite(t, account(0, ""), napcatsim.Options{})
	s.start()
	a := s.login("")
	first := a.code()
	if err := s.sim.Crash(t.Context(), napcatsim.CrashRequest{Code: 11}); err != nil {
		t.Fatal(err)
	}
	if next := a.code(); next.URL == first.URL {
		t.Error("a dead worker's code is shown again")
	}
	s.scan(testUIN)
	if code := a.exit(); code != 0 {
		t.Errorf("exit %d: %s", code, a.steps())
	}
	if n := s.webuiLogins(); n > 2 {
		t.Errorf("%d logins to the WebUI", n)
	}
}

func TestLoginDaemonKilled(t *testing.T) {
	t.Parallel()
	s := newSite(t, account(0, ""), napcatsim.Options{})
	s.start()
	a := s.login("")
	a.code()
	pid, err := s.home.Holder()
	if err != nil || pid == 0 {
		t.Fatal(pid, err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	a.until("noticed", is("away"))
	if !await.Gone(5*time.Second, pid) {
		t.Fatal("a killed daemon stays")
	}
	if pid, err := s.home.Holder(); err != nil || pid != 0 {
		t.Fatalf("the lock of a killed daemon stays: %d, %v", pid, err)
	}
	s.start()
	a.until("noticed the return", is("back"))
	a.code()
	s.scan(testUIN)
	if code := a.exit(); code != 0 {
		t.Errorf("exit %d: %s\n%s", code, a.steps(), a.errs.String())
	}
}

// TestLoginAlone: without a daemon, login runs the account itself and leaves
// nothing behind.
func TestLoginAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t, account(0, ""), napcatsim.Options{})
	nothingRuns := func() {
		t.Helper()
		if pid, err := s.home.Holder(); err != nil || pid != 0 {
			t.Errorf("pid %d holds the home, %v", pid, err)
		}
		lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, f := range lines {
			b, _ := os.ReadFile(f)
			if bytes.Contains(b, []byte(s.home.Join("releases"))) {
				t.Errorf("still there: %q", b)
			}
		}
	}
	if out, errs, code := s.run("", "install"); code != 0 {
		t.Fatalf("install: exit %d\n%s%s", code, out, errs)
	}
	a := s.login("")
	a.code()
	s.scan(testUIN)
	a.succeeds("qr online")
	nothingRuns()

	a = s.login("") // by ticket
	a.succeeds("quick online")
	nothingRuns()

	out, errs, code := s.run("", "login", "--list")
	if code != 0 || !strings.Contains(out, strconv.Itoa(testUIN)) {
		t.Errorf("--list: exit %d\n%s%s", code, out, errs)
	}
	nothingRuns()

	a = s.login("", "--quick", strconv.Itoa(testUIN))
	a.succeeds("quick online")

	if out, errs, code := s.run("", "logout", "--yes"); code != 0 {
		t.Errorf("logout: exit %d\n%s%s", code, out, errs)
	}
	off := napcatsim.Off
	if err := napcatsim.WriteOptions(napcatsim.AccountHome(string(s.home), "main"), napcatsim.Options{ScanAfter: &off}); err != nil {
		t.Fatal(err)
	}
	a = s.login("", "--timeout", "20s")
	a.code()
	if err := a.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := a.exit(); code != 130 {
		t.Errorf("interrupted: exit %d\n%s", code, a.errs.String())
	}
	nothingRuns()
	if out, errs, code := s.run("", "login", "--qr", "url", "--timeout", "3s"); code != 4 {
		t.Errorf("timeout: exit %d\n%s%s", code, out, errs)
	}
	nothingRuns()
}
