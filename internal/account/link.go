package account

import (
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

const (
	// probesFailed is how many probes of OneBot without an answer, after a late
	// heartbeat, make the connection dead.
	probesFailed = 2
	// unconfirmed is how many sends in a row that QQ did not confirm, while all
	// else looks well, mean a dead link to QQ (contract D.4).
	unconfirmed = 3
	// unconnected is how long after a login the OneBot server may be out of
	// reach before it is set up anew.
	unconnected = 3 * time.Second
	// unconnectedAgain is the same for a connection that was lost, which mostly
	// comes back by itself: a worker that was started again, a reload.
	unconnectedAgain = 12 * time.Second
	// repairSpacing is the time between two such attempts.
	repairSpacing = 15 * time.Second
)

// up reports whether OneBot accepted the connection.
func (l Link) up() bool { return l >= LinkAsking }

// down returns how a link is called that is down and nothing more is known.
func (f *Facts) down() Link {
	if f.Link.EverAt.IsZero() {
		return LinkNone
	}
	return LinkLost
}

// ServerAt happens when it is known where the OneBot server is, and again when it
// was set up anew.
type ServerAt struct{ URL string }

func (e ServerAt) apply(f *Facts, _ Policy, _ time.Time) {
	if f.Process.State == ProcessAbsent {
		return
	}
	f.Link.URL, f.Link.Dialed = e.URL, ""
	if f.Link.State == LinkUnset || f.Link.State == LinkBusy {
		f.Link.State = f.down()
	}
}

// Dialed happens when the link was told to connect to URL.
type Dialed struct{ URL string }

func (e Dialed) apply(f *Facts, _ Policy, _ time.Time) { f.Link.Dialed = e.URL }

// ServerSetUp happens when the host begins to set its OneBot server up.
type ServerSetUp struct{}

func (ServerSetUp) apply(f *Facts, _ Policy, _ time.Time) {
	if f.Link.State == LinkUnset || f.Link.State == LinkBusy {
		f.Link.State = f.down()
	}
}

// ServerFailed happens when the host could not set its OneBot server up.
type ServerFailed struct{ Text string }

func (e ServerFailed) apply(f *Facts, _ Policy, _ time.Time) {
	if f.runs() && !f.Link.State.up() {
		f.Link.State, f.Link.Why = LinkUnset, api.Because(api.CodeOneBotSetup, e.Text)
	}
}

// ServerBusy happens when the port of the OneBot server belongs to another
// program. Holder is that, if no other port may take its place; Key names the port
// in the config.
type ServerBusy struct {
	Port        int
	Key, Holder string
}

func (e ServerBusy) apply(f *Facts, _ Policy, _ time.Time) {
	if !f.runs() || f.Link.State.up() {
		return
	}
	f.Link.State, f.Link.Why, f.Link.RepairAt = LinkBusy, api.Because(api.CodePortMoved, e.Port), time.Time{}
	if e.Holder != "" {
		f.Link.Why = api.Because(api.CodePortBusy, e.Key, e.Port, e.Holder)
	}
}

// RepairBegan happens when the host was asked to set its OneBot server up anew.
type RepairBegan struct{}

func (RepairBegan) apply(f *Facts, _ Policy, now time.Time) { f.Link.RepairAt = now }

// LinkUp happens when the WebSocket is open. Whether the token is right is not
// known yet.
type LinkUp struct{}

func (LinkUp) apply(f *Facts, _ Policy, _ time.Time) {
	if f.runs() && !f.Link.State.up() {
		f.Link.State = LinkOpen
	}
}

// LinkAccepted happens when OneBot took us, for the account SelfID.
type LinkAccepted struct{ SelfID int64 }

func (e LinkAccepted) apply(f *Facts, p Policy, now time.Time) {
	if !f.runs() {
		return
	}
	if want := f.want(p); want != 0 && e.SelfID != 0 && e.SelfID != want {
		f.wrongAccount(e.SelfID, want)
		return
	}
	f.Link.State, f.Link.Why = LinkAsking, api.Fault{}
	f.Link.BeatAt, f.Link.BeatEvery, f.Link.EverAt = now, p.Heartbeat, now
	f.Link.ProbesFailed, f.Link.ProbeAt = 0, time.Time{}
	f.Process.Mended = true
}

// Beat happens when a heartbeat came, or a probe was answered. Every is the time
// to the next, 0 if that was not said.
type Beat struct {
	Online bool
	Every  time.Duration
}

func (e Beat) apply(f *Facts, _ Policy, now time.Time) {
	if !f.Link.State.up() {
		return
	}
	f.Link.State = LinkOffline
	if e.Online {
		f.Link.State = LinkOnline
	}
	if e.Every > 0 {
		f.Link.BeatEvery = e.Every
	}
	f.Link.BeatAt, f.Link.EverAt, f.Link.ProbesFailed = now, now, 0
}

// Probed happens when OneBot is asked whether the account is online.
type Probed struct{}

func (Probed) apply(f *Facts, _ Policy, now time.Time) { f.Link.ProbeAt = now }

// ProbeFailed happens when such a question was not answered.
type ProbeFailed struct{}

func (ProbeFailed) apply(f *Facts, _ Policy, _ time.Time) {
	if f.Link.State.up() {
		f.Link.ProbesFailed++
	}
}

// LinkDown happens when the connection was lost or could not be made. Refused
// says that our token was refused.
type LinkDown struct {
	Err     string
	Refused bool
}

func (e LinkDown) apply(f *Facts, _ Policy, now time.Time) {
	was := f.Link.State
	if was.up() {
		f.Link.EverAt = now
	}
	f.Link.BeatAt = time.Time{}
	switch {
	case e.Refused:
		f.Link.State, f.Link.Why = LinkRefused, api.Because(api.CodeOneBotToken)
		return
	case was == LinkBusy, was == LinkUnset, was == LinkSilent, was == LinkRefused:
		return // why it is down is known better
	}
	f.Link.State, f.Link.Why = f.down(), api.Fault{}
	switch {
	case e.Err == "":
	case f.Link.State == LinkLost:
		f.Link.Why = api.Because(api.CodeLinkLost, e.Err)
	default:
		f.Link.Why = api.Because(api.CodeOneBotError, e.Err)
	}
}

// Dropped happens when we gave up a connection on which nothing answered.
type Dropped struct{}

func (Dropped) apply(f *Facts, _ Policy, now time.Time) {
	if f.Link.State.up() {
		f.Link.State, f.Link.BeatAt, f.Link.EverAt = LinkSilent, time.Time{}, now
	}
}

// Unconfirmed happens when a send was not confirmed by QQ, the last of InRow; with
// 0 one was again. What QQ refused is no such send.
type Unconfirmed struct{ InRow int }

func (e Unconfirmed) apply(f *Facts, _ Policy, _ time.Time) {
	if !f.runs() {
		return
	}
	f.Link.Unconfirmed = e.InRow
	if e.InRow >= unconfirmed {
		f.doom(failure(ReasonSendFailing, api.CodeSendFailing, e.InRow))
	}
}

// silentAt returns when OneBot will have been silent for too long; zero: never.
func (f *Facts) silentAt(p Policy) time.Time {
	if f.Link.BeatAt.IsZero() || f.Link.BeatEvery <= 0 {
		return time.Time{}
	}
	return f.Link.BeatAt.Add(time.Duration(max(1, p.HeartbeatMisses)) * f.Link.BeatEvery)
}

// silent reports whether the heartbeat is late.
func (f *Facts) silent(p Policy, now time.Time) bool {
	at := f.silentAt(p)
	return !at.IsZero() && !now.Before(at)
}
