package cli

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/home"
)

// loginDaemon is a daemon of one account whose login a test plays.
type loginDaemon struct {
	control.Backend // what a login does not need panics
	hub             control.Hub
	home            home.Dir

	mu      sync.Mutex
	st      api.Account
	calls   []string
	quick   func(uin int64) error
	passwd  func(md5 string) error
	captcha func(r api.CaptchaRequest) error
	tickets []api.QuickAccount
	watched chan struct{} // one for each watcher
	live    *syncBuffer   // stdout of the command that runs
}

func (d *loginDaemon) Status() api.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case d.watched <- struct{}{}:
	default:
	}
	return api.Status{Accounts: []api.Account{d.st}}
}

func (d *loginDaemon) called(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, fmt.Sprintf(format, args...))
}

func (d *loginDaemon) did(call string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.calls {
		if c == call {
			return true
		}
	}
	return false
}

func (d *loginDaemon) Want(_ context.Context, account, want string) error {
	d.called("want %s %s", account, want)
	if want == "stopped" {
		d.set(func(a *api.Account) { a.State, a.Reason = api.StateStopped, "" })
	}
	return nil
}
func (d *loginDaemon) Restart(_ context.Context, account string) error {
	d.called("restart %s", account)
	return nil
}
func (d *loginDaemon) QuickAccounts(context.Context, string) ([]api.QuickAccount, error) {
	return d.tickets, nil
}
func (d *loginDaemon) LoginQuick(_ context.Context, account string, uin int64) error {
	d.called("quick %s %d", account, uin)
	return d.quick(uin)
}
func (d *loginDaemon) LoginPassword(_ context.Context, account string, r api.PasswordLoginRequest) error {
	d.called("password %s %d %s", account, r.UIN, r.PasswordMD5)
	return d.passwd(r.PasswordMD5)
}
func (d *loginDaemon) LoginCaptcha(_ context.Context, account string, r api.CaptchaRequest) error {
	d.called("captcha %s %s %s", r.Ticket, r.RandStr, r.SID)
	return d.captcha(r)
}
func (d *loginDaemon) LoginRefresh(_ context.Context, account string) error {
	d.called("refresh %s", account)
	return nil
}

// set changes the account and tells the watchers.
func (d *loginDaemon) set(f func(a *api.Account)) {
	d.mu.Lock()
	f(&d.st)
	acc := d.st
	d.mu.Unlock()
	d.hub.Publish(api.WatchItem{Kind: "state", Account: "main", State: &acc})
}

func (d *loginDaemon) code(seq int) {
	d.show(fmt.Sprintf("https://txz.qq.com/p?k=%d", seq), seq)
}

func (d *loginDaemon) show(url string, seq int) {
	d.set(func(a *api.Account) {
		a.State, a.Reason = api.StateLoginRequired, "qr"
		a.Login = &api.Login{Step: api.StepWaiting, Method: api.MethodQR, URL: url, Issued: time.Now(), Seq: seq}
	})
}

// step changes the login that is under way.
func (d *loginDaemon) step(f func(l *api.Login)) {
	d.set(func(a *api.Account) {
		l := api.Login{}
		if a.Login != nil {
			l = *a.Login
		}
		f(&l)
		a.Login = &l
	})
}

func (d *loginDaemon) expire() {
	d.step(func(l *api.Login) { l.Step, l.URL = api.StepExpired, "" })
}

func (d *loginDaemon) asksCaptcha(page string) {
	d.set(func(a *api.Account) {
		a.Reason, a.Login = "captcha", &api.Login{Step: api.StepCaptcha, Method: api.MethodPassword, UIN: 10001, URL: page, Issued: time.Now()}
	})
}

func (d *loginDaemon) refuse(m api.LoginMethod, r api.LoginReason, words string) {
	d.step(func(l *api.Login) {
		l.Failed = &api.LoginFailure{Method: m, Reason: r, Detail: words, Time: time.Now()}
	})
}

func (d *loginDaemon) online() {
	d.set(func(a *api.Account) {
		a.State, a.Reason, a.Login, a.UIN, a.Nickname = api.StateOnline, "", nil, 10001, "bot"
	})
}

// serve runs the control API until stop is called.
func (d *loginDaemon) serve(t *testing.T) (stop func()) {
	t.Helper()
	return serveControl(t, d, &d.hub, d.home)
}

// serveControl serves the control API of b in h until stop is called.
func serveControl(t *testing.T, b control.Backend, hub *control.Hub, h home.Dir) (stop func()) {
	t.Helper()
	ready := make(chan struct{})
	srv, err := control.New(control.Options{Backend: b, Hub: hub, Log: slog.New(slog.DiscardHandler),
		Socket: h.Socket(), Ready: func(string) { close(ready) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func newLoginDaemon(t *testing.T) *loginDaemon {
	t.Helper()
	h := home.Dir(t.TempDir())
	if err := h.Make(); err != nil {
		t.Fatal(err)
	}
	lock, err := h.Acquire()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Release() })
	return &loginDaemon{home: h, st: api.Account{Name: "main", State: api.StateStarting}, watched: make(chan struct{}, 100)}
}

// loginRun is one run of the command beside the daemon.
type loginRun struct {
	out, err string
	code     int
}

// ncatd runs a command line and plays script meanwhile, which begins when the
// command has looked at the account.
func (d *loginDaemon) ncatd(t *testing.T, stdin string, script func(), args ...string) loginRun {
	t.Helper()
	var out, errs syncBuffer
	d.live = &out
	done := make(chan int, 1)
	go func() {
		done <- Run(t.Context(), append(args, "--home", string(d.home)), Deps{Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs, Env: []string{"LANG=C"}})
	}()
	if script != nil {
		select {
		case <-d.watched:
			script()
		case <-time.After(10 * time.Second):
			t.Fatal("the command never looked at the account")
		}
	}
	select {
	case code := <-done:
		return loginRun{out.String(), errs.String(), code}
	case <-time.After(20 * time.Second):
		t.Fatalf("still running\nstdout %s\nstderr %s", out.String(), errs.String())
		return loginRun{}
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (d *loginDaemon) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	if !await.Poll(10*time.Second, ok) {
		t.Errorf("never %s; calls %q", what, d.calls)
	}
}

func TestLoginByCode(t *testing.T) {
	d := newLoginDaemon(t)
	d.serve(t)
	r := d.ncatd(t, "", func() {
		d.code(1)
		d.expire()
		d.code(2)
		d.code(2)
		d.step(func(l *api.Login) { l.Step, l.URL = api.StepAccepted, "" })
		d.set(func(a *api.Account) { a.State, a.Reason = api.StateConnecting, "accepted" })
		d.online()
	}, "login", "--qr", "url")
	if r.code != 0 || r.out != "https://txz.qq.com/p?k=1\nhttps://txz.qq.com/p?k=2\nmain: online as bot (10001)\n" {
		t.Errorf("exit %d\n%s\n%s", r.code, r.out, r.err)
	}
	for _, want := range []string{"scan this with QQ", "a new QR code", "QQ accepted the login"} {
		if !strings.Contains(r.err, want) {
			t.Errorf("stderr lacks %q:\n%s", want, r.err)
		}
	}
}

func TestLoginPlainDrawsEachCodeOnce(t *testing.T) {
	for _, form := range []string{"terminal", "ascii"} {
		d := newLoginDaemon(t)
		d.serve(t)
		r := d.ncatd(t, "", func() {
			d.code(1)
			d.code(1)
			d.code(2)
			d.online()
		}, "login", "--qr", form)
		ink := "█"
		if form == "ascii" {
			ink = "##"
		}
		blocks := 0
		inside := false
		for _, l := range strings.Split(r.out, "\n") {
			has := strings.Contains(l, ink)
			if has && !inside {
				blocks++
			}
			inside = has || strings.TrimSpace(l) != "" && inside
			if strings.TrimSpace(l) == "" {
				inside = false
			}
		}
		if r.code != 0 || blocks != 2 || strings.Contains(r.out, "\x1b") {
			t.Errorf("%s: exit %d, %d codes\n%s", form, r.code, blocks, r.out)
		}
	}
}

func TestLoginPNG(t *testing.T) {
	d := newLoginDaemon(t)
	d.serve(t)
	file := filepath.Join(t.TempDir(), "qr.png")
	r := d.ncatd(t, "", func() {
		d.code(1)
		d.until(t, "wrote the picture", func() bool { _, err := os.Stat(file); return err == nil })
		d.online()
	}, "login", "main", "--qr", "png="+file)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(bytes.NewReader(b)); err != nil || r.code != 0 {
		t.Errorf("exit %d, %v", r.code, err)
	}
}

func TestLoginJSON(t *testing.T) {
	d := newLoginDaemon(t)
	d.serve(t)
	r := d.ncatd(t, "", func() {
		d.code(1)
		d.refuse(api.MethodQuick, api.LoginNoTicket, "")
		d.asksCaptcha("https://captcha/")
		d.online()
	}, "login", "--json")
	var events []string
	dec := json.NewDecoder(strings.NewReader(r.out))
	for {
		var e loginEvent
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in %s", err, r.out)
		}
		w := e.Event
		if e.State != "" {
			w += ":" + string(e.State)
		}
		if e.Account != "main" || e.Time.IsZero() {
			t.Errorf("incomplete %+v", e)
		}
		events = append(events, w)
	}
	want := "state:starting state:login_required qr failed state:login_required captcha online"
	if got := strings.Join(events, " "); got != want || r.code != 0 {
		t.Errorf("exit %d, events %s\nwant %s", r.code, got, want)
	}
}

func TestLoginAlreadyOnline(t *testing.T) {
	d := newLoginDaemon(t)
	d.serve(t)
	d.online()
	if r := d.ncatd(t, "", nil, "login"); r.code != 0 || r.out != "main: online as bot (10001)\n" {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
	if r := d.ncatd(t, "", nil, "login", "--quick", "10002"); r.code != 1 || !strings.Contains(r.err, "online as 10001, not as 10002") {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
}

func TestLoginEnds(t *testing.T) {
	for _, tt := range []struct {
		name  string
		state api.State
		reas  string
		code  int
		text  string
	}{
		{"failed", api.StateFailed, "crash_loop", 5, "main failed"},
		{"wrong account", api.StateFailed, "wrong_account", 1, "another account logged in"},
		{"stopped", api.StateStopped, "", 1, "was stopped"},
	} {
		d := newLoginDaemon(t)
		d.serve(t)
		r := d.ncatd(t, "", func() {
			d.code(1)
			d.set(func(a *api.Account) { a.State, a.Reason = tt.state, tt.reas })
		}, "login", "--qr", "url")
		if r.code != tt.code || !strings.Contains(r.err, tt.text) {
			t.Errorf("%s: exit %d\n%s", tt.name, r.code, r.err)
		}
	}
}

func TestLoginTimeout(t *testing.T) {
	d := newLoginDaemon(t)
	d.serve(t)
	r := d.ncatd(t, "", func() { d.code(1) }, "login", "--qr", "url", "--timeout", "300ms")
	if r.code != 4 || !strings.Contains(r.err, "not online within 300ms") {
		t.Errorf("exit %d\n%s", r.code, r.err)
	}
}

// TestLoginStartsWhatStands: login brings an account from any state to where it
// can log in.
func TestLoginStartsWhatStands(t *testing.T) {
	for _, tt := range []struct {
		state api.State
		call  string
	}{
		{api.StateStopped, "want main running"},
		{api.StateFailed, "restart main"},
		{api.StateBackoff, "restart main"},
	} {
		d := newLoginDaemon(t)
		d.serve(t)
		d.st.State = tt.state
		r := d.ncatd(t, "", func() {
			d.until(t, "asked to "+tt.call, func() bool { return d.did(tt.call) })
			d.set(func(a *api.Account) { a.State = api.StateStarting })
			d.online()
		}, "login")
		if r.code != 0 {
			t.Errorf("%s: exit %d\n%s", tt.state, r.code, r.err)
		}
	}
}

func TestLoginReplacesAnOldCode(t *testing.T) {
	d := newLoginDaemon(t)
	d.serve(t)
	d.st.State, d.st.Login = api.StateLoginRequired, &api.Login{Step: api.StepWaiting, URL: "old", Seq: 7, Issued: time.Now().Add(-3 * time.Minute)}
	r := d.ncatd(t, "", func() {
		d.until(t, "asked for a code", func() bool { return d.did("refresh main") })
		d.code(8)
		d.online()
	}, "login", "--qr", "url")
	if r.out != "https://txz.qq.com/p?k=8\nmain: online as bot (10001)\n" {
		t.Errorf("printed %s", r.out)
	}
}

// The code that confirms a new device is shown however old it is: asking for another
// would end that login.
func TestLoginKeepsTheCodeOfANewDevice(t *testing.T) {
	d := newLoginDaemon(t)
	d.serve(t)
	const url = "https://accounts.qq.com/safe/qrcode?x"
	d.st.State, d.st.Reason = api.StateLoginRequired, "new_device"
	d.st.Login = &api.Login{Step: api.StepNewDevice, URL: url, Issued: time.Now().Add(-4 * time.Minute)}
	run := d.ncatd(t, "", func() {
		d.until(t, "the code", func() bool { return strings.Contains(d.live.String(), url) })
		d.online()
	}, "login", "--json")
	if run.code != 0 || d.did("refresh main") {
		t.Errorf("exit %d, calls %q\n%s", run.code, d.calls, run.out)
	}
}

func TestLoginSurvivesARestartOfTheDaemon(t *testing.T) {
	d := newLoginDaemon(t)
	stop := d.serve(t)
	r := d.ncatd(t, "", func() {
		d.code(1)
		d.until(t, "showed the code", func() bool { return strings.Contains(d.live.String(), "k=1") })
		stop()
		d.st = api.Account{Name: "main", State: api.StateStarting}
		d.serve(t)
		d.until(t, "watched again", func() bool { return d.hub.Len() == 1 })
		d.code(1) // the same text, from another process: it is shown again
		d.online()
	}, "login", "--qr", "url")
	if r.code != 0 || strings.Count(r.out, "https://") != 2 || !strings.Contains(r.err, "ncatd went away") || !strings.Contains(r.err, "ncatd is back") {
		t.Errorf("exit %d\n%s\n%s", r.code, r.out, r.err)
	}
}

func TestLoginQuick(t *testing.T) {
	d := newLoginDaemon(t)
	d.serve(t)
	tries := 0
	d.quick = func(int64) error {
		if tries++; tries == 1 {
			return &api.Error{Code: "conflict", Message: "no login is under way"}
		}
		go d.online()
		return nil
	}
	r := d.ncatd(t, "", func() { d.code(1) }, "login", "--quick", "10001", "--qr", "url")
	if r.code != 0 || tries != 2 || strings.Contains(r.out, "https://") {
		t.Errorf("exit %d after %d tries\n%s\n%s", r.code, tries, r.out, r.err)
	}

	d = newLoginDaemon(t)
	d.serve(t)
	d.quick = func(int64) error {
		return &api.Error{Code: "napcat_failed", Message: "快速登录失败，错误码: 1"}
	}
	r = d.ncatd(t, "", func() { d.code(1) }, "login", "--quick", "10001")
	if r.code != 4 || !strings.Contains(r.err, "错误码: 1") {
		t.Errorf("refused: exit %d\n%s", r.code, r.err)
	}
}

func TestLoginPassword(t *testing.T) {
	d := newLoginDaemon(t)
	d.serve(t)
	d.passwd = func(string) error { go d.online(); return nil }
	r := d.ncatd(t, "correct horse\r\nmore\n", func() { d.code(1) }, "login", "--password-stdin")
	if r.code != 0 || !d.did("password main 0 "+md5hex("correct horse")) {
		t.Errorf("exit %d, calls %q\n%s", r.code, d.calls, r.err)
	}
	if strings.Contains(r.out+r.err, "horse") || strings.Contains(r.out+r.err, md5hex("correct horse")) {
		t.Error("the password shows")
	}
	if r := d.ncatd(t, "\n", nil, "login", "--password-stdin"); r.code != 2 {
		t.Errorf("empty password: exit %d", r.code)
	}
}

func md5hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

func TestLoginUsage(t *testing.T) {
	d := newLoginDaemon(t)
	d.serve(t)
	for _, args := range [][]string{
		{"--qr", "gif"}, {"--qr", "png"}, {"--qr", "png="}, {"--quick", "-1"}, {"--quick", "x"}, {"--timeout", "-1s"},
		{"--quick", "1", "--password-stdin"}, {"--list", "--quick", "1"}, {"a", "b"}, {"nobody"},
	} {
		if r := d.ncatd(t, "", nil, append([]string{"login"}, args...)...); r.code != 2 {
			t.Errorf("%q: exit %d\n%s", args, r.code, r.err)
		}
	}
}

func TestLoginList(t *testing.T) {
	d := newLoginDaemon(t)
	d.serve(t)
	d.tickets = []api.QuickAccount{{UIN: 10001, Nickname: "bot", Quick: true}, {UIN: 10002, Nickname: "old"}}
	if r := d.ncatd(t, "", nil, "login", "--list"); r.code != 0 || !strings.Contains(r.out, "10001  bot       yes") || !strings.Contains(r.out, "10002  old       no") {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
	r := d.ncatd(t, "", nil, "login", "--list", "--json")
	var list []api.QuickAccount
	if err := json.Unmarshal([]byte(r.out), &list); err != nil || len(list) != 2 {
		t.Errorf("%v %s", err, r.out)
	}
}

func TestParseCaptcha(t *testing.T) {
	for _, tt := range []struct {
		line  string
		want  api.CaptchaRequest
		whole bool
		bad   bool
	}{
		{`t03abc @Xy`, api.CaptchaRequest{Ticket: "t03abc", RandStr: "@Xy"}, true, false},
		{` t03abc,@Xy `, api.CaptchaRequest{Ticket: "t03abc", RandStr: "@Xy"}, true, false},
		{`t03abc @Xy 42`, api.CaptchaRequest{Ticket: "t03abc", RandStr: "@Xy", SID: "42"}, true, false},
		{`"t03abc"`, api.CaptchaRequest{Ticket: "t03abc"}, false, false},
		{`{"ret":0,"ticket":"t03abc","randstr":"@Xy"}`, api.CaptchaRequest{Ticket: "t03abc", RandStr: "@Xy"}, true, false},
		{`{"ret":2}`, api.CaptchaRequest{}, false, true},
		{`{`, api.CaptchaRequest{}, false, true},
		{``, api.CaptchaRequest{}, false, true},
		{`a b c d`, api.CaptchaRequest{}, false, true},
	} {
		r, whole, err := parseCaptcha(tt.line)
		if r != tt.want || whole != tt.whole || (err != nil) != tt.bad {
			t.Errorf("%q: %+v %v %v", tt.line, r, whole, err)
		}
	}
}
