package supervisor

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fake is a driver whose processes do what a test says.
type fake struct {
	r  *Runner
	mu sync.Mutex
	// spawn is called by Spawn; nil succeeds at once.
	spawn   func(ctx context.Context, life uint64) error
	stopFor time.Duration
	spawns  []time.Time
	alive   int
	most    int
	stops   []*Fault
	view    View // of life
	life    uint64
}

func (f *fake) View(_ context.Context, life uint64, _ time.Time) View {
	f.mu.Lock()
	defer f.mu.Unlock()
	if life != f.life {
		return View{}
	}
	return f.view
}

// looks makes the process numbered life look so.
func (f *fake) looks(life uint64, v View) {
	f.r.Do(func(time.Time) { f.become(life, v) })
}

// become is looks, of which the runner is not told.
func (f *fake) become(life uint64, v View) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.life, f.view = life, v
}

func health(s State, r Reason) View { return View{Health: Health{s, Cause{Reason: r}}} }

func (f *fake) Spawn(ctx context.Context, life uint64) error {
	f.mu.Lock()
	f.spawns = append(f.spawns, time.Now())
	f.alive++
	f.most = max(f.most, f.alive)
	spawn := f.spawn
	f.mu.Unlock()
	if spawn == nil {
		return nil
	}
	err := spawn(ctx, life)
	if err != nil {
		f.mu.Lock()
		f.alive--
		f.mu.Unlock()
	}
	return err
}

func (f *fake) Stop(ctx context.Context, _ uint64, why *Fault) error {
	select {
	case <-time.After(f.stopFor):
	case <-ctx.Done():
		return ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stops = append(f.stops, why)
	f.alive--
	return nil
}

// die makes the present process end by itself.
func (f *fake) die(reason Reason) {
	f.mu.Lock()
	f.alive--
	life := uint64(len(f.spawns))
	f.mu.Unlock()
	f.r.Exited(life, &Fault{Cause: Because(reason, "died"), Weight: 1}, time.Now())
}

func (f *fake) stopped() []*Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*Fault(nil), f.stops...)
}

func (f *fake) spawned() []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]time.Time(nil), f.spawns...)
}

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.spawns)
}

func runTest(t *testing.T, f *fake, test func(r *Runner, transitions func() []Status)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var list []Status
		p := testPolicy
		p.Jitter = 0
		r := NewRunner(Options{Policy: p, Driver: f, Changed: func(s Status, transition bool) {
			mu.Lock()
			defer mu.Unlock()
			if transition {
				list = append(list, s)
			}
		}})
		f.r = r
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := r.Run(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("Run: %v", err)
			}
		})
		test(r, func() []Status {
			mu.Lock()
			defer mu.Unlock()
			return append([]Status(nil), list...)
		})
		cancel()
		wg.Wait()
		if f.most > 1 {
			t.Errorf("%d processes at once", f.most)
		}
	})
}

func TestRunnerRestartsAfterInitialPause(t *testing.T) {
	f := &fake{}
	runTest(t, f, func(r *Runner, transitions func() []Status) {
		r.Want(true, Cause{})
		synctest.Wait()
		f.looks(1, health(StateOnline, "online"))
		time.Sleep(time.Minute)
		died := time.Now()
		f.die("crash")
		synctest.Wait()
		if s := r.Status(); s.State != StateBackoff || s.Cause.Reason != "crash" || !s.NextTry.Equal(died.Add(time.Second)) {
			t.Errorf("after the crash: %+v", s)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if f.count() != 2 || f.spawned()[1].Sub(died) != time.Second {
			t.Errorf("spawned again after %v", f.spawned()[f.count()-1].Sub(died))
		}
		if s := r.Status(); s.Life != 2 {
			t.Errorf("status %+v", s)
		}
		var words []State
		for _, s := range transitions() {
			words = append(words, s.State)
		}
		// Whether the wish came before Run or after it is chance.
		if words[0] == StateStopped {
			words = words[1:]
		}
		want := []State{StateStarting, StateStarting, StateOnline, StateBackoff, StateStarting, StateStarting}
		if len(words) != len(want) {
			t.Fatalf("transitions %v", words)
		}
		for i := range want {
			if words[i] != want[i] {
				t.Fatalf("transitions %v", words)
			}
		}
	})
}

func TestRunnerTenMinutesOfHealthResetThePause(t *testing.T) {
	f := &fake{}
	runTest(t, f, func(r *Runner, _ func() []Status) {
		r.Want(true, Cause{})
		synctest.Wait()
		for i := range 10 {
			f.die("crash")
			synctest.Wait()
			time.Sleep(time.Until(r.Status().NextTry))
			synctest.Wait()
			f.looks(uint64(i+2), health(StateOnline, ""))
			synctest.Wait()
		}
		if s := r.Status(); s.Failures.Streak != 10 || s.Failures.Score <= testPolicy.ScoreLimit {
			t.Fatalf("failures %+v", s.Failures)
		}
		if f.count() != 11 {
			t.Fatalf("%d spawns", f.count())
		}
		time.Sleep(10 * time.Minute)
		died := time.Now()
		f.die("crash")
		time.Sleep(time.Second)
		synctest.Wait()
		if f.count() != 12 || f.spawned()[11].Sub(died) != time.Second {
			t.Errorf("spawned %d times, last %v after the crash", f.count(), f.spawned()[f.count()-1].Sub(died))
		}
		if s := r.Status(); s.Failures.Streak != 1 {
			t.Errorf("failures %+v", s.Failures)
		}
	})
}

func TestRunnerStopCancelsASpawn(t *testing.T) {
	f := &fake{spawn: func(ctx context.Context, _ uint64) error { <-ctx.Done(); return ctx.Err() }}
	runTest(t, f, func(r *Runner, _ func() []Status) {
		r.Want(true, Cause{})
		synctest.Wait()
		if s := r.Status(); s.State != StateStarting {
			t.Fatalf("status %+v", s)
		}
		r.Want(false, Cause{})
		synctest.Wait()
		if s := r.Status(); s.State != StateStopped || s.Failures.Streak != 0 {
			t.Errorf("status %+v", s)
		}
		if f.alive != 0 {
			t.Errorf("%d alive", f.alive)
		}
	})
}

func TestRunnerDeathDuringSpawnIsSeen(t *testing.T) {
	f := &fake{}
	f.spawn = func(_ context.Context, life uint64) error {
		if life == 1 {
			f.die("crash")
		}
		return nil
	}
	runTest(t, f, func(r *Runner, _ func() []Status) {
		r.Want(true, Cause{})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if s := r.Status(); s.Life != 2 || s.Failures.Streak != 1 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestRunnerFaultRestartsWithoutAPauseIfItIsNobodysFailure(t *testing.T) {
	f := &fake{stopFor: 3 * time.Second}
	runTest(t, f, func(r *Runner, _ func() []Status) {
		r.Want(true, Cause{})
		synctest.Wait()
		f.looks(1, health(StateOnline, ""))
		f.looks(1, View{Fault: &Fault{Cause: Because("memory", "too_much")}})
		synctest.Wait()
		f.looks(1, View{Fault: &Fault{Cause: Because("later", "a_consequence"), Weight: 1}})
		synctest.Wait()
		if s := r.Status(); s.State != StateStopping || s.Cause.Reason != "memory" {
			t.Errorf("status %+v", s)
		}
		f.looks(1, health(StateOnline, "")) // too late, ignored
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if s := r.Status(); s.Life != 2 || s.State != StateStarting || s.Failures.Streak != 0 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestRunnerReturnsWhileAStopHangs(t *testing.T) {
	f := &fake{stopFor: time.Hour}
	runTest(t, f, func(r *Runner, _ func() []Status) {
		r.Want(true, Cause{})
		synctest.Wait()
		r.Want(false, Cause{})
		synctest.Wait()
		if s := r.Status(); s.State != StateStopping {
			t.Errorf("status %+v", s)
		}
	})
}

func TestRunnerStartTimeout(t *testing.T) {
	f := &fake{}
	runTest(t, f, func(r *Runner, _ func() []Status) {
		r.Want(true, Cause{})
		synctest.Wait()
		f.looks(1, health(StateConnecting, "onebot"))
		time.Sleep(89 * time.Second)
		synctest.Wait()
		if f.count() != 1 || len(f.stopped()) != 0 {
			t.Fatal("ended early")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(f.stopped()) != 1 || f.stopped()[0].Weight != 1 {
			t.Fatalf("stops %+v", f.stopped())
		}
	})
}
