package account

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/supervisor"
)

var now0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

var testPolicy = Policy{
	Supervisor: supervisor.Policy{
		Initial: time.Second, Max: 5 * time.Minute, Jitter: 0.2, ScoreLimit: 5, ScoreHalfLife: time.Minute,
		HealthyAfter: 5 * time.Minute, StartTimeout: 90 * time.Second, OfflineTimeout: 3 * time.Minute,
	},
	Heartbeat: 30 * time.Second, HeartbeatMisses: 3, OfflineSamples: 2, ProbeInterval: 5 * time.Second, MemoryLimit: 100 << 20,
}

// after lets facts happen a second apart, the last of them at the time returned.
func after(f Facts, at time.Time, facts ...Fact) (Facts, time.Time) {
	for _, e := range facts {
		at = at.Add(time.Second)
		f = f.After(testPolicy, e, at)
	}
	return f, at
}

// spawned, asked and online are the facts of an account at these points.
func spawned() (Facts, time.Time) {
	return after(Facts{}, now0, Began{1}, Starting{Host: "1", Client: "2"}, Started{PID: 7, Since: now0}, ServerAt{URL: "ws://x/"})
}

func asked() (Facts, time.Time) {
	f, at := spawned()
	return after(f, at, HostAt{URL: "http://x/webui"})
}

func online() (Facts, time.Time) {
	f, at := asked()
	return after(f, at, LoggedIn{UIN: 10001, Nickname: "n"}, Dialed{URL: "ws://x/"}, LinkUp{}, LinkAccepted{SelfID: 10001}, Beat{Online: true, Every: 30 * time.Second}, Looked{})
}

func times[T any](n int, e T) []Fact {
	out := make([]Fact, n)
	for i := range out {
		out[i] = any(e).(Fact)
	}
	return out
}

func TestHealth(t *testing.T) {
	const (
		starting   = supervisor.StateStarting
		connecting = supervisor.StateConnecting
		up         = supervisor.StateOnline
		offline    = supervisor.StateOffline
		required   = supervisor.StateLoginRequired
	)
	accept := LinkAccepted{SelfID: 10001}
	for _, tt := range []struct {
		name   string
		from   func() (Facts, time.Time)
		facts  []Fact
		later  time.Duration
		state  supervisor.State
		reason supervisor.Reason
		needs  string
	}{
		{"nothing is known", spawned, nil, 0, starting, ReasonWebUI, ""},
		{"packages are fetched", func() (Facts, time.Time) { return after(Facts{}, now0, Began{1}) }, []Fact{Installing{api.Because(api.CodeUnpacking, "x")}}, 0, supervisor.StateInstalling, ReasonInstall, ""},
		{"the WebUI is up", asked, nil, 0, starting, ReasonLogin, ""},
		{"adopted", func() (Facts, time.Time) { return after(Facts{}, now0, Began{1}) }, []Fact{Started{Adopted: true}, HostAt{"u"}}, 0, starting, ReasonAdopted, ""},
		{"waits for a scan", asked, []Fact{LoginStep{Step: api.StepWaiting, URL: "u", Seq: 1}}, 0, required, ReasonQR, ""},
		{"waits for a captcha", asked, []Fact{LoginStep{Step: api.StepCaptcha, URL: "u"}}, 0, required, ReasonCaptcha, ""},
		{"waits for a new device", asked, []Fact{LoginStep{Step: api.StepNewDevice, URL: "u"}}, 0, required, ReasonNewDevice, ""},
		{"tries its ticket", asked, []Fact{LoginStep{Step: api.StepQuick, UIN: 1}}, 0, starting, ReasonQuickLogin, ""},
		{"NapCat tries its ticket", asked, []Fact{OwnQuickLogin{UIN: 1}}, 0, starting, ReasonQuickLogin, ""},
		{"accepted, OneBot not up", asked, []Fact{LoginStep{Step: api.StepAccepted}}, 0, connecting, ReasonAccepted, ""},
		{"no network for a moment", spawned, []Fact{NetworkWaited{}}, 0, starting, ReasonWebUI, ""},
		{"no network for some seconds", spawned, times(4, NetworkWaited{}), 0, starting, ReasonNoNetwork, ""},
		{"no network for long", spawned, times(20, NetworkWaited{}), 0, offline, ReasonNoNetwork, ""},
		{"the network came", spawned, append(times(20, NetworkWaited{}), NetworkCame{}), 0, starting, ReasonWebUI, ""},
		{"a network wait of the past", spawned, []Fact{NetworkWaited{}}, time.Minute, starting, ReasonWebUI, ""},
		{"not connected yet", asked, []Fact{LoggedIn{UIN: 1}}, 0, connecting, ReasonOneBot, "dial"},
		{"dialing", asked, []Fact{LoggedIn{UIN: 1}, Dialed{"ws://x/"}}, 0, connecting, ReasonOneBot, ""},
		{"out of reach", asked, []Fact{LoggedIn{UIN: 1}, Dialed{"ws://x/"}, LinkDown{Err: "refused"}}, 2 * time.Second, connecting, ReasonOneBot, "repair"},
		{"link lost", online, []Fact{LinkDown{Err: "EOF"}}, 0, connecting, ReasonLinkLost, ""},
		{"link lost for long", online, []Fact{LinkDown{Err: "EOF"}}, unconnectedAgain, connecting, ReasonLinkLost, "repair"},
		{"repair was tried", online, []Fact{LinkDown{Err: "EOF"}, RepairBegan{}}, unconnectedAgain, connecting, ReasonLinkLost, ""},
		{"worker died", online, []Fact{WorkerDied{}, LinkDown{Err: "EOF"}}, 0, connecting, ReasonCrash, ""},
		{"no lifecycle", online, []Fact{LinkDown{}, LinkUp{}}, 0, connecting, ReasonLinkLost, ""},
		{"port taken", asked, []Fact{LoggedIn{UIN: 1}, ServerBusy{Port: 1}, LinkDown{}}, 0, connecting, ReasonPortBusy, "dial repair"},
		{"token refused", online, []Fact{LinkDown{Refused: true}}, 0, connecting, ReasonBadToken, ""},
		{"OneBot failed", asked, []Fact{LoggedIn{UIN: 1}, ServerFailed{"x"}, LinkDown{}}, 0, connecting, ReasonBadConfig, "dial"},
		{"before the first heartbeat", online, []Fact{LinkDown{}, accept}, 0, connecting, ReasonOneBot, "probe"},
		{"before the first heartbeat, asked", online, []Fact{LinkDown{}, accept, Probed{}}, 0, connecting, ReasonOneBot, ""},
		{"all is well", online, nil, 0, up, ReasonOnline, ""},
		{"heartbeat not late yet", online, nil, 88 * time.Second, up, ReasonOnline, ""},
		{"heartbeat late", online, nil, 90 * time.Second, up, ReasonOnline, "probe"},
		{"heartbeat late, one probe failed", online, []Fact{ProbeFailed{}}, 90 * time.Second, up, ReasonOnline, "probe"},
		{"heartbeat late, two probes failed", online, times(2, ProbeFailed{}), 90 * time.Second, up, ReasonOnline, "drop"},
		{"dropped", online, []Fact{Dropped{}}, 0, connecting, ReasonHeartbeatLost, ""},
		{"dropped and gone", online, []Fact{Dropped{}, LinkDown{Err: "x"}}, 0, connecting, ReasonHeartbeatLost, ""},
		{"one offline look", online, []Fact{SessionSeen{}}, 0, up, ReasonOnline, ""},
		{"two offline looks", online, times(2, SessionSeen{}), 0, offline, supervisor.ReasonOffline, ""},
		{"back", online, append(times(2, SessionSeen{}), SessionSeen{Online: true}), 0, up, ReasonOnline, ""},
		{"heartbeat says offline", online, []Fact{Beat{}}, 0, offline, supervisor.ReasonOffline, "probe"},
		{"WebUI silent", online, times(3, HostMissed{}), 0, up, ReasonWebUILost, ""},
		{"WebUI silent, then not", online, append(times(3, HostMissed{}), SessionSeen{Online: true}), 0, up, ReasonOnline, ""},
		{"logged out", online, []Fact{LoggedOut{}}, 0, starting, ReasonLogin, ""},
		{"stopped by a signal for a moment", online, []Fact{Measured{HaltedPID: 3}, Measured{}, Measured{HaltedPID: 3}}, 0, up, ReasonOnline, ""},
		{"three worker deaths", online, times(3, WorkerDied{}), 0, up, ReasonOnline, ""},
		{"two sends not confirmed", online, []Fact{Unconfirmed{2}}, 0, up, ReasonOnline, ""},
		{"much memory in use, and busy", online, []Fact{Measured{RSS: 120 << 20}}, 0, up, ReasonOnline, ""},
		{"slept for a night", online, append(times(3, HostMissed{}), ProbeFailed{}), 0, up, ReasonWebUILost, ""},
	} {
		f, at := tt.from()
		f, at = after(f, at, tt.facts...)
		at = at.Add(tt.later)
		f = f.After(testPolicy, Looked{}, at)
		v, n := f.View(testPolicy, at), f.Needs(testPolicy, at)
		if v.Fault != nil || v.Health.State != tt.state || v.Health.Reason != tt.reason || v.Health.Why.Code == "" || needs(n) != tt.needs {
			t.Errorf("%s: %+v, needs %q; want %s %s, needs %q", tt.name, v, needs(n), tt.state, tt.reason, tt.needs)
		}
		if !v.Wake.IsZero() && !v.Wake.After(at) {
			t.Errorf("%s: wakes at once for ever", tt.name)
		}
	}
}

func needs(n Needs) string {
	out := ""
	for _, w := range []struct {
		need bool
		word string
	}{{n.Dial, "dial"}, {n.Probe, "probe"}, {n.Drop, "drop"}, {n.Repair, "repair"}} {
		if w.need && out != "" {
			out += " "
		}
		if w.need {
			out += w.word
		}
	}
	return out
}

func TestFaults(t *testing.T) {
	display := failure(ReasonDisplayLost, api.CodeDisplayLost)
	for _, tt := range []struct {
		name      string
		facts     []Fact
		later     time.Duration
		reason    supervisor.Reason
		weight    float64
		permanent bool
	}{
		{"kicked", []Fact{Kicked{"x"}}, 0, ReasonKicked, 1, false},
		{"another account logs in", []Fact{LoggedOut{}, LoggedIn{UIN: 10002}}, 0, ReasonWrongAccount, 1, true},
		{"another account answers", []Fact{LinkDown{}, LinkAccepted{SelfID: 10002}}, 0, ReasonWrongAccount, 1, true},
		{"the login is another's", []Fact{WrongAccount{Got: 2, Want: 1}}, 0, ReasonWrongAccount, 1, true},
		{"stopped by a signal", times(2, Measured{HaltedPID: 3}), 0, ReasonHung, 1, false},
		{"display lost", []Fact{Doomed{display}}, 0, ReasonDisplayLost, 1, false},
		{"four worker deaths", times(4, WorkerDied{}), 0, ReasonCrash, 1, false},
		{"three sends not confirmed", []Fact{Unconfirmed{3}}, 0, ReasonSendFailing, 1, false},
		{"WebUI and OneBot silent", append(times(3, HostMissed{}), ProbeFailed{}), 90 * time.Second, ReasonNotResponding, 1, false},
		{"too much memory at a quiet moment", []Fact{Measured{RSS: 101 << 20, Quiet: true}}, 0, ReasonMemory, 0, false},
		{"far too much memory", []Fact{Measured{RSS: 150 << 20}}, 0, ReasonMemory, 0, false},
		{"scheduled", []Fact{Scheduled{}}, 0, ReasonScheduled, 0, false},
		{"a fault and its consequence", []Fact{Unconfirmed{3}, Kicked{"x"}}, 0, ReasonSendFailing, 1, false},
	} {
		f, at := online()
		f, at = after(f, at, tt.facts...)
		at = at.Add(tt.later)
		v := f.After(testPolicy, Looked{}, at).View(testPolicy, at)
		if v.Fault == nil || v.Fault.Reason != tt.reason || v.Fault.Why.Code == "" || v.Fault.Weight != tt.weight || v.Fault.Permanent != tt.permanent {
			t.Errorf("%s: %+v, want %s", tt.name, v.Fault, tt.reason)
		}
	}
	// What is no fault.
	f, at := online()
	for range 3 {
		if f, at = after(f, at.Add(workerWindow), WorkerDied{}, WorkerAgain{}); f.Process.State == ProcessDoomed {
			t.Error("worker deaths far apart doom the process")
		}
	}
}

// TestAKickCountsOnce: bot_offline, status 20 and the log tell of the same kick,
// and a later ncatd that adopts the process hears of it again.
func TestAKickCountsOnce(t *testing.T) {
	f, at := online()
	var pauses []time.Duration
	for life := uint64(2); life < 5; life++ {
		f, at = after(f, at, Kicked{"a"}, Kicked{""}, Kicked{"b"})
		again, _ := after(remembered(f.Saved(), at), at, Began{1}, Started{Since: f.Process.Started, Adopted: true}, Kicked{"a"})
		if len(again.Past.Kicks) != len(f.Past.Kicks) {
			t.Errorf("adopted: %d kicks became %d", len(f.Past.Kicks), len(again.Past.Kicks))
		}
		pauses = append(pauses, f.View(testPolicy, at).Fault.Pause)
		f, at = after(f, at, Ended{ReasonKicked}, Began{life})
		f, at = after(f, at, Started{Since: at}, HostAt{"u"}, LoggedIn{UIN: 10001})
	}
	if want := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}; !reflect.DeepEqual(pauses, want) {
		t.Errorf("pauses %v, want %v", pauses, want)
	}
	if len(f.Past.Kicks) != 3 || f.Past.Restarts != 3 || f.Past.LastRestart != ReasonKicked {
		t.Errorf("%d kicks, %d restarts, the last for %s", len(f.Past.Kicks), f.Past.Restarts, f.Past.LastRestart)
	}
	// A day later they are forgotten.
	if f := remembered(f.Saved(), at.Add(24*time.Hour)); len(f.Past.Kicks) != 0 {
		t.Errorf("kicks of yesterday: %v", f.Past.Kicks)
	}
}

func TestWorkerDeathIsOneRestart(t *testing.T) {
	f, at := online()
	f, at = after(f, at, WorkerDied{})
	f = f.After(testPolicy, WorkerAgain{}, at.Add(time.Millisecond)) // the other line of the same death
	if f.Past.Restarts != 1 {
		t.Errorf("%d restarts", f.Past.Restarts)
	}
	if f, _ = after(f, at.Add(time.Second), WorkerAgain{}); f.Past.Restarts != 2 { // one without an error
		t.Errorf("%d restarts", f.Past.Restarts)
	}
}

func TestHeldUpIsForgiven(t *testing.T) {
	f, at := online()
	f, at = after(f, at, HostMissed{}, HostMissed{}, HostMissed{}, ProbeFailed{}, Measured{HaltedPID: 3})
	at = at.Add(8 * time.Hour)
	f, _ = after(f, at.Add(-time.Second), HeldUp{}, Looked{})
	if v := f.View(testPolicy, at.Add(time.Second)); v.Fault != nil || v.Health.State != supervisor.StateOnline || f.Needs(testPolicy, at.Add(time.Second)).Probe {
		t.Errorf("after a night asleep: %+v", v)
	}
	if !f.Needs(testPolicy, at.Add(91*time.Second)).Probe {
		t.Error("90 s later without a heartbeat nothing is asked")
	}
}

// TestLoginIsToldOnce: the one Login of a snapshot has all that a client shows.
func TestLoginIsToldOnce(t *testing.T) {
	f, at := asked()
	f, at = after(f, at,
		LoginStep{Step: api.StepQuick, Method: api.MethodQuick, UIN: 1},
		LoginStep{Step: api.StepFailed, Method: api.MethodQuick, UIN: 1, Reason: api.LoginRefused, Detail: "no"},
		LoginStep{Step: api.StepWaiting, Method: api.MethodQR, URL: "first", Seq: 1})
	told := f.Snapshot("main", supervisor.Status{}).Login
	if told == nil || told.Step != api.StepWaiting || told.URL != "first" || told.Seq != 1 || !told.Issued.Equal(at) || told.Failed == nil || told.Failed.Detail != "no" {
		t.Fatalf("%+v", told)
	}
	f, at = after(f, at, LoginStep{Step: api.StepExpired, Method: api.MethodQR})
	if l := f.Snapshot("main", supervisor.Status{}).Login; l.URL != "" || l.Step != api.StepExpired {
		t.Errorf("expired: %+v", l)
	}
	f, at = after(f, at, LoginStep{Step: api.StepRefreshed, Method: api.MethodQR, URL: "second", Seq: 2}, LoginStep{Step: api.StepTimeout, Method: api.MethodQR})
	if l := f.Snapshot("main", supervisor.Status{}).Login; l.URL != "second" || l.Seq != 2 || l.Step != api.StepTimeout {
		t.Errorf("timeout: %+v", l)
	}
	f, _ = after(f, at, LoginStep{Step: api.StepAccepted}, LoggedIn{UIN: 1, Nickname: "n"})
	if a := f.Snapshot("main", supervisor.Status{}); a.Login != nil || a.Nickname != "n" {
		t.Errorf("logged in: %+v", a)
	}
}

func TestNicknameComesLate(t *testing.T) {
	f, at := asked()
	f, at = after(f, at, LoggedIn{UIN: 10001}, Named{"late"}, LoggedOut{}, LoggedIn{UIN: 10001})
	if f.Past.Nickname != "late" {
		t.Errorf("an old name is lost: %q", f.Past.Nickname)
	}
	if f, _ = after(f, at, Ended{}, Began{2}); f.Past.Nickname != "late" {
		t.Errorf("lost with the process: %q", f.Past.Nickname)
	}
}

// TestEveryFactInEveryState lets each fact happen in each combination of the
// three enums, and holds what must be true afterwards.
func TestEveryFactInEveryState(t *testing.T) {
	facts := []Fact{
		Began{2}, Installing{api.Because(api.CodeUnpacking, "x")}, Starting{"1", "2"}, Started{PID: 1, Since: now0}, Started{PID: 1, Adopted: true}, Doomed{failure(ReasonHung, api.CodeHung, 1)},
		Ended{ReasonCrash}, Measured{RSS: 1, HaltedPID: 3}, WorkerDied{api.Because(api.CodeWorkerDied, 1)}, WorkerAgain{}, Versioned{"3"}, PacketBackEnd{"missing"},
		Scheduled{}, Kicked{"x"}, HeldUp{}, Looked{}, NetworkWaited{}, NetworkCame{}, HostAt{"u"}, OwnQuickLogin{1}, LoggedIn{UIN: 10001}, LoggedIn{UIN: 10002},
		WrongAccount{1, 2}, Named{"n"}, LoggedOut{}, SessionSeen{true}, SessionSeen{false}, HostMissed{}, ServerAt{"ws://y/"}, Dialed{"ws://y/"}, ServerSetUp{},
		ServerFailed{"x"}, ServerBusy{Port: 1}, RepairBegan{}, LinkUp{}, LinkAccepted{10001}, LinkAccepted{10002}, Beat{Online: true}, Beat{}, Probed{}, ProbeFailed{},
		LinkDown{Err: "x"}, LinkDown{Refused: true}, Dropped{}, Unconfirmed{3}, Unconfirmed{0},
	}
	for _, s := range []api.LoginStep{api.StepQuick, api.StepPassword, api.StepWaiting, api.StepRefreshed, api.StepExpired, api.StepTimeout, api.StepCaptcha,
		api.StepNewDevice, api.StepScanned, api.StepAccepted, api.StepFailed, api.StepRestarted} {
		facts = append(facts, LoginStep{Step: s, URL: "u"})
	}
	seen := map[reflect.Type]bool{}
	for p := ProcessAbsent; p <= ProcessDoomed; p++ {
		for l := LoginWaiting; l <= LoginOffline; l++ {
			for k := LinkNone; k <= LinkOffline; k++ {
				for _, e := range facts {
					seen[reflect.TypeOf(e)] = true
					holds(t, p, l, k, e)
				}
			}
		}
	}
	if len(seen) < 36 {
		t.Errorf("only %d kinds of facts", len(seen))
	}
}

func holds(t *testing.T, p Process, l Login, k Link, e Fact) {
	t.Helper()
	old := Facts{
		Process: ProcessFacts{State: p, Life: 1, Started: now0, At: now0}, Login: LoginFacts{State: l, At: now0, Cause: supervisor.Because(ReasonQR, api.CodeLoginQR)},
		Link: LinkFacts{State: k, At: now0, URL: "ws://x/", Dialed: "ws://x/", EverAt: now0}, Past: Past{UIN: 10001},
	}
	if p == ProcessDoomed {
		old.Process.Fault = failure(ReasonKicked, api.CodeKickedQuiet)
	}
	kept := old
	at := now0.Add(time.Minute)
	f := old.After(testPolicy, e, at)
	name := fmt.Sprintf("%T in (%d, %d, %d)", e, p, l, k)
	if !reflect.DeepEqual(old, kept) {
		t.Fatalf("%s: changes the value it came from", name)
	}
	if (f.Process.State == ProcessDoomed) != (f.Process.Fault != nil) {
		t.Fatalf("%s: doomed without a fault, or the other way round: %+v", name, f.Process)
	}
	if p == ProcessDoomed && f.Process.State == ProcessDoomed && f.Process.Fault != old.Process.Fault {
		t.Fatalf("%s: the first cause is forgotten", name)
	}
	if p == ProcessAbsent && f.Process.State != ProcessAbsent && f.Process.State != ProcessSpawning {
		t.Fatalf("%s: a process from nowhere", name)
	}
	if f.Past.Restarts > old.Past.Restarts+1 || len(f.Past.Kicks) > 1 {
		t.Fatalf("%s: counted twice", name)
	}
	if (f.Process.State != p) != f.Process.At.Equal(at) && p != ProcessSpawning {
		t.Fatalf("%s: process since %v", name, f.Process.At)
	}
	v, n := f.View(testPolicy, at), f.Needs(testPolicy, at)
	if (f.Process.State == ProcessDoomed) != (v.Fault != nil) {
		t.Fatalf("%s: %+v", name, v)
	}
	if v.Health.State == supervisor.StateOnline && (!f.runs() || f.Login.State != LoginIn || f.Link.State != LinkOnline) {
		t.Fatalf("%s: online, but %+v", name, f)
	}
	if !v.Wake.IsZero() && !v.Wake.After(at) && needs(n) == "" {
		t.Fatalf("%s: wakes at once for ever", name)
	}
	if a := f.Snapshot("main", supervisor.Status{}); (a.PIDs.NapCat != 0 || a.Login != nil) && f.Process.State < ProcessUp {
		t.Fatalf("%s: a process is shown that is not there: %+v", name, a)
	}
}
