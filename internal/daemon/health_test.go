package daemon

import (
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/napcat/webui"
	"github.com/ncatd/ncatd/internal/supervisor"
)

var testHealth = config.Health{
	ProbeInterval: config.Duration(5 * time.Second), ProbeTimeout: config.Duration(5 * time.Second),
	StartTimeout: config.Duration(90 * time.Second), HeartbeatMisses: 3, OfflineSamples: 2,
}

var now0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// well returns the facts of an account that is online.
func well() *facts {
	return &facts{
		Spawned: now0, WebUIKnown: true, Login: loginDone, LinkUp: true, Lifecycle: true, EverUp: true,
		BeatAt: now0, BeatInterval: 30 * time.Second, SelfOnline: true, SelfKnown: true,
	}
}

func TestJudge(t *testing.T) {
	const (
		starting   = supervisor.StateStarting
		connecting = supervisor.StateConnecting
		online     = supervisor.StateOnline
		offline    = supervisor.StateOffline
		required   = supervisor.StateLoginRequired
	)
	second := now0.Add(time.Second)
	for _, tt := range []struct {
		name   string
		facts  func(f *facts)
		at     time.Time
		state  supervisor.State // "": a fault
		reason supervisor.Reason
		probe  bool
		redial bool
	}{
		{"all is well", func(*facts) {}, second, online, reasonOnline, false, false},
		{"nothing is known", func(f *facts) { *f = facts{Spawned: now0} }, second, starting, reasonWebUI, false, false},
		{"the WebUI is up", func(f *facts) { *f = facts{Spawned: now0, WebUIKnown: true} }, second, starting, reasonLogin, false, false},
		{"waits for a scan", func(f *facts) { f.Login, f.LoginReason = loginHuman, reasonQR }, second, required, reasonQR, false, false},
		{"tries its ticket", func(f *facts) { f.Login, f.LoginReason = loginTrying, reasonQuickLogin }, second, starting, reasonQuickLogin, false, false},
		{"accepted, OneBot not up", func(f *facts) { f.Login = loginAccepted }, second, connecting, reasonAccepted, false, false},
		{"no network for a moment", func(f *facts) { *f = facts{Spawned: now0, NetworkWait: now0, NetworkSince: now0} }, second, starting, reasonWebUI, false, false},
		{"no network for some seconds", func(f *facts) { *f = facts{Spawned: now0, NetworkWait: now0.Add(2 * time.Second), NetworkSince: now0} }, now0.Add(3 * time.Second), starting, reasonNoNetwork, false, false},
		{"no network for long", func(f *facts) { *f = facts{Spawned: now0, NetworkWait: now0.Add(59 * time.Second), NetworkSince: now0} }, now0.Add(time.Minute), offline, reasonNoNetwork, false, false},
		{"a worker started again in an old process", func(f *facts) {
			*f = facts{Spawned: now0}
			f.waitsForNetwork(now0) // of the worker before, and that was all
			f.waitsForNetwork(now0.Add(59 * time.Second))
			f.waitsForNetwork(now0.Add(59*time.Second + 500*time.Millisecond))
		}, now0.Add(time.Minute), starting, reasonWebUI, false, false},
		{"a network wait of the past", func(f *facts) { *f = facts{Spawned: now0, NetworkWait: now0} }, now0.Add(time.Minute), starting, reasonWebUI, false, false},
		{"not connected yet", func(f *facts) { f.linkDown(now0, ""); f.EverUp = false }, second, connecting, reasonOneBot, false, false},
		{"link lost", func(f *facts) { f.linkDown(now0, "EOF") }, second, connecting, reasonLinkLost, false, false},
		{"worker died", func(f *facts) { f.linkDown(now0, "EOF"); f.WorkerExits = []time.Time{now0} }, second, connecting, reasonCrash, false, false},
		{"no lifecycle", func(f *facts) { f.Lifecycle = false }, second, connecting, reasonLinkLost, false, false},
		{"port taken", func(f *facts) { f.linkDown(now0, ""); f.PortBusy = true }, second, connecting, reasonPortBusy, false, false},
		{"token refused", func(f *facts) { f.linkDown(now0, ""); f.BadToken = true }, second, connecting, reasonBadToken, false, false},
		{"OneBot failed", func(f *facts) { f.linkDown(now0, ""); f.OneBotFailed = "x" }, second, connecting, reasonBadConfig, false, false},
		{"before the first heartbeat", func(f *facts) { f.SelfKnown, f.SelfOnline = false, false }, second, connecting, reasonOneBot, true, false},
		{"heartbeat not late yet", func(*facts) {}, now0.Add(89 * time.Second), online, reasonOnline, false, false},
		{"heartbeat late", func(*facts) {}, now0.Add(90 * time.Second), online, reasonOnline, true, false},
		{"heartbeat late, one probe failed", func(f *facts) { f.ProbesFailed = 1 }, now0.Add(90 * time.Second), online, reasonOnline, true, false},
		{"heartbeat late, two probes failed", func(f *facts) { f.ProbesFailed = 2 }, now0.Add(90 * time.Second), connecting, reasonHeartbeatLost, true, true},
		{"reconnecting after that", func(f *facts) { f.ProbesFailed = 2; f.linkDown(now0, "x") }, now0.Add(91 * time.Second), connecting, reasonHeartbeatLost, false, false},
		{"one offline sample", func(f *facts) { f.OfflineSeen = 1 }, second, online, reasonOnline, false, false},
		{"two offline samples", func(f *facts) { f.OfflineSeen = 2 }, second, offline, supervisor.ReasonOffline, false, false},
		{"heartbeat says offline", func(f *facts) { f.SelfOnline = false }, second, offline, supervisor.ReasonOffline, true, false},
		{"WebUI silent", func(f *facts) { f.WebUIMisses = 3 }, second, online, reasonWebUILost, false, false},
		{"WebUI and OneBot silent", func(f *facts) { f.WebUIMisses, f.ProbesFailed = 3, 1 }, now0.Add(90 * time.Second), "", reasonNotResponding, false, false},
		{"kicked", func(f *facts) { f.Kicked = true }, second, "", reasonKicked, false, false},
		{"wrong account", func(f *facts) { f.WrongAccount = "x" }, second, "", reasonWrongAccount, false, false},
		{"stopped by a signal for a moment", func(f *facts) { f.HaltedFor = 1 }, second, online, reasonOnline, false, false},
		{"stopped by a signal", func(f *facts) { f.HaltedFor = 2 }, second, "", reasonHung, false, false},
		{"display lost", func(f *facts) { f.DisplayLost = true }, second, "", reasonDisplayLost, false, false},
		{"three worker deaths", func(f *facts) { f.WorkerExits = []time.Time{now0, now0, now0} }, second, online, reasonOnline, false, false},
		{"four worker deaths", func(f *facts) { f.WorkerExits = []time.Time{now0, now0, now0, now0} }, second, "", reasonCrash, false, false},
		{"four worker deaths long ago", func(f *facts) { f.WorkerExits = []time.Time{now0, now0, now0, now0} }, now0.Add(61 * time.Second), online, reasonOnline, false, false},
		{"two sends not confirmed", func(f *facts) { f.SendsTimedOut = 2 }, second, online, reasonOnline, false, false},
		{"three sends not confirmed", func(f *facts) { f.SendsTimedOut = 3 }, second, "", reasonSendFailing, false, false},
	} {
		f := well()
		tt.facts(f)
		v := judge(testHealth, f, tt.at)
		if tt.state == "" {
			if v.fault == nil || v.fault.Reason != tt.reason || v.fault.Detail == "" || v.fault.Weight != 1 {
				t.Errorf("%s: fault %+v, want %s", tt.name, v.fault, tt.reason)
			}
			continue
		}
		if v.fault != nil || v.health.State != tt.state || v.health.Reason != tt.reason || v.probe != tt.probe || v.redial != tt.redial {
			t.Errorf("%s: %+v, want %s %s probe=%v redial=%v", tt.name, v, tt.state, tt.reason, tt.probe, tt.redial)
		}
		if !v.wake.IsZero() && !v.wake.After(tt.at) {
			t.Errorf("%s: wakes at once for ever", tt.name)
		}
	}
}

func TestSilenceWhileWeSleptIsForgiven(t *testing.T) {
	f := well()
	f.WebUIMisses, f.ProbesFailed, f.HaltedFor = 3, 1, 1
	woke := now0.Add(8 * time.Hour)
	f.forgive(woke)
	if v := judge(testHealth, f, woke); v.fault != nil || v.health.State != supervisor.StateOnline || v.probe {
		t.Errorf("after a night asleep: %+v", v)
	}
	if v := judge(testHealth, f, woke.Add(90*time.Second)); !v.probe {
		t.Errorf("90 s later without a heartbeat: %+v", v)
	}
}

func TestSeeLogin(t *testing.T) {
	f := well()
	// The text of an expired code stays for ever (contract K.7).
	if f.seeLogin(webui.LoginStatus{IsLogin: true, LoginError: "二维码已过期，请刷新"}) || f.OfflineSeen != 0 {
		t.Errorf("a stale text: %+v", f)
	}
	for range 2 {
		if f.seeLogin(webui.LoginStatus{IsOffline: true}) {
			t.Error("status 20 is no logout")
		}
	}
	if f.OfflineSeen != 2 {
		t.Errorf("offline seen %d", f.OfflineSeen)
	}
	f.seeLogin(webui.LoginStatus{IsLogin: true})
	if f.OfflineSeen != 0 || f.Kicked {
		t.Errorf("back: %+v", f)
	}
	if !f.seeLogin(webui.LoginStatus{QRCodeURL: "https://x"}) {
		t.Error("a worker that asks for a login is not seen")
	}
	if f.seeLogin(webui.LoginStatus{LoginError: "[KickedOffLine] [下线通知] 你的帐号当前登录已失效，请重新登录。"}) || !f.Kicked || !strings.Contains(f.KickDetail, "登录已失效") {
		t.Errorf("kick: %+v", f)
	}
}
