package webui

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// The times of a login. Where NapCat or QQ has a time of its own, the number is
// above it.
const (
	pollActive   = 500 * time.Millisecond // a person may be looking
	pollAccepted = 150 * time.Millisecond // only OneBot is missing
	pollLong     = time.Second            // the code has been up for a minute
	pollSlow     = 5 * time.Second        // after QRTimeout

	readyWait    = 10 * time.Second        // for NapCat's login service to be up
	quickOwnWait = 2 * time.Second         // for NapCat's own quick login beside a code
	acceptWait   = 60 * time.Second        // from QQ's yes to online, or to a sign of it
	infoWait     = 5 * time.Second         // for the account's number once online
	goneWait     = 30 * time.Second        // for the WebUI to come back; an API restart takes 11s
	blip         = 1500 * time.Millisecond // a silence that is no restart; the shortest takes longer
	noQRWait     = 10 * time.Second        // for a code before asking for one
	qrStale      = 180 * time.Second       // QQ's codes live two minutes or so
	qrStaleSlow  = 10 * time.Minute        // the same after QRTimeout
	refreshMax   = 5 * time.Minute         // between two of our own requests for a code
	personWait   = 5 * time.Minute         // for a captcha or a new device
	devicePoll   = 2500 * time.Millisecond
	deviceRetry  = 10 * time.Second
	maxRounds    = 3 // of captcha and new device within one password login
)

// mode is what a login is doing.
type mode int

const (
	modePlan     mode = iota // trying plan[0]
	modeQR                   // showing codes
	modeCaptcha              // waiting for a captcha answer
	modeDevice               // waiting for a phone to confirm this device
	modeAccepted             // QQ said yes
	modeIdle                 // nothing left to try; waiting for a command
)

// run is the state of one login. Only Run's goroutine touches it.
type run struct {
	*Driver
	mode  mode
	plan  []Method
	since time.Time // when the mode, or the plan's present method, began

	// What the WebUI said last.
	st        LoginStatus
	confirmed bool      // it said "QQ Is Logined"
	urlSince  time.Time // when st.QRCodeURL was first seen
	lost      time.Time // since when it does not answer; zero if it does
	online    time.Time // since when it says isLogin
	offline   time.Time // since when it says isOffline

	ownQuick  bool   // NapCat tries the quick login by itself
	seenError string // the login error that was reported or is old
	absorb    bool   // the next look's login error is old news as well
	codeRun
	passwordRun
}

// codeRun is how far the login by a QR code is.
type codeRun struct {
	seq         int
	shown       string    // code of the last event; "" says it again
	counted     string    // code that seq counts
	expired     bool      // the code shown was reported as expired
	qrSince     time.Time // first time in modeQR, for QRTimeout
	timedOut    bool
	needRefresh bool
	asked       time.Time // our last request for a code
	askPause    time.Duration
}

// passwordRun is how far the login by a password is.
type passwordRun struct {
	account  int64
	md5      string
	rounds   int
	captcha  Captcha
	device   NewDevice
	deviceQR DeviceQR
	deviceAt time.Time // next poll
	scanned  bool
}

func newRun(d *Driver) *run {
	r := &run{Driver: d}
	r.start(d.cfg.QuickStarted)
	return r
}

// start begins the order of methods from its first.
func (r *run) start(ownQuick bool) {
	r.plan = slices.Clone(r.cfg.Order)
	r.ownQuick = ownQuick
	r.enter(modePlan)
}

func (r *run) enter(m mode) {
	r.mode, r.since = m, time.Now()
}

func (r *run) report(e Event) {
	r.log.Debug("login step", "step", string(e.Step), "method", string(e.Method), "uin", e.UIN, "reason", e.Reason)
	r.emit(e)
}

// interval is the pause until the next look.
func (r *run) interval() time.Duration {
	switch {
	case r.mode == modeAccepted:
		return pollAccepted
	case r.timedOut:
		return pollSlow
	case r.mode == modeIdle, r.mode == modeQR && time.Since(r.since) > time.Minute:
		return pollLong
	}
	return pollActive
}

// step looks at the WebUI and does what is due.
func (r *run) step(ctx context.Context) (Outcome, error) {
	phase, err := r.look(ctx)
	if err != nil {
		return r.lookFailed(ctx, err)
	}
	switch phase {
	case PhaseOnline:
		return r.finish(ctx)
	case PhaseKicked:
		return Outcome{Kind: OutcomeKicked, Want: r.cfg.UIN, Detail: KickDetail(r.st)}, nil
	case PhaseOffline:
		if r.offline.IsZero() {
			r.offline = time.Now()
		}
		if time.Since(r.offline) > acceptWait {
			return Outcome{Kind: OutcomeStuck, Want: r.cfg.UIN, Detail: "logged in, but QQ's connection is down"}, nil
		}
		return Outcome{}, nil
	}
	r.offline = time.Time{}

	if phase == PhaseAccepted && r.mode != modeAccepted {
		r.accept()
	}
	switch r.mode {
	case modePlan:
		r.tryPlan(ctx, phase)
	case modeQR:
		r.showQR(ctx, phase)
	case modeCaptcha:
		if time.Since(r.since) > personWait {
			r.failed(MethodPassword, ReasonCaptchaTimeout, "nobody solved the captcha in time")
		}
	case modeDevice:
		r.pollDevice(ctx)
	case modeAccepted:
		return r.awaitOnline(), nil
	}
	return Outcome{}, nil
}

// look asks the WebUI where the login stands and notices a restart of NapCat.
func (r *run) look(ctx context.Context) (Phase, error) {
	st, err := r.api.CheckLoginStatus(ctx)
	if err != nil {
		return "", err
	}
	r.confirmed = false
	if !st.IsLogin && !st.IsOffline {
		_, err := r.api.GetQQLoginQrcode(ctx)
		switch KindOf(err) {
		case KindAlreadyLoggedIn:
			r.confirmed = true
		case KindUnreachable, KindUnauthorized, KindRateLimited:
			return "", err
		}
		if err != nil && ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
	}
	if r.replaced(st) {
		// It comes without -q, but NAPCAT_QUICK_ACCOUNT may work in it.
		r.shown, r.urlSince, r.seenError, r.online = "", time.Time{}, "", time.Time{}
		r.report(Event{Step: StepRestarted, UIN: r.cfg.UIN})
		r.start(r.cfg.QuickStarted)
	}
	r.lost = time.Time{}
	if st.QRCodeURL != r.st.QRCodeURL {
		r.urlSince = time.Now()
	}
	if r.absorb {
		r.absorb, r.seenError = false, st.LoginError
	}
	r.st = st
	return Classify(st, r.confirmed), nil
}

// replaced tells whether st comes from another worker than the looks before it.
func (r *run) replaced(st LoginStatus) bool {
	if st.IsLogin || st.IsOffline || r.confirmed {
		return false
	}
	if st.QRCodeURL == "" && r.st.QRCodeURL != "" {
		return true // a worker never forgets its code
	}
	if r.lost.IsZero() || time.Since(r.lost) < blip {
		return false
	}
	switch r.mode {
	case modeCaptcha, modeDevice, modeAccepted, modeIdle:
		return true // what was under way is gone
	}
	return false
}

// lookFailed decides what an unanswered look means.
func (r *run) lookFailed(ctx context.Context, err error) (Outcome, error) {
	if ctx.Err() != nil {
		return Outcome{}, context.Cause(ctx)
	}
	switch KindOf(err) {
	case KindBadToken, KindNeedsCode, KindBadCode, KindForbidden:
		return Outcome{}, err
	case KindRateLimited:
		return Outcome{}, nil // it answers, and will let us in again
	}
	if r.lost.IsZero() {
		r.lost = time.Now()
	}
	if time.Since(r.lost) >= goneWait {
		return Outcome{Kind: OutcomeGone, Want: r.cfg.UIN, Detail: MessageOf(err)}, nil
	}
	return Outcome{}, nil
}

// finish ends the login once the WebUI says isLogin.
func (r *run) finish(ctx context.Context) (Outcome, error) {
	if r.online.IsZero() {
		r.online = time.Now()
	}
	info, err := r.api.GetQQLoginInfo(ctx)
	if ctx.Err() != nil {
		return Outcome{}, context.Cause(ctx)
	}
	if err != nil || info.UIN == 0 {
		if time.Since(r.online) < infoWait {
			r.enter(modeAccepted)
			return Outcome{}, nil
		}
		// isLogin without a number: the OneBot adapter did not start, which a
		// broken onebot11 file does (contract B.1).
		return Outcome{Kind: OutcomeStuck, Want: r.cfg.UIN, Detail: "logged in, but NapCat's OneBot adapter did not start"}, nil
	}
	out := Outcome{Kind: OutcomeLoggedIn, UIN: info.UIN, Want: r.cfg.UIN, Nickname: info.Nick}
	if r.cfg.UIN != 0 && info.UIN != r.cfg.UIN {
		out.Kind = OutcomeWrongAccount
		return out, nil
	}
	r.cfg.Memory.Forget()
	r.report(Event{Step: StepOnline, UIN: info.UIN, Nickname: info.Nick})
	return out, nil
}

// accept notes that QQ said yes.
func (r *run) accept() {
	r.md5 = ""
	r.seenError = r.st.LoginError
	r.enter(modeAccepted)
	r.report(Event{Step: StepAccepted, UIN: r.cfg.UIN})
}

// awaitOnline waits for OneBot, or for the sign that the yes was none.
func (r *run) awaitOnline() Outcome {
	waited := time.Since(r.since)
	switch {
	case r.confirmed:
		if waited > acceptWait {
			return Outcome{Kind: OutcomeStuck, Want: r.cfg.UIN, Detail: "QQ accepted the login, but the account did not come online"}
		}
	case r.st.LoginError != "" && r.st.LoginError != r.seenError, waited > acceptWait:
		r.failed("", ReasonRefused, r.st.LoginError)
	}
	return Outcome{}
}

// failed reports that a method did not work and goes on with the next.
func (r *run) failed(m Method, reason, detail string) {
	r.report(Event{Step: StepFailed, Method: m, UIN: r.cfg.UIN, Reason: reason, Detail: detail})
	challenged := r.mode == modeCaptcha || r.mode == modeDevice
	r.md5 = ""
	r.rounds = 0
	if challenged {
		// NapCat fetches no code beside a challenge, and an old one is dead.
		r.needRefresh = true
	}
	r.absorb = true
	r.next()
}

// next goes on after the present method.
func (r *run) next() {
	switch {
	case len(r.plan) > 0:
		r.enter(modePlan)
	case slices.Contains(r.cfg.Order, MethodQR) || !r.qrSince.IsZero():
		r.enterQR()
	default:
		r.enter(modeIdle)
		r.report(Event{Step: StepFailed, UIN: r.cfg.UIN, Reason: ReasonExhausted, Detail: "no method of the login order worked"})
	}
}

// isAnswer tells whether err is a "no" from behind the WebUI, as opposed to a
// call that may have been lost on its way.
func isAnswer(err error) bool {
	switch KindOf(err) {
	case KindRefused, KindInternal, KindInvalid, KindBadAnswer, KindNotFound:
		return true
	}
	return false
}

// transient tells whether err says "not now", with nothing done.
func transient(err error) bool {
	switch KindOf(err) {
	case KindNotReady, KindRateLimited, KindUnauthorized:
		return true
	}
	return false
}

// ask is an *Error of our own.
func ask(op string, kind Kind, message string) error {
	return &Error{Op: op, Kind: kind, Status: http.StatusOK, Message: message}
}
