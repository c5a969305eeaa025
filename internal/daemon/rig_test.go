//go:build linux

package daemon

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/account"
	"github.com/ncatd/ncatd/internal/bot"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/health"
	"github.com/ncatd/ncatd/internal/napcat/install"
	"github.com/ncatd/ncatd/internal/napcat/launch"
	"github.com/ncatd/ncatd/internal/napcatsim"
	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/ncat"
)

// TestMain is also the simulated qq, which the packed installation runs as
// "<this program> sim qq …".
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "sim" && os.Args[2] == "qq" {
		os.Exit(napcatsim.QQ(context.Background(), os.Args[3:], os.Stdout, os.Stderr))
	}
	os.Exit(testMain(m))
}

var simPair install.Pair

func testMain(m *testing.M) int {
	os.Unsetenv("NOTIFY_SOCKET") // of whatever runs the tests
	if err := proc.BecomeSubreaper(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "ncatd-daemon-test-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer removeAll(dir)
	// These tests wait most of the time.
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if simPair, err = installSim(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// removeAll removes a folder that holds read-only releases.
func removeAll(dir string) {
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return err
	})
	_ = os.RemoveAll(dir)
}

func installSim(dir string) (install.Pair, error) {
	p, err := napcatsim.Pack(filepath.Join(dir, "packages"), napcatsim.PackOptions{})
	if err != nil {
		return install.Pair{}, err
	}
	store, err := install.Open(filepath.Join(dir, "home"))
	if err != nil {
		return install.Pair{}, err
	}
	return store.Install(context.Background(), install.Request{
		NapCat: install.Package{File: p.NapCat}, QQ: install.Package{File: p.QQ}, Log: slog.New(slog.DiscardHandler),
	}, func(install.Event) {})
}

// rig is one account on the simulator.
type rig struct {
	t    *testing.T
	dir  string
	c    napCatConfig
	d    napCatDeps
	o    account.Options // what a test sets of them
	acc  *account.Account
	host *napCat
	sim  *napcatsim.Control
	bot  *ncat.Bot
	stop func() error // ends Run; further calls do nothing

	mu   sync.Mutex
	cond *sync.Cond
	logs []stamped
	hist []api.Transition
	seen api.Account
	// steps are those of the logins, without repetitions.
	steps []api.LoginStep
	step  api.LoginStep
}

type stamped struct {
	at time.Time
	r  api.LogRecord
}

func ms(n int) config.Duration { return config.Duration(time.Duration(n) * time.Millisecond) }

func newRig(t *testing.T, name string, o napcatsim.Options) *rig {
	t.Helper()
	dir, err := os.MkdirTemp("", "ncatd-rig-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeAll(dir) })
	def := config.Default()
	r := &rig{t: t, dir: dir, bot: ncat.New()}
	r.cond = sync.NewCond(&r.mu)
	acc := config.DefaultAccount(name)
	s := def.Supervisor
	s.Restart.Initial, s.Restart.Max = ms(200), ms(2000)
	s.Health.ProbeInterval, s.Health.ProbeTimeout, s.Health.StartTimeout = ms(300), ms(1000), config.Duration(patience)
	s.StopTimeout = ms(300) // the simulator takes 2 s to end in order, as NapCat does
	acc.OneBot.Heartbeat = ms(1000)
	r.c = napCatConfig{
		Account: acc, Supervisor: s, Dir: filepath.Join(dir, "accounts", name), LogFile: filepath.Join(dir, "napcat.log"),
		WebUIToken: "webuitoken123456", OneBotToken: "onebottoken12345", Environ: os.Environ(),
	}
	w := io.Discard
	if os.Getenv("NCATD_TEST_LOG") != "" {
		w = t.Output()
	}
	r.d = napCatDeps{
		Logger:  slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Display: launch.NewDisplay(t.Context(), launch.DisplayOptions{Mode: "none"}), Sampler: proc.NewSampler(), Ports: NewPorts(),
		Health: health.New(slog.New(slog.DiscardHandler), nil),
		Pair:   func(context.Context, func(api.Fault)) (install.Pair, error) { return simPair, nil },
		Log: func(rec api.LogRecord) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.logs = append(r.logs, stamped{time.Now(), rec})
		},
	}
	home := filepath.Join(r.c.Dir, "home")
	if err := napcatsim.WriteOptions(home, o); err != nil {
		t.Fatal(err)
	}
	r.sim = napcatsim.NewControl(home)
	return r
}

func (r *rig) options(host *napCat) account.Options {
	d := &Daemon{log: r.d.Logger, health: r.d.Health, metrics: control.NewMetrics()}
	o := d.accountOptions(r.c, host)
	o.Link = func(emit func(account.Fact)) account.Connection {
		l := &botLink{goal: make(chan goal, 1)}
		l.Link = bot.New(bot.Options{Account: r.c.Account.Name, Bot: r.bot, Trust: host.trust, Logger: slog.New(slog.DiscardHandler), Facts: func(f bot.Fact) { tell(f, emit) }})
		return l
	}
	o.Remember = func(int64) {}
	if r.o.Remember != nil {
		o.Remember = r.o.Remember
	}
	o.Changed = func(a api.Account, transition bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.seen = a
		if a.Login != nil && a.Login.Step != r.step {
			r.step = a.Login.Step
			r.steps = append(r.steps, r.step)
		}
		if transition {
			r.hist = append(r.hist, api.Transition{Time: time.Now(), State: a.State, Reason: a.Reason, Detail: a.Detail})
		}
		r.cond.Broadcast()
	}
	return o
}

// start runs the account and wishes it to run. The test ends it.
func (r *rig) start() {
	r.t.Helper()
	host := newNapCat(r.c, r.d)
	acc := account.New(r.options(host))
	r.acc, r.host = acc, host
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- errors.Join(acc.Run(ctx), host.Close()) }()
	var once sync.Once
	var err error
	r.stop = func() error {
		once.Do(func() {
			cancel()
			err = <-done
		})
		return err
	}
	r.t.Cleanup(func() {
		if err := r.stop(); err != nil {
			r.t.Errorf("end of the account: %v", err)
		}
		if err := proc.Sweep(proc.Identity{}, host.state.Marker, 5*time.Second); err != nil {
			r.t.Error(err)
		}
		if r.t.Failed() {
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, h := range r.hist {
				r.t.Logf("%s %s %s: %s", h.Time.Format("05.000"), h.State, h.Reason, h.Detail)
			}
		}
	})
	acc.Want(true)
}

// patience is how long a test waits for what must come, on a machine that is busy
// with other tests.
const patience = time.Minute

// await waits until the account is as ok says.
func (r *rig) await(what string, ok func(a api.Account) bool) api.Account {
	r.t.Helper()
	timer := time.AfterFunc(patience, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.cond.Broadcast()
	})
	defer timer.Stop()
	deadline := time.Now().Add(patience)
	r.mu.Lock()
	defer r.mu.Unlock()
	for !ok(r.seen) {
		if time.Now().After(deadline) {
			s := r.seen
			r.mu.Unlock()
			r.t.Errorf("timeout: %s; account is %s (%s): %s", what, s.State, s.Reason, s.Detail)
			r.mu.Lock()
			r.t.FailNow()
		}
		r.cond.Wait()
	}
	return r.seen
}

func (r *rig) online() api.Account {
	r.t.Helper()
	return r.await("online", func(a api.Account) bool { return a.State == api.StateOnline })
}

// had reports whether the history since from has a state with a reason.
func (r *rig) had(from int, state api.State, reason string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.hist[from:] {
		if h.State == state && h.Reason == reason {
			return true
		}
	}
	return false
}

func (r *rig) mark() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.hist)
}

// anew waits until the account is online again with another master than pid.
func (r *rig) anew(pid int) api.Account {
	r.t.Helper()
	return r.await("online with a new process", func(a api.Account) bool {
		return a.State == api.StateOnline && a.PIDs.NapCat != pid && a.PIDs.NapCat != 0
	})
}

func d(n int) *napcatsim.Duration {
	v := napcatsim.Duration(time.Duration(n) * time.Millisecond)
	return &v
}

func quickSim() napcatsim.Options {
	return napcatsim.Options{ScanAfter: d(50), QRDelay: d(20), LoginDelay: d(20), OneBotDelay: d(50), NeedDisplay: "off"}
}
