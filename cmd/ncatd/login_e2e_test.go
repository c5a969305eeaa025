//go:build e2e_login

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/e2e/tmux"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/napcatsim"
)

// What no file and no process may show.
const (
	testUIN      = 10001
	testPassword = "Hunter2-geheim"
	testTicket   = "t03ticketThatNobodyMaySee"
	testTOTP     = "JBSWY3DPEHPK3PXP"
)

func testMD5() string {
	sum := md5.Sum([]byte(testPassword))
	return hex.EncodeToString(sum[:])
}

// binary is the ncatd that `make build` made.
func binary(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../bin/ncatd")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: make build", err)
	}
	return path
}

// site is one home with a simulated QQ.
type site struct {
	t    *testing.T
	bin  string
	home home.Dir
	env  []string
	sim  *napcatsim.Control
}

// newSite makes a home with the given configuration. The phone scans only when
// the test says so, unless o says otherwise.
func newSite(t *testing.T, config string, o napcatsim.Options, env ...string) *site {
	t.Helper()
	s := &site{t: t, bin: binary(t), home: home.Dir(t.TempDir())}
	if o.ScanAfter == nil {
		off := napcatsim.Off
		o.ScanAfter = &off
	}
	account := napcatsim.AccountHome(string(s.home), "main")
	if err := napcatsim.WriteOptions(account, o); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(string(s.home), "packages")
	s.env = append(append(os.Environ(), "NCATD_HOME="+string(s.home), "NCATD_LANG=en"), env...)
	if out, err := s.command("sim", "pack", dir).CombinedOutput(); err != nil {
		t.Fatalf("sim pack: %v\n%s", err, out)
	}
	config += fmt.Sprintf("napcat: {version: %q, source: %q, qq_source: %q, update: \"off\"}\n", napcatsim.DefaultNapCatVersion,
		filepath.Join(dir, napcatsim.NapCatPackageName), filepath.Join(dir, napcatsim.QQPackageName))
	if err := os.WriteFile(s.home.Config(), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.sim = napcatsim.NewControl(account)
	t.Cleanup(func() {
		if t.Failed() {
			for _, f := range []string{"logs/ncatd.log", "accounts/main/napcat.log"} {
				b, _ := os.ReadFile(s.home.Join(strings.Split(f, "/")...))
				t.Logf("%s:\n%s", f, b[max(0, len(b)-6000):])
			}
		}
		s.run("", "stop")
		s.noSecrets()
	})
	return s
}

func (s *site) command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.bin, args...)
	cmd.Env = s.env
	return cmd
}

// run runs a command line to its end.
func (s *site) run(stdin string, args ...string) (out, errs string, code int) {
	s.t.Helper()
	cmd := s.command(args...)
	var o, e bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &o, &e
	err := cmd.Run()
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) {
		s.t.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// start starts the daemon and does not wait for its accounts.
func (s *site) start() {
	s.t.Helper()
	if out, errs, code := s.run("", "start", "-d", "--yes", "--wait", "0s"); code != 0 {
		s.t.Fatalf("start: exit %d\n%s%s", code, out, errs)
	}
}

// noSecrets looks for secrets where they may not be: in any file but those that
// hold them, in any command line, in any environment but NapCat's own.
func (s *site) noSecrets() {
	s.t.Helper()
	never := []string{testPassword, testMD5(), testTicket}
	tokens := []string{testTOTP}
	if b, err := os.ReadFile(s.home.Secrets()); err == nil {
		var sec struct {
			Control  string
			Accounts map[string]map[string]string
		}
		if err := json.Unmarshal(b, &sec); err != nil {
			s.t.Error(err)
		}
		tokens = append(tokens, sec.Control)
		for _, a := range sec.Accounts {
			for _, v := range a {
				tokens = append(tokens, v)
			}
		}
	}
	err := filepath.WalkDir(string(s.home), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, _ := filepath.Rel(string(s.home), path)
		forbidden := append(append([]string{}, never...), tokens...)
		switch {
		case strings.HasPrefix(rel, filepath.Join("accounts", "main", "home", ".config", "QQ", "sim")):
			return nil // what the simulated QQ's servers know
		case rel == "secrets.json", rel == filepath.Join("accounts", "main", "state.json"), strings.HasPrefix(rel, filepath.Join("accounts", "main", "napcat", "config")):
			forbidden = never
		case strings.HasPrefix(rel, "releases"), strings.HasPrefix(rel, "packages"), strings.HasPrefix(rel, "downloads"):
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, secret := range forbidden {
			if secret != "" && bytes.Contains(b, []byte(secret)) {
				s.t.Errorf("%s contains %q", rel, secret)
			}
		}
		return nil
	})
	if err != nil {
		s.t.Error(err)
	}
}

// noSecretArgs looks at the command lines of all processes.
func (s *site) noSecretArgs() {
	s.t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range lines {
		b, _ := os.ReadFile(f) // gone by then
		for _, secret := range []string{testPassword, testMD5(), testTicket, testTOTP} {
			if bytes.Contains(b, []byte(secret)) {
				s.t.Errorf("a command line shows %q", secret)
			}
		}
	}
}

// event is a line of login --json.
type event struct {
	Event, State, Reason, Detail, Method, URL, Nickname string
	Seq                                                 int
	UIN                                                 int64
}

// attempt is a running `ncatd login --json`.
type attempt struct {
	s      *site
	cmd    *exec.Cmd
	events chan event
	seen   []event
	mu     sync.Mutex
	errs   bytes.Buffer
	done   chan struct{}
}

// login begins a login.
func (s *site) login(stdin string, args ...string) *attempt {
	s.t.Helper()
	a := &attempt{s: s, events: make(chan event, 1000), done: make(chan struct{})}
	a.cmd = s.command(append([]string{"login", "--json"}, args...)...)
	a.cmd.Stdin = strings.NewReader(stdin)
	a.cmd.Stderr = &a.errs
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := a.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(a.events)
		sc := bufio.NewScanner(out)
		for sc.Scan() {
			var e event
			if err := json.Unmarshal(sc.Bytes(), &e); err != nil {
				s.t.Errorf("%v: %s", err, sc.Text())
			}
			a.events <- e
		}
	}()
	s.t.Cleanup(func() { _ = a.cmd.Process.Kill() })
	return a
}

// until reads events up to one that ok takes.
func (a *attempt) until(what string, ok func(e event) bool) event {
	a.s.t.Helper()
	limit := time.After(40 * time.Second)
	for {
		select {
		case e, more := <-a.events:
			if !more {
				a.s.t.Fatalf("ended before %s: %s\n%s", what, a.steps(), a.errs.String())
			}
			a.seen = append(a.seen, e)
			if ok(e) {
				return e
			}
		case <-limit:
			a.s.t.Fatalf("never %s: %s\n%s", what, a.steps(), a.errs.String())
		}
	}
}

func is(name string) func(e event) bool { return func(e event) bool { return e.Event == name } }

// code reads up to the next QR code.
func (a *attempt) code() event {
	a.s.t.Helper()
	return a.until("a code", is("qr"))
}

// exit reads to the end and returns the exit code.
func (a *attempt) exit() int {
	a.s.t.Helper()
	limit := time.After(40 * time.Second)
	for {
		select {
		case e, more := <-a.events:
			if more {
				a.seen = append(a.seen, e)
				continue
			}
			_ = a.cmd.Wait()
			return a.cmd.ProcessState.ExitCode()
		case <-limit:
			a.s.t.Fatalf("never ended: %s\n%s", a.steps(), a.errs.String())
		}
	}
}

// steps is what happened, without the states and without "accepted", which is
// over in a moment that nobody need see.
func (a *attempt) steps() string {
	var w []string
	for _, e := range a.seen {
		if e.Event == "state" || e.Event == "accepted" {
			continue
		}
		s := e.Event
		if e.Reason != "" {
			s += "(" + e.Reason + ")"
		}
		w = append(w, s)
	}
	return strings.Join(w, " ")
}

// succeeds expects the login to end online, after exactly these steps.
func (a *attempt) succeeds(steps string) {
	a.s.t.Helper()
	if code := a.exit(); code != 0 || a.steps() != steps {
		a.s.t.Errorf("exit %d, steps %s\nwant %s\n%s", code, a.steps(), steps, a.errs.String())
	}
	if n := len(a.seen); n > 0 && (a.seen[n-1].UIN == 0 || a.seen[n-1].Nickname == "") {
		a.s.t.Errorf("last event %+v", a.seen[n-1])
	}
}

func (s *site) scan(uin int64) {
	s.t.Helper()
	if err := s.sim.Scan(context.Background(), uin); err != nil {
		s.t.Fatalf("scan: %v", err)
	}
}

// expire lets the code on screen expire, waiting for one if need be.
func (s *site) expire() {
	s.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := s.sim.ExpireQR(context.Background())
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// webuiLogins is how often anybody logged in to the simulated WebUI.
func (s *site) webuiLogins() int {
	s.t.Helper()
	st, err := s.sim.State(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	return st.WebUILogins
}

func (s *site) status() api.Account {
	s.t.Helper()
	cl := client.New(s.home.Socket())
	defer cl.Close()
	st, err := cl.Status(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	return st.Accounts[0]
}

func (s *site) await(what string, ok func(a api.Account) bool) {
	s.t.Helper()
	deadline := time.Now().Add(40 * time.Second)
	for {
		acc := s.status()
		if ok(acc) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("never %s: %+v", what, acc)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func account(uin int64, rest string) string {
	return fmt.Sprintf("accounts:\n  - name: main\n    uin: %d\n    login: {%s}\n", uin, rest)
}

// TestLoginScreens: what stands on the screen of a real terminal is read by
// zbarimg, on dark and light grounds, also right after a code expired.
func TestLoginScreens(t *testing.T) {
	t.Parallel()
	s := newSite(t, account(0, ""), napcatsim.Options{})
	s.start()
	decode := func(p *tmux.Pane, history bool) {
		t.Helper()
		deadline := time.Now().Add(10 * time.Second)
		for {
			// The codes on screen before and after the capture: it may change
			// in between.
			want := s.status().QR
			cells := p.Cells(history)
			if want != nil {
				dark, light := tmux.Decode(t, cells, tmux.Dark), tmux.Decode(t, cells, tmux.Light)
				if history { // the codes before it stand there too
					dark, light = only(dark, want.URL), only(light, want.URL)
				}
				if len(dark) == 1 && dark[0] == want.URL && len(light) == 1 && light[0] == want.URL {
					return
				}
			}
			if time.Now().After(deadline) {
				t.Fatalf("not decoded:\n%s", p.Text(history))
			}
			<-time.After(50 * time.Millisecond)
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
	s.await("wrote the newest code", func(a api.Account) bool {
		if _, err := os.Stat(file); err != nil || a.QR == nil {
			return false
		}
		got := tmux.DecodeFile(t, file)
		return len(got) == 1 && got[0] == a.QR.URL
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
		case it.QR != nil, it.Login != nil && it.Login.Step != "accepted" && it.Login.Step != "quick" && it.Login.Step != "online":
			b, _ := json.Marshal(it)
			kinds = append(kinds, string(b))
		case it.State != nil:
			if it.State.QR != nil {
				kinds = append(kinds, "a code in the state")
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
	s.await("shows a code again", func(a api.Account) bool { return a.QR != nil && a.State == api.StateLoginRequired })
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
	s.await("asks for a scan", func(a api.Account) bool { return a.State == api.StateLoginRequired && a.QR != nil })
	a = s.login("")
	a.code()
	s.scan(testUIN)
	a.succeeds("qr online")
	out, errs, code := s.run("", "logs", "-n", "200")
	if b, _ := os.ReadFile(s.home.Join("logs", "ncatd.log")); !bytes.Contains(b, []byte("你的用户身份已失效")) {
		t.Errorf("the log does not say why the quick login failed (logs: exit %d\n%s%s)", code, out, errs)
	}
}

func TestLoginPasswordTyped(t *testing.T) {
	t.Parallel()
	s := newSite(t, account(testUIN, "order: [qr]"), napcatsim.Options{Accounts: []napcatsim.Account{{UIN: testUIN, Nick: "bot", PasswordMD5: testMD5()}}})
	s.start()
	a := s.login("not the password\n", "--password-stdin")
	if code := a.exit(); code != 4 || !strings.Contains(a.errs.String(), "账号或密码错误") || !strings.Contains(a.errs.String(), "hint:") {
		t.Errorf("wrong password: exit %d, %s\n%s", code, a.steps(), a.errs.String())
	}
	a = s.login(testPassword+"\n", "--password-stdin")
	s.noSecretArgs()
	a.succeeds("password online")
}

// TestLoginPasswordAtATerminal types the password, the wrong captcha and the
// right one.
func TestLoginPasswordAtATerminal(t *testing.T) {
	t.Parallel()
	s := newSite(t, account(testUIN, "order: [qr]"), napcatsim.Options{Accounts: []napcatsim.Account{{UIN: testUIN, Nick: "bot", PasswordMD5: testMD5(), Captcha: true}}})
	s.start()
	p := tmux.New(t, 110, 40, s.env, s.bin, "login", "--password-stdin")
	p.Until("asks for the password", 20*time.Second, func(s string) bool { return strings.Contains(s, "QQ password") })
	p.Send(testPassword)
	p.Key("Enter")
	p.Until("shows the captcha's page", 20*time.Second, func(s string) bool {
		return strings.Contains(s, "https://ti.qq.com/") && strings.Contains(s, "ticket and randstr:")
	})
	p.Send("wrong @r")
	p.Key("Enter")
	p.Until("says no and asks again", 20*time.Second, func(s string) bool {
		_, rest, no := strings.Cut(s, "验证码错误")
		return no && strings.Contains(rest, "ticket and randstr:")
	})
	p.Send(`{"ret":0,"ticket":"` + testTicket + `","randstr":"@r"}`)
	p.Key("Enter")
	if code := p.Exit(20 * time.Second); code != 0 {
		t.Errorf("exit %d", code)
	}
	if strings.Contains(p.Text(true), testPassword) {
		t.Error("the password shows on the screen")
	}
}

const fromEnv = "order: [quick, password, qr], password_md5_env: TEST_QQ_MD5"

func withPassword(captcha, device bool) napcatsim.Options {
	return napcatsim.Options{Accounts: []napcatsim.Account{{UIN: testUIN, Nick: "bot", PasswordMD5: testMD5(), Captcha: captcha, NewDevice: device}}}
}

func TestLoginPasswordFromTheEnvironment(t *testing.T) {
	t.Parallel()
	s := newSite(t, account(testUIN, fromEnv), withPassword(false, false), "TEST_QQ_MD5="+testMD5())
	s.start()
	s.login("").exit()
	s.await("online", func(a api.Account) bool { return a.State == api.StateOnline && a.UIN == testUIN })
	s.noSecretArgs()
	// NapCat has no business with it.
	st, err := s.sim.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", st.PID)); err != nil || bytes.Contains(b, []byte(testMD5())) {
		t.Errorf("%v: NapCat's environment has the password", err)
	}
	if st.LastMethod != "password" {
		t.Errorf("logged in by %s", st.LastMethod)
	}
}

func TestLoginWrongPasswordThenCode(t *testing.T) {
	t.Parallel()
	s := newSite(t, account(testUIN, fromEnv), withPassword(false, false), "TEST_QQ_MD5="+strings.Repeat("0", 32))
	s.start()
	a := s.login("")
	a.code()
	s.scan(testUIN)
	if code := a.exit(); code != 0 {
		t.Errorf("exit %d: %s", code, a.steps())
	}
}

// solve answers the captcha over the control API.
func (s *site) solve(ticket string) {
	s.t.Helper()
	cl := client.New(s.home.Socket())
	defer cl.Close()
	if err := cl.LoginCaptcha(context.Background(), "main", api.CaptchaRequest{Ticket: ticket, RandStr: "@r"}); err != nil {
		s.t.Fatalf("captcha: %v", err)
	}
}

func TestLoginCaptcha(t *testing.T) {
	t.Parallel()
	s := newSite(t, account(testUIN, fromEnv), withPassword(true, false), "TEST_QQ_MD5="+testMD5())
	s.start()
	a := s.login("")
	e := a.until("a captcha", is("captcha"))
	if !strings.HasPrefix(e.URL, "https://ti.qq.com/") {
		t.Errorf("page %q", e.URL)
	}
	s.solve(testTicket)
	if code := a.exit(); code != 0 || !strings.HasSuffix(a.steps(), "captcha online") {
		t.Errorf("exit %d: %s", code, a.steps())
	}
}

func TestLoginNewDevice(t *testing.T) {
	t.Parallel()
	for _, captcha := range []bool{false, true} {
		t.Run(fmt.Sprintf("after a captcha %v", captcha), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, account(testUIN, fromEnv), withPassword(captcha, true), "TEST_QQ_MD5="+testMD5())
			s.start()
			a := s.login("")
			if captcha {
				a.until("a captcha", is("captcha"))
				s.solve(testTicket)
			}
			e := a.until("a new device", is("new_device"))
			if !strings.HasPrefix(e.URL, "https://accounts.qq.com/") {
				t.Errorf("code %q", e.URL)
			}
			s.scan(0)
			if code := a.exit(); code != 0 || !strings.HasSuffix(a.steps(), "online") {
				t.Errorf("exit %d: %s", code, a.steps())
			}
		})
	}
}

func TestLogin2FA(t *testing.T) {
	t.Parallel()
	s := newSite(t, account(0, ""), napcatsim.Options{})
	conf := s.home.Join("accounts", "main", "napcat", "config")
	if err := os.MkdirAll(conf, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(conf, "webui.json"), []byte(`{"enable2FA":true,"totpSecret":"`+testTOTP+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	a := s.login("")
	a.code()
	s.scan(testUIN)
	a.succeeds("qr online")
	if n := s.webuiLogins(); n > 2 {
		t.Errorf("%d logins to the WebUI", n)
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
	for deadline := time.Now().Add(5 * time.Second); ; <-time.After(10 * time.Millisecond) {
		if pid, err := s.home.Holder(); err == nil && pid == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the lock of a killed daemon stays")
		}
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
	a.succeeds("online")
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
