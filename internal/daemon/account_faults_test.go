//go:build linux

package daemon

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/napcat/launch"
	"github.com/ncatd/ncatd/internal/napcatsim"
)

func TestAccountStatus20(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", quickSim())
	r.start()
	a := r.online()
	if err := r.sim.SetOnline(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	r.await("offline", func(b api.Account) bool { return b.State == api.StateOffline && b.Reason == "offline" })
	if err := r.sim.SetOnline(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if b := r.online(); b.PIDs.NapCat != a.PIDs.NapCat || b.Restarts != 0 {
		t.Errorf("status 20 cost a process: %+v", b)
	}
}

func TestAccountStoppedProcesses(t *testing.T) {
	for _, who := range []string{"master", "worker"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "main", quickSim())
			r.start()
			a := r.online()
			st, err := r.sim.State(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			pid := st.MasterPID
			if who == "worker" {
				pid = st.PID
			}
			if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			r.anew(a.PIDs.NapCat)
			if !r.had(0, api.StateStopping, "hung") {
				t.Error("the history does not tell why")
			}
		})
	}
}

func TestAccountHangingWorker(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", quickSim())
	r.start()
	a := r.online()
	if err := r.sim.Hang(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	r.anew(a.PIDs.NapCat)
}

func TestAccountOneBotPortTaken(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", func() napcatsim.Options { o := quickSim(); o.OneBotBusy = true; return o }())
	r.start()
	r.online()
	if !r.had(0, api.StateConnecting, "port_busy") {
		t.Error("the history does not tell why")
	}
}

// A configured port that is taken is refused, with the program that holds it, until
// it is free; with replace another one takes its place, and that shows too.
func TestAccountConfiguredPortTaken(t *testing.T) {
	t.Parallel()
	for name, configure := range map[string]func(a *config.Account) *config.Endpoint{
		"webui":  func(a *config.Account) *config.Endpoint { return &a.WebUI },
		"onebot": func(a *config.Account) *config.Endpoint { return &a.OneBot.Endpoint },
	} {
		taken := func(t *testing.T, policy string) (r *rig, l net.Listener, port string) {
			r = newRig(t, "main", quickSim())
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			e := configure(&r.c.Account)
			e.Port, e.PortBusy = l.Addr().(*net.TCPAddr).Port, policy
			return r, l, strconv.Itoa(e.Port)
		}
		t.Run(name+" refused", func(t *testing.T) {
			t.Parallel()
			r, l, port := taken(t, "refuse")
			r.start()
			a := r.await("refused", func(a api.Account) bool { return a.Fault.Code == api.CodePortBusy })
			if want := []string{"main." + name + ".port", port, "daemon.test (pid " + strconv.Itoa(os.Getpid()) + ")"}; !slices.Equal(a.Fault.Args, want) || a.Reason != "port_busy" {
				t.Errorf("%s %q, want %q", a.Reason, a.Fault.Args, want)
			}
			l.Close()
			if a := r.online(); !strings.Contains(a.WebUIURL+a.OneBotURL, port) {
				t.Errorf("online at %s, %s, want %s", a.WebUIURL, a.OneBotURL, port)
			}
		})
		t.Run(name+" replaced", func(t *testing.T) {
			t.Parallel()
			r, _, port := taken(t, "replace")
			r.start()
			a := r.online()
			if strings.Contains(a.WebUIURL+a.OneBotURL, port) || len(a.Degraded) != 1 || a.Degraded[0].Code != api.CodePortReplaced || a.Degraded[0].Args[0] != port {
				t.Errorf("%s, %s, %+v", a.WebUIURL, a.OneBotURL, a.Degraded)
			}
		})
	}
}

func TestAccountHostOfAnotherMachine(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", quickSim())
	r.c.Account.OneBot.Host = "198.51.100.7" // for documentation
	r.start()
	a := r.await("refused", func(a api.Account) bool { return a.Fault.Code == api.CodeHostNotHere })
	if !strings.Contains(a.Detail, "main.onebot.host is 198.51.100.7") {
		t.Error(a.Detail)
	}
}

func TestAccountWebUIPortMoves(t *testing.T) {
	t.Parallel()
	o := quickSim()
	o.WebUIBusy = true
	r := newRig(t, "main", o)
	r.start()
	r.online()
}

func TestAccountFloods(t *testing.T) {
	t.Parallel()
	o := quickSim()
	o.StdoutFlood = 64 << 20
	r := newRig(t, "main", o)
	r.start()
	r.online()
	st, err := os.Stat(r.c.LogFile)
	if err != nil {
		t.Fatal(err)
	}
	if st.Size() > 8<<20 {
		t.Errorf("the log has %d bytes of the flood", st.Size())
	}
}

func TestAccountFrames(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", quickSim())
	r.c.Account.OneBot.Heartbeat = ms(10_000) // a giant frame takes its time
	r.start()
	a := r.online()
	if err := r.sim.Drop(t.Context(), napcatsim.DropRequest{Mode: "garbage", Count: 10_000}); err != nil {
		t.Fatal(err)
	}
	if err := r.sim.Drop(t.Context(), napcatsim.DropRequest{Mode: "giant", Size: 49 << 20}); err != nil {
		t.Fatal(err)
	}
	// The link still works after all of that.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := r.acc.Link().Call(ctx, "get_status", nil, nil); err != nil {
		t.Error(err)
	}
	if b := r.online(); b.PIDs.NapCat != a.PIDs.NapCat {
		t.Errorf("frames cost a process: %+v", b)
	}
}

// TestAccountTokenChanged: somebody gives our server another token on NapCat's page.
func TestAccountTokenChanged(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", quickSim())
	r.start()
	a := r.online()
	raw, err := r.host.web.OB11Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.ReplaceAll(raw, []byte(r.c.OneBotToken), []byte("of-somebody-else"))
	if err := r.host.web.SetOB11Config(t.Context(), changed); err != nil || bytes.Equal(raw, changed) {
		t.Fatal(err)
	}
	if err := r.sim.Drop(t.Context(), napcatsim.DropRequest{Mode: "close"}); err != nil {
		t.Fatal(err)
	}
	r.await("refused", func(b api.Account) bool { return b.Reason == "bad_token" })
	if b := r.online(); b.PIDs.NapCat != a.PIDs.NapCat || b.OneBotURL != a.OneBotURL {
		t.Errorf("a token cost more than a token: %+v", b)
	}
}

// TestAccountWithoutHeartbeat: answers to probes stand in for heartbeats.
func TestAccountWithoutHeartbeat(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", quickSim())
	r.start()
	a := r.online()
	if err := r.sim.Drop(t.Context(), napcatsim.DropRequest{Mode: "no-heartbeat"}); err != nil {
		t.Fatal(err)
	}
	// Three heartbeats are missed after 3 s; then probes follow.
	var b api.Account
	await.True(t, 15*time.Second, "probes", func() bool { b = r.acc.Snapshot(); return b.Calls > a.Calls }) // counters change without a word
	if b.State != api.StateOnline || b.PIDs.NapCat != a.PIDs.NapCat {
		t.Errorf("%+v", b)
	}
}

// TestAccountSendsFailing: all looks well, but QQ confirms nothing.
func TestAccountSendsFailing(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", quickSim())
	r.start()
	a := r.online()
	if err := r.sim.Drop(t.Context(), napcatsim.DropRequest{Mode: "mute"}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		err := r.acc.Link().Call(ctx, "send_private_msg", map[string]any{"user_id": 3001000001, "message": "x"}, nil)
		cancel()
		if err == nil {
			t.Fatal("a send was confirmed")
		}
	}
	r.anew(a.PIDs.NapCat)
	if !r.had(0, api.StateStopping, "send_failing") {
		t.Error("the history does not tell why")
	}
}

func TestAccountDisplayKilled(t *testing.T) {
	t.Parallel()
	o := quickSim()
	o.NeedDisplay = "on"
	r := newRig(t, "main", o)
	display := launch.NewDisplay(t.Context(), launch.DisplayOptions{StateFile: filepath.Join(r.dir, "xvfb.json"), Marker: "test-" + strconv.Itoa(os.Getpid())})
	r.d.Display = display
	t.Cleanup(func() {
		if err := display.Close(); err != nil {
			t.Error(err)
		}
	})
	r.start()
	a := r.online()
	if a.PIDs.Xvfb == 0 {
		t.Fatal("no Xvfb")
	}
	if err := syscall.Kill(a.PIDs.Xvfb, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if b := r.anew(a.PIDs.NapCat); b.PIDs.Xvfb == 0 || b.PIDs.Xvfb == a.PIDs.Xvfb {
		t.Errorf("%+v", b.PIDs)
	}
	if !r.had(0, api.StateStopping, "display_lost") && !r.had(0, api.StateBackoff, "display_lost") && !r.had(0, api.StateBackoff, "no_display") {
		t.Error("the history does not tell why")
	}
}

func TestAccountMemory(t *testing.T) {
	t.Parallel()
	o := quickSim()
	o.MemoryGrowth, o.MemoryLimit = 200<<20, 400<<20
	r := newRig(t, "main", o)
	r.c.Supervisor.MemoryLimit = 150 << 20
	r.start()
	a := r.online()
	r.await("a restart", func(b api.Account) bool { return b.PIDs.NapCat != a.PIDs.NapCat })
	if !r.had(0, api.StateStopping, "memory") {
		t.Error("the history does not tell why")
	}
}

func TestAccountScheduledRestart(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", quickSim())
	r.c.Supervisor.RestartAt = "@every 2s"
	r.start()
	a := r.online()
	r.await("a restart", func(b api.Account) bool { return b.PIDs.NapCat != a.PIDs.NapCat })
	if !r.had(0, api.StateStopping, "scheduled") {
		t.Error("the history does not tell why")
	}
	r.await("another process", func(b api.Account) bool { return b.PIDs.NapCat != 0 && b.PIDs.NapCat != a.PIDs.NapCat })
	if r.had(0, api.StateBackoff, "scheduled") {
		t.Error("a scheduled restart waits like a failure")
	}
}
