package webui

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// Method is a way to log in.
type Method string

// The methods, by their names in ncatd.yaml.
const (
	MethodQuick    Method = "quick"    // the ticket that QQ kept from an earlier login
	MethodPassword Method = "password" // the MD5 of the password
	MethodQR       Method = "qr"       // a code scanned with the phone

	// MethodCaptcha stands in events only: the answer to a captcha.
	MethodCaptcha Method = "captcha"
)

// Step is what an [Event] reports. The words go out to users' scripts.
type Step string

// The steps of a login.
const (
	StepQuick     Step = "quick"      // a quick login of UIN is tried
	StepPassword  Step = "password"   // a password login of UIN is tried
	StepWaiting   Step = "waiting"    // the code URL waits to be scanned
	StepRefreshed Step = "refreshed"  // URL replaces the code before it
	StepExpired   Step = "expired"    // the code no longer works, the next one is on its way
	StepTimeout   Step = "timeout"    // nobody scanned within QRTimeout; codes go on, slower
	StepCaptcha   Step = "captcha"    // the page URL must be solved in a browser
	StepNewDevice Step = "new_device" // the code URL must be scanned to confirm this device
	StepScanned   Step = "scanned"    // the phone scanned the new-device code
	StepAccepted  Step = "accepted"   // QQ accepted, OneBot is being set up
	StepOnline    Step = "online"     // UIN is logged in as Nickname
	StepFailed    Step = "failed"     // Method did not work; Reason and Detail say why
	StepRestarted Step = "restarted"  // NapCat restarted under us; the login starts over
)

// Reasons of StepFailed.
const (
	ReasonNoTicket       = "no_ticket"       // UIN never logged in here or its ticket is gone
	ReasonChoose         = "choose"          // several accounts have tickets and none is configured
	ReasonRefused        = "refused"         // QQ refused; Detail has its words
	ReasonRefusedBefore  = "refused_before"  // QQ refused the same thing before, so it was not tried again
	ReasonNoUIN          = "no_uin"          // a password login needs the account's number
	ReasonBadMD5         = "bad_md5"         // the password's MD5 is not 32 hex digits
	ReasonNotReady       = "not_ready"       // NapCat did not become ready for this method
	ReasonNoPassword     = "no_password"     // reading the password failed
	ReasonCaptchaTimeout = "captcha_timeout" // nobody solved the captcha
	ReasonDeviceTimeout  = "device_timeout"  // nobody confirmed the new device
	ReasonExhausted      = "exhausted"       // every method of the order failed
)

// Event is one step of a login.
type Event struct {
	Step     Step
	Method   Method
	UIN      int64
	Nickname string
	URL      string // text of a code, or a page to open
	Seq      int    // counts the codes of one login, from 1
	Reason   string
	Detail   string // one sentence or QQ's own words
}

// OutcomeKind is how a login ended.
type OutcomeKind string

// The outcomes of a login.
const (
	OutcomeLoggedIn     OutcomeKind = "logged_in"
	OutcomeWrongAccount OutcomeKind = "wrong_account" // UIN logged in, Want was configured
	OutcomeKicked       OutcomeKind = "kicked"        // the session is dead: a fresh process is needed
	OutcomeStuck        OutcomeKind = "stuck"         // QQ accepted but the account never came online
	OutcomeGone         OutcomeKind = "gone"          // the WebUI stopped answering
)

// Outcome is how a login ended.
type Outcome struct {
	Kind     OutcomeKind
	UIN      int64
	Want     int64
	Nickname string
	Detail   string
}

// Login says how to log in.
type Login struct {
	// UIN is the account wanted; 0 takes whoever logs in.
	UIN int64
	// Order is which methods to try; empty is quick, password, qr.
	Order []Method
	// PasswordMD5 returns the MD5 of the password, "" for none. It is called
	// when the password's turn comes. nil is none.
	PasswordMD5 func() (string, error)
	// QRTimeout is how long codes are kept fresh; 0 is 10m. Afterwards they
	// come as NapCat issues them.
	QRTimeout time.Duration
	// QuickStarted says that NapCat was started with -q or
	// NAPCAT_QUICK_ACCOUNT and tries the quick login of UIN by itself.
	QuickStarted bool
	// Memory is shared by the logins of one account. nil remembers nothing.
	Memory *Memory
	// Logger gets one record for each step, at debug.
	Logger *slog.Logger
}

// Memory remembers what QQ refused, so that a restart does not send the same
// wrong password again and again: repeated refusals draw QQ's risk control. A
// successful login empties it. It is safe for concurrent use.
type Memory struct {
	mu       sync.Mutex
	quick    map[int64]bool
	password string
}

// QuickRefused tells whether the ticket of account was refused since the last
// successful login, so that starting with -q is no use.
func (m *Memory) QuickRefused(account int64) bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.quick[account]
}

// Forget empties m: the user changed the password, or asks for another try.
func (m *Memory) Forget() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.quick, m.password = nil, ""
}

func (m *Memory) refuseQuick(account int64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.quick == nil {
		m.quick = make(map[int64]bool)
	}
	m.quick[account] = true
}

func (m *Memory) refusePassword(md5 string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.password = md5
}

func (m *Memory) passwordRefused(md5 string) bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.password == md5
}

// Backend is the part of [Client] that a login needs.
type Backend interface {
	CheckLoginStatus(ctx context.Context) (LoginStatus, error)
	GetQQLoginQrcode(ctx context.Context) (string, error)
	RefreshQRcode(ctx context.Context) error
	GetQuickLoginListNew(ctx context.Context) ([]QuickAccount, error)
	SetQuickLogin(ctx context.Context, account int64) error
	GetQQLoginInfo(ctx context.Context) (LoginInfo, error)
	PasswordLogin(ctx context.Context, account int64, passwordMD5 string) (Challenge, error)
	CaptchaLogin(ctx context.Context, account int64, passwordMD5, ticket, randStr, sid string) (Challenge, error)
	NewDeviceLogin(ctx context.Context, account int64, passwordMD5 string, nd NewDevice, token string) (Challenge, error)
	GetNewDeviceQRCode(ctx context.Context, account int64, nd NewDevice) (DeviceQR, error)
	PollNewDeviceQR(ctx context.Context, account int64, q DeviceQR) (DeviceState, error)
}

// Errors of the commands of a [Driver], besides a *[Error] from the WebUI.
var (
	ErrNotRunning   = errors.New("no login is under way")
	ErrNoCaptcha    = errors.New("no captcha is asked for")
	ErrWrongAccount = errors.New("another account is configured")
	ErrNoUIN        = errors.New("the account's number is not known")
	ErrBadMD5       = errors.New("the password's MD5 must be 32 hex digits")
)

// Driver leads one login of one account. Make one for each login, call Run once;
// the commands may be called from other goroutines while Run runs and wait until
// it does.
type Driver struct {
	api  Backend
	cfg  Login
	emit func(Event)
	log  *slog.Logger

	cmds    chan command
	wake    chan struct{}
	stopped chan struct{}
}

// command is a wish from outside, carried out by Run's goroutine.
type command struct {
	do    func(ctx context.Context, r *run) error
	reply chan error
}

// NewDriver returns a driver that reports its steps to emit, which is called
// from Run's goroutine only and must not block. It starts nothing.
func NewDriver(api Backend, cfg Login, emit func(Event)) *Driver {
	if len(cfg.Order) == 0 {
		cfg.Order = []Method{MethodQuick, MethodPassword, MethodQR}
	}
	if cfg.QRTimeout <= 0 {
		cfg.QRTimeout = 10 * time.Minute
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Driver{
		api: api, cfg: cfg, emit: emit, log: cfg.Logger,
		cmds:    make(chan command),
		wake:    make(chan struct{}, 1),
		stopped: make(chan struct{}),
	}
}

// Run leads the login to its outcome. It returns an error when ctx ends
// (context.Cause) or when the WebUI will never let us in: [KindBadToken],
// [KindNeedsCode], [KindBadCode], [KindForbidden]. It waits for a person as long
// as ctx allows: a code that nobody scans is no outcome.
func (d *Driver) Run(ctx context.Context) (Outcome, error) {
	defer close(d.stopped)
	r := newRun(d)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return Outcome{}, context.Cause(ctx)
		case c := <-d.cmds:
			c.reply <- c.do(ctx, r)
		case <-d.wake:
		case <-timer.C:
		}
		out, err := r.step(ctx)
		if err != nil || out.Kind != "" {
			return out, err
		}
		timer.Reset(r.interval())
	}
}

// Wake makes Run look at the WebUI at once, for instance because a QR code was
// printed to NapCat's output.
func (d *Driver) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// run hands f to Run's goroutine and waits for its answer.
func (d *Driver) run(ctx context.Context, f func(context.Context, *run) error) error {
	c := command{do: f, reply: make(chan error, 1)}
	select {
	case d.cmds <- c:
	case <-d.stopped:
		return ErrNotRunning
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-c.reply:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// QuickAccounts returns the accounts with a ticket. It needs no Run.
func (d *Driver) QuickAccounts(ctx context.Context) ([]QuickAccount, error) {
	return d.api.GetQuickLoginListNew(ctx)
}

// Quick logs in with the ticket of account; 0 is the configured account, or the
// only one with a ticket. nil means that QQ accepted.
func (d *Driver) Quick(ctx context.Context, account int64) error {
	return d.run(ctx, func(ctx context.Context, r *run) error { return r.quickCommand(ctx, account) })
}

// Password logs in with the MD5 of the password of account; 0 is the configured
// account. nil means that QQ accepted or asks for a captcha or a new-device
// confirmation, which follows as an event.
func (d *Driver) Password(ctx context.Context, account int64, passwordMD5 string) error {
	return d.run(ctx, func(ctx context.Context, r *run) error {
		if account == 0 {
			account = d.cfg.UIN
		}
		if account == 0 {
			return ErrNoUIN
		}
		if d.cfg.UIN != 0 && account != d.cfg.UIN {
			return ErrWrongAccount
		}
		md5, ok := cleanMD5(passwordMD5)
		if !ok {
			return ErrBadMD5
		}
		return r.tryPassword(ctx, account, md5)
	})
}

// Captcha answers the captcha of the password login under way. An empty sid is
// the one of the captcha's page.
func (d *Driver) Captcha(ctx context.Context, ticket, randStr, sid string) error {
	return d.run(ctx, func(ctx context.Context, r *run) error { return r.captchaCommand(ctx, ticket, randStr, sid) })
}

// Refresh asks for a new QR code, leaving a captcha or new-device step for it.
// The code follows as an event.
func (d *Driver) Refresh(ctx context.Context) error {
	return d.run(ctx, func(ctx context.Context, r *run) error { return r.refreshCommand(ctx) })
}

// cleanMD5 returns s in lower case and whether it is 32 hex digits.
func cleanMD5(s string) (string, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	if len(s) != 32 {
		return "", false
	}
	return s, !slices.ContainsFunc([]byte(s), func(c byte) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'f')
	})
}
