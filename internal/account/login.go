package account

import (
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/supervisor"
	"github.com/ncatd/ncatd/onebot"
)

const (
	// hostMisses is how many looks without an answer make the control page dead.
	hostMisses = 3
	// networkWait is how old the last "waiting for the network" may be; NapCat
	// repeats it every 500 ms.
	networkWait = 5 * time.Second
	// networkNotice is how long that is nothing to speak of: every worker says
	// it at least once (contract A.11).
	networkNotice = 2 * time.Second
	// networkPatience is how long that is called starting.
	networkPatience = 10 * time.Second
)

// NetworkWaited happens when the host says that it waits for the network.
type NetworkWaited struct{}

func (NetworkWaited) apply(f *Facts, _ Policy, now time.Time) {
	if f.Login.NetworkWait.IsZero() || now.Sub(f.Login.NetworkWait) >= networkWait {
		f.Login.NetworkSince = now // of this worker, whose process may be old
	}
	f.Login.NetworkWait = now
}

// NetworkCame happens when the network is there.
type NetworkCame struct{}

func (NetworkCame) apply(f *Facts, _ Policy, _ time.Time) { f.Login.NetworkWait = time.Time{} }

// noNetwork returns for how long the host has been waiting for the network, 0 if
// it does not wait.
func (f *Facts) noNetwork(now time.Time) time.Duration {
	if f.Login.NetworkWait.IsZero() || now.Sub(f.Login.NetworkWait) >= networkWait {
		return 0
	}
	return max(1, now.Sub(f.Login.NetworkSince))
}

// HostAt happens when it is known where the host's control page is.
type HostAt struct{ URL string }

func (e HostAt) apply(f *Facts, _ Policy, _ time.Time) {
	if f.Process.State == ProcessAbsent {
		return
	}
	f.Past.HostURL = e.URL
	if f.Login.State == LoginWaiting {
		f.Login.State = LoginAsking
	}
}

// OwnQuickLogin happens when the host says that it tries the ticket of UIN by
// itself.
type OwnQuickLogin struct{ UIN int64 }

func (e OwnQuickLogin) apply(f *Facts, _ Policy, now time.Time) {
	if f.Process.State == ProcessUp && f.Login.State <= LoginAsking {
		f.step(LoginStep{Step: api.StepQuick, Method: api.MethodQuick, UIN: e.UIN}, now)
	}
}

// LoginStep happens when a login gets one step further. Reason and Detail say why
// Method failed.
type LoginStep struct {
	Step     api.LoginStep
	Method   api.LoginMethod
	UIN      int64
	Nickname string
	URL      string
	Seq      int
	Reason   api.LoginReason
	Detail   string
}

func (e LoginStep) apply(f *Facts, _ Policy, now time.Time) {
	if f.runs() {
		f.step(e, now)
	}
}

func (f *Facts) step(e LoginStep, now time.Time) {
	told := f.Login.Told // method, account and number of a code stay until there are others
	told.Step, told.URL, told.Issued, told.Nickname = e.Step, "", time.Time{}, e.Nickname
	if e.Method != "" {
		told.Method = e.Method
	}
	if e.UIN != 0 {
		told.UIN = e.UIN
	}
	enter := func(to Login, r supervisor.Reason, code api.Code, args ...any) {
		f.Login.State, f.Login.Told = to, told
		f.Login.Cause = supervisor.Cause{}
		if code != "" {
			f.Login.Cause = supervisor.Because(r, code, args...)
		}
	}
	switch e.Step {
	case api.StepQuick:
		enter(LoginTrying, ReasonQuickLogin, api.CodeLoginQuick, e.UIN)
	case api.StepPassword:
		enter(LoginTrying, ReasonPasswordLogin, api.CodeLoginPassword, e.UIN)
	case api.StepWaiting, api.StepRefreshed:
		told.URL, told.Seq, told.Issued = e.URL, e.Seq, now
		enter(LoginHuman, ReasonQR, api.CodeLoginQR)
	case api.StepExpired:
		enter(LoginHuman, ReasonQR, api.CodeLoginQRExpired)
	case api.StepTimeout:
		told.URL, told.Issued = f.Login.Told.URL, f.Login.Told.Issued // the code goes on
		enter(LoginHuman, ReasonQR, api.CodeLoginQRLate)
	case api.StepCaptcha:
		told.URL, told.Issued = e.URL, now
		enter(LoginHuman, ReasonCaptcha, api.CodeLoginCaptcha)
	case api.StepNewDevice:
		told.URL, told.Issued = e.URL, now
		enter(LoginHuman, ReasonNewDevice, api.CodeLoginNewDevice)
	case api.StepScanned:
		enter(LoginHuman, ReasonNewDevice, api.CodeLoginScanned)
	case api.StepAccepted:
		enter(LoginAccepted, "", "")
	case api.StepFailed:
		f.Login.Told.Failed = &api.LoginFailure{Method: e.Method, Reason: e.Reason, Detail: e.Detail, Cause: onebot.Explain(e.Detail).Text, Time: now}
		if e.Reason == api.LoginExhausted {
			told.Failed = f.Login.Told.Failed
			enter(LoginHuman, ReasonLoginFailed, api.CodeLoginFailed)
		}
	case api.StepRestarted:
		told = api.Login{Step: e.Step}
		enter(LoginAsking, "", "")
	}
}

// LoggedIn happens when UIN is logged in. Another account than the one that must
// be is never connected to, and trying again cannot help.
type LoggedIn struct {
	UIN      int64
	Nickname string
}

func (e LoggedIn) apply(f *Facts, p Policy, _ time.Time) {
	if !f.runs() {
		return
	}
	if want := f.want(p); want != 0 && e.UIN != 0 && e.UIN != want {
		f.wrongAccount(e.UIN, want)
		return
	}
	f.Login = LoginFacts{State: LoginIn, At: f.Login.At}
	if e.UIN == 0 {
		return
	}
	if e.UIN != f.Past.UIN || e.Nickname != "" {
		f.Past.Nickname = e.Nickname // QQ may not have said it yet
	}
	f.Past.UIN = e.UIN
}

func (f *Facts) wrongAccount(got, want int64) {
	f.doom(&supervisor.Fault{Cause: supervisor.Because(ReasonWrongAccount, api.CodeWrongAccount, got, want), Weight: 1, Permanent: true})
}

// WrongAccount happens when Got logged in although Want must.
type WrongAccount struct{ Got, Want int64 }

func (e WrongAccount) apply(f *Facts, _ Policy, _ time.Time) { f.wrongAccount(e.Got, e.Want) }

// Named happens when QQ says the name of the account.
type Named struct{ Nickname string }

func (e Named) apply(f *Facts, _ Policy, _ time.Time) {
	if f.Login.State >= LoginIn {
		f.Past.Nickname = e.Nickname
	}
}

// LoggedOut happens when the host is no longer logged in: its worker was started
// again.
type LoggedOut struct{}

func (LoggedOut) apply(f *Facts, _ Policy, _ time.Time) {
	if !f.runs() {
		return
	}
	f.Login.State, f.Login.Cause, f.Login.Told, f.Login.OfflineLooks = LoginAsking, supervisor.Cause{}, api.Login{}, 0
	if f.Link.State == LinkUnset {
		f.Link.State = f.down()
	}
}

// SessionSeen happens when the host says, of an account that is logged in,
// whether QQ's connection is up.
type SessionSeen struct{ Online bool }

func (e SessionSeen) apply(f *Facts, p Policy, _ time.Time) {
	f.Login.Misses = 0
	if f.Login.State < LoginIn {
		return
	}
	if e.Online {
		f.Login.State, f.Login.OfflineLooks = LoginIn, 0
		return
	}
	if f.Login.OfflineLooks++; f.Login.OfflineLooks >= max(1, p.OfflineSamples) {
		f.Login.State = LoginOffline
	}
}

// HostMissed happens when a look at the control page got no answer.
type HostMissed struct{}

func (HostMissed) apply(f *Facts, _ Policy, _ time.Time) { f.Login.Misses++ }
