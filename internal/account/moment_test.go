package account

import (
	"reflect"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// TestWhenToLookAgain: an account asks to be looked at at the very moment at which
// it looks different, and not a moment before.
func TestWhenToLookAgain(t *testing.T) {
	loggedIn := func() (Facts, time.Time) {
		f, at := asked()
		return after(f, at, LoggedIn{UIN: 10001}, Dialed{URL: "ws://x/"})
	}
	for _, tt := range []struct {
		name  string
		from  func() (Facts, time.Time)
		facts []Fact
		in    time.Duration
	}{
		{"nothing to wait for", asked, nil, 0},
		{"absent", func() (Facts, time.Time) { return Facts{}, now0 }, nil, 0},
		{"doomed", online, []Fact{Kicked{"x"}}, 0},
		{"no network: said to wait", spawned, []Fact{NetworkWaited{}}, networkNotice},
		{"no network: called offline", spawned, times(4, NetworkWaited{}), networkWait},
		{"no network: the last word grows old", spawned, times(15, NetworkWaited{}), networkWait},
		{"not connected", loggedIn, nil, unconnected - time.Second},
		{"not connected, the port is busy", loggedIn, []Fact{RepairBegan{}, ServerBusy{Port: 1}}, repairSpacing},
		{"not connected, just repaired", loggedIn, []Fact{RepairBegan{}}, repairSpacing},
		{"connection lost", online, []Fact{LinkDown{Err: "x"}}, unconnectedAgain},
		{"heartbeat awaited", online, []Fact{Beat{Online: true}}, 90 * time.Second},
		{"first heartbeat awaited", online, []Fact{LinkDown{}, LinkAccepted{SelfID: 10001}, Probed{}}, testPolicy.ProbeInterval},
		{"said to be offline", online, []Fact{Probed{}, Beat{}}, testPolicy.ProbeInterval - time.Second},
	} {
		f, at := tt.from()
		f, at = after(f, at, tt.facts...)
		wake := f.View(testPolicy, at).Wake
		if tt.in == 0 {
			if !wake.IsZero() {
				t.Errorf("%s: in %v, want never", tt.name, wake.Sub(at))
			}
			continue
		}
		if wake.IsZero() || wake.Sub(at) != tt.in {
			t.Errorf("%s: in %v, want in %v", tt.name, wake.Sub(at), tt.in)
		}
	}
}

// TestMomentOfANetworkWait: the word for a wait changes with its length, and a
// pause of the host's words of five seconds ends it.
func TestMomentOfANetworkWait(t *testing.T) {
	f, at := spawned()
	f = f.After(testPolicy, NetworkWaited{}, at)
	const beat = 500 * time.Millisecond
	for waited := time.Duration(0); waited <= 2*networkPatience; waited += beat {
		now := at.Add(waited)
		f = f.After(testPolicy, NetworkWaited{}, now)
		state, reason := supervisor.StateStarting, ReasonWebUI
		if waited >= networkNotice {
			reason = ReasonNoNetwork
		}
		if waited >= networkPatience {
			state = supervisor.StateOffline
		}
		if h := f.View(testPolicy, now).Health; h.State != state || h.Reason != reason {
			t.Fatalf("after %v: %s %s, want %s %s", waited, h.State, h.Reason, state, reason)
		}
	}
	last := f.Login.NetworkWait
	if h := f.View(testPolicy, last.Add(networkWait-1)).Health; h.Reason != ReasonNoNetwork {
		t.Errorf("just before five seconds: %s", h.Reason)
	}
	if h := f.View(testPolicy, last.Add(networkWait)).Health; h.Reason != ReasonWebUI {
		t.Errorf("after five seconds: %s", h.Reason)
	}
	f = f.After(testPolicy, NetworkWaited{}, last.Add(networkWait))
	if h := f.View(testPolicy, last.Add(networkWait)).Health; h.Reason != ReasonWebUI {
		t.Errorf("a wait begins anew: %s", h.Reason)
	}
}

// TestMomentOfKicksAndDeaths: what is remembered for a time is forgotten at its end.
func TestMomentOfKicksAndDeaths(t *testing.T) {
	for ago, want := range map[time.Duration]int{kickMemory - 1: 1, kickMemory: 0} {
		s := Saved{Kicks: []time.Time{now0.Add(-ago)}}
		if f := remembered(s, now0); len(f.Past.Kicks) != want {
			t.Errorf("a kick %v ago: %d remembered", ago, len(f.Past.Kicks))
		}
		if got := noted(s.Kicks, kickMemory, now0); len(got) != want+1 || !got[want].Equal(now0) {
			t.Errorf("a kick %v ago: noted as %v", ago, got)
		}
		if got := within(s.Kicks, kickMemory, now0); got != want {
			t.Errorf("a kick %v ago: counted as %d", ago, got)
		}
	}
	// A worker's death told twice within a second is one.
	for apart, want := range map[time.Duration]int{workerTold: 1, workerTold + 1: 2} {
		f, at := online()
		f = f.After(testPolicy, WorkerDied{}, at)
		if f = f.After(testPolicy, WorkerAgain{}, at.Add(apart)); f.Past.Restarts != want {
			t.Errorf("told again after %v: %d restarts", apart, f.Past.Restarts)
		}
	}
	// Its code is told until a minute is over.
	f, at := online()
	f = f.After(testPolicy, WorkerDied{api.Because(api.CodeWorkerDied, 139)}, at).After(testPolicy, LinkDown{Err: "EOF"}, at)
	h := f.View(testPolicy, at.Add(workerWindow-1)).Health
	if h.Reason != ReasonCrash || h.Why.Code != api.CodeWorkerBack || h.Why.Cause == nil || h.Why.Cause.Code != api.CodeWorkerDied {
		t.Errorf("within a minute: %+v", h)
	}
	if h := f.View(testPolicy, at.Add(workerWindow)).Health; h.Reason != ReasonLinkLost || h.Why.Code != api.CodeLinkLost {
		t.Errorf("after a minute: %+v", h)
	}
	// Nor of a link that came up since and was lost again, as when somebody restarts NapCat on its page.
	f = f.After(testPolicy, LinkAccepted{10001}, at.Add(time.Second)).After(testPolicy, LinkDown{Err: "EOF"}, at.Add(2*time.Second))
	if h := f.View(testPolicy, at.Add(3*time.Second)).Health; h.Reason != ReasonLinkLost {
		t.Errorf("lost again: %+v", h)
	}
	f = f.After(testPolicy, WorkerDied{api.Because(api.CodeWorkerDied, 1)}, at.Add(4*time.Second))
	if h := f.View(testPolicy, at.Add(4*time.Second)).Health; h.Reason != ReasonCrash {
		t.Errorf("died again: %+v", h)
	}
}

// TestSnapshotShowsAll: each thing that is known of a running account is shown,
// and what belongs to a process is not shown without one.
func TestSnapshotShowsAll(t *testing.T) {
	f, at := online()
	f, at = after(f, at, Versioned{"4.9"}, PacketBackEnd{"available"}, Measured{RSS: 50 << 20, CPU: 1})
	f = f.After(testPolicy, Measured{RSS: 60 << 20, CPU: 2}, at.Add(2*time.Second))
	f.Process.DisplayPID = 8
	since, next := at.Add(-time.Hour), at.Add(time.Hour)
	why := api.Because(api.CodeOnline)
	got := f.Snapshot("main", supervisor.Status{State: supervisor.StateOnline, Cause: supervisor.Cause{Reason: ReasonOnline, Why: why}, Since: since, NextTry: next})
	want := api.Account{
		Name: "main", UIN: 10001, Nickname: "n", State: "online", Reason: string(ReasonOnline), Fault: why, Since: since, NextTry: next,
		NapCat: "4.9", QQ: "2", PIDs: api.PIDs{NapCat: 7, Xvfb: 8}, RSSBytes: 60 << 20, CPUPercent: 50, Packet: "available",
		WebUIURL: "http://x/webui", OneBotURL: "ws://x/",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	f, at = after(f, at, Ended{ReasonCrash})
	got = f.Snapshot("main", supervisor.Status{State: supervisor.StateBackoff})
	if want := (api.Account{Name: "main", UIN: 10001, Nickname: "n", State: "backoff", NapCat: "4.9", QQ: "2"}); !reflect.DeepEqual(got, want) {
		t.Errorf("without a process\ngot  %+v\nwant %+v", got, want)
	}
	f, _ = after(f, at, Began{2}, Started{PID: 9})
	if got := f.Snapshot("main", supervisor.Status{}); got.PIDs.NapCat != 9 || got.Restarts != 1 || got.WebUIURL != "" || got.OneBotURL != "" || got.RSSBytes != 0 || got.Login != nil {
		t.Errorf("a new process shows something of the old one: %+v", got)
	}
}

// TestWhatIsSaid: codes and arguments of what an account tells of itself.
func TestWhatIsSaid(t *testing.T) {
	began := func() (Facts, time.Time) { return after(Facts{}, now0, Began{1}) }
	for _, tt := range []struct {
		name  string
		from  func() (Facts, time.Time)
		facts []Fact
		state supervisor.State
		code  api.Code
		args  []any
	}{
		{"packages come", began, []Fact{Installing{api.Because(api.CodeUnpacking, "QQ")}}, supervisor.StateInstalling, api.CodeUnpacking, []any{"QQ"}},
		{"more packages come", began, []Fact{Installing{api.Because(api.CodeUnpacking, "QQ")}, Installing{api.Because(api.CodeUnpacking, "NapCat")}}, supervisor.StateInstalling, api.CodeUnpacking, []any{"NapCat"}},
		{"they are there", began, []Fact{Installing{api.Because(api.CodeUnpacking, "QQ")}, Starting{"4", "3"}}, supervisor.StateStarting, api.CodeStarting, []any{"4", "3"}},
		{"they were there", began, []Fact{Starting{"4", "3"}}, supervisor.StateStarting, api.CodeStarting, []any{"4", "3"}},
		{"too late to install", asked, []Fact{Installing{api.Because(api.CodeUnpacking, "QQ")}, Starting{Host: "x"}}, supervisor.StateStarting, api.CodeLoginAsked, nil},
		{"kicked", online, []Fact{Kicked{"elsewhere"}}, supervisor.StateOffline, api.CodeKicked, []any{"elsewhere"}},
		{"kicked without a word", online, []Fact{Kicked{}}, supervisor.StateOffline, api.CodeKickedQuiet, nil},
		{"port moved", asked, []Fact{LoggedIn{UIN: 10001}, ServerBusy{Port: 3001, Key: "k"}}, supervisor.StateConnecting, api.CodePortMoved, []any{3001}},
		{"port held", asked, []Fact{LoggedIn{UIN: 10001}, ServerBusy{Port: 3001, Key: "k", Holder: "nginx"}}, supervisor.StateConnecting, api.CodePortBusy, []any{"k", 3001, "nginx"}},
		{"port taken while it answers", online, []Fact{ServerBusy{Port: 3001}}, supervisor.StateOnline, api.CodeOnline, nil},
		{"server not set up", asked, []Fact{LoggedIn{UIN: 10001}, ServerFailed{"bad json"}}, supervisor.StateConnecting, api.CodeOneBotSetup, []any{"bad json"}},
		{"server not set up while it answers", online, []Fact{ServerFailed{"bad json"}}, supervisor.StateOnline, api.CodeOnline, nil},
		{"server not set up, QQ accepted", asked, []Fact{ServerFailed{"bad json"}, LoginStep{Step: api.StepAccepted}}, supervisor.StateConnecting, api.CodeOneBotSetup, []any{"bad json"}},
		{"logged out, the server is set up again", asked, []Fact{LoggedIn{UIN: 10001}, ServerFailed{"x"}, LoggedOut{}, LoggedIn{UIN: 10001}}, supervisor.StateConnecting, api.CodeOneBotSetup, []any{"x"}},
		{"sends fail", online, []Fact{Unconfirmed{3}}, supervisor.StateOffline, api.CodeSendFailing, []any{3}},
		{"QQ is offline", online, times(2, SessionSeen{}), supervisor.StateOffline, api.CodeQQOffline, nil},
		{"OneBot is offline", online, []Fact{Beat{}}, supervisor.StateOffline, api.CodeOneBotOffline, nil},
	} {
		f, at := tt.from()
		f, at = after(f, at, tt.facts...)
		h := f.View(testPolicy, at).Health
		if h.State != tt.state || h.Why.Code != tt.code || len(h.Why.Args) != len(tt.args) || len(tt.args) > 0 && !reflect.DeepEqual(h.Why.Args, api.Because("", tt.args...).Args) {
			t.Errorf("%s: %s %s %v, want %s %s %v", tt.name, h.State, h.Why.Code, h.Why.Args, tt.state, tt.code, tt.args)
		}
	}
}

// TestAnyAccountMayLogIn: where none is wanted, the first that logs in becomes the
// wanted one, and a login that says no number is taken.
func TestAnyAccountMayLogIn(t *testing.T) {
	for _, tt := range []struct {
		name   string
		policy int64
		past   int64
		facts  []Fact
		doomed bool
	}{
		{"any, then another on the link", 0, 0, []Fact{LoggedIn{UIN: 5}, LinkAccepted{SelfID: 6}}, true},
		{"any, then the same on the link", 0, 0, []Fact{LoggedIn{UIN: 5}, LinkAccepted{SelfID: 5}}, false},
		{"one that logged in before", 0, 5, []Fact{LoggedIn{UIN: 5}}, false},
		{"not the one that logged in before", 0, 5, []Fact{LoggedIn{UIN: 6}}, true},
		{"the configured one wins over the past", 6, 5, []Fact{LoggedIn{UIN: 6}}, false},
		{"no number said at the login", 5, 0, []Fact{LoggedIn{}}, false},
		{"no number said on the link", 5, 0, []Fact{LoggedIn{UIN: 5}, LinkAccepted{}}, false},
	} {
		p := testPolicy
		p.UIN = tt.policy
		f, at := asked()
		f.Past.UIN = tt.past
		for _, e := range tt.facts {
			f = f.After(p, e, at)
		}
		if (f.Process.State == ProcessDoomed) != tt.doomed {
			t.Errorf("%s: %+v", tt.name, f.Process.Fault)
		}
	}
}

// TestANewConnectionStartsFromNothing: probes, beats and their interval belong to
// one connection.
func TestANewConnectionStartsFromNothing(t *testing.T) {
	f, at := online()
	f, at = after(f, at, Beat{Online: true, Every: time.Hour}, Probed{}, ProbeFailed{}, LinkDown{Err: "x"})
	if !f.silentAt(testPolicy).IsZero() {
		t.Error("a link that is down can be silent")
	}
	if !f.Link.EverAt.Equal(at) {
		t.Errorf("up until %v, want %v", f.Link.EverAt, at)
	}
	f, at = after(f, at, LinkUp{}, LinkAccepted{SelfID: 10001})
	if n := f.Needs(testPolicy, at); !n.Probe {
		t.Errorf("whether it is online is not asked at once: %+v", n)
	}
	if want := at.Add(3 * testPolicy.Heartbeat); !f.silentAt(testPolicy).Equal(want) {
		t.Errorf("silent at %v, want %v", f.silentAt(testPolicy), want)
	}
	f, at = after(f, at, ProbeFailed{}, Beat{Online: true})
	if n := f.Needs(testPolicy, at.Add(time.Hour)); n.Drop || !n.Probe {
		t.Errorf("a probe that failed before a beat counts: %+v", n)
	}
	// Sends that are confirmed again begin the count anew.
	f, at = after(f, at, Unconfirmed{2})
	if f.Link.Unconfirmed != 2 {
		t.Errorf("%d unconfirmed", f.Link.Unconfirmed)
	}
	if f, _ = after(f, at, Unconfirmed{0}); f.Link.Unconfirmed != 0 {
		t.Errorf("%d unconfirmed", f.Link.Unconfirmed)
	}
	// A server that does not say how often it beats is never late.
	p := testPolicy
	p.Heartbeat = 0
	g, at := asked()
	g = g.After(p, LoggedIn{UIN: 1}, at).After(p, LinkAccepted{SelfID: 1}, at).After(p, Beat{Online: true}, at)
	if n := g.Needs(p, at.Add(24*time.Hour)); n.Probe || n.Drop || !n.Wake.IsZero() {
		t.Errorf("%+v", n)
	}
}

// TestMeasuredTwiceAtOnce: two samples at one time say nothing of the use of CPU,
// and without a limit no use of memory is too much.
func TestMeasuredTwiceAtOnce(t *testing.T) {
	f, at := online()
	f = f.After(testPolicy, Measured{CPU: 1}, at).After(testPolicy, Measured{CPU: 2}, at)
	if f.Process.CPUPercent != 0 {
		t.Errorf("%v %%", f.Process.CPUPercent)
	}
	p := testPolicy
	p.MemoryLimit = 0
	if f = f.After(p, Measured{RSS: 1 << 40, Quiet: true}, at); f.Process.State == ProcessDoomed {
		t.Errorf("%+v", f.Process.Fault)
	}
}

// TestOwnQuickLogin: NapCat's own try shows only as long as nothing else is known,
// and only of a process that we started.
func TestOwnQuickLogin(t *testing.T) {
	for _, tt := range []struct {
		name  string
		facts []Fact
		want  Login
	}{
		{"before the page", []Fact{OwnQuickLogin{5}}, LoginTrying},
		{"while it is asked", []Fact{HostAt{"u"}, OwnQuickLogin{5}}, LoginTrying},
		{"a code is shown", []Fact{HostAt{"u"}, LoginStep{Step: api.StepWaiting}, OwnQuickLogin{5}}, LoginHuman},
		{"logged in", []Fact{HostAt{"u"}, LoggedIn{UIN: 5}, OwnQuickLogin{5}}, LoginIn},
	} {
		f, at := spawned()
		if f, _ = after(f, at, tt.facts...); f.Login.State != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, f.Login.State, tt.want)
		}
	}
	f, _ := after(Facts{}, now0, Began{1}, Started{Adopted: true}, OwnQuickLogin{5})
	if f.Login.State != LoginWaiting {
		t.Errorf("adopted: %v", f.Login.State)
	}
}

// TestWhileItIsInstalled: a process is being installed until what it runs is there.
func TestWhileItIsInstalled(t *testing.T) {
	f, at := after(Facts{}, now0, Began{1}, Installing{api.Because(api.CodeUnpacking, "QQ")})
	if f.Process.State != ProcessInstalling || !f.Process.At.Equal(at) {
		t.Errorf("%v since %v", f.Process.State, f.Process.At)
	}
	if f, at = after(f, at, Starting{Host: "x"}); f.Process.State != ProcessSpawning || !f.Process.At.Equal(at) {
		t.Errorf("%v since %v", f.Process.State, f.Process.At)
	}
	// An adopted process may be told of without a start.
	if f, _ = after(Facts{}, now0, Began{1}, Installing{api.Because(api.CodeUnpacking, "QQ")}, Started{PID: 7}); f.Process.State != ProcessUp {
		t.Errorf("%v", f.Process.State)
	}
}

// TestWhatWasCountedWhileHeldUpIsForgotten: counts begin anew after ncatd itself was
// held up.
func TestWhatWasCountedWhileHeldUpIsForgotten(t *testing.T) {
	f, at := online()
	f, at = after(f, at, Measured{HaltedPID: 3}, HostMissed{}, HostMissed{}, HostMissed{}, ProbeFailed{}, ProbeFailed{}, HeldUp{})
	if h := f.View(testPolicy, at).Health; h.Reason != ReasonOnline {
		t.Errorf("looks that failed count: %s", h.Reason)
	}
	if n := f.Needs(testPolicy, at.Add(91*time.Second)); n.Drop || !n.Probe {
		t.Errorf("probes that failed count: %+v", n)
	}
	if f, _ = after(f, at, Measured{HaltedPID: 3}); f.Process.State == ProcessDoomed {
		t.Error("a sample counts")
	}
	// A link that was down stays without a beat.
	g, at := asked()
	if g, _ = after(g, at, HeldUp{}); !g.Link.BeatAt.IsZero() {
		t.Error("a beat of no link")
	}
}

// TestLoggedOutOfAServerThatWasNotSetUp: the next login sets it up again.
func TestLoggedOutOfAServerThatWasNotSetUp(t *testing.T) {
	f, at := asked()
	f, _ = after(f, at, LoggedIn{UIN: 10001}, ServerFailed{"x"}, LoggedOut{})
	if f.Link.State != LinkNone {
		t.Errorf("%v", f.Link.State)
	}
	g, at := online()
	if g, _ = after(g, at, LoggedOut{}); g.Link.State != LinkOnline {
		t.Errorf("a link that is up goes on: %v", g.Link.State)
	}
}
