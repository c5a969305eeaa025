package daemon

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/napcatsim"
	"github.com/ncatd/ncatd/internal/proc"
)

// planted is a program of another user's that takes a port as soon as it is free.
type planted struct {
	mu    sync.Mutex
	heard []byte
	met   int // connections
}

// plant takes a port that is free, or will be at once.
func (p *planted) plant(t *testing.T, address string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	l, err := net.Listen("tcp", address)
	for ; err != nil; l, err = net.Listen("tcp", address) {
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.met++
			p.mu.Unlock()
			go func() {
				b, _ := io.ReadAll(io.LimitReader(c, 4096)) // until it is closed
				p.mu.Lock()
				p.heard = append(p.heard, b...)
				p.mu.Unlock()
				c.Close()
			}()
		}
	}()
}

func host(t *testing.T, rawURL string) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" {
		t.Fatalf("%q: %v", rawURL, err)
	}
	return u.Host
}

// TestAStrangerIsToldNothing: while NapCat's worker starts again, another program
// takes both of its ports. It hears no byte, the account is online elsewhere, with
// tokens that nobody can have heard.
func TestAStrangerIsToldNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", quickSim())
	// A master found stopped twice would be ended, as one that hangs is.
	r.c.Supervisor.Health.ProbeInterval = ms(10000)
	made := []tokens{{"webui-2-2-2-2-2-2", "onebot-2-2-2-2-2-2"}, {"webui-3-3-3-3-3-3", "onebot-3-3-3-3-3-3"}}
	var mu sync.Mutex
	r.d.NewTokens = func() (tokens, error) {
		mu.Lock()
		defer mu.Unlock()
		if len(made) == 0 {
			return tokens{}, errors.New("none left")
		}
		next := made[0]
		made = made[1:]
		return next, nil
	}
	r.start()
	a := r.online()
	// Its master is held until the stranger had its chance.
	if err := syscall.Kill(a.PIDs.NapCat, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := r.sim.Crash(t.Context(), napcatsim.CrashRequest{Code: 11}); err != nil {
		t.Fatal(err)
	}
	var p planted
	p.plant(t, host(t, a.OneBotURL))
	p.plant(t, host(t, a.WebUIURL))
	if err := syscall.Kill(a.PIDs.NapCat, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	b := r.await("the account online at another port", func(b api.Account) bool {
		return b.State == api.StateOnline && b.OneBotURL != a.OneBotURL
	})
	p.mu.Lock()
	heard, met := string(p.heard), p.met
	p.mu.Unlock()
	if heard != "" || met == 0 {
		t.Errorf("the stranger met %d connections and heard %q", met, heard)
	}
	if got := r.host.secrets(); got.oneBot == config.Secret(r.c.OneBotToken) {
		t.Error("the server that moved has the old token")
	}
	r.acc.Restart()
	r.anew(b.PIDs.NapCat)
	if got := r.host.secrets(); got.webUI != "webui-3-3-3-3-3-3" || r.host.state.Stranger {
		t.Errorf("the next process has %v, stranger %v", got, r.host.state.Stranger)
	}
}

// TestServerOfAConnection: who has the other end, taken or not yet, by both
// families.
func TestServerOfAConnection(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Logf("%s: %v", address, err)
			continue
		}
		to := l.Addr().String()
		c, err := net.Dial("tcp", to)
		if err != nil {
			t.Fatal(err)
		}
		for _, taken := range []bool{false, true} {
			if taken {
				s, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				l.Close()
			}
			o, ok, err := proc.ServerOf(c)
			if err != nil || !ok || o.PID != os.Getpid() {
				t.Errorf("%s, taken %v: %v, %v, %v", to, taken, o, ok, err)
			}
			if ours, err := o.Of(os.Getpid(), "x"); !ours || err != nil {
				t.Errorf("%s: ours %v, %v", to, ours, err)
			}
			if ours, err := o.Of(1<<30, "x"); ours || err != nil {
				t.Errorf("%s: a stranger's %v, %v", to, ours, err)
			}
		}
		c.Close()
	}
}

// TestOwnerOf: what descends from the master or carries the mark is ours; what
// cannot be found is, if it is our user's.
func TestOwnerOf(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, "sleep", "60")
	cmd.Env = []string{proc.MarkerEnv + "=mine"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = cmd.Wait() }() // killed
	for _, c := range []struct {
		o      proc.Listener
		root   int
		marker string
		ours   bool
	}{
		{proc.Listener{PID: cmd.Process.Pid}, os.Getpid(), "", true},
		{proc.Listener{PID: cmd.Process.Pid}, 1 << 30, "mine", true},
		{proc.Listener{PID: cmd.Process.Pid}, 1 << 30, "min", false},
		{proc.Listener{UID: strconv.Itoa(os.Geteuid())}, 1, "x", true},
		{proc.Listener{UID: "54321"}, 1, "x", false},
	} {
		if ours, err := c.o.Of(c.root, c.marker); ours != c.ours || err != nil {
			t.Errorf("%+v: %v, %v", c, ours, err)
		}
	}
}
