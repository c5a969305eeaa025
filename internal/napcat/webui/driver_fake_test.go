package webui

import (
	"context"
	"errors"
	"fmt"
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
	list     error // in place of the tickets
	down     error
	issued   int
	calls    []string
	called   func(string) // told of each call; nil: nothing is
	quick    func(uin int64) error
	password func(md5 string) (Challenge, error)
	captcha  func(ticket, randStr, sid string) (Challenge, error)
	device   func(token string) (Challenge, error)
	deviceQR func() (DeviceQR, error)
	poll     func() (DeviceState, error)
	refresh  func() error // nil issues a code after 300ms
}

func (n *napcat) call(format string, args ...any) error {
	s := fmt.Sprintf(format, args...)
	n.calls = append(n.calls, s)
	if n.called != nil {
		n.called(s)
	}
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
	if n.list != nil {
		return nil, n.list
	}
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

// What NapCat and QQ answer in several of the logins below.
var (
	captcha = Challenge{Captcha: &Captcha{URL: "https://captcha/?sid=42", SID: "42"}}
	device  = Challenge{NewDevice: &NewDevice{JumpURL: "https://jump"}}
	refused = &Error{Op: opSetQuickLogin, Kind: KindRefused, Message: "快速登录失败，错误码: 1"}
	wrong   = &Error{Kind: KindRefused, Message: "密码错误"}
)

// loginCase is one way a login goes.
type loginCase struct {
	name   string
	napcat func(n *napcat)
	cfg    Login
	script func(ctx context.Context, n *napcat, d *Driver) error
	kind   OutcomeKind
	steps  string
	limit  time.Duration
	check  func(t *testing.T, n *napcat, r result)
}

// runLogins plays each case in a bubble of its own.
func runLogins(t *testing.T, cases []loginCase) {
	for _, tt := range cases {
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
