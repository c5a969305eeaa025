package webui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// napcat is a NapCat in memory, as far as a login sees it. Its rules are those
// of contract D; what a test wants otherwise it sets.
type napcat struct {
	mu       sync.Mutex
	st       LoginStatus
	logined  bool // loginStatus: QQ accepted
	info     LoginInfo
	tickets  []QuickAccount
	down     error
	issued   int
	calls    []string
	quick    func(uin int64) error
	password func(md5 string) (Challenge, error)
	captcha  func(ticket, randStr, sid string) (Challenge, error)
	device   func(token string) (Challenge, error)
	deviceQR func() (DeviceQR, error)
	poll     func() (DeviceState, error)
	refresh  func() error // nil issues a code after 300ms
}

func (n *napcat) call(format string, args ...any) error {
	n.calls = append(n.calls, fmt.Sprintf(format, args...))
	return n.down
}

// count returns how many calls begin with prefix.
func (n *napcat) count(prefix string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := 0
	for _, s := range n.calls {
		if strings.HasPrefix(s, prefix) {
			c++
		}
	}
	return c
}

func (n *napcat) do(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
}

func (n *napcat) after(d time.Duration, f func()) { time.AfterFunc(d, func() { n.do(f) }) }

// The following expect n.mu to be held.

func (n *napcat) issue() {
	n.issued++
	n.st.QRCodeURL = fmt.Sprintf("https://txz.qq.com/p?k=%d", n.issued)
}

// expire is what NapCat does: the text sticks, the next code comes by itself.
func (n *napcat) expire() {
	n.st.LoginError = expiredText
	n.after(300*time.Millisecond, n.issue)
}

// accept logs in as uin; OneBot takes 800ms.
func (n *napcat) accept(uin int64) {
	n.logined = true
	n.after(800*time.Millisecond, func() {
		n.st.IsLogin = true
		n.info = LoginInfo{UIN: uin, Nick: "bot", Online: true}
	})
}

func (n *napcat) restart(down time.Duration) {
	n.down = &Error{Kind: KindUnreachable}
	n.st, n.logined, n.info = LoginStatus{}, false, LoginInfo{}
	n.after(down, func() { n.down = nil })
}

func (n *napcat) CheckLoginStatus(context.Context) (LoginStatus, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.st, n.down
}

func (n *napcat) GetQQLoginQrcode(context.Context) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.down != nil:
		return "", n.down
	case n.logined:
		return "", &Error{Kind: KindAlreadyLoggedIn}
	case n.st.QRCodeURL == "":
		return "", &Error{Kind: KindNoQR}
	}
	return n.st.QRCodeURL, nil
}

func (n *napcat) RefreshQRcode(context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.call("refresh"); err != nil {
		return err
	}
	if n.refresh != nil {
		return n.refresh()
	}
	n.st.LoginError = ""
	n.after(300*time.Millisecond, n.issue)
	return nil
}

func (n *napcat) GetQuickLoginListNew(context.Context) ([]QuickAccount, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.tickets, n.down
}

func (n *napcat) SetQuickLogin(_ context.Context, uin int64) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.call("quick %d", uin); err != nil {
		return err
	}
	if n.quick != nil {
		return n.quick(uin)
	}
	n.accept(uin)
	return nil
}

func (n *napcat) GetQQLoginInfo(context.Context) (LoginInfo, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.info, n.down
}

func (n *napcat) PasswordLogin(_ context.Context, uin int64, md5 string) (Challenge, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.call("password %d %s", uin, md5); err != nil {
		return Challenge{}, err
	}
	if n.password != nil {
		return n.password(md5)
	}
	n.accept(uin)
	return Challenge{}, nil
}

func (n *napcat) CaptchaLogin(_ context.Context, uin int64, md5, ticket, randStr, sid string) (Challenge, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.call("captcha %d %s %s %s %s", uin, md5, ticket, randStr, sid); err != nil {
		return Challenge{}, err
	}
	return n.captcha(ticket, randStr, sid)
}

func (n *napcat) NewDeviceLogin(_ context.Context, uin int64, md5 string, nd NewDevice, token string) (Challenge, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.call("device %d %s %s", uin, md5, token); err != nil {
		return Challenge{}, err
	}
	if n.device != nil {
		return n.device(token)
	}
	n.accept(uin)
	return Challenge{}, nil
}

func (n *napcat) GetNewDeviceQRCode(_ context.Context, _ int64, nd NewDevice) (DeviceQR, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.call("deviceqr %s", nd.JumpURL); err != nil {
		return DeviceQR{}, err
	}
	if n.deviceQR != nil {
		return n.deviceQR()
	}
	return DeviceQR{URL: "https://accounts.qq.com/qr", Token: "dG9r"}, nil
}

func (n *napcat) PollNewDeviceQR(_ context.Context, _ int64, q DeviceQR) (DeviceState, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.call("poll %s", q.Token); err != nil {
		return DeviceState{}, err
	}
	return n.poll()
}

// result is a finished Run.
type result struct {
	out    Outcome
	err    error
	events []Event
	took   time.Duration
}

// steps returns the events as words: step, or step(reason).
func (r result) steps() string {
	var w []string
	for _, e := range r.events {
		s := string(e.Step)
		if e.Method != "" && e.Step == StepFailed {
			s += ":" + string(e.Method)
		}
		if e.Reason != "" {
			s += "(" + e.Reason + ")"
		}
		w = append(w, s)
	}
	return strings.Join(w, " ")
}

// login runs a login inside a bubble. script runs beside it and may give
// commands; the login is cut off after limit.
func login(t *testing.T, n *napcat, cfg Login, limit time.Duration, script func(ctx context.Context, d *Driver)) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var r result
	start := time.Now()
	d := NewDriver(n, cfg, func(e Event) { r.events = append(r.events, e) })
	var wg sync.WaitGroup
	if script != nil {
		wg.Go(func() { script(ctx, d) })
	}
	r.out, r.err = d.Run(ctx)
	r.took = time.Since(start)
	wg.Wait()
	return r
}

func md5Func() (string, error) { return strings.ToUpper(testMD5), nil }

func TestLogins(t *testing.T) {
	captcha := Challenge{Captcha: &Captcha{URL: "https://captcha/?sid=42", SID: "42"}}
	device := Challenge{NewDevice: &NewDevice{JumpURL: "https://jump"}}
	refused := &Error{Op: opSetQuickLogin, Kind: KindRefused, Message: "快速登录失败，错误码: 1"}
	wrong := &Error{Kind: KindRefused, Message: "密码错误"}

	for _, tt := range []struct {
		name   string
		napcat func(n *napcat)
		cfg    Login
		script func(ctx context.Context, n *napcat, d *Driver) error
		kind   OutcomeKind
		steps  string
		limit  time.Duration
		check  func(t *testing.T, n *napcat, r result)
	}{
		{
			name: "first login by code",
			napcat: func(n *napcat) {
				n.after(700*time.Millisecond, n.issue)
				n.after(5*time.Second, func() { n.accept(10001) })
			},
			kind:  OutcomeLoggedIn,
			steps: "waiting accepted online",
			check: func(t *testing.T, n *napcat, r result) {
				if r.out.UIN != 10001 || r.out.Nickname != "bot" {
					t.Errorf("outcome %+v", r.out)
				}
				if n.count("refresh") != 0 {
					t.Error("asked for a code although one was there")
				}
				if r.took > 6500*time.Millisecond {
					t.Errorf("took %v, of which 5.8s are NapCat's", r.took)
				}
			},
		},
		{
			name:   "already online",
			napcat: func(n *napcat) { n.st.IsLogin, n.info = true, LoginInfo{UIN: 10001, Nick: "bot"} },
			cfg:    Login{UIN: 10001}, kind: OutcomeLoggedIn, steps: "online",
		},
		{
			name: "napcat's own quick login, a code beside it is not shown",
			napcat: func(n *napcat) {
				n.tickets = []QuickAccount{{10001, "bot", true}}
				n.after(time.Second, n.issue)
				n.after(2*time.Second, func() { n.accept(10001) })
			},
			cfg: Login{UIN: 10001, QuickStarted: true}, kind: OutcomeLoggedIn, steps: "accepted online",
			check: func(t *testing.T, n *napcat, r result) {
				if n.count("quick") != 0 {
					t.Error("a second quick login beside NapCat's own")
				}
			},
		},
		{
			name: "napcat's own quick login fails",
			napcat: func(n *napcat) {
				n.tickets = []QuickAccount{{10001, "bot", true}}
				n.after(time.Second, func() { n.st.LoginError = refused.Message })
				n.after(1500*time.Millisecond, n.issue)
				n.after(9*time.Second, func() { n.accept(10001) })
			},
			cfg: Login{UIN: 10001, QuickStarted: true}, kind: OutcomeLoggedIn,
			steps: "failed:quick(refused) waiting accepted online",
			check: func(t *testing.T, n *napcat, r result) {
				if r.events[0].Detail != refused.Message {
					t.Errorf("detail %q", r.events[0].Detail)
				}
				if n.count("quick") != 0 {
					t.Error("the dead ticket was tried again")
				}
			},
		},
		{
			name: "started with -q for an account without history",
			napcat: func(n *napcat) {
				n.after(time.Second, n.issue)
				n.after(3*time.Second, func() { n.accept(10001) })
			},
			cfg: Login{UIN: 10001, QuickStarted: true}, kind: OutcomeLoggedIn,
			steps: "failed:quick(no_ticket) waiting accepted online",
			check: func(t *testing.T, n *napcat, r result) {
				if r.took > 4500*time.Millisecond {
					t.Errorf("took %v: a code was held back", r.took)
				}
			},
		},
		{
			name: "quick login by us, not ready at first",
			napcat: func(n *napcat) {
				n.tickets = []QuickAccount{{10002, "other", true}, {10001, "bot", true}}
				n.issue()
				tries := 0
				n.quick = func(uin int64) error {
					if tries++; tries < 3 {
						return &Error{Op: opSetQuickLogin, Kind: KindNotReady}
					}
					n.accept(uin)
					return nil
				}
			},
			cfg: Login{UIN: 10001}, kind: OutcomeLoggedIn,
			steps: "quick quick quick accepted online",
		},
		{
			name: "quick login by us fails, then a code",
			napcat: func(n *napcat) {
				n.tickets = []QuickAccount{{10001, "bot", true}}
				n.issue()
				n.quick = func(int64) error { n.st.LoginError = refused.Message; return refused }
				n.after(4*time.Second, func() { n.accept(10001) })
			},
			cfg: Login{UIN: 10001, Memory: new(Memory)}, kind: OutcomeLoggedIn,
			steps: "quick failed:quick(refused) waiting accepted online",
		},
		{
			name: "no account configured, one ticket",
			napcat: func(n *napcat) {
				n.tickets = []QuickAccount{{10001, "bot", true}, {10002, "old", false}}
				n.issue()
			},
			kind: OutcomeLoggedIn, steps: "quick accepted online",
		},
		{
			name: "no account configured, two tickets, one chosen",
			napcat: func(n *napcat) {
				n.tickets = []QuickAccount{{10001, "bot", true}, {10002, "old", true}}
				n.issue()
			},
			script: func(ctx context.Context, n *napcat, d *Driver) error {
				time.Sleep(3 * time.Second)
				if err := d.Quick(ctx, 0); !errors.Is(err, ErrNoUIN) {
					return fmt.Errorf("quick without a number: %w", err)
				}
				return d.Quick(ctx, 10002)
			},
			kind: OutcomeLoggedIn, steps: "failed:quick(choose) waiting quick accepted online",
		},
		{
			name:   "password",
			napcat: func(n *napcat) { n.issue() },
			cfg:    Login{UIN: 10001, PasswordMD5: md5Func}, kind: OutcomeLoggedIn,
			steps: "failed:quick(no_ticket) password accepted online",
			check: func(t *testing.T, n *napcat, r result) {
				if n.count("password 10001 "+testMD5) != 1 {
					t.Errorf("calls %q", n.calls)
				}
			},
		},
		{
			name: "password, not ready at first",
			napcat: func(n *napcat) {
				n.issue()
				tries := 0
				n.password = func(string) (Challenge, error) {
					if tries++; tries < 3 {
						return Challenge{}, &Error{Kind: KindNotReady, Message: "密码登录功能未初始化"}
					}
					n.accept(10001)
					return Challenge{}, nil
				}
			},
			cfg: Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: md5Func}, kind: OutcomeLoggedIn,
			steps: "password password password accepted online",
		},
		{
			name: "wrong password, then a code",
			napcat: func(n *napcat) {
				n.issue()
				n.password = func(string) (Challenge, error) { return Challenge{}, wrong }
				n.after(4*time.Second, func() { n.accept(10001) })
			},
			cfg:   Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: md5Func},
			kind:  OutcomeLoggedIn,
			steps: "password failed:password(refused) waiting accepted online",
			check: func(t *testing.T, n *napcat, r result) {
				if r.events[1].Detail != "密码错误" {
					t.Errorf("detail %q", r.events[1].Detail)
				}
			},
		},
		{
			name:   "the password's MD5 is none, and an account without number",
			napcat: func(n *napcat) { n.issue(); n.after(4*time.Second, func() { n.accept(10001) }) },
			cfg:    Login{Order: []Method{MethodPassword, MethodPassword, MethodQR}, PasswordMD5: alternate("secret", testMD5)},
			kind:   OutcomeLoggedIn,
			steps:  "failed:password(bad_md5) failed:password(no_uin) waiting accepted online",
		},
		{
			name: "captcha",
			napcat: func(n *napcat) {
				n.password = func(string) (Challenge, error) { return captcha, nil }
				n.captcha = func(ticket, randStr, sid string) (Challenge, error) {
					if ticket != "t" || randStr != "@r" || sid != "42" {
						return Challenge{}, wrong
					}
					n.accept(10001)
					return Challenge{}, nil
				}
			},
			cfg: Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: md5Func},
			script: func(ctx context.Context, n *napcat, d *Driver) error {
				time.Sleep(30 * time.Second)
				return d.Captcha(ctx, "t", "@r", "")
			},
			kind: OutcomeLoggedIn, steps: "password captcha accepted online",
		},
		{
			name: "captcha answered wrongly, then rightly",
			napcat: func(n *napcat) {
				n.password = func(string) (Challenge, error) { return captcha, nil }
				n.captcha = func(ticket, _, _ string) (Challenge, error) {
					if ticket != "good" {
						return Challenge{}, wrong
					}
					n.accept(10001)
					return Challenge{}, nil
				}
			},
			cfg: Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: md5Func},
			script: func(ctx context.Context, n *napcat, d *Driver) error {
				time.Sleep(10 * time.Second)
				if err := d.Captcha(ctx, "bad", "r", ""); KindOf(err) != KindRefused {
					return fmt.Errorf("bad ticket: %w", err)
				}
				return d.Captcha(ctx, "good", "r", "")
			},
			kind: OutcomeLoggedIn, steps: "password captcha failed:captcha(refused) password captcha accepted online",
		},
		{
			name: "nobody solves the captcha: a fresh code, not an old one",
			napcat: func(n *napcat) {
				n.issue()
				n.password = func(string) (Challenge, error) { return captcha, nil }
				n.after(6*time.Minute, func() { n.accept(10001) })
			},
			cfg:   Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: md5Func},
			kind:  OutcomeLoggedIn,
			steps: "password captcha failed:password(captcha_timeout) waiting accepted online",
			check: func(t *testing.T, n *napcat, r result) {
				if n.count("refresh") != 1 || r.events[3].URL != "https://txz.qq.com/p?k=2" {
					t.Errorf("%d refreshes, code %s", n.count("refresh"), r.events[3].URL)
				}
			},
		},
		{
			name: "new device",
			napcat: func(n *napcat) {
				n.password = func(string) (Challenge, error) { return device, nil }
				polls := 0
				n.poll = func() (DeviceState, error) {
					polls++
					switch {
					case polls < 3:
						return DeviceState{}, nil
					case polls < 5:
						return DeviceState{Scanned: true}, nil
					}
					return DeviceState{Confirmed: true, Token: "succ"}, nil
				}
			},
			cfg:  Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: md5Func},
			kind: OutcomeLoggedIn, steps: "password new_device scanned accepted online",
			check: func(t *testing.T, n *napcat, r result) {
				if r.events[1].URL != "https://accounts.qq.com/qr" {
					t.Errorf("code %q", r.events[1].URL)
				}
				if n.count("device 10001 "+testMD5+" succ") != 1 || n.count("poll dG9r") != 5 {
					t.Errorf("calls %q", n.calls)
				}
			},
		},
		{
			name: "captcha, after which a new device is asked; its code dies once",
			napcat: func(n *napcat) {
				n.password = func(string) (Challenge, error) { return captcha, nil }
				n.captcha = func(string, string, string) (Challenge, error) { return device, nil }
				polls := 0
				n.poll = func() (DeviceState, error) {
					if polls++; polls == 1 {
						return DeviceState{}, wrong
					}
					return DeviceState{Confirmed: true}, nil
				}
			},
			cfg: Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: md5Func},
			script: func(ctx context.Context, n *napcat, d *Driver) error {
				time.Sleep(3 * time.Second)
				return d.Captcha(ctx, "t", "r", "s")
			},
			kind: OutcomeLoggedIn, steps: "password captcha new_device new_device accepted online",
		},
		{
			name: "the new device's code cannot be had, then nobody confirms",
			napcat: func(n *napcat) {
				n.password = func(string) (Challenge, error) { return device, nil }
				tries := 0
				n.deviceQR = func() (DeviceQR, error) {
					if tries++; tries < 4 {
						return DeviceQR{}, &Error{Kind: KindRefused, Message: "fetch failed"}
					}
					return DeviceQR{URL: "https://accounts.qq.com/qr", Token: "x"}, nil
				}
				n.poll = func() (DeviceState, error) { return DeviceState{}, nil }
				n.after(6*time.Minute, func() { n.accept(10001) })
			},
			cfg:   Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: md5Func},
			kind:  OutcomeLoggedIn,
			steps: "password new_device(no_qr) new_device failed:password(device_timeout) waiting accepted online",
			check: func(t *testing.T, n *napcat, r result) {
				if r.events[1].URL != "https://jump" {
					t.Errorf("page %q", r.events[1].URL)
				}
			},
		},
		{
			name: "QQ asks for one confirmation after the other",
			napcat: func(n *napcat) {
				n.issue()
				n.password = func(string) (Challenge, error) { return device, nil }
				n.poll = func() (DeviceState, error) { return DeviceState{Confirmed: true}, nil }
				n.device = func(string) (Challenge, error) { return device, nil }
				n.after(time.Minute, func() { n.accept(10001) })
			},
			cfg:   Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: md5Func},
			kind:  OutcomeLoggedIn,
			steps: "password new_device new_device new_device failed:password(refused) waiting accepted online",
		},
		{
			name: "the code expires five times, NapCat brings the next each time",
			napcat: func(n *napcat) {
				n.issue()
				for i := range 5 {
					n.after(time.Duration(i+1)*100*time.Second, n.expire)
				}
				n.after(550*time.Second, func() { n.accept(10001) })
			},
			kind: OutcomeLoggedIn,
			check: func(t *testing.T, n *napcat, r result) {
				var seqs []int
				for _, e := range r.events {
					if e.Seq > 0 {
						seqs = append(seqs, e.Seq)
					}
				}
				if !slices.Equal(seqs, []int{1, 2, 3, 4, 5, 6}) {
					t.Errorf("codes %v", seqs)
				}
				if n.count("refresh") != 0 {
					t.Errorf("%d requests for codes that come by themselves", n.count("refresh"))
				}
			},
		},
		{
			name: "the code expires and no new one comes: we ask, ever more slowly",
			napcat: func(n *napcat) {
				n.issue()
				n.refresh = func() error { return nil }
				n.after(100*time.Second, func() { n.st.LoginError = expiredText })
			},
			limit: 500 * time.Second,
			steps: "waiting expired",
			check: func(t *testing.T, n *napcat, r result) {
				if c := n.count("refresh"); c < 4 || c > 8 {
					t.Errorf("%d requests in 400 seconds", c)
				}
			},
		},
		{
			name: "the code that comes after an expiry has the same text",
			napcat: func(n *napcat) {
				n.issue()
				n.refresh = func() error { n.st.LoginError = ""; return nil }
				n.after(20*time.Second, func() { n.st.LoginError = expiredText })
				n.after(60*time.Second, func() { n.accept(10001) })
			},
			kind: OutcomeLoggedIn, steps: "waiting expired refreshed accepted online",
		},
		{
			name: "the text sticks and a later code dies unseen: its age tells",
			napcat: func(n *napcat) {
				n.issue()
				n.after(100*time.Second, n.expire)
			},
			limit: 290 * time.Second,
			check: func(t *testing.T, n *napcat, r result) {
				if n.count("refresh") != 1 {
					t.Errorf("%d refreshes, want 1 for the code of second 100", n.count("refresh"))
				}
			},
		},
		{
			name: "QQ refuses the scan: a fresh code, since NapCat brings none",
			napcat: func(n *napcat) {
				n.issue()
				n.after(5*time.Second, func() { n.st.LoginError = "登录失败: [1,2]" })
				n.after(15*time.Second, func() { n.accept(10001) })
			},
			kind:  OutcomeLoggedIn,
			steps: "waiting failed:qr(refused) refreshed accepted online",
		},
		{
			name:   "no code comes at all until asked for",
			napcat: func(n *napcat) {},
			limit:  25 * time.Second,
			steps:  "waiting",
			check: func(t *testing.T, n *napcat, r result) {
				if n.count("refresh") != 1 {
					t.Errorf("%d refreshes", n.count("refresh"))
				}
			},
		},
		{
			name: "nobody scans",
			napcat: func(n *napcat) {
				n.issue()
				for i := range 40 {
					n.after(time.Duration(i+1)*120*time.Second, n.expire)
				}
				n.after(time.Hour, func() { n.accept(10001) })
			},
			cfg: Login{QRTimeout: 5 * time.Minute}, limit: 2 * time.Hour,
			kind: OutcomeLoggedIn,
			check: func(t *testing.T, n *napcat, r result) {
				timeouts := 0
				for _, e := range r.events {
					if e.Step == StepTimeout {
						timeouts++
					}
				}
				if timeouts != 1 {
					t.Errorf("%d timeouts", timeouts)
				}
			},
		},
		{
			name: "kicked",
			napcat: func(n *napcat) {
				n.issue()
				n.after(3*time.Second, func() { n.st.LoginError = "[KickedOffLine] [下线通知] x" })
			},
			kind: OutcomeKicked, steps: "waiting",
			check: func(t *testing.T, n *napcat, r result) {
				if r.out.Detail != "[下线通知] x" {
					t.Errorf("detail %q", r.out.Detail)
				}
			},
		},
		{
			name:   "wrong account",
			napcat: func(n *napcat) { n.issue(); n.after(3*time.Second, func() { n.accept(10002) }) },
			cfg:    Login{UIN: 10001}, kind: OutcomeWrongAccount,
			check: func(t *testing.T, n *napcat, r result) {
				if r.out.UIN != 10002 || r.out.Want != 10001 {
					t.Errorf("outcome %+v", r.out)
				}
			},
		},
		{
			name: "NapCat restarts while a code is shown, then the ticket works",
			napcat: func(n *napcat) {
				n.issue()
				n.after(5*time.Second, func() {
					n.restart(4 * time.Second)
					n.tickets = []QuickAccount{{10001, "bot", true}}
				})
				n.after(10*time.Second, func() { n.accept(10001) })
			},
			cfg: Login{UIN: 10001, QuickStarted: true}, kind: OutcomeLoggedIn,
			steps: "failed:quick(no_ticket) waiting restarted accepted online",
		},
		{
			name: "NapCat restarts while a captcha waits",
			napcat: func(n *napcat) {
				n.password = func(string) (Challenge, error) { return captcha, nil }
				n.after(10*time.Second, func() { n.restart(4 * time.Second); n.password = nil })
			},
			cfg:  Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: md5Func},
			kind: OutcomeLoggedIn, steps: "password captcha restarted password accepted online",
		},
		{
			name: "one lost request does not throw a captcha away",
			napcat: func(n *napcat) {
				n.password = func(string) (Challenge, error) { return captcha, nil }
				n.captcha = func(string, string, string) (Challenge, error) { n.accept(10001); return Challenge{}, nil }
				n.after(9900*time.Millisecond, func() { n.down = &Error{Kind: KindUnreachable} })
				n.after(10100*time.Millisecond, func() { n.down = nil })
			},
			cfg: Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: md5Func},
			script: func(ctx context.Context, n *napcat, d *Driver) error {
				time.Sleep(20 * time.Second)
				return d.Captcha(ctx, "t", "r", "")
			},
			kind: OutcomeLoggedIn, steps: "password captcha accepted online",
		},
		{
			name:   "NapCat goes away",
			napcat: func(n *napcat) { n.issue(); n.after(5*time.Second, func() { n.restart(time.Hour) }) },
			kind:   OutcomeGone, steps: "waiting",
			check: func(t *testing.T, n *napcat, r result) {
				if r.took < 30*time.Second || r.took > 40*time.Second {
					t.Errorf("took %v", r.took)
				}
			},
		},
		{
			name:   "accepted and never online",
			napcat: func(n *napcat) { n.issue(); n.after(2*time.Second, func() { n.logined = true }) },
			kind:   OutcomeStuck, steps: "waiting accepted",
		},
		{
			name:   "online without a number: OneBot did not start",
			napcat: func(n *napcat) { n.issue(); n.after(2*time.Second, func() { n.logined, n.st.IsLogin = true, true }) },
			kind:   OutcomeStuck, steps: "waiting",
		},
		{
			name: "the quick login's answer is lost and it did not work",
			napcat: func(n *napcat) {
				n.tickets = []QuickAccount{{10001, "bot", true}}
				n.issue()
				n.quick = func(int64) error { return &Error{Kind: KindUnreachable} }
				n.after(90*time.Second, func() { n.accept(10001) })
			},
			cfg: Login{UIN: 10001}, kind: OutcomeLoggedIn,
			steps: "quick accepted failed(refused) waiting accepted online",
		},
		{
			name:   "QQ's connection goes down after the login",
			napcat: func(n *napcat) { n.issue(); n.after(2*time.Second, func() { n.logined, n.st.IsOffline = true, true }) },
			kind:   OutcomeStuck,
		},
		{
			name:   "every method of the order fails; a code on demand",
			napcat: func(n *napcat) { n.issue() },
			cfg:    Login{UIN: 10001, Order: []Method{MethodQuick}},
			script: func(ctx context.Context, n *napcat, d *Driver) error {
				time.Sleep(20 * time.Second)
				if err := d.Refresh(ctx); err != nil {
					return err
				}
				time.Sleep(5 * time.Second)
				n.do(func() { n.accept(10001) })
				return nil
			},
			kind: OutcomeLoggedIn, steps: "failed:quick(no_ticket) failed(exhausted) waiting accepted online",
			check: func(t *testing.T, n *napcat, r result) {
				if r.events[2].URL != "https://txz.qq.com/p?k=2" {
					t.Errorf("an old code: %s", r.events[2].URL)
				}
			},
		},
		{
			name: "a password typed while a code is shown, wrong at first",
			napcat: func(n *napcat) {
				n.issue()
				n.password = func(md5 string) (Challenge, error) {
					if md5 != testMD5 {
						return Challenge{}, wrong
					}
					n.accept(10001)
					return Challenge{}, nil
				}
			},
			cfg: Login{UIN: 10001, Order: []Method{MethodQR}},
			script: func(ctx context.Context, n *napcat, d *Driver) error {
				time.Sleep(2 * time.Second)
				if err := d.Password(ctx, 0, "zz"); !errors.Is(err, ErrBadMD5) {
					return fmt.Errorf("not hex: %w", err)
				}
				if err := d.Password(ctx, 10002, testMD5); !errors.Is(err, ErrWrongAccount) {
					return fmt.Errorf("other account: %w", err)
				}
				if err := d.Quick(ctx, 10002); !errors.Is(err, ErrWrongAccount) {
					return fmt.Errorf("other account: %w", err)
				}
				if err := d.Captcha(ctx, "t", "r", ""); !errors.Is(err, ErrNoCaptcha) {
					return fmt.Errorf("no captcha: %w", err)
				}
				if err := d.Password(ctx, 0, strings.Repeat("f", 32)); KindOf(err) != KindRefused {
					return fmt.Errorf("wrong password: %w", err)
				}
				return d.Password(ctx, 10001, testMD5)
			},
			kind: OutcomeLoggedIn, steps: "waiting password failed:password(refused) waiting password accepted online",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := new(napcat)
				n.do(func() { tt.napcat(n) })
				if tt.limit == 0 {
					tt.limit = 20 * time.Minute
				}
				var script func(context.Context, *Driver)
				if tt.script != nil {
					script = func(ctx context.Context, d *Driver) {
						if err := tt.script(ctx, n, d); err != nil {
							t.Errorf("script: %v", err)
						}
					}
				}
				r := login(t, n, tt.cfg, tt.limit, script)
				if r.out.Kind != tt.kind {
					t.Fatalf("outcome %+v, %v after %v; steps %s", r.out, r.err, r.took, r.steps())
				}
				if (tt.kind == "") != errors.Is(r.err, context.DeadlineExceeded) {
					t.Errorf("err %v", r.err)
				}
				if tt.steps != "" && r.steps() != tt.steps {
					t.Errorf("steps %s\nwant  %s", r.steps(), tt.steps)
				}
				if tt.check != nil {
					tt.check(t, n, r)
				}
			})
		})
	}
}

// alternate returns the given values in turn.
func alternate(values ...string) func() (string, error) {
	i := -1
	return func() (string, error) { i++; return values[i%len(values)], nil }
}

// TestMemory: what QQ refused is not sent again by the next login of the
// account, until one succeeds.
func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(Memory)
		refuse := func() *napcat {
			n := &napcat{tickets: []QuickAccount{{10001, "bot", true}}}
			n.issue()
			n.quick = func(int64) error { return &Error{Kind: KindRefused} }
			n.password = func(string) (Challenge, error) { return Challenge{}, &Error{Kind: KindRefused} }
			return n
		}
		cfg := Login{UIN: 10001, PasswordMD5: md5Func, Memory: m}
		n := refuse()
		login(t, n, cfg, 5*time.Second, nil)
		if n.count("quick") != 1 || n.count("password") != 1 || !m.QuickRefused(10001) {
			t.Fatalf("first login: %q", n.calls)
		}
		n = refuse()
		r := login(t, n, cfg, 5*time.Second, nil)
		if n.count("quick") != 0 || n.count("password") != 0 {
			t.Errorf("sent again: %q", n.calls)
		}
		if want := "failed:quick(refused_before) failed:password(refused_before) waiting"; r.steps() != want {
			t.Errorf("steps %s", r.steps())
		}
		n = refuse()
		n.after(3*time.Second, func() { n.accept(10001) })
		if r = login(t, n, cfg, time.Minute, nil); r.out.Kind != OutcomeLoggedIn {
			t.Fatalf("outcome %+v", r.out)
		}
		if m.QuickRefused(10001) {
			t.Error("a success did not empty the memory")
		}
	})
}

func TestPermanentErrors(t *testing.T) {
	for _, k := range []Kind{KindBadToken, KindNeedsCode, KindBadCode, KindForbidden} {
		synctest.Test(t, func(t *testing.T) {
			r := login(t, &napcat{down: &Error{Kind: k}}, Login{}, time.Minute, nil)
			if KindOf(r.err) != k || r.took != 0 {
				t.Errorf("%s: %+v %v after %v", k, r.out, r.err, r.took)
			}
		})
	}
}

func TestCommandsWithoutRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDriver(&napcat{}, Login{}, func(Event) {})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := d.Refresh(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("before Run: %v", err)
		}
		why := errors.New("why")
		run, stop := context.WithCancelCause(t.Context())
		stop(why)
		if _, err := d.Run(run); !errors.Is(err, why) {
			t.Errorf("cancelled: %v", err)
		}
		if err := d.Refresh(t.Context()); !errors.Is(err, ErrNotRunning) {
			t.Errorf("after Run: %v", err)
		}
	})
}

// TestWake: a code printed to NapCat's output is seen at once.
func TestWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(napcat)
		var seen time.Duration
		start := time.Now()
		d := NewDriver(n, Login{Order: []Method{MethodQR}}, func(Event) { seen = time.Since(start) })
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		time.AfterFunc(600*time.Millisecond, func() {
			n.do(n.issue)
			d.Wake()
		})
		_, _ = d.Run(ctx)
		if seen != 600*time.Millisecond {
			t.Errorf("seen after %v", seen)
		}
	})
}
