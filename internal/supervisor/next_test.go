package supervisor

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ncatd/ncatd/internal/control/api"
)

var testPolicy = Policy{
	Initial: time.Second, Max: 5 * time.Minute, Jitter: 0.2, ScoreLimit: 5, ScoreHalfLife: time.Minute,
	HealthyAfter: 5 * time.Minute, StartTimeout: 90 * time.Second, OfflineTimeout: 3 * time.Minute,
}

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestPause(t *testing.T) {
	for streak, want := range []time.Duration{0, 1 * time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, 64 * time.Second, 128 * time.Second, 256 * time.Second, 300 * time.Second, 300 * time.Second} {
		if got := testPolicy.Pause(streak, 0); got != want {
			t.Errorf("Pause(%d, 0) = %v, want %v", streak, got, want)
		}
		if got, least := testPolicy.Pause(streak, 0.999999), want*79/100; got > want || got < least {
			t.Errorf("Pause(%d, ~1) = %v, want within %v and %v", streak, got, least, want)
		}
	}
	if got := testPolicy.Pause(5000, 0); got != testPolicy.Max {
		t.Errorf("Pause(5000, 0) = %v, want Max", got)
	}
}

// TestLoop draws events in any order, among them wishes, and lets a loop obey
// Next as the runner does.
func TestLoop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var (
			s       Seen
			w       Want
			now     = t0
			spawned bool // a process was spawned and has not exited
		)
		u := rapid.Float64Range(0, 0.999)
		states := rapid.SampledFrom([]State{StateStarting, StateLoginRequired, StateConnecting, StateOnline, StateOffline})
		fault := rapid.Custom(func(t *rapid.T) *Fault {
			if rapid.Bool().Draw(t, "nil") {
				return nil
			}
			return &Fault{
				Cause:  Cause{Reason(rapid.SampledFrom([]string{"", "crash", "kicked"}).Draw(t, "reason")), api.Fault{Code: rapid.SampledFrom([]api.Code{"", "x"}).Draw(t, "code")}},
				Weight: float64(rapid.IntRange(0, 2).Draw(t, "weight")), Permanent: rapid.IntRange(0, 9).Draw(t, "permanent") == 0,
				Pause: time.Duration(rapid.IntRange(0, 10).Draw(t, "pause")) * time.Second,
			}
		})
		after := func(e Event) { s = s.After(testPolicy, e, now, u.Draw(t, "u")) }
		explained := func(d Decision) {
			if d.State == "" || d.Cause.Reason == "" || d.Cause.Why.Code == "" {
				t.Fatalf("decision without a word: %+v for %+v", d, s)
			}
		}
		obey := func() {
			for i := 0; ; i++ {
				if i > 4 {
					t.Fatalf("no stable state: %+v", s)
				}
				d := Next(testPolicy, w, s, now)
				explained(d)
				switch d.Effect {
				case EffectNone:
					if !d.Wake.IsZero() && !d.Wake.After(now) {
						t.Fatalf("wakes at once for ever: %+v for %+v", d, s)
					}
					return
				case EffectSpawn:
					if spawned {
						t.Fatal("spawn without an exit between")
					}
					if !w.Running {
						t.Fatal("spawn although nobody wants it")
					}
					if now.Before(s.NotBefore) && w.Restart <= s.Generation {
						t.Fatal("spawn before its time")
					}
					spawned = true
					after(SpawnBegan{w})
				case EffectCancel:
					if s.Process != Spawning || s.Cancelled {
						t.Fatalf("cancel of %+v", s)
					}
					after(SpawnCancelled{})
				case EffectStop:
					if s.Process != Running || d.Stop == nil || d.Stop.Reason == "" {
						t.Fatalf("stop of %+v", s)
					}
					after(StopBegan{d.Stop})
				}
				if s.Process == Stopping {
					if d := Next(testPolicy, w, s, now); d.Effect != EffectNone {
						t.Fatalf("acts while stopping: %+v", d)
					}
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"want": func(t *rapid.T) {
				w.Generation++
				w.Running = rapid.Bool().Draw(t, "running")
				if w.Running && rapid.Bool().Draw(t, "restart") {
					w.Restart = w.Generation
				}
			},
			"time": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "seconds")) * time.Second)
			},
			"spawned": func(*rapid.T) {
				early := s.Early != nil
				after(Spawned{})
				if early {
					spawned = false
				}
			},
			"spawn failed": func(t *rapid.T) {
				if s.Process == Spawning {
					spawned = false
				}
				after(SpawnFailed{fault.Draw(t, "fault")})
			},
			"health": func(t *rapid.T) { after(HealthSeen{Health{State: states.Draw(t, "state")}}) },
			"fault":  func(t *rapid.T) { after(Faulted{fault.Draw(t, "fault")}) },
			"exited": func(t *rapid.T) {
				if s.Process == Running || s.Process == Stopping {
					spawned = false
				}
				after(Exited{Fault: fault.Draw(t, "fault")})
			},
			"": func(t *rapid.T) {
				obey()
				if s.Failures.Score < 0 || s.Failures.Streak < 0 {
					t.Fatalf("failures below zero: %+v", s.Failures)
				}
			},
		})
	})
}

// TestSettles lets a process fail for ever: the account is always on its way to
// another try unless the cause is permanent.
func TestSettles(t *testing.T) {
	s, now, w := Seen{}, t0, Want{Running: true, Generation: 1}
	var pauses []time.Duration
	failedAt := 0
	for i := 1; i <= 12; i++ {
		d := Next(testPolicy, w, s, now)
		if d.Effect != EffectSpawn {
			t.Fatalf("try %d: %+v, want a spawn", i, d)
		}
		s = s.After(testPolicy, SpawnBegan{w}, now, 0)
		s = s.After(testPolicy, Spawned{}, now, 0)
		now = now.Add(time.Second)
		s = s.After(testPolicy, HealthSeen{Health{State: StateOnline}}, now, 0)
		now = now.Add(2 * time.Second)
		s = s.After(testPolicy, Exited{Fault: &Fault{Cause: Because("crash", "boom"), Weight: 1}}, now, 0)
		d = Next(testPolicy, w, s, now)
		if d.State == StateFailed && failedAt == 0 {
			failedAt = i
			if d.Cause.Reason != ReasonCrashLoop || d.Cause.Why.Code != api.CodeCrashLoop || d.Cause.Why.Cause == nil || d.Cause.Why.Cause.Code != "boom" {
				t.Errorf("failed with %+v", d.Cause)
			}
		}
		if d.State != StateBackoff && d.State != StateFailed {
			t.Fatalf("after failure %d: %+v", i, d)
		}
		pauses = append(pauses, d.Wake.Sub(now))
		now = d.Wake
	}
	if failedAt < 5 || failedAt > 7 {
		t.Errorf("failed at crash %d, want 5 to 7; pauses %v", failedAt, pauses)
	}
	for i := 1; i < failedAt-1; i++ {
		if pauses[i] != 2*pauses[i-1] {
			t.Errorf("pause %d is %v after %v", i+1, pauses[i], pauses[i-1])
		}
	}
	for _, p := range pauses[failedAt-1:] {
		if p != testPolicy.Max {
			t.Errorf("pause of a failed account is %v", p)
		}
	}
}

func TestHealthForgives(t *testing.T) {
	s := Seen{Process: Running, Life: 7, Health: Health{State: StateOnline}, HealthAt: t0, Failures: Failures{Score: 6, Streak: 6}}
	crash := Exited{Fault: &Fault{Cause: Because("crash", "boom"), Weight: 1}}
	// After one half-life half of the score is left, and the streak goes on.
	got := s.After(testPolicy, crash, t0.Add(time.Minute), 0)
	if got.Failures.Score != 4 || got.Failures.Streak != 7 {
		t.Errorf("after a minute: %+v", got.Failures)
	}
	// After HealthyAfter all is forgiven.
	got = s.After(testPolicy, crash, t0.Add(10*time.Minute), 0)
	if got.Failures != (Failures{Score: 1, Streak: 1}) {
		t.Errorf("after ten minutes: %+v", got.Failures)
	}
	if p := got.NotBefore.Sub(t0.Add(10 * time.Minute)); p != time.Second {
		t.Errorf("pause %v, want the initial one", p)
	}
}

func TestWaitForLoginIsNoFailure(t *testing.T) {
	w := Want{Running: true, Generation: 1}
	s := Seen{Process: Running, Life: 1, Generation: 1}.After(testPolicy, HealthSeen{Health{State: StateStarting}}, t0, 0)
	s = s.After(testPolicy, HealthSeen{Health{StateLoginRequired, Cause{Reason: "qr"}}}, t0.Add(time.Second), 0)
	if d := Next(testPolicy, w, s, t0.Add(100*time.Hour)); d.Effect != EffectNone || d.State != StateLoginRequired || d.Cause.Reason != "qr" {
		t.Errorf("after 100 hours at a QR code: %+v", d)
	}
	// The clock of the start begins anew after the scan.
	at := t0.Add(100 * time.Hour)
	s = s.After(testPolicy, HealthSeen{Health{StateConnecting, Cause{Reason: "accepted"}}}, at, 0)
	if d := Next(testPolicy, w, s, at.Add(89*time.Second)); d.Effect != EffectNone {
		t.Errorf("stopped early: %+v", d)
	}
	d := Next(testPolicy, w, s, at.Add(90*time.Second))
	if d.Effect != EffectStop || d.Stop.Weight != 1 || d.Stop.Reason != ReasonNotReady {
		t.Errorf("not stopped: %+v", d)
	}
}

func TestPermanentWaitsForAWish(t *testing.T) {
	w := Want{Running: true, Generation: 3}
	s := Seen{Process: Running, Life: 1, Generation: 3}
	s = s.After(testPolicy, StopBegan{&Fault{Cause: Because("wrong_account", "x"), Weight: 1, Permanent: true}}, t0, 0)
	s = s.After(testPolicy, Exited{}, t0, 0)
	if d := Next(testPolicy, w, s, t0.Add(1000*time.Hour)); d.Effect != EffectNone || d.State != StateFailed || d.Cause.Reason != "wrong_account" || !d.Wake.IsZero() {
		t.Errorf("permanent: %+v", d)
	}
	w.Generation = 4
	if d := Next(testPolicy, w, s, t0.Add(1000*time.Hour)); d.Effect != EffectSpawn {
		t.Errorf("after a new wish: %+v", d)
	}
}

func TestRestartSkipsThePause(t *testing.T) {
	s := Seen{Generation: 1, Life: 9, NotBefore: t0.Add(time.Hour), Failures: Failures{Score: 9, Streak: 9}, Ending: &Fault{Cause: Because("crash", "x"), Weight: 1}}
	if d := Next(testPolicy, Want{Running: true, Generation: 1}, s, t0); d.State != StateFailed || d.Wake != t0.Add(time.Hour) {
		t.Errorf("waiting: %+v", d)
	}
	w := Want{Running: true, Generation: 2, Restart: 2}
	if d := Next(testPolicy, w, s, t0); d.Effect != EffectSpawn {
		t.Errorf("restart: %+v", d)
	}
	// Whoever asks for it does not want to wait for old failures' sake again.
	if s := s.After(testPolicy, SpawnBegan{w}, t0, 0); s.Failures != (Failures{}) {
		t.Errorf("a restart remembers %+v", s.Failures)
	}
	if s := s.After(testPolicy, SpawnBegan{Want{Running: true, Generation: 2}}, t0, 0); s.Failures.Streak != 9 {
		t.Errorf("a try of our own forgets: %+v", s.Failures)
	}
}
