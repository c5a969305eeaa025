package daemon

import (
	"fmt"
	"time"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/napcat/webui"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// The reasons of an account's states and faults, beyond those of supervisor.
// People script against these words.
const (
	reasonQR            supervisor.Reason = "qr"
	reasonCaptcha       supervisor.Reason = "captcha"
	reasonNewDevice     supervisor.Reason = "new_device"
	reasonQuickLogin    supervisor.Reason = "quick_login"
	reasonLoginFailed   supervisor.Reason = "login_failed"
	reasonPasswordLogin supervisor.Reason = "password_login"
	reasonWebUI         supervisor.Reason = "webui"           // waiting for the WebUI
	reasonLogin         supervisor.Reason = "login"           // the login has begun
	reasonAccepted      supervisor.Reason = "accepted"        // QQ accepted, OneBot is being set up
	reasonOneBot        supervisor.Reason = "onebot"          // connecting to OneBot
	reasonLinkLost      supervisor.Reason = "link_lost"       // the connection to OneBot broke
	reasonHeartbeatLost supervisor.Reason = "heartbeat_lost"  // no heartbeat, and no answer to a probe
	reasonNotResponding supervisor.Reason = "not_responding"  // neither the WebUI nor OneBot answers
	reasonHung          supervisor.Reason = "hung"            // a signal stopped one of the processes
	reasonKicked        supervisor.Reason = "kicked"          //
	reasonCrash         supervisor.Reason = "crash"           //
	reasonPortBusy      supervisor.Reason = "port_busy"       //
	reasonBadToken      supervisor.Reason = "bad_token"       //
	reasonUnsupportedQQ supervisor.Reason = "unsupported_qq"  //
	reasonNoNetwork     supervisor.Reason = "no_network"      //
	reasonDiskFull      supervisor.Reason = "disk_full"       //
	reasonMissingLib    supervisor.Reason = "missing_library" //
	reasonNoDisplay     supervisor.Reason = "no_display"      //
	reasonDisplayLost   supervisor.Reason = "display_lost"    //
	reasonNotNapCat     supervisor.Reason = "not_napcat"      // QQ runs without NapCat
	reasonBadConfig     supervisor.Reason = "bad_config"      //
	reasonWrongAccount  supervisor.Reason = "wrong_account"   //
	reasonSendFailing   supervisor.Reason = "send_failing"    //
	reasonMemory        supervisor.Reason = "memory"          //
	reasonScheduled     supervisor.Reason = "scheduled"       //
	reasonInstall       supervisor.Reason = "install"         //
	reasonOnline        supervisor.Reason = "online"          //
	reasonWebUILost     supervisor.Reason = "webui_lost"      //
	reasonTwoFactor     supervisor.Reason = "two_factor"      // the WebUI asks for a code that we cannot give
	reasonForbidden     supervisor.Reason = "webui_forbidden" // the WebUI's address rules shut us out
	reasonAdopted       supervisor.Reason = "adopted"         // found running, started by an earlier ncatd
)

// login is how far the login of a process is.
type login int

const (
	loginWaiting  login = iota // for the WebUI, or it has not said anything useful yet
	loginTrying                // quick or password login
	loginHuman                 // somebody must scan a code or solve something
	loginAccepted              // QQ accepted, OneBot is not up yet
	loginDone
)

// facts is what is known of one running process of an account. Its owner is the
// watch goroutine of that process.
type facts struct {
	Spawned time.Time
	Adopted bool

	// Of the output.
	NetworkWait  time.Time // last line that says so; zero after the network came
	NetworkSince time.Time // first of those lines in a row
	WorkerExits  []time.Time
	WorkerDetail string // of the last exit
	PortBusy     bool   // OneBot's port belongs to somebody else
	OneBotFailed string // NapCat could not set OneBot up

	// Of the WebUI.
	WebUIKnown   bool // its address is known
	Login        login
	LoginReason  supervisor.Reason // of loginTrying and loginHuman
	LoginDetail  string
	WebUIMisses  int // looks in a row without an answer
	OfflineSeen  int // looks in a row that found status 20
	Kicked       bool
	KickDetail   string
	WrongAccount string // sentence; "": no

	// Of OneBot.
	LinkUp        bool
	Lifecycle     bool
	LinkErr       string
	BadToken      bool
	EverUp        bool      // was connected once in this process
	DownSince     time.Time // when the connection was lost; zero while there is one
	BeatAt        time.Time // last sign of life: lifecycle, heartbeat, answer to a probe
	BeatInterval  time.Duration
	SelfOnline    bool // what the last heartbeat or get_status said
	SelfKnown     bool // there was one
	ProbesFailed  int  // in a row, after the heartbeat was late
	SendsTimedOut int  // in a row

	// Of the process tree.
	HaltedPID int // a process that SIGSTOP holds
	HaltedFor int // samples in a row

	DisplayLost bool
}

// verdict is what follows from facts.
type verdict struct {
	health supervisor.Health
	fault  *supervisor.Fault
	// probe says that get_status must be asked now and then, because the
	// heartbeat is late or was never seen, or says less than the WebUI.
	probe bool
	// redial says that the connection is dead although nobody closed it.
	redial bool
	// wake is when to judge again; zero: when something changes.
	wake time.Time
}

const (
	// haltedSamples is how many samples must find a process stopped by a signal:
	// job control or a debugger may do so for a moment.
	haltedSamples = 2
	// webuiMisses is how many probes without an answer make the WebUI dead.
	webuiMisses = 3
	// probesFailed is how many probes of OneBot without an answer, after a late
	// heartbeat, make the connection dead.
	probesFailed = 2
	// sendsTimedOut is how many sends in a row that QQ did not confirm, while
	// all else looks well, mean a dead link to QQ (contract D.4).
	sendsTimedOut = 3
	// workerExits within workerWindow are a crash loop of the worker that
	// NapCat's own supervisor, which only sees 10 s, does not notice.
	workerExits  = 4
	workerWindow = time.Minute
	// networkWait is how old the last "waiting for the network" may be; NapCat
	// repeats it every 500 ms.
	networkWait = 5 * time.Second
	// networkNotice is how long that is nothing to speak of: every worker says
	// it at least once (contract A.11).
	networkNotice = 2 * time.Second
	// networkPatience is how long that is called starting.
	networkPatience = 10 * time.Second
)

// judge decides how an account is from what is known of its process. It is
// pure.
func judge(h config.Health, f *facts, now time.Time) verdict {
	if fault := f.fault(h, now); fault != nil {
		return verdict{fault: fault, health: supervisor.Health{State: supervisor.StateOffline, Reason: fault.Reason, Detail: fault.Detail}}
	}
	if f.Login != loginDone {
		return f.beforeLogin(now)
	}
	return f.afterLogin(h, now)
}

// fault returns why the process must end, nil if it need not.
func (f *facts) fault(h config.Health, now time.Time) *supervisor.Fault {
	fail := func(r supervisor.Reason, format string, args ...any) *supervisor.Fault {
		return &supervisor.Fault{Reason: r, Detail: fmt.Sprintf(format, args...), Weight: 1}
	}
	switch {
	case f.WrongAccount != "":
		return &supervisor.Fault{Reason: reasonWrongAccount, Detail: f.WrongAccount, Weight: 1, Permanent: true}
	case f.Kicked:
		return fail(reasonKicked, "QQ ended the session: %s", or(f.KickDetail, "no words given"))
	case f.DisplayLost:
		return fail(reasonDisplayLost, "the X server that QQ draws on is gone")
	case f.HaltedFor >= haltedSamples:
		return fail(reasonHung, "process %d was stopped by a signal", f.HaltedPID)
	case recent(f.WorkerExits, now) >= workerExits:
		return fail(reasonCrash, "NapCat's worker died %d times within %s; %s", workerExits, workerWindow, or(f.WorkerDetail, "no exit code given"))
	case f.SendsTimedOut >= sendsTimedOut:
		return fail(reasonSendFailing, "%d sends in a row were not confirmed by QQ although the account looks online", f.SendsTimedOut)
	case f.WebUIMisses >= webuiMisses && f.EverUp && f.silent(h, now) && f.ProbesFailed >= 1:
		return fail(reasonNotResponding, "neither NapCat's WebUI nor its OneBot server answers")
	}
	return nil
}

func (f *facts) beforeLogin(now time.Time) verdict {
	v := verdict{health: supervisor.Health{State: supervisor.StateStarting, Reason: reasonWebUI, Detail: "waiting for NapCat's WebUI"}}
	switch {
	case f.Login == loginHuman:
		v.health = supervisor.Health{State: supervisor.StateLoginRequired, Reason: f.LoginReason, Detail: f.LoginDetail}
	case f.Login == loginAccepted:
		v.health = supervisor.Health{State: supervisor.StateConnecting, Reason: reasonAccepted, Detail: "QQ accepted the login, OneBot is being set up"}
		if f.OneBotFailed != "" {
			v.health.Reason, v.health.Detail = reasonBadConfig, "NapCat could not set OneBot up: "+f.OneBotFailed
		}
	case f.Login == loginTrying:
		v.health.Reason, v.health.Detail = f.LoginReason, f.LoginDetail
	case f.noNetwork(now) >= networkNotice:
		v.health.Reason, v.health.Detail = reasonNoNetwork, "NapCat finds no network"
		v.wake = f.NetworkWait.Add(networkWait)
		if patience := f.NetworkSince.Add(networkPatience); now.Before(patience) {
			v.wake = earlier(v.wake, patience)
		} else {
			v.health.State = supervisor.StateOffline
		}
	case f.WebUIKnown:
		v.health.Reason, v.health.Detail = reasonLogin, "NapCat is being asked how it stands"
	}
	if d := f.noNetwork(now); d > 0 && d < networkNotice {
		v.wake = earlier(v.wake, f.NetworkSince.Add(networkNotice))
	}
	return v
}

// waitsForNetwork enters a line that says so.
func (f *facts) waitsForNetwork(now time.Time) {
	if f.NetworkWait.IsZero() || now.Sub(f.NetworkWait) >= networkWait {
		f.NetworkSince = now // of this worker, whose process may be old
	}
	f.NetworkWait = now
}

// noNetwork returns for how long NapCat has been waiting for the network, 0 if
// it does not wait.
func (f *facts) noNetwork(now time.Time) time.Duration {
	if f.NetworkWait.IsZero() || now.Sub(f.NetworkWait) >= networkWait {
		return 0
	}
	return max(1, now.Sub(f.NetworkSince))
}

func (f *facts) afterLogin(h config.Health, now time.Time) verdict {
	var v verdict
	connecting := func(r supervisor.Reason, detail string) verdict {
		v.health = supervisor.Health{State: supervisor.StateConnecting, Reason: r, Detail: detail}
		return v
	}
	switch {
	case f.PortBusy:
		return connecting(reasonPortBusy, "another program has the port of NapCat's OneBot server; another one is being set up")
	case f.OneBotFailed != "":
		return connecting(reasonBadConfig, "NapCat could not set OneBot up: "+f.OneBotFailed)
	case f.BadToken:
		return connecting(reasonBadToken, "NapCat's OneBot server refused our token")
	case !f.LinkUp || !f.Lifecycle:
		switch {
		case recent(f.WorkerExits, now) > 0 && f.EverUp:
			return connecting(reasonCrash, "NapCat's worker died and is being started again; "+or(f.WorkerDetail, "no exit code given"))
		case f.ProbesFailed > 0:
			return connecting(reasonHeartbeatLost, "no heartbeat and no answer from OneBot; connecting anew")
		case f.EverUp:
			return connecting(reasonLinkLost, or(f.LinkErr, "the connection to OneBot broke"))
		}
		return connecting(reasonOneBot, or(f.LinkErr, "connecting to OneBot"))
	}
	if f.silent(h, now) {
		v.probe = true
		if f.ProbesFailed >= probesFailed {
			v.redial = true
			return connecting(reasonHeartbeatLost, "no heartbeat and no answer from OneBot; connecting anew")
		}
	} else {
		v.wake = f.silentAt(h)
	}
	if !f.SelfKnown {
		v.probe = true
		return connecting(reasonOneBot, "connected to OneBot, asking whether the account is online")
	}
	switch {
	case f.OfflineSeen >= max(1, h.OfflineSamples):
		v.health = supervisor.Health{State: supervisor.StateOffline, Reason: supervisor.ReasonOffline, Detail: "QQ lost its connection; NapCat is trying to get it back"}
	case !f.SelfOnline:
		// The WebUI may know of the return long before the next heartbeat.
		v.probe = true
		v.health = supervisor.Health{State: supervisor.StateOffline, Reason: supervisor.ReasonOffline, Detail: "OneBot says that the account is offline"}
	case f.WebUIMisses >= webuiMisses:
		v.health = supervisor.Health{State: supervisor.StateOnline, Reason: reasonWebUILost, Detail: "online; NapCat's WebUI does not answer"}
	default:
		v.health = supervisor.Health{State: supervisor.StateOnline, Reason: reasonOnline, Detail: "online"}
	}
	return v
}

// silentAt returns when OneBot will have been silent for too long.
func (f *facts) silentAt(h config.Health) time.Time {
	if f.BeatAt.IsZero() || f.BeatInterval <= 0 {
		return time.Time{}
	}
	return f.BeatAt.Add(time.Duration(max(1, h.HeartbeatMisses)) * f.BeatInterval)
}

// silent reports whether the heartbeat is late.
func (f *facts) silent(h config.Health, now time.Time) bool {
	at := f.silentAt(h)
	return !at.IsZero() && !now.Before(at)
}

// forgive moves all deadlines after this process itself was held up (the machine
// slept, or had no CPU for us): silence of that time says nothing.
func (f *facts) forgive(now time.Time) {
	if !f.BeatAt.IsZero() {
		f.BeatAt = now
	}
	f.ProbesFailed, f.WebUIMisses, f.HaltedFor = 0, 0, 0
}

// loggedOut tells the facts that NapCat is no longer logged in: its worker was
// started again.
func (f *facts) loggedOut() {
	f.Login, f.LoginReason, f.LoginDetail = loginWaiting, "", ""
	f.OfflineSeen, f.OneBotFailed = 0, ""
}

// linkDown tells the facts that the connection is gone.
func (f *facts) linkDown(now time.Time, detail string) {
	if f.Lifecycle {
		f.DownSince = now
	}
	f.LinkUp, f.Lifecycle, f.SelfKnown, f.SelfOnline = false, false, false, false
	f.BeatAt, f.LinkErr = time.Time{}, detail
}

func (f *facts) beat(now time.Time, online bool) {
	f.BeatAt, f.SelfKnown, f.SelfOnline, f.ProbesFailed = now, true, online, 0
}

// recent counts the times within the last workerWindow.
func recent(times []time.Time, now time.Time) int {
	n := 0
	for _, t := range times {
		if now.Sub(t) < workerWindow {
			n++
		}
	}
	return n
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// seeLogin enters one look at the WebUI into the facts; it reports whether the
// account is no longer logged in and the login must be led anew.
func (f *facts) seeLogin(st webui.LoginStatus) (again bool) {
	f.WebUIMisses = 0
	switch webui.Classify(st, false) {
	case webui.PhaseOnline:
		f.OfflineSeen = 0
	case webui.PhaseOffline:
		f.OfflineSeen++
	case webui.PhaseKicked:
		f.Kicked, f.KickDetail = true, webui.KickDetail(st)
	default:
		return true
	}
	return false
}
