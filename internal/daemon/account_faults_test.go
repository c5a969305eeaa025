//go:build linux

package daemon

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

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
	r.await("offline", 10*time.Second, func(b api.Account) bool { return b.State == api.StateOffline && b.Reason == "offline" })
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

func TestAccountConfiguredPortsTaken(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", quickSim())
	var ports []int
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	r.c.Account.WebUI.Port, r.c.Account.OneBot.Port = ports[0], ports[1]
	r.start()
	a := r.online()
	for _, p := range ports {
		if s := strconv.Itoa(p); strings.Contains(a.WebUIURL, s) || strings.Contains(a.OneBotURL, s) {
			t.Errorf("%s, %s", a.WebUIURL, a.OneBotURL)
		}
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
	r.await("a restart", 20*time.Second, func(b api.Account) bool { return b.PIDs.NapCat != a.PIDs.NapCat })
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
	r.await("a restart", 20*time.Second, func(b api.Account) bool { return b.PIDs.NapCat != a.PIDs.NapCat })
	if !r.had(0, api.StateStopping, "scheduled") {
		t.Error("the history does not tell why")
	}
	r.await("another process", 10*time.Second, func(b api.Account) bool { return b.PIDs.NapCat != 0 && b.PIDs.NapCat != a.PIDs.NapCat })
	if r.had(0, api.StateBackoff, "scheduled") {
		t.Error("a scheduled restart waits like a failure")
	}
}
