package account

import (
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// TestWhatALoginIsToldAs walks every step: what state it leads to, for which
// reason, and what a client is shown of it.
func TestWhatALoginIsToldAs(t *testing.T) {
	code := LoginStep{Step: api.StepWaiting, Method: "qr", URL: "u1", Seq: 3}
	for _, tt := range []struct {
		name   string
		before []Fact
		step   LoginStep
		state  Login
		reason supervisor.Reason
		url    string // shown; "=" is that of the step before, issued then
		seq    int
		fresh  bool // issued now
	}{
		{"quick", nil, LoginStep{Step: api.StepQuick, Method: "quick", UIN: 5}, LoginTrying, ReasonQuickLogin, "", 0, false},
		{"password", nil, LoginStep{Step: api.StepPassword, Method: "password", UIN: 5}, LoginTrying, ReasonPasswordLogin, "", 0, false},
		{"waiting", nil, code, LoginHuman, ReasonQR, "u1", 3, true},
		{"refreshed", []Fact{code}, LoginStep{Step: api.StepRefreshed, URL: "u2", Seq: 4}, LoginHuman, ReasonQR, "u2", 4, true},
		{"expired", []Fact{code}, LoginStep{Step: api.StepExpired}, LoginHuman, ReasonQR, "", 3, false},
		{"timeout", []Fact{code}, LoginStep{Step: api.StepTimeout}, LoginHuman, ReasonQR, "u1", 3, false},
		{"captcha", nil, LoginStep{Step: api.StepCaptcha, URL: "c"}, LoginHuman, ReasonCaptcha, "c", 0, true},
		{"new device", nil, LoginStep{Step: api.StepNewDevice, URL: "d"}, LoginHuman, ReasonNewDevice, "d", 0, true},
		{"scanned", []Fact{code}, LoginStep{Step: api.StepScanned}, LoginHuman, ReasonNewDevice, "", 3, false},
		{"accepted", []Fact{code}, LoginStep{Step: api.StepAccepted}, LoginAccepted, "", "", 3, false},
		{"restarted", []Fact{code}, LoginStep{Step: api.StepRestarted}, LoginAsking, "", "", 0, false},
		{"failed, more to try", []Fact{code}, LoginStep{Step: api.StepFailed, Method: "qr", Reason: "refused"}, LoginHuman, ReasonQR, "u1", 3, false},
		{"failed for good", []Fact{code}, LoginStep{Step: api.StepFailed, Method: "qr", Reason: api.LoginExhausted, Detail: `登录失败: [{"code":45,"tipsContent":"账号被冻结"}]`}, LoginHuman, ReasonLoginFailed, "", 3, false},
	} {
		f, at := asked()
		f, at = after(f, at, tt.before...)
		was := f.Login.Told
		f, at = after(f, at, tt.step)
		told := f.Login.Told
		if f.Login.State != tt.state || f.Login.Cause.Reason != tt.reason {
			t.Errorf("%s: state %v for %q, want %v for %q", tt.name, f.Login.State, f.Login.Cause.Reason, tt.state, tt.reason)
		}
		if tt.reason != "" && f.Login.Cause.Why.Code == "" {
			t.Errorf("%s: no words for it", tt.name)
		}
		if told.URL != tt.url || told.Seq != tt.seq || tt.fresh && !told.Issued.Equal(at) || tt.url != "" && !tt.fresh && !told.Issued.Equal(was.Issued) || tt.url == "" && !told.Issued.IsZero() {
			t.Errorf("%s: told %+v, before %+v, at %v", tt.name, told, was, at)
		}
		// What somebody has to do is not what has been done already.
		if want := map[api.LoginStep]api.Code{api.StepWaiting: api.CodeLoginQR, api.StepExpired: api.CodeLoginQRExpired, api.StepNewDevice: api.CodeLoginNewDevice, api.StepScanned: api.CodeLoginScanned}[tt.step.Step]; want != "" && f.Login.Cause.Why.Code != want {
			t.Errorf("%s: told as %q, not %q", tt.name, f.Login.Cause.Why.Code, want)
		}
		failed := tt.step.Step == api.StepFailed
		if failed && (told.Failed == nil || told.Failed.Reason != tt.step.Reason || told.Failed.Detail != tt.step.Detail || !told.Failed.Time.Equal(at)) {
			t.Errorf("%s: failed %+v", tt.name, told.Failed)
		}
		if failed && tt.step.Detail != "" && told.Failed.Cause != "登录失败: 账号被冻结" {
			t.Errorf("%s: cause %q", tt.name, told.Failed.Cause)
		}
		if m := tt.step.Method; m != "" && !failed && told.Method != m {
			t.Errorf("%s: method %s", tt.name, told.Method)
		}
		if tt.step.UIN != 0 && told.UIN != tt.step.UIN {
			t.Errorf("%s: uin %d", tt.name, told.UIN)
		}
	}
}

// TestWhyALinkIsDown: the first reason that says more stays.
func TestWhyALinkIsDown(t *testing.T) {
	for _, tt := range []struct {
		name  string
		facts []Fact
		state Link
		code  api.Code
	}{
		{"never up", []Fact{LinkDown{Err: "x"}}, LinkNone, api.CodeOneBotError},
		{"never up, no words", []Fact{LinkDown{}}, LinkNone, ""},
		{"was up", []Fact{LinkUp{}, LinkAccepted{SelfID: 10001}, LinkDown{Err: "x"}}, LinkLost, api.CodeLinkLost},
		{"was up, no words", []Fact{LinkUp{}, LinkAccepted{SelfID: 10001}, LinkDown{}}, LinkLost, ""},
		{"refused", []Fact{LinkUp{}, LinkDown{Err: "x", Refused: true}}, LinkRefused, api.CodeOneBotToken},
		{"refused, then lost", []Fact{LinkDown{Refused: true}, LinkDown{Err: "x"}}, LinkRefused, api.CodeOneBotToken},
		{"busy, then lost", []Fact{ServerBusy{Port: 3001}, LinkDown{Err: "x"}}, LinkBusy, api.CodePortMoved},
		{"not set up, then lost", []Fact{ServerFailed{"x"}, LinkDown{Err: "x"}}, LinkUnset, api.CodeOneBotSetup},
		{"set up after all", []Fact{ServerFailed{"x"}, ServerSetUp{}}, LinkNone, api.CodeOneBotSetup},
		{"set up, had not failed", []Fact{LinkUp{}, ServerSetUp{}}, LinkOpen, ""},
		{"elsewhere", []Fact{ServerBusy{Port: 3001}, ServerAt{URL: "ws://y/"}}, LinkNone, api.CodePortMoved},
		{"elsewhere while up", []Fact{LinkUp{}, ServerAt{URL: "ws://y/"}}, LinkOpen, ""},
		{"given up", []Fact{LinkUp{}, LinkAccepted{SelfID: 10001}, Dropped{}}, LinkSilent, ""},
		{"given up, was not up", []Fact{Dropped{}}, LinkNone, ""},
		{"offline", []Fact{LinkUp{}, LinkAccepted{SelfID: 10001}, Beat{}}, LinkOffline, ""},
		{"online", []Fact{LinkUp{}, LinkAccepted{SelfID: 10001}, Beat{Online: true}}, LinkOnline, ""},
		{"a beat of no link", []Fact{Beat{Online: true}}, LinkNone, ""},
	} {
		f, at := asked()
		f, _ = after(f, at, append([]Fact{LoggedIn{UIN: 10001}}, tt.facts...)...)
		if f.Link.State != tt.state || f.Link.Why.Code != tt.code {
			t.Errorf("%s: %v %q, want %v %q", tt.name, f.Link.State, f.Link.Why.Code, tt.state, tt.code)
		}
	}
}

// Each of the three enums has the time at which it became what it is.
func TestTimesOfStates(t *testing.T) {
	f, at := online()
	if f.Process.At.IsZero() || f.Login.At.IsZero() || !f.Link.At.After(f.Login.At) || !f.Login.At.After(f.Process.At) {
		t.Errorf("process %v, login %v, link %v", f.Process.At, f.Login.At, f.Link.At)
	}
	was := f
	if f, at = after(f, at, Beat{Online: true}); f.Link.At != was.Link.At {
		t.Error("the same state began again")
	}
	if f, at = after(f, at, Beat{}); f.Link.At != at || f.Login.At != was.Login.At || f.Process.At != was.Process.At {
		t.Errorf("process %v, login %v, link %v, now %v", f.Process.At, f.Login.At, f.Link.At, at)
	}
	if f, at = after(f, at, Kicked{}); f.Process.At != at {
		t.Errorf("process %v, now %v", f.Process.At, at)
	}
}

func TestMeasurements(t *testing.T) {
	f, at := online()
	f = f.After(testPolicy, Measured{RSS: 50 << 20, CPU: 1}, at)
	if f.Process.CPUPercent != 0 || f.Process.RSS != 50<<20 || f.Process.MeasuredAt != at {
		t.Errorf("first: %+v", f.Process)
	}
	f = f.After(testPolicy, Measured{RSS: 60 << 20, CPU: 2}, at.Add(4*time.Second))
	if f.Process.CPUPercent != 25 || f.Process.CPU != 2 || f.Process.RSS != 60<<20 {
		t.Errorf("second: %+v", f.Process)
	}
	f = f.After(testPolicy, Measured{CPU: 1}, at.Add(8*time.Second)) // another process tree
	if f.Process.CPUPercent != 0 || f.Process.CPU != 1 {
		t.Errorf("third: %+v", f.Process)
	}
	// At the limit, and one and a half times it.
	for _, tt := range []struct {
		rss   uint64
		quiet bool
		doom  bool
	}{{100 << 20, true, false}, {100<<20 + 1, true, true}, {150<<20 - 1, false, false}, {150 << 20, false, true}} {
		f, at := online()
		if f, _ = after(f, at, Measured{RSS: tt.rss, Quiet: tt.quiet}); (f.Process.State == ProcessDoomed) != tt.doom {
			t.Errorf("%d bytes, quiet %v: %v", tt.rss, tt.quiet, f.Process.State)
		}
	}
	// A process is halted when two looks in a row find it so.
	f, at = online()
	f, at = after(f, at, Measured{HaltedPID: 3})
	if f.Process.HaltedPID != 3 || f.Process.State == ProcessDoomed {
		t.Errorf("%+v", f.Process)
	}
	f, at = after(f, at, Measured{}, Measured{HaltedPID: 3})
	if f.Process.State == ProcessDoomed {
		t.Error("not in a row")
	}
	if f, _ = after(f, at, Measured{HaltedPID: 3}); f.Process.State != ProcessDoomed {
		t.Error("twice in a row")
	}
}

// What the host says of itself shows while its process runs, and not before.
func TestWhatTheHostSays(t *testing.T) {
	f, at := spawned()
	f, at = after(f, at, Versioned{"9.9"}, PacketBackEnd{"available"})
	if f.Past.Host != "9.9" || f.Process.Packet != "available" {
		t.Errorf("%s, %s", f.Past.Host, f.Process.Packet)
	}
	if f, at = after(f, at, Versioned{}); f.Past.Host != "9.9" {
		t.Error("an empty version")
	}
	if f, _ = after(f, at, Ended{ReasonCrash}, Versioned{"1.1"}, PacketBackEnd{"missing"}); f.Past.Host != "9.9" || f.Process.Packet != "" {
		t.Errorf("after the end: %s, %s", f.Past.Host, f.Process.Packet)
	}
	// A nickname belongs to who is logged in.
	f, at = asked()
	if f, at = after(f, at, Named{"x"}); f.Past.Nickname != "" {
		t.Error("a name of nobody")
	}
	if f, _ = after(f, at, LoggedIn{UIN: 10001}, Named{"x"}); f.Past.Nickname != "x" {
		t.Errorf("%q", f.Past.Nickname)
	}
}

// The time between heartbeats is what the last one said that said it.
func TestTheIntervalOfHeartbeats(t *testing.T) {
	f, at := online()
	for _, tt := range []struct{ says, want time.Duration }{{10 * time.Second, 10 * time.Second}, {0, 10 * time.Second}, {time.Minute, time.Minute}} {
		f, at = after(f, at, Beat{Online: true, Every: tt.says})
		if f.Link.BeatEvery != tt.want {
			t.Errorf("says %v: %v, want %v", tt.says, f.Link.BeatEvery, tt.want)
		}
		if late := at.Add(3 * tt.want); !f.silent(testPolicy, late) || f.silent(testPolicy, late.Add(-1)) {
			t.Errorf("says %v: silent too early or too late", tt.says)
		}
	}
}
