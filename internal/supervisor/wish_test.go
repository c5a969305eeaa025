package supervisor

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// A restart ends what runs and starts anew at once; what is stopped, it starts.
func TestRunnerRestart(t *testing.T) {
	f := &fake{}
	runTest(t, f, func(r *Runner, _ func() []Status) {
		r.Restart(Because("asked", "asked"))
		synctest.Wait()
		if f.count() != 1 || len(f.stopped()) != 0 {
			t.Fatalf("a stopped one: %d spawns, %d stops", f.count(), len(f.stopped()))
		}
		r.Restart(Because("asked", "asked"))
		synctest.Wait()
		if f.count() != 2 || len(f.stopped()) != 1 {
			t.Errorf("a running one: %d spawns, %d stops", f.count(), len(f.stopped()))
		}
		if why := f.stopped()[0]; why == nil || why.Weight != 0 || why.Reason != "asked" {
			t.Errorf("stopped for %+v", why)
		}
		// One that waits goes on at once.
		f.die("crash")
		synctest.Wait()
		if s := r.Status(); s.State != StateBackoff || s.NextTry.IsZero() {
			t.Fatalf("%+v", s)
		}
		r.Restart(Cause{})
		synctest.Wait()
		if s := r.Status(); f.count() != 3 || s.Failures.Streak != 0 {
			t.Errorf("a waiting one: %d spawns, %+v", f.count(), s)
		}
		r.Want(false, Because("night", "night"))
		synctest.Wait()
		if s := r.Status(); s.State != StateStopped || s.Cause.Reason != "night" || f.count() != 3 {
			t.Errorf("%+v after %d spawns", s, f.count())
		}
	})
}

// A process that lost its connection has the offline timeout to come back.
func TestRunnerOfflineTimeout(t *testing.T) {
	for _, tt := range []struct {
		name  string
		back  time.Duration // 0: never
		stops int
	}{{"comes back", testPolicy.OfflineTimeout - time.Second, 0}, {"stays away", 0, 1}} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{}
			runTest(t, f, func(r *Runner, _ func() []Status) {
				r.Want(true, Cause{})
				synctest.Wait()
				f.looks(1, health(StateOnline, ""))
				synctest.Wait()
				f.looks(1, health(StateOffline, "heartbeat_lost"))
				if tt.back > 0 {
					time.Sleep(tt.back)
					f.looks(1, health(StateOnline, ""))
				}
				time.Sleep(testPolicy.OfflineTimeout - tt.back - time.Millisecond)
				synctest.Wait()
				if n := len(f.stopped()); n != 0 {
					t.Fatalf("%d stops early", n)
				}
				time.Sleep(time.Millisecond)
				synctest.Wait()
				stops := f.stopped()
				if len(stops) != tt.stops {
					t.Fatalf("%d stops", len(stops))
				}
				if tt.stops > 0 && (stops[0].Reason != "heartbeat_lost" || stops[0].Weight != 1 || stops[0].Why.Code != api.CodeOfflineAfter) {
					t.Errorf("%+v", stops[0])
				}
			})
		})
	}
}

// The driver is asked again when it said that something may have changed.
func TestRunnerLooksAgainWhenItIsDue(t *testing.T) {
	f := &fake{}
	runTest(t, f, func(r *Runner, _ func() []Status) {
		r.Want(true, Cause{})
		synctest.Wait()
		v := health(StateOnline, "")
		v.Wake = time.Now().Add(5 * time.Second)
		f.looks(1, v)
		synctest.Wait()
		f.become(1, health(StateConnecting, "link"))
		time.Sleep(5*time.Second - time.Millisecond)
		synctest.Wait()
		if s := r.Status(); s.State != StateOnline {
			t.Fatalf("early: %+v", s)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if s := r.Status(); s.State != StateConnecting || s.Cause.Reason != "link" {
			t.Errorf("%+v", s)
		}
	})
}

func TestCauses(t *testing.T) {
	inner := api.Because("b", 1)
	full := Cause{"r", api.Because("a", 1).With(inner)}
	for _, tt := range []struct {
		name string
		c    Cause
		want bool
	}{
		{"the same", Cause{"r", api.Because("a", 1).With(api.Because("b", 1))}, true},
		{"another reason", Cause{"s", api.Because("a", 1).With(inner)}, false},
		{"another code", Cause{"r", api.Because("x", 1).With(inner)}, false},
		{"another argument", Cause{"r", api.Because("a", 2).With(inner)}, false},
		{"another cause below", Cause{"r", api.Because("a", 1).With(api.Because("b", 2))}, false},
		{"none below", Cause{"r", api.Because("a", 1)}, false},
	} {
		if full.Equal(tt.c) != tt.want || tt.c.Equal(full) != tt.want {
			t.Errorf("%s: not %v", tt.name, tt.want)
		}
	}
	if got := (Cause{}).or(full); !got.Equal(full) {
		t.Errorf("%+v", got)
	}
	if got := (Cause{Reason: "x"}).or(full); got.Reason != "x" || got.Why.Code != "a" {
		t.Errorf("%+v", got)
	}
	if got := full.or(Cause{"y", api.Because("z")}); !got.Equal(full) {
		t.Errorf("%+v", got)
	}
}

// Chance takes a little off a pause always, and never all of it.
func TestChance(t *testing.T) {
	for range 1000 {
		if c := chance(); c < leastChance || c >= 1 {
			t.Fatalf("%v", c)
		}
	}
}
