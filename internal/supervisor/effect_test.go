package supervisor

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

func TestRunnerTellsWhyASpawnFailed(t *testing.T) {
	broken := errors.New("no such file")
	for _, tt := range []struct {
		name   string
		err    error
		reason Reason
		code   api.Code
		streak int
	}{
		{"an error", broken, ReasonSpawnFailed, api.CodeSpawnFailed, 1},
		{"a fault", &Fault{Cause: Because("disk", "full"), Pause: time.Minute}, "disk", "full", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{spawn: func(context.Context, uint64) error { return tt.err }}
			runTest(t, f, func(r *Runner, _ func() []Status) {
				r.Want(true, Cause{})
				synctest.Wait()
				s := r.Status()
				if s.State != StateBackoff || s.Cause.Reason != tt.reason || s.Cause.Why.Code != tt.code || s.Failures.Streak != tt.streak {
					t.Errorf("%+v", s)
				}
				if f.alive != 0 || f.count() != 1 {
					t.Errorf("%d alive after %d spawns", f.alive, f.count())
				}
			})
		})
	}
}

// A spawn that is given up is told so while it gives up, and once.
func TestRunnerGivesUpASpawnOnce(t *testing.T) {
	f := &fake{spawn: func(ctx context.Context, _ uint64) error {
		<-ctx.Done()
		time.Sleep(time.Second)
		return context.Cause(ctx)
	}}
	runTest(t, f, func(r *Runner, _ func() []Status) {
		r.Want(true, Cause{})
		synctest.Wait()
		r.Want(false, Because("night", "night"))
		synctest.Wait()
		if s := r.Status(); s.State != StateStopping || s.Cause.Reason != "night" {
			t.Errorf("while it gives up: %+v", s)
		}
		// A wish to run again waits for that end.
		r.Want(true, Cause{})
		synctest.Wait()
		if f.count() != 1 {
			t.Errorf("%d spawns while the first gives up", f.count())
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if s := r.Status(); f.count() != 2 || s.State != StateStarting || s.Failures.Streak != 0 {
			t.Errorf("%d spawns, %+v", f.count(), s)
		}
	})
}

// Whatever happens while a process is ended, it is ended once.
func TestRunnerStopsOnce(t *testing.T) {
	f := &fake{stopFor: time.Minute}
	runTest(t, f, func(r *Runner, _ func() []Status) {
		r.Want(true, Cause{})
		synctest.Wait()
		for _, wish := range []func(){
			func() { r.Want(false, Cause{}) }, func() { r.Restart(Cause{}) }, func() { r.Want(false, Cause{}) }, func() { r.Want(true, Cause{}) },
		} {
			wish()
			synctest.Wait()
		}
		if s := r.Status(); s.State != StateStopping || f.count() != 1 {
			t.Errorf("%+v after %d spawns", s, f.count())
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(f.stopped()); n != 1 || f.count() != 2 {
			t.Errorf("%d stops, %d spawns", n, f.count())
		}
	})
}

// The context of a spawn ends with the spawn, so that nothing that hangs on it is left.
func TestRunnerEndsTheContextOfASpawn(t *testing.T) {
	var of context.Context
	f := &fake{spawn: func(ctx context.Context, _ uint64) error { of = ctx; return nil }}
	runTest(t, f, func(r *Runner, _ func() []Status) {
		r.Want(true, Cause{})
		synctest.Wait()
		if of.Err() == nil {
			t.Error("it goes on after the spawn")
		}
	})
	hung := &fake{spawn: func(ctx context.Context, _ uint64) error { of = ctx; <-ctx.Done(); return ctx.Err() }}
	runTest(t, hung, func(r *Runner, _ func() []Status) { // its Run ends while the spawn hangs
		r.Want(true, Cause{})
		synctest.Wait()
		if of.Err() != nil {
			t.Error("it ended early")
		}
	})
}

// A pause that is over before anybody could see it is told all the same, one that
// was seen is not told twice.
func TestRunnerTellsAPauseThatIsOver(t *testing.T) {
	f := &fake{}
	runTest(t, f, func(r *Runner, transitions func() []Status) {
		r.Want(true, Cause{})
		synctest.Wait()
		f.looks(1, health(StateOnline, ""))
		synctest.Wait()
		f.mu.Lock()
		f.alive--
		f.mu.Unlock()
		time.Sleep(time.Minute)
		r.Exited(1, &Fault{Cause: Because("crash", "boom"), Weight: 1}, time.Now().Add(-30*time.Second))
		synctest.Wait()
		list := transitions()
		at := slices.IndexFunc(list, func(s Status) bool { return s.State == StateOnline })
		var told []State
		for _, s := range list[at:] {
			told = append(told, s.State)
		}
		if want := []State{StateOnline, StateBackoff, StateStarting, StateStarting}; !slices.Equal(told, want) {
			t.Errorf("told %v, want %v", told, want)
		}
		if list[at+1].Cause.Reason != "crash" {
			t.Errorf("paused for %+v", list[at+1].Cause)
		}
	})
	// An end that nobody counts has no pause to tell of.
	f = &fake{}
	runTest(t, f, func(r *Runner, transitions func() []Status) {
		r.Restart(Cause{})
		synctest.Wait()
		r.Restart(Cause{})
		synctest.Wait()
		for _, s := range transitions() {
			if s.State == StateBackoff {
				t.Errorf("told %+v", s)
			}
		}
	})
}

func TestRunnerNewIsStopped(t *testing.T) {
	past := Failures{Score: 2, Streak: 3}
	r := NewRunner(Options{Policy: testPolicy, Failures: past})
	if s := r.Status(); s.State != StateStopped || s.Cause.Reason != ReasonWanted || s.Cause.Why.Code != api.CodeNotWanted || s.Failures != past {
		t.Errorf("%+v", s)
	}
}

// A runner that was never asked for anything but a start never shows a stop.
func TestRunnerObeysAWishMadeBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first State
		r := NewRunner(Options{Policy: testPolicy, Driver: &fake{}, Changed: func(s Status, _ bool) {
			if first == "" {
				first = s.State
			}
		}})
		r.Want(true, Cause{})
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		synctest.Wait()
		if first != StateStarting {
			t.Errorf("first it showed %q", first)
		}
		cause := errors.New("evening")
		cancel(cause)
		if err := <-done; !errors.Is(err, cause) {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestRunnerPing(t *testing.T) {
	f := &fake{}
	runTest(t, f, func(r *Runner, _ func() []Status) {
		called := 0
		r.Do(func(now time.Time) {
			called++
			if !now.Equal(time.Now()) {
				t.Errorf("called with %v", now)
			}
		})
		if err := r.Ping(context.Background()); err != nil || called != 1 {
			t.Errorf("Ping: %v, after %d calls", err, called)
		}
		// What was said once is done once.
		if err := r.Ping(context.Background()); err != nil || called != 1 {
			t.Errorf("Ping: %v, after %d calls", err, called)
		}
	})
	synctest.Test(t, func(t *testing.T) { // nobody runs it
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := NewRunner(Options{}).Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Ping: %v", err)
		}
	})
}

// An exit of an earlier process says nothing about the present one.
func TestRunnerIgnoresALateExit(t *testing.T) {
	f := &fake{}
	runTest(t, f, func(r *Runner, _ func() []Status) {
		r.Want(true, Cause{})
		synctest.Wait()
		f.die("crash")
		time.Sleep(time.Second)
		synctest.Wait()
		f.looks(2, health(StateOnline, ""))
		synctest.Wait()
		r.Exited(1, &Fault{Cause: Because("crash", "again"), Weight: 1}, time.Now())
		synctest.Wait()
		if s := r.Status(); s.State != StateOnline || s.Life != 2 || s.Failures.Streak != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// What changes without being a transition is told as such, and nothing is told twice.
func TestRunnerTellsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type told struct {
			s          Status
			transition bool
		}
		var list []told
		f := &fake{}
		r := NewRunner(Options{Policy: testPolicy, Driver: f, Changed: func(s Status, transition bool) { list = append(list, told{s, transition}) }})
		f.r = r
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		r.Want(true, Cause{})
		synctest.Wait()
		f.looks(1, health(StateOnline, "a"))
		synctest.Wait()
		since, n := r.Status().Since, len(list)
		time.Sleep(time.Second)
		f.looks(1, View{Health: Health{StateOnline, Because("a", "told", 2)}})
		synctest.Wait()
		if len(list) != n+1 || list[n].transition || !r.Status().Since.Equal(since) || len(list[n].s.Cause.Why.Args) != 1 {
			t.Errorf("another sentence: %+v", list[n:])
		}
		f.looks(1, View{Health: Health{StateOnline, Because("a", "told", 2)}})
		synctest.Wait()
		if len(list) != n+1 {
			t.Errorf("nothing new: %+v", list[n+1:])
		}
		f.looks(1, health(StateOnline, "b"))
		synctest.Wait()
		if len(list) != n+2 || !list[n+1].transition || !r.Status().Since.Equal(time.Now()) {
			t.Errorf("another reason: %+v", list[n+1:])
		}
		cancel()
		<-done
	})
}

// A process that exits while it is stopped is followed by no other before the stop
// itself is over: it may still be cleaning up.
func TestRunnerWaitsForTheStopItself(t *testing.T) {
	f := &fake{stopFor: 3 * time.Second}
	runTest(t, f, func(r *Runner, _ func() []Status) {
		r.Want(true, Cause{})
		synctest.Wait()
		r.Restart(Cause{})
		synctest.Wait()
		r.Exited(1, nil, time.Now())
		time.Sleep(3*time.Second - time.Millisecond)
		synctest.Wait()
		if f.count() != 1 {
			t.Fatalf("%d spawns while the first process is stopped", f.count())
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if s := r.Status(); f.count() != 2 || s.Failures.Streak != 0 {
			t.Errorf("%d spawns, %+v", f.count(), s)
		}
	})
}
