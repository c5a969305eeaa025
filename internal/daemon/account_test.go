//go:build linux

package daemon

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/bot"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/napcat/install"
	"github.com/ncatd/ncatd/internal/napcat/launch"
	"github.com/ncatd/ncatd/internal/napcat/webui"
	"github.com/ncatd/ncatd/internal/napcatsim"
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
	if err := launch.BecomeSubreaper(); err != nil {
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
	c    AccountConfig
	d    AccountDeps
	acc  *Account
	sim  *napcatsim.Control
	bot  *ncat.Bot
	stop func() error // ends Run; further calls do nothing

	mu   sync.Mutex
	cond *sync.Cond
	logs []stamped
	hist []api.Transition
	seen api.Account
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
	s.Health.ProbeInterval, s.Health.ProbeTimeout, s.Health.StartTimeout = ms(300), ms(1000), ms(15000)
	s.StopTimeout = ms(300) // the simulator takes 2 s to end in order, as NapCat does
	acc.OneBot.Heartbeat = ms(1000)
	r.c = AccountConfig{
		Account: acc, Supervisor: s, Dir: filepath.Join(dir, "accounts", name), LogFile: filepath.Join(dir, "napcat.log"),
		WebUIToken: "webuitoken123456", OneBotToken: "onebottoken12345", Environ: os.Environ(),
	}
	w := io.Discard
	if os.Getenv("NCATD_TEST_LOG") != "" {
		w = t.Output()
	}
	r.d = AccountDeps{
		Logger:  slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Display: launch.NewDisplay(launch.DisplayOptions{Mode: "none"}), Sampler: launch.NewSampler(), Ports: NewPorts(),
		Pair: func(context.Context, func(string)) (install.Pair, error) { return simPair, nil },
		Link: func(account string, emit func(LinkEvent)) Link {
			l := &botLink{goal: make(chan goal, 1)}
			l.Link = bot.New(bot.Options{Account: account, Bot: r.bot, Logger: slog.New(slog.DiscardHandler), Facts: func(f bot.Fact) { emit(linkEvent(f)) }})
			return l
		},
		Changed: func(a api.Account, transition bool) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.seen = a
			if transition {
				r.hist = append(r.hist, api.Transition{Time: time.Now(), State: a.State, Reason: a.Reason, Detail: a.Detail})
			}
			r.cond.Broadcast()
		},
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

// start runs the account and wishes it to run. The test ends it.
func (r *rig) start() {
	r.t.Helper()
	acc := NewAccount(r.c, r.d)
	r.acc = acc
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- acc.Run(ctx) }()
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
		if err := launch.Sweep(launch.Identity{}, acc.state.Marker, 5*time.Second); err != nil {
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

// await waits until the account is as ok says.
func (r *rig) await(what string, timeout time.Duration, ok func(a api.Account) bool) api.Account {
	r.t.Helper()
	timer := time.AfterFunc(timeout, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.cond.Broadcast()
	})
	defer timer.Stop()
	deadline := time.Now().Add(timeout)
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

// awaitPolled is await for counters, which change without a word.
func (r *rig) awaitPolled(what string, timeout time.Duration, ok func(a api.Account) bool) api.Account {
	r.t.Helper()
	t := time.NewTicker(20 * time.Millisecond)
	defer t.Stop()
	limit := time.After(timeout)
	for {
		select {
		case <-t.C:
			if a := r.acc.Snapshot(); ok(a) {
				return a
			}
		case <-limit:
			r.t.Fatalf("timeout: %s: %+v", what, r.acc.Snapshot())
		}
	}
}

func (r *rig) online() api.Account {
	r.t.Helper()
	return r.await("online", 20*time.Second, func(a api.Account) bool { return a.State == api.StateOnline })
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
	return r.await("online with a new process", 25*time.Second, func(a api.Account) bool {
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

func TestAccountComesOnlineByQR(t *testing.T) {
	t.Parallel()
	o := quickSim()
	o.ScanAfter = d(1000)
	r := newRig(t, "main", o)
	var qr []api.QR
	var remembered int64
	r.d.QR = func(_ string, q api.QR) { r.mu.Lock(); qr = append(qr, q); r.mu.Unlock() }
	r.d.Remember = func(_ string, uin int64) { r.mu.Lock(); remembered = uin; r.mu.Unlock() }
	r.start()
	a := r.online()
	if a.UIN != napcatsim.DefaultUIN || a.Nickname != napcatsim.DefaultNick || a.PIDs.NapCat == 0 || a.QR != nil || a.WebUIURL == "" || a.OneBotURL == "" || a.Restarts != 0 {
		t.Errorf("%+v", a)
	}
	if !r.had(0, api.StateLoginRequired, "qr") {
		t.Error("nobody was asked to scan")
	}
	r.mu.Lock()
	var ready time.Time
	for _, l := range r.logs {
		if strings.Contains(l.r.Message, "OneBot11 适配器初始化完成") {
			ready = l.at
		}
	}
	online := r.hist[len(r.hist)-1].Time
	if len(qr) == 0 || remembered != napcatsim.DefaultUIN {
		t.Errorf("QR codes %v, remembered %d", qr, remembered)
	}
	r.mu.Unlock()
	if ready.IsZero() {
		t.Fatal("NapCat never said that it is ready")
	}
	t.Logf("ready to online: %v", online.Sub(ready))
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if s := r.acc.Snapshot(); s.State != api.StateStopped || s.PIDs.NapCat != 0 {
		t.Errorf("after the stop: %+v", s)
	}
	if id, ok := launch.FindMarked(r.acc.state.Marker); ok {
		t.Errorf("process %d is left", id.PID)
	}
}

func TestAccountMasterKilled(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", quickSim())
	r.start()
	a := r.online()
	died := time.Now()
	if err := syscall.Kill(a.PIDs.NapCat, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b := r.await("a new process", 5*time.Second, func(b api.Account) bool { return b.PIDs.NapCat != 0 && b.PIDs.NapCat != a.PIDs.NapCat })
	t.Logf("killed to spawned: %v", time.Since(died))
	if c := r.anew(a.PIDs.NapCat); c.Restarts != 1 || c.PIDs != b.PIDs {
		t.Errorf("%+v", c)
	}
	if !r.had(0, api.StateBackoff, "crash") {
		t.Error("the history does not tell of a crash")
	}
}

func TestAccountWorkerCrash(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", quickSim())
	r.start()
	a := r.online()
	from := r.mark()
	if err := r.sim.Crash(t.Context(), napcatsim.CrashRequest{Code: 11}); err != nil {
		t.Fatal(err)
	}
	r.await("the crash to be seen", 10*time.Second, func(b api.Account) bool { return b.State != api.StateOnline })
	b := r.online()
	if b.PIDs.NapCat != a.PIDs.NapCat || b.Restarts != 1 {
		t.Errorf("%+v", b)
	}
	if !r.had(from, api.StateConnecting, "crash") && !r.had(from, api.StateConnecting, "link_lost") {
		t.Error("the history does not tell of it")
	}
}

// TestAccountWorkerAgainLogsItselfIn: NapCat starts a dead worker with -q, and a
// second quick login beside that would be one too many for QQ.
func TestAccountWorkerAgainLogsItselfIn(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", quickSim())
	var steps []string
	r.d.Login = func(_ string, i api.LoginItem) { r.mu.Lock(); steps = append(steps, i.Step); r.mu.Unlock() }
	r.start()
	a := r.online() // by a scan: now there is a ticket
	r.acc.Restart("test", "")
	b := r.anew(a.PIDs.NapCat)
	r.mu.Lock()
	steps = nil
	r.mu.Unlock()
	if err := r.sim.Crash(t.Context(), napcatsim.CrashRequest{Code: 11}); err != nil {
		t.Fatal(err)
	}
	r.await("the crash to be seen", 10*time.Second, func(b api.Account) bool { return b.State != api.StateOnline })
	if c := r.online(); c.PIDs.NapCat != b.PIDs.NapCat {
		t.Errorf("another master: %+v", c)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Contains(steps, "quick") {
		t.Errorf("a quick login of our own beside NapCat's: %v", steps)
	}
}

// TestAccountNicknameComesLate: NapCat may know it only some time after the
// login (contract F.2), and an old one must not be lost meanwhile.
func TestAccountNicknameComesLate(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		nick := ""
		if strings.HasSuffix(q.URL.Path, "/GetQQLoginInfo") && asked.Add(1) > 1 {
			nick = "late"
		}
		fmt.Fprintf(w, `{"code":0,"data":{"Credential":"x","uin":"10001","uid":"u_x","nick":%q,"online":true},"message":"success"}`, nick)
	}))
	defer srv.Close()
	r := newRig(t, "main", quickSim())
	if err := os.MkdirAll(r.c.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	a := NewAccount(r.c, r.d)
	login := func(nick string) string {
		l := newLife(a, 1, simPair, webui.New(srv.URL, "webuitoken123456", webui.Options{}), nil)
		l.inbox = make(chan func(*facts, time.Time), 1)
		l.loggedIn(webui.Outcome{Kind: webui.OutcomeLoggedIn, UIN: 10001, Nickname: nick})
		l.wg.Wait()
		l.end()
		return a.Snapshot().Nickname
	}
	if got := login(""); got != "late" {
		t.Errorf("nickname %q at the first login", got)
	}
	asked.Store(0)
	if got := login(""); got != "late" || asked.Load() != 0 {
		t.Errorf("nickname %q at the second, asked for %d times", got, asked.Load())
	}
}

func TestAccountKicked(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", quickSim())
	r.start()
	a := r.online()
	if err := r.sim.Kick(t.Context(), "下线通知", "你的帐号当前登录已失效，请重新登录。", false); err != nil {
		t.Fatal(err)
	}
	r.anew(a.PIDs.NapCat)
	if !r.had(0, api.StateStopping, "kicked") {
		t.Error("the history does not tell of the kick")
	}
}

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

// TestAccountSurvivesNcatd: an ncatd that dies leaves NapCat to the next one.
func TestAccountSurvivesNcatd(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", quickSim())
	r.start()
	a := r.online()
	r.acc.Detach()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r.seen = api.Account{}
	r.start()
	b := r.online()
	if b.PIDs.NapCat != a.PIDs.NapCat {
		t.Errorf("pid %d became %d", a.PIDs.NapCat, b.PIDs.NapCat)
	}
	// Now it is wedged while nobody looks.
	r.acc.Detach()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	st, err := r.sim.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(st.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	r.seen = api.Account{}
	r.start()
	if c := r.online(); c.PIDs.NapCat == a.PIDs.NapCat {
		t.Error("a wedged NapCat was kept")
	}
}

func TestAccountWrongAccountIsRefused(t *testing.T) {
	t.Parallel()
	o := quickSim()
	o.UIN = 10002
	r := newRig(t, "main", o)
	r.c.Account.UIN = 10001
	r.start()
	a := r.await("failed", 15*time.Second, func(a api.Account) bool { return a.State == api.StateFailed })
	if a.Reason != "wrong_account" || !strings.Contains(a.Detail, "10001") || !strings.Contains(a.Detail, "10002") {
		t.Errorf("%s: %s", a.Reason, a.Detail)
	}
}

func TestAccountCrashLoopFails(t *testing.T) {
	t.Parallel()
	o := quickSim()
	o.CrashAfter, o.CrashCode = d(50), 11
	r := newRig(t, "main", o)
	r.c.Supervisor.Restart.Initial, r.c.Supervisor.Restart.Max = ms(20), ms(300)
	r.start()
	a := r.await("failed", 30*time.Second, func(a api.Account) bool { return a.State == api.StateFailed })
	if a.Reason != "crash_loop" || !strings.Contains(a.Detail, "SIGSEGV") || !strings.Contains(a.Detail, "ncatd rollback") {
		t.Errorf("%s: %s", a.Reason, a.Detail)
	}
	r.await("another try", 10*time.Second, func(a api.Account) bool { return a.State == api.StateStarting })
	r.sim = napcatsim.NewControl(filepath.Join(r.c.Dir, "home"))
	if err := napcatsim.WriteOptions(filepath.Join(r.c.Dir, "home"), quickSim()); err != nil {
		t.Fatal(err)
	}
	r.online()
}

func TestAccountStopAtAnyMoment(t *testing.T) {
	for _, moment := range []string{"starting", "login", "connecting", "online", "halted"} {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			o := quickSim()
			if moment == "login" {
				off := napcatsim.Off
				o.ScanAfter = &off
			}
			if moment == "connecting" {
				o.OneBotDelay = d(20000)
			}
			r := newRig(t, "main", o)
			r.c.Supervisor.StopTimeout = ms(4000)
			r.start()
			switch moment {
			case "starting":
				r.await("a process", 5*time.Second, func(a api.Account) bool { return a.PIDs.NapCat != 0 })
			case "login":
				r.await("a QR code", 10*time.Second, func(a api.Account) bool { return a.QR != nil })
			case "connecting":
				r.await("the login to be accepted", 10*time.Second, func(a api.Account) bool { return a.State == api.StateConnecting })
			case "online":
				r.online()
			case "halted":
				a := r.online()
				if err := syscall.Kill(-a.PIDs.NapCat, syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			began := time.Now()
			if err := r.stop(); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took > 6*time.Second {
				t.Errorf("took %v", took)
			}
			if id, ok := launch.FindMarked(r.acc.state.Marker); ok {
				t.Errorf("process %d is left", id.PID)
			}
		})
	}
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
	b := r.awaitPolled("probes", 15*time.Second, func(b api.Account) bool { return b.Calls > a.Calls })
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
	display := launch.NewDisplay(launch.DisplayOptions{StateFile: filepath.Join(r.dir, "xvfb.json"), Marker: "test-" + strconv.Itoa(os.Getpid())})
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
