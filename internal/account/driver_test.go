package account

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// slow is a stand whose host and link take their time to end.
type slow struct {
	*stand
	stop   func(ctx context.Context) error
	online time.Duration
}

func (s slow) Stop(ctx context.Context, _ time.Duration) error { s.note("stop"); return s.stop(ctx) }
func (s slow) Online()                                         { time.Sleep(s.online); s.note("online") }

type slowWire struct{ wire }

func (w slowWire) Run(ctx context.Context) error {
	<-ctx.Done()
	time.Sleep(100 * time.Millisecond)
	return w.wire.Run(ctx)
}

// newAccount returns an account of which only what must be is set.
func newAccount(t *testing.T, file string, saved Saved, host Host, s *stand) *Account {
	t.Helper()
	store, err := OpenStore(file, &struct{}{}, func() any { return struct{}{} }, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Set(saved); err != nil {
		t.Fatal(err)
	}
	return New(Options{
		Name: "main", Policy: testPolicy, StopTimeout: time.Second, ProbeTimeout: time.Second, Logger: slog.New(slog.DiscardHandler),
		Store: store, Host: host, Token: func() string { return "token" }, Say: func(api.Fault) string { return "" },
		Link: func(emit func(Fact)) Connection { s.emit = emit; return slowWire{wire{s}} },
	})
}

// TestRunEndsWithAllThatItBegan: when Run returns, the link has ended, and so has
// whatever was begun beside it.
func TestRunEndsWithAllThatItBegan(t *testing.T) {
	for name, detach := range map[string]bool{"stopped": false, "detached": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				s := &stand{t: t}
				a := newAccount(t, filepath.Join(dir, "state.json"), Saved{}, slow{s, func(context.Context) error { return nil }, 5 * time.Second}, s)
				s.a = a
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- a.Run(ctx) }()
				a.Want(true)
				s.goOnline(10001)
				if detach {
					a.Detach()
				}
				cancel()
				if err := <-ended; err != nil {
					t.Errorf("Run: %v", err)
				}
				if s.count("link ended") != 1 || s.count("online") != 1 {
					t.Errorf("it returned before all had ended: %v", s.did)
				}
				if detach != (s.count("release") == 1) || detach == (s.count("stop") > 0) {
					t.Errorf("%v", s.did)
				}
			})
		})
	}
}

// TestRunDoesNotWaitForEver: a host that cannot end its process is waited for as
// long as was promised.
func TestRunDoesNotWaitForEver(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &stand{t: t}
		hung := errors.New("hung")
		a := newAccount(t, filepath.Join(dir, "state.json"), Saved{}, slow{s, func(ctx context.Context) error { <-ctx.Done(); return hung }, 0}, s)
		s.a = a
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.Run(ctx) }()
		a.Want(true)
		s.goOnline(10001)
		asked := time.Now()
		cancel()
		err := <-ended
		if took := time.Since(asked); took < time.Second+stopGrace || took > time.Second+3*stopGrace {
			t.Errorf("it took %v", took)
		}
		if !errors.Is(err, hung) {
			t.Errorf("Run: %v", err)
		}
	})
}

// TestRunWaitsForTheStop: a process that takes its time to end is waited for.
func TestRunWaitsForTheStop(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &stand{t: t}
		a := newAccount(t, filepath.Join(dir, "state.json"), Saved{}, slow{s, func(context.Context) error { time.Sleep(900 * time.Millisecond); s.note("stopped"); return nil }, 0}, s)
		s.a = a
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.Run(ctx) }()
		a.Want(true)
		s.goOnline(10001)
		asked := time.Now()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		// Once for the wish, once for what a start may have left.
		if took := time.Since(asked); took < 900*time.Millisecond || took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
		if a.Snapshot().State != "stopped" || a.Facts().Process.State != ProcessAbsent || s.count("stopped") == 0 {
			t.Errorf("%+v after %v", a.Snapshot(), s.did)
		}
	})
}

// TestWhatWasSavedIsKnownAtOnce: an account shows what it was before it runs.
func TestWhatWasSavedIsKnownAtOnce(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &stand{t: t}
		saved := Saved{UIN: 10001, Nickname: "n", Failures: supervisor.Failures{Score: 2, Streak: 3}, Kicks: []time.Time{time.Now()}}
		a := newAccount(t, filepath.Join(dir, "state.json"), saved, s, s)
		if got := a.Snapshot(); got.State != "stopped" || !got.Since.Equal(time.Now()) || got.UIN != 10001 || got.Nickname != "n" {
			t.Errorf("%+v", got)
		}
		if f := a.Facts(); f.Past.Failures != saved.Failures || len(f.Past.Kicks) != 1 {
			t.Errorf("%+v", f.Past)
		}
	})
}

// TestFailuresAreKept: failures are in the file as soon as they are counted, and
// known again after it was read.
func TestFailuresAreKept(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		s.a.Want(true)
		synctest.Wait()
		s.life.Exited(failure(ReasonCrash, api.CodeHung), time.Now())
		s.state("backoff", ReasonCrash)
		if n := s.a.Facts().Past.Failures.Streak; n != 1 {
			t.Errorf("a streak of %d", n)
		}
		again, err := OpenStore(s.file, &struct{}{}, func() any { return nil }, func(error) {})
		if err != nil || again.Saved().Failures.Streak != 1 {
			t.Errorf("%+v %v", again.Saved(), err)
		}
	})
}

// TestWatchersAreToldOnce: what a watcher can see is told once, what it cannot is
// not told, and Republish tells again.
func TestWatchersAreToldOnce(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		s.a.Want(true)
		synctest.Wait()
		s.life.Tell(LoginStep{Step: api.StepWaiting, URL: "a", Seq: 1})
		synctest.Wait()
		told := 0
		transitions := 0
		s.a.o.Changed = func(_ api.Account, transition bool) {
			told++
			if transition {
				transitions++
			}
		}
		after := func(what string, want int, f func()) {
			t.Helper()
			synctest.Wait()
			told = 0
			f()
			synctest.Wait()
			if told != want || transitions != 0 {
				t.Errorf("%s: told %d times, want %d; %d transitions", what, told, want, transitions)
			}
		}
		after("another code", 1, func() { s.life.Tell(LoginStep{Step: api.StepRefreshed, URL: "b", Seq: 2}) })
		after("the same versions", 0, func() { s.life.Tell(Versioned{"1"}) })
		after("another version", 1, func() { s.life.Tell(Versioned{"1.1"}) })
		after("the packet back end", 1, func() { s.life.Tell(PacketBackEnd{"available"}) })
		after("a measurement", 0, func() { s.life.Tell(Measured{RSS: 1 << 20}) })
		after("asked again", 1, s.a.Republish)
	})
}

// TestLinkIsLetGoWithTheProcess: a process that ended by itself takes its link
// along, one that must end is disconnected before it does, and neither twice.
func TestLinkIsLetGoWithTheProcess(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		s.a.Want(true)
		synctest.Wait()
		s.life.Exited(failure(ReasonCrash, api.CodeHung), time.Now()) // was never connected to
		synctest.Wait()
		s.want("disconnect", 0)
		time.Sleep(time.Minute)
		s.goOnline(10001)
		s.want("connect ws://x/ token", 1)
		s.life.Exited(failure(ReasonCrash, api.CodeHung), time.Now())
		s.want("disconnect", 1)
		if url := s.a.Facts().Link.Dialed; url != "" {
			t.Errorf("still at %s", url)
		}
		time.Sleep(time.Minute)
		s.goOnline(10001)
		s.want("connect ws://x/ token", 2)
	})
}

// TestHostLooksAfterAKick: a kick may be the last that OneBot says; whatever else
// there is to know, the control page knows.
func TestHostLooksAfterAKick(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		s.a.Want(true)
		s.goOnline(10001)
		s.emit(Kicked{"x"})
		s.want("look", 1)
	})
	onStand(t, testPolicy, func(s *stand) { // a connection that opened and was closed before it was accepted
		s.a.Want(true)
		synctest.Wait()
		s.life.Tell(LoggedIn{UIN: 10001})
		synctest.Wait()
		s.emit(LinkUp{})
		s.emit(LinkDown{Err: "closed"})
		s.want("look", 1)
	})
}

// TestAnAnswerOfOffline: OneBot that answers to be offline is believed, and the
// host looks what the login is.
func TestAnAnswerOfOffline(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		s.status = `{"online":false,"good":true}`
		s.a.Want(true)
		s.goOnline(10001)
		time.Sleep(90 * time.Second)
		s.state("offline", "offline")
		if s.count("look") == 0 {
			t.Error("the host did not look")
		}
		asked := s.count("call get_status")
		time.Sleep(testPolicy.ProbeInterval)
		s.want("call get_status", asked+1)
		s.mu.Lock()
		s.status = ""
		s.mu.Unlock()
		time.Sleep(testPolicy.ProbeInterval)
		s.state("online", "online")
	})
}

// TestANightAsleep: a machine that slept is not taken for a silent OneBot.
func TestANightAsleep(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		s.a.Want(true)
		s.goOnline(10001)
		life := s.a.Facts().Process.Life
		looks := func(later time.Duration) {
			s.a.runner.Do(func(now time.Time) { (*driver)(s.a).View(s.t.Context(), life, now.Add(later)) })
			synctest.Wait()
		}
		looks(0)
		due := time.Until(s.a.Facts().Link.BeatAt.Add(90 * time.Second))
		s.a.runner.Do(func(now time.Time) { s.a.due = now.Add(due) })
		looks(due + stall) // as late as a busy machine may be
		s.want("call get_status", 1)
		s.a.runner.Do(func(now time.Time) { s.a.due = now.Add(due) })
		before := s.count("call get_status")
		looks(due + 8*time.Hour)
		s.want("call get_status", before)
		s.want("redial", 0)
	})
}

// TestATimerWatchesForStalls: the account is looked at often enough to notice that
// it was held up, although nothing else is due.
func TestATimerWatchesForStalls(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		s.a.Want(true)
		s.goOnline(10001)
		for range 5 {
			synctest.Wait()
			var left time.Duration
			s.a.runner.Do(func(now time.Time) { left = s.a.due.Sub(now) })
			synctest.Wait()
			if left <= 0 || left > stallWatch {
				t.Fatalf("looked at again in %v", left)
			}
			time.Sleep(stallWatch)
		}
	})
}

// TestAPauseIsNoStall: a process that waits for its turn to be started again does not
// hold ncatd up.
func TestAPauseIsNoStall(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		var log bytes.Buffer // of the account's goroutine
		s.a.runner.Do(func(time.Time) { s.a.log = slog.New(slog.NewTextHandler(&log, nil)) })
		s.a.Want(true)
		s.goOnline(10001)
		s.life.Exited(failure(ReasonCrash, api.CodeHung), time.Now())
		time.Sleep(time.Hour) // nobody logs in again: the pauses grow to minutes
		if n := s.count("spawn"); n < 4 {
			t.Errorf("started %d times", n)
		}
		s.a.runner.Do(func(time.Time) {
			if strings.Contains(log.String(), "held up") {
				t.Error(log.String())
			}
		})
	})
}

// TestRepairIsWantedAsLongAsItIsNeeded: the host is told when its work is no longer
// wanted.
func TestRepairIsWantedAsLongAsItIsNeeded(t *testing.T) {
	repairing := func(t *testing.T, then func(s *stand)) {
		onStand(t, testPolicy, func(s *stand) {
			s.a.Want(true)
			synctest.Wait()
			s.life.Tell(LoggedIn{UIN: 10001})
			time.Sleep(unconnected + time.Second)
			s.want("repair", 1)
			s.life.Tell(Versioned{"2"}) // a look because of something else
			s.want("repair", 1)
			if !s.still() {
				t.Error("not wanted from the start")
			}
			then(s)
			synctest.Wait()
			if s.still() {
				t.Error("still wanted")
			}
		})
	}
	for name, then := range map[string]func(s *stand){
		"connected":       func(s *stand) { s.emit(LinkUp{}); s.emit(LinkAccepted{SelfID: 10001}) },
		"logged out":      func(s *stand) { s.life.Tell(LoggedOut{}) },
		"doomed":          func(s *stand) { s.emit(Kicked{"x"}) },
		"another process": func(s *stand) { s.a.Restart(); synctest.Wait(); s.life.Tell(LoggedIn{UIN: 10001}) },
	} {
		t.Run(name, func(t *testing.T) { repairing(t, then) })
	}
}

// TestQuietCountsCallsToo: a bot that only sends is not quiet.
func TestQuietCountsCallsToo(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		s.a.Want(true)
		s.goOnline(10001)
		for n := range uint64(4) {
			s.mu.Lock()
			s.stats = Stats{Events: n + 1, Calls: n + 1}
			s.mu.Unlock()
			s.life.Tell(Measured{RSS: 110 << 20})
			s.emit(Beat{Online: true})
			time.Sleep(quietFor / 2)
		}
		s.want("stop", 0)
	})
}

// TestCountersAreShown: what the link counted is in the snapshot, each in its place.
func TestCountersAreShown(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		s.stats = Stats{Events: 1, Calls: 2, SendsFailed: 3, QueueDropped: 4}
		if a := s.a.Snapshot(); a.Events != 1 || a.Calls != 2 || a.SendsFailed != 3 || a.QueueDropped != 4 {
			t.Errorf("%+v", a)
		}
	})
	p := testPolicy
	p.UIN = 10009
	onStand(t, p, func(s *stand) {
		if a := s.a.Snapshot(); a.UIN != 10009 {
			t.Errorf("the configured account is shown as %d", a.UIN)
		}
	})
}

// TestWhyTheLastProcessEnded: a restart is counted under what ended the process
// before it.
func TestWhyTheLastProcessEnded(t *testing.T) {
	onStand(t, testPolicy, func(s *stand) {
		s.spawnErr = &supervisor.Fault{Cause: supervisor.Because("disk", "full"), Weight: 1}
		s.a.Want(true)
		synctest.Wait()
		if f := s.a.Facts(); f.Process.State != ProcessAbsent || f.Past.Ending != "disk" {
			t.Errorf("%+v", f)
		}
		s.mu.Lock()
		s.spawnErr = errors.New("x")
		s.mu.Unlock()
		time.Sleep(time.Second)
		synctest.Wait()
		if f := s.a.Facts(); f.Past.Ending != supervisor.ReasonSpawnFailed {
			t.Errorf("ended for %s", f.Past.Ending)
		}
		s.mu.Lock()
		s.spawnErr = nil
		s.mu.Unlock()
		s.a.Restart()
		s.goOnline(10001)
		s.life.Exited(failure("display_lost", api.CodeDisplayLost), time.Now())
		synctest.Wait()
		if f := s.a.Facts(); f.Past.Ending != "display_lost" || f.Process.State != ProcessAbsent {
			t.Errorf("%+v", f)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if want := []supervisor.Reason{"disk", supervisor.ReasonSpawnFailed, "display_lost"}; !slices.Equal(s.restarts, want) {
			t.Errorf("restarts for %v, want %v", s.restarts, want)
		}
	})
}

// TestOnlyAFailureThatNeverWasOnlineIsSoftened: the host may only excuse a start
// that led nowhere.
func TestOnlyAFailureThatNeverWasOnlineIsSoftened(t *testing.T) {
	lighter := &supervisor.Fault{Cause: supervisor.Because("rolled_back", "rolled_back")}
	onStand(t, testPolicy, func(s *stand) {
		s.soft = lighter
		s.a.Want(true)
		synctest.Wait()
		s.life.Exited(failure(ReasonCrash, api.CodeHung), time.Now())
		synctest.Wait()
		s.want("not online", 1)
		s.want("spawn", 2) // at once, for it is no failure any more
		if f := s.a.Facts(); f.Past.Failures.Streak != 0 || f.Past.LastRestart != "rolled_back" {
			t.Errorf("%+v", f.Past)
		}
		s.life.Exited(&supervisor.Fault{Cause: supervisor.Because("asked", "asked")}, time.Now()) // is no failure
		s.want("not online", 1)
		s.goOnline(10001)
		s.life.Exited(failure(ReasonCrash, api.CodeHung), time.Now())
		s.want("not online", 1)
		s.state("backoff", ReasonCrash)
	})
}

// TestRememberOnlyWhatIsNotConfigured: the number of a configured account is known.
func TestRememberOnlyWhatIsNotConfigured(t *testing.T) {
	p := testPolicy
	p.UIN = 10001
	onStand(t, p, func(s *stand) {
		s.a.Want(true)
		s.goOnline(10001)
		synctest.Wait()
		if len(s.uins) != 0 {
			t.Errorf("remembered %v", s.uins)
		}
	})
}

// TestOptionsThatMayBeNil: an account that nobody listens to lives like any other.
func TestOptionsThatMayBeNil(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &stand{t: t}
		s.a = newAccount(t, filepath.Join(dir, "a", "b", "state.json"), Saved{}, s, s)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.a.Run(ctx) }()
		s.a.Want(true)
		s.goOnline(10001)
		s.a.Restart()
		s.goOnline(10001)
		s.state("online", "online")
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if b, err := os.ReadFile(filepath.Join(dir, "a", "b", "state.json")); err != nil || !strings.Contains(string(b), "10001") || !strings.HasSuffix(string(b), "}\n") {
			t.Errorf("%s %v", b, err)
		}
		info, err := os.Stat(filepath.Join(dir, "a", "b"))
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%v %v", info.Mode(), err)
		}
	})
}
