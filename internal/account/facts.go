package account

import (
	"slices"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// Process is how far the process of an account is.
type Process int

// The stages of a process.
const (
	ProcessAbsent     Process = iota // there is none, and nothing of one
	ProcessInstalling                // what it runs is being fetched or unpacked
	ProcessSpawning                  // it is being started, or looked for
	ProcessUp                        // it runs
	ProcessAdopted                   // it runs, and an earlier ncatd started it
	ProcessDoomed                    // it must end; Fault says why
)

// Login is how far the login of a process is.
type Login int

// The stages of a login.
const (
	LoginWaiting  Login = iota // the host's control page has not said where it is
	LoginAsking                // it is being asked how things stand
	LoginTrying                // quick or password login
	LoginHuman                 // a person must scan a code or solve something
	LoginAccepted              // QQ accepted, OneBot is not up yet
	LoginIn                    // logged in, and QQ's connection is up as far as the host knows
	LoginOffline               // logged in, and QQ's connection is down
)

// Link is how far the connection to OneBot is.
type Link int

// The stages of a link.
const (
	LinkNone    Link = iota // not connected in the life of this process
	LinkLost                // was connected, and the connection broke
	LinkSilent              // was connected, nothing answered any more, and it was dropped
	LinkBusy                // another program has the port of the OneBot server
	LinkUnset               // the host could not set its OneBot server up
	LinkRefused             // the server refused our token
	LinkOpen                // connected, not yet accepted
	LinkAsking              // accepted, whether the account is online is not known
	LinkOnline              // accepted, OneBot says that the account is online
	LinkOffline             // accepted, OneBot says that it is offline
)

// Facts is all that is known of one account. It has one owner; the zero Facts is
// an account that was never started.
type Facts struct {
	Process ProcessFacts
	Login   LoginFacts
	Link    LinkFacts
	Past    Past
}

// ProcessFacts is what is known of the process.
type ProcessFacts struct {
	State   Process
	At      time.Time // since when
	Life    uint64    // numbers the processes of this ncatd
	Started time.Time // of the process, which may be older than we are
	// Health is what is shown while there is no process yet.
	Health   supervisor.Health
	Fault    *supervisor.Fault // of ProcessDoomed
	OnlineAt time.Time         // when the account first was online in this life

	PID, DisplayPID int
	HaltedPID       int // a process that SIGSTOP holds
	Halted          int // samples in a row that found one
	RSS             uint64
	CPU             float64 // seconds used, when last measured
	CPUPercent      float64
	MeasuredAt      time.Time

	Deaths   []time.Time // of workers, which the host itself starts again
	DeathWhy api.Fault   // of the last
	Mended   bool        // the link came up after it: what breaks that later is something else
	Packet   api.Packet  // api.Account's
}

// LoginFacts is what is known of the login.
type LoginFacts struct {
	State  Login
	At     time.Time
	Cause  supervisor.Cause // of LoginTrying and LoginHuman
	Told   api.Login        // what a client is shown of a login under way
	Misses int              // looks at the control page in a row without an answer
	// OfflineLooks is how many looks in a row found QQ's connection down.
	OfflineLooks int
	NetworkWait  time.Time // last word that the host waits for the network; zero after it came
	NetworkSince time.Time // first of those words in a row
}

// LinkFacts is what is known of the link.
type LinkFacts struct {
	State        Link
	At           time.Time
	Why          api.Fault // of the states in which it is down
	URL          string    // of the OneBot server; "": not known
	Dialed       string    // what the link was told to connect to
	EverAt       time.Time // when it was last up in this life; zero: never
	BeatAt       time.Time // last sign of life: lifecycle, heartbeat, answer to a probe
	BeatEvery    time.Duration
	ProbesFailed int       // in a row, after the heartbeat was late
	ProbeAt      time.Time // when the last probe was sent
	Unconfirmed  int       // sends in a row that QQ did not confirm
	RepairAt     time.Time // when the host was last asked to set its server up anew
}

// Past is what outlives a process.
type Past struct {
	UIN      int64 // that logged in last
	Nickname string
	// Host and Client are the versions of the OneBot host and of QQ.
	Host, Client string
	HostURL      string      // of the control page, without the token
	Kicks        []time.Time // of the last kickMemory
	// Restarts counts the processes after the first and the workers that died;
	// LastRestart is why the last of them was needed.
	Restarts    int
	LastRestart supervisor.Reason
	Ending      supervisor.Reason // why the last process ended
	// Failures is what the supervisor remembers of them.
	Failures supervisor.Failures
}

// Fact is something that happened to an account. What it changes stands beside
// its type.
type Fact interface {
	apply(f *Facts, p Policy, now time.Time)
}

// After returns what is known after e happened at now. It is pure, and total:
// what does not fit the present stage changes nothing.
func (f Facts) After(p Policy, e Fact, now time.Time) Facts {
	process, login, link := f.Process.State, f.Login.State, f.Link.State
	e.apply(&f, p, now)
	if f.Process.State != process {
		f.Process.At = now
	}
	if f.Login.State != login {
		f.Login.At = now
	}
	if f.Link.State != link {
		f.Link.At = now
	}
	return f
}

// Policy is what an account is judged by. All durations must be positive.
type Policy struct {
	UIN             int64 // the account that must log in; 0: whichever does
	Supervisor      supervisor.Policy
	Heartbeat       time.Duration // what the OneBot server is set to
	HeartbeatMisses int
	OfflineSamples  int
	ProbeInterval   time.Duration
	MemoryLimit     uint64 // bytes; 0: none
}

// want returns the account that must log in, 0 for any: the configured one, or
// the one that logged in before.
func (f *Facts) want(p Policy) int64 {
	if p.UIN != 0 {
		return p.UIN
	}
	return f.Past.UIN
}

// runs reports whether there is a process that is not about to end.
func (f *Facts) runs() bool {
	return f.Process.State == ProcessUp || f.Process.State == ProcessAdopted
}

// doom notes that the process must end. The first fault is the cause; what
// follows is its consequence.
func (f *Facts) doom(fault *supervisor.Fault) {
	if f.Process.State != ProcessAbsent && f.Process.State != ProcessDoomed {
		f.Process.State, f.Process.Fault = ProcessDoomed, fault
	}
}

func failure(r supervisor.Reason, code api.Code, args ...any) *supervisor.Fault {
	return &supervisor.Fault{Cause: supervisor.Because(r, code, args...), Weight: 1}
}

// restarted counts a restart. It is the one place that does.
func (f *Facts) restarted(why supervisor.Reason) {
	f.Past.Restarts++
	f.Past.LastRestart = why
}

// within counts the times of the last d.
func within(times []time.Time, d time.Duration, now time.Time) int {
	n := 0
	for _, t := range times {
		if now.Sub(t) < d {
			n++
		}
	}
	return n
}

// noted returns times without those older than keep, with now at its end. It
// leaves the array of times alone.
func noted(times []time.Time, keep time.Duration, now time.Time) []time.Time {
	kept := slices.DeleteFunc(slices.Clone(times), func(t time.Time) bool { return now.Sub(t) >= keep })
	return append(kept, now)
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
