package account

import (
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// View returns what the supervisor decides by.
func (f Facts) View(p Policy, now time.Time) supervisor.View {
	v := supervisor.View{Health: f.health(p, now), Fault: f.Process.Fault}
	switch {
	case f.Process.State == ProcessDoomed || f.Process.State == ProcessAbsent:
	case f.Login.State < LoginIn:
		v.Wake = f.networkWake(now)
	default:
		v.Wake = f.Needs(p, now).Wake
	}
	return v
}

// networkWake returns when a wait for the network is called otherwise.
func (f *Facts) networkWake(now time.Time) time.Time {
	waits := f.noNetwork(now)
	if waits == 0 {
		return time.Time{}
	}
	wake := f.Login.NetworkWait.Add(networkWait)
	for _, d := range []time.Duration{networkNotice, networkPatience} {
		if waits < d {
			wake = earlier(wake, f.Login.NetworkSince.Add(d))
		}
	}
	return wake
}

func (f *Facts) health(p Policy, now time.Time) supervisor.Health {
	switch {
	case f.Process.State == ProcessAbsent:
		return supervisor.Health{}
	case f.Process.State == ProcessDoomed:
		return supervisor.Health{State: supervisor.StateOffline, Cause: f.Process.Fault.Cause}
	case f.Process.State < ProcessUp:
		return f.Process.Health
	case f.Login.State < LoginIn:
		return f.beforeLogin(now)
	case !f.Link.State.up():
		return supervisor.Health{State: supervisor.StateConnecting, Cause: f.connecting(now)}
	}
	return f.connected()
}

func (f *Facts) beforeLogin(now time.Time) supervisor.Health {
	starting := func(c supervisor.Cause) supervisor.Health {
		return supervisor.Health{State: supervisor.StateStarting, Cause: c}
	}
	switch waits := f.noNetwork(now); {
	case f.Login.State == LoginHuman:
		return supervisor.Health{State: supervisor.StateLoginRequired, Cause: f.Login.Cause}
	case f.Login.State == LoginAccepted:
		h := supervisor.Health{State: supervisor.StateConnecting, Cause: supervisor.Because(ReasonAccepted, api.CodeLoginAccepted)}
		if f.Link.State == LinkUnset {
			h.Cause = supervisor.Cause{Reason: ReasonBadConfig, Why: f.Link.Why}
		}
		return h
	case f.Login.State == LoginTrying:
		return starting(f.Login.Cause)
	case waits >= networkPatience:
		return supervisor.Health{State: supervisor.StateOffline, Cause: supervisor.Because(ReasonNoNetwork, api.CodeNoNetwork)}
	case waits >= networkNotice:
		return starting(supervisor.Because(ReasonNoNetwork, api.CodeNoNetwork))
	case f.Process.State == ProcessAdopted:
		return starting(supervisor.Because(ReasonAdopted, api.CodeAdopted))
	case f.Login.State == LoginAsking:
		return starting(supervisor.Because(ReasonLogin, api.CodeLoginAsked))
	}
	return starting(supervisor.Because(ReasonWebUI, api.CodeWebUIWait))
}

// connecting says why an account that is logged in has no link.
func (f *Facts) connecting(now time.Time) supervisor.Cause {
	switch f.Link.State {
	case LinkBusy:
		return supervisor.Cause{Reason: ReasonPortBusy, Why: f.Link.Why}
	case LinkUnset:
		return supervisor.Cause{Reason: ReasonBadConfig, Why: f.Link.Why}
	case LinkRefused:
		return supervisor.Cause{Reason: ReasonBadToken, Why: f.Link.Why}
	}
	why := f.Link.Why
	switch {
	case !f.Link.EverAt.IsZero() && !f.Process.Mended && within(f.Process.Deaths, workerWindow, now) > 0:
		return supervisor.Cause{Reason: ReasonCrash, Why: api.Because(api.CodeWorkerBack).With(f.Process.DeathWhy)}
	case f.Link.State == LinkSilent:
		return supervisor.Because(ReasonHeartbeatLost, api.CodeHeartbeatLost)
	case !f.Link.EverAt.IsZero():
		if why.Code == "" {
			why = api.Because(api.CodeOneBotConnect)
		}
		return supervisor.Cause{Reason: ReasonLinkLost, Why: why}
	case why.Code == "":
		why = api.Because(api.CodeOneBotConnect)
	}
	return supervisor.Cause{Reason: ReasonOneBot, Why: why}
}

// connected says how an account is whose link is up.
func (f *Facts) connected() supervisor.Health {
	offline := func(code api.Code) supervisor.Health {
		return supervisor.Health{State: supervisor.StateOffline, Cause: supervisor.Because(supervisor.ReasonOffline, code)}
	}
	switch {
	case f.Link.State == LinkAsking:
		return supervisor.Health{State: supervisor.StateConnecting, Cause: supervisor.Because(ReasonOneBot, api.CodeOneBotAsked)}
	case f.Login.State == LoginOffline:
		return offline(api.CodeQQOffline)
	case f.Link.State == LinkOffline:
		return offline(api.CodeOneBotOffline)
	case f.Login.Misses >= hostMisses:
		return supervisor.Health{State: supervisor.StateOnline, Cause: supervisor.Because(ReasonWebUILost, api.CodeWebUILost)}
	}
	return supervisor.Health{State: supervisor.StateOnline, Cause: supervisor.Because(ReasonOnline, api.CodeOnline)}
}

// Needs is what an account needs done now.
type Needs struct {
	Dial   bool // the link must be told where OneBot is
	Probe  bool // OneBot must be asked whether the account is online
	Drop   bool // the connection is dead although it was not closed
	Repair bool // the host must set its OneBot server up anew
	Wake   time.Time
}

// Needs returns what is due, and when to ask again although nothing happens.
func (f Facts) Needs(p Policy, now time.Time) Needs {
	var n Needs
	if !f.runs() || f.Login.State < LoginIn {
		return n
	}
	n.Dial = f.Link.URL != "" && f.Link.Dialed != f.Link.URL
	if !f.Link.State.up() {
		n.Repair, n.Wake = f.repairDue(now)
		return n
	}
	late := f.silent(p, now)
	if !late {
		n.Wake = f.silentAt(p)
	}
	if late && f.Link.ProbesFailed >= probesFailed {
		n.Drop = true
		return n
	}
	// The control page may know of the return long before the next heartbeat.
	if late || f.Link.State != LinkOnline {
		due := f.Link.ProbeAt.Add(p.ProbeInterval)
		if n.Probe = !now.Before(due); n.Probe {
			due = now.Add(p.ProbeInterval)
		}
		n.Wake = earlier(n.Wake, due)
	}
	return n
}

// repairDue reports whether a OneBot server that cannot be reached although the
// account is logged in must be set up anew, and when to ask again: another
// program has its port, its configuration is not what was written before the
// start (contract B.1, K.9), or the port leads nowhere.
func (f *Facts) repairDue(now time.Time) (bool, time.Time) {
	due := f.Login.At.Add(unconnected)
	switch {
	case f.Link.State == LinkBusy:
		due = now
	case !f.Link.EverAt.IsZero():
		// Nothing listens any more, or what we send goes nowhere.
		if again := f.Link.EverAt.Add(unconnectedAgain); again.After(due) {
			due = again
		}
	}
	if !f.Link.RepairAt.IsZero() {
		if next := f.Link.RepairAt.Add(repairSpacing); due.Before(next) {
			due = next
		}
	}
	if now.Before(due) {
		return false, due
	}
	return true, now.Add(repairSpacing)
}

// Snapshot returns what clients see, without what others know better: the
// counters of the link, sentences, what is degraded.
func (f Facts) Snapshot(name string, s supervisor.Status) api.Account {
	a := api.Account{
		Name: name, UIN: f.Past.UIN, Nickname: f.Past.Nickname,
		State: api.State(s.State), Reason: string(s.Cause.Reason), Fault: s.Cause.Why, Since: s.Since, NextTry: s.NextTry,
		Restarts: f.Past.Restarts, NapCat: f.Past.Host, QQ: f.Past.Client,
	}
	if f.Process.State < ProcessUp {
		return a
	}
	a.PIDs = api.PIDs{NapCat: f.Process.PID, Xvfb: f.Process.DisplayPID}
	a.RSSBytes, a.CPUPercent, a.Packet = f.Process.RSS, f.Process.CPUPercent, f.Process.Packet
	a.WebUIURL, a.OneBotURL = f.Past.HostURL, f.Link.Dialed
	if f.Login.State < LoginIn && f.Login.Told.Step != "" {
		told := f.Login.Told
		a.Login = &told
	}
	return a
}

// Saved is the part of accounts/NAME/state.json that is the account's: what must
// be known of it after ncatd itself was killed.
type Saved struct {
	UIN      int64               `json:"uin"` // that logged in last
	Nickname string              `json:"nickname,omitempty"`
	Failures supervisor.Failures `json:"failures"`
	Kicks    []time.Time         `json:"kicks,omitempty"`
}

// Saved returns what of f must outlive ncatd.
func (f Facts) Saved() Saved {
	return Saved{UIN: f.Past.UIN, Nickname: f.Past.Nickname, Failures: f.Past.Failures, Kicks: f.Past.Kicks}
}

// remembered returns the facts of an account of which s was saved.
func remembered(s Saved, now time.Time) Facts {
	var kicks []time.Time
	for _, k := range s.Kicks {
		if now.Sub(k) < kickMemory {
			kicks = append(kicks, k)
		}
	}
	return Facts{Past: Past{UIN: s.UIN, Nickname: s.Nickname, Failures: s.Failures, Kicks: kicks}}
}
