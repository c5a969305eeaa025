package account

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// stand is an account on a host and a link that only note what they are asked.
type stand struct {
	t      *testing.T
	a      *Account
	emit   func(Fact)
	file   string
	told   []error // by the store
	answer func(action string) error

	mu       sync.Mutex // guards the fields below
	life     *Life
	still    func() bool       // of the last repair
	status   string            // what get_status answers; "": online
	soft     *supervisor.Fault // what NotOnline returns; nil: what it got
	did      []string
	spawnErr error
	stats    Stats
	shown    []api.Account // transitions
	restarts []supervisor.Reason
	uins     []int64
}

func (s *stand) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.did = append(s.did, what)
}

// count returns how often something was done.
func (s *stand) count(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, d := range s.did {
		if d == what {
			n++
		}
	}
	return n
}

func (s *stand) want(what string, n int) {
	s.t.Helper()
	synctest.Wait()
	if got := s.count(what); got != n {
		s.t.Errorf("%s: %d times, want %d; all: %v", what, got, n, s.did)
	}
}

// Host.
func (s *stand) Spawn(_ context.Context, l *Life) error {
	s.note("spawn")
	s.mu.Lock()
	err := s.spawnErr
	s.life = l
	s.mu.Unlock()
	if err != nil {
		return err
	}
	l.Tell(Starting{Host: "1", Client: "2"})
	l.Tell(Started{PID: 7, Since: time.Now()})
	l.Tell(ServerAt{URL: "ws://x/"})
	l.Tell(HostAt{URL: "http://x/webui"})
	return nil
}
func (s *stand) Stop(context.Context, time.Duration) error { s.note("stop"); return nil }
func (s *stand) Release() error                            { s.note("release"); return nil }
func (s *stand) Look()                                     { s.note("look") }
func (s *stand) Online()                                   { s.note("online") }
func (s *stand) NotOnline(f *supervisor.Fault) *supervisor.Fault {
	s.note("not online")
	if s.soft != nil {
		return s.soft
	}
	return f
}
func (s *stand) Repair(_ context.Context, _ Link, still func() bool) error {
	s.note("repair")
	s.mu.Lock()
	s.still = still
	s.mu.Unlock()
	return nil
}
func (s *stand) Forget() { s.note("forget") }

// wire is the stand as a Connection.
type wire struct{ *stand }

func (w wire) Call(_ context.Context, action string, _, result any) error {
	w.note("call " + action)
	w.mu.Lock()
	status := w.status
	w.mu.Unlock()
	if status != "" {
		return json.Unmarshal([]byte(status), result)
	}
	if w.answer == nil {
		return json.Unmarshal([]byte(`{"online":true,"good":true}`), result)
	}
	return w.answer(action)
}
func (w wire) Run(ctx context.Context) error {
	<-ctx.Done()
	w.note("link ended")
	return context.Cause(ctx)
}
func (w wire) Connect(url, token string) { w.note("connect " + url + " " + token) }
func (w wire) Redial()                   { w.note("redial") }
func (w wire) Disconnect()               { w.note("disconnect") }
func (w wire) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stats
}

// onStand runs f with an account that runs, in virtual time.
func onStand(t *testing.T, p Policy, f func(s *stand)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &stand{t: t, file: filepath.Join(dir, "state.json")}
		store, err := OpenStore(s.file, &struct{}{}, func() any { return map[string]int{"port": 3001} }, func(err error) { s.told = append(s.told, err) })
		if err != nil {
			t.Fatal(err)
		}
		s.a = New(Options{
			Name: "main", Policy: p, StopTimeout: time.Second, ProbeTimeout: time.Second, Logger: slog.New(slog.DiscardHandler),
			Store: store, Host: s, Token: func() string { return "token" }, Say: func(f api.Fault) string { return "said " + string(f.Code) },
			Link: func(emit func(Fact)) Connection { s.emit = emit; return wire{s} },
			Changed: func(a api.Account, transition bool) {
				if transition {
					s.mu.Lock()
					s.shown = append(s.shown, a)
					s.mu.Unlock()
				}
			},
			Restarted: func(why supervisor.Reason) { s.restarts = append(s.restarts, why) },
			Remember:  func(uin int64) { s.mu.Lock(); s.uins = append(s.uins, uin); s.mu.Unlock() },
			Degraded:  func() []api.Degraded { return []api.Degraded{{Code: "store"}} },
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.a.Run(ctx) }()
		defer func() { cancel(); <-ended }()
		f(s)
	})
}

// goOnline lets a running account log in and its link come up.
func (s *stand) goOnline(uin int64) {
	s.t.Helper()
	synctest.Wait()
	s.life.Tell(LoggedIn{UIN: uin, Nickname: "n"})
	synctest.Wait()
	s.emit(LinkUp{})
	s.emit(LinkAccepted{SelfID: uin})
	s.emit(Beat{Online: true, Every: 30 * time.Second})
	synctest.Wait()
}

func (s *stand) state(want api.State, reason supervisor.Reason) {
	s.t.Helper()
	synctest.Wait()
	if got := s.a.Snapshot(); got.State != want || got.Reason != string(reason) {
		s.t.Errorf("%s (%s), want %s (%s)", got.State, got.Reason, want, reason)
	}
}

func TestAnAccountComesOnline(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		s.state("stopped", "wanted")
		s.want("spawn", 0)
		s.a.Want(true)
		s.want("spawn", 1)
		s.want("forget", 1) // a person asked for it
		s.want("connect ws://x/ token", 0)
		s.goOnline(10001)
		s.state("online", "online")
		s.want("connect ws://x/ token", 1)
		s.want("online", 1)
		if !slices.Equal(s.uins, []int64{10001}) {
			t.Errorf("remembered: %v", s.uins)
		}
		got := s.a.Snapshot()
		if got.Name != "main" || got.UIN != 10001 || got.Nickname != "n" || got.PIDs.NapCat != 7 || got.Detail != "said "+string(got.Fault.Code) {
			t.Errorf("%+v", got)
		}
		if len(got.Degraded) != 1 || got.Degraded[0].Detail != "said store" {
			t.Errorf("degraded: %+v", got.Degraded)
		}
		// Once for each process, however often it comes and goes.
		s.emit(LinkDown{Err: "x"})
		s.want("look", 1)
		s.emit(LinkUp{})
		s.emit(LinkAccepted{SelfID: 10001})
		s.emit(Beat{Online: true})
		s.want("online", 1)
		s.want("look", 1)
		s.want("disconnect", 0)
	})
}

// A snapshot's history has every state in its order, and no more than the last.
func TestHistory(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		s.a.Want(true)
		s.goOnline(10001)
		h := s.a.Snapshot().History
		if len(h) < 3 || h[len(h)-1].State != "online" || h[len(h)-1].Detail == "" || h[len(h)-1].Time.IsZero() {
			t.Errorf("%+v", h)
		}
		var states []api.State
		for _, a := range s.shown {
			states = append(states, a.State)
		}
		if len(states) != len(h) || states[0] != h[0].State {
			t.Errorf("shown: %v, history: %+v", states, h)
		}
		for range historyLen {
			s.emit(LinkDown{Err: "x"})
			synctest.Wait()
			s.goOnline(10001)
		}
		if n := len(s.a.Snapshot().History); n != historyLen {
			t.Errorf("%d entries", n)
		}
	})
}

func TestWhatMakesTheHostLook(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		s.a.Want(true)
		s.goOnline(10001)
		s.want("look", 0)
		s.emit(Beat{Online: true})
		s.want("look", 0)
		s.emit(Beat{Online: false})
		s.want("look", 1)
		s.emit(LinkDown{Err: "x"}) // it was up
		s.want("look", 2)
		s.emit(LinkDown{Err: "x"}) // it was not
		s.want("look", 2)
	})
}

// A kick ends the process, and the next one starts after a pause that is as long
// as the kicks of the last hours make it.
func TestAKickIsFollowedByAPause(t *testing.T) {
	p := testPolicy
	p.Supervisor.Jitter = 0
	onStand(t, p, func(s *stand) {
		s.a.Want(true)
		s.goOnline(10001)
		var last time.Duration
		for n := 1; n <= 3; n++ {
			s.emit(Kicked{"x"})
			s.state("backoff", ReasonKicked)
			s.want("stop", n)
			if n == 1 && slices.Index(s.did, "disconnect") > slices.Index(s.did, "stop") || !slices.Contains(s.did, "disconnect") {
				t.Errorf("the link was kept while the process ended: %v", s.did)
			}
			pause := time.Until(s.a.Snapshot().NextTry)
			if want := p.Supervisor.Pause(n, 0); pause != want || pause <= last {
				t.Errorf("kick %d: a pause of %v, want %v, more than %v", n, pause, want, last)
			}
			last = pause
			time.Sleep(pause - time.Millisecond)
			s.want("spawn", n)
			time.Sleep(time.Millisecond)
			s.want("spawn", n+1)
			s.goOnline(10001)
		}
		if !slices.Equal(s.restarts, []supervisor.Reason{ReasonKicked, ReasonKicked, ReasonKicked}) {
			t.Errorf("restarts: %v", s.restarts)
		}
	})
}

// A wrong account is never tried again, and never connected to.
func TestAWrongAccountIsPermanent(t *testing.T) {
	p := testPolicy
	p.UIN = 10001
	onStand(t, p, func(s *stand) {
		s.a.Want(true)
		synctest.Wait()
		if s.life.UIN() != 10001 {
			t.Errorf("%d must log in", s.life.UIN())
		}
		s.life.Tell(LoggedIn{UIN: 10002})
		s.state("failed", ReasonWrongAccount)
		time.Sleep(24 * time.Hour)
		s.state("failed", ReasonWrongAccount)
		s.want("spawn", 1)
		s.want("connect ws://x/ token", 0)
		if len(s.uins) != 0 {
			t.Errorf("remembered %v", s.uins)
		}
		s.a.Want(true) // a person tries again
		s.want("spawn", 2)
	})
}

func TestRestart(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		s.a.Want(true)
		s.goOnline(10001)
		s.a.Restart()
		s.want("stop", 1)
		s.want("spawn", 2)
		s.want("forget", 2)
		if slices.Index(s.did, "disconnect") < 0 || slices.Index(s.did, "disconnect") > slices.Index(s.did, "stop") {
			s.t.Errorf("the link was kept while the process ended: %v", s.did)
		}
		if n := s.a.Facts().Past.Restarts; n != 1 {
			t.Errorf("%d restarts", n)
		}
	})
}

// What an earlier process still tells is ignored.
func TestFactsOfAnEarlierProcess(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		s.a.Want(true)
		synctest.Wait()
		old := s.life
		s.a.Restart()
		synctest.Wait()
		old.Tell(LoggedIn{UIN: 10001})
		old.Exited(failure(ReasonCrash, api.CodeHung), time.Now())
		synctest.Wait()
		if f := s.a.Facts(); f.Login.State >= LoginIn || f.Process.State != ProcessUp {
			t.Errorf("%+v", f)
		}
		s.life.Show(s.t.Context(), LoggedIn{UIN: 10001}) // is entered when it returns
		if s.a.Facts().Login.State != LoginIn {
			t.Error("not entered")
		}
	})
}

func TestACrashIsTriedAgain(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		s.a.Want(true)
		synctest.Wait()
		s.life.Exited(failure(ReasonCrash, api.CodeHung), time.Now())
		s.state("backoff", ReasonCrash)
		s.want("not online", 1)
		time.Sleep(2 * time.Second)
		s.want("spawn", 2)
	})
}

func TestAFailedSpawn(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		s.spawnErr = &supervisor.Fault{Cause: supervisor.Because("unsupported_qq", "unsupported_qq"), Permanent: true}
		s.a.Want(true)
		s.state("failed", "unsupported_qq")
		time.Sleep(time.Hour)
		s.want("spawn", 1)
	})
}

// OneBot is asked when the heartbeat is late, and a link that stays silent is
// dialled anew.
func TestASilentLinkIsDialledAnew(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		s.answer = func(string) error { return errors.New("nothing") }
		s.a.Want(true)
		s.goOnline(10001)
		time.Sleep(89 * time.Second)
		s.want("call get_status", 0)
		time.Sleep(30 * time.Second)
		s.want("redial", 1)
		if s.count("call get_status") < probesFailed {
			t.Error("it was not asked")
		}
		s.state("connecting", "heartbeat_lost")
	})
}

// A heartbeat that is late is no loss while the answers come.
func TestAnAnswerIsAHeartbeat(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		s.a.Want(true)
		s.goOnline(10001)
		time.Sleep(10 * time.Minute)
		s.want("redial", 0)
		s.state("online", "online")
		if s.count("call get_status") == 0 {
			t.Error("it was not asked")
		}
	})
}

// A OneBot server that stays out of reach after the login is set up anew.
func TestAServerOutOfReachIsSetUpAnew(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		s.a.Want(true)
		synctest.Wait()
		s.life.Tell(LoggedIn{UIN: 10001})
		s.want("repair", 0)
		time.Sleep(unconnected + time.Second)
		s.want("repair", 1)
		time.Sleep(repairSpacing + time.Second)
		s.want("repair", 2)
	})
}

// Memory over the limit waits for a quiet minute.
func TestMemoryWaitsForAQuietMinute(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		s.a.Want(true)
		s.goOnline(10001)
		over := Measured{RSS: 110 << 20}
		for n := range uint64(5) {
			s.mu.Lock()
			s.stats.Events = n + 1
			s.mu.Unlock()
			s.life.Tell(over)
			s.emit(Beat{Online: true})
			s.state("online", "online")
			time.Sleep(20 * time.Second)
		}
		s.life.Tell(over)
		s.emit(Beat{Online: true})
		s.state("online", "online")
		time.Sleep(quietFor - 20*time.Second - time.Millisecond)
		s.life.Tell(over)
		s.want("stop", 0)
		time.Sleep(time.Millisecond)
		s.life.Tell(over)
		s.want("stop", 1)
	})
}

func TestTheEndOfAnAccount(t *testing.T) {
	for _, tt := range []struct {
		name            string
		detach          bool
		stops, releases int
	}{{"stopped", false, 2, 0}, {"detached", true, 0, 1}} {
		t.Run(tt.name, func(t *testing.T) {
			var s *stand
			onStand(t, testPolicy, func(st *stand) {
				s = st
				s.a.Want(true)
				s.goOnline(10001)
				if tt.detach {
					s.a.Detach()
				}
			})
			if s.count("stop") != tt.stops || s.count("release") != tt.releases || s.count("link ended") != 1 {
				t.Errorf("%v", s.did)
			}
		})
	}
}

// What must outlive ncatd is in the file as soon as it is known.
func TestWhatIsKept(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		s.a.Want(true)
		s.goOnline(10001)
		s.emit(Kicked{"x"})
		synctest.Wait()
		b, err := os.ReadFile(s.file)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			UIN      int64
			Nickname string
			Kicks    []time.Time
			Port     int
		}
		if err := json.Unmarshal(b, &got); err != nil || got.UIN != 10001 || got.Nickname != "n" || len(got.Kicks) != 1 || got.Port != 3001 {
			t.Errorf("%s %v", b, err)
		}
		if info, err := os.Stat(s.file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info.Mode(), err)
		}
		again, err := OpenStore(s.file, &struct{}{}, func() any { return nil }, func(error) {})
		if err != nil || again.Saved().UIN != 10001 || len(again.Saved().Kicks) != 1 {
			t.Errorf("%+v %v", again.Saved(), err)
		}
	})
}

func TestOpenStore(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) string {
		path := filepath.Join(dir, "state.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var host struct{ Port int }
	open := func(path string) (*Store, error) {
		host.Port = 0
		return OpenStore(path, &host, func() any { return host }, func(error) {})
	}
	if s, err := open(filepath.Join(dir, "none.json")); err != nil || s.Saved().UIN != 0 {
		t.Errorf("no file: %v", err)
	}
	if s, err := open(write(`{"uin":5,"port":7}`)); err != nil || s.Saved().UIN != 5 || host.Port != 7 {
		t.Errorf("%+v, port %d: %v", s.Saved(), host.Port, err)
	}
	for _, text := range []string{`{`, `[]`, `{"uin":"x"}`, `{"uin":5,"port":"x"}`, ``} {
		if s, err := open(write(text)); err == nil || s == nil || s.Saved().UIN != 0 {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What cannot be saved is told each time, and once more when it can be again.
func TestAStoreThatCannotSave(t *testing.T) {
	dir := t.TempDir()
	blocked := filepath.Join(dir, "folder")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var told []error
	s, err := OpenStore(filepath.Join(blocked, "state.json"), &struct{}{}, func() any { return struct{}{} }, func(err error) { told = append(told, err) })
	if s == nil {
		t.Fatal(err)
	}
	s.Retry() // nothing failed yet
	if len(told) != 0 {
		t.Errorf("told: %v", told)
	}
	for n := 1; n <= 2; n++ {
		if err := s.Set(Saved{UIN: 1}); err == nil || len(told) != n || told[n-1] == nil {
			t.Errorf("%v, told %v", err, told)
		}
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	if s.Retry(); len(told) != 3 || told[2] != nil {
		t.Errorf("told: %v", told)
	}
	if s.Retry(); len(told) != 3 {
		t.Errorf("told again: %v", told)
	}
	if err := s.Save(); err != nil || len(told) != 3 {
		t.Errorf("%v, told %v", err, told)
	}
	// A folder in the file's place.
	taken := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(taken, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	other, _ := OpenStore(taken, &struct{}{}, func() any { return struct{}{} }, func(err error) { told = append(told, err) })
	if err := other.Save(); err == nil || len(told) != 4 || told[3] == nil {
		t.Errorf("%v, told %v", err, told)
	}
}
