package supervisor

import (
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// wished is a wish to run, served by a process of the same generation.
var wished = Want{Running: true, Generation: 1}

// happens lets events happen one after another, each a second later.
func happens(s Seen, events ...Event) (Seen, time.Time) {
	now := t0
	for i, e := range events {
		now = t0.Add(time.Duration(i) * time.Second)
		s = s.After(testPolicy, e, now, 0)
	}
	return s, now
}

func crash(weight float64) *Fault { return &Fault{Cause: Because("crash", "boom"), Weight: weight} }

// What is installed before the first start takes its time: the clock of the start
// begins when the process exists.
func TestInstallingDoesNotCountAsStarting(t *testing.T) {
	s, _ := happens(Seen{}, SpawnBegan{wished}, HealthSeen{Health{StateInstalling, Because("download", "fetching")}})
	if d := Next(testPolicy, wished, s, t0); d.State != StateInstalling || d.Cause.Reason != "download" || d.Effect != EffectNone {
		t.Errorf("while it is fetched: %+v", d)
	}
	born := t0.Add(time.Hour)
	s = s.After(testPolicy, Spawned{}, born, 0)
	d := Next(testPolicy, wished, s, born)
	if d.State != StateStarting || d.Cause.Reason != ReasonProcessAlive || !d.Wake.Equal(born.Add(testPolicy.StartTimeout)) {
		t.Errorf("when it runs: %+v", d)
	}
	if d := Next(testPolicy, wished, s, born.Add(testPolicy.StartTimeout-1)); d.Effect != EffectNone {
		t.Errorf("before the timeout: %+v", d)
	}
	if d := Next(testPolicy, wished, s, born.Add(testPolicy.StartTimeout)); d.Effect != EffectStop {
		t.Errorf("at the timeout: %+v", d)
	}
}

// A process may be seen to wait for a login before its spawn is told to be done.
func TestHealthOfASpawnStays(t *testing.T) {
	s, now := happens(Seen{}, SpawnBegan{wished}, HealthSeen{Health{StateLoginRequired, Because("qr", "scan")}}, Spawned{})
	if d := Next(testPolicy, wished, s, now.Add(time.Hour)); d.State != StateLoginRequired || d.Cause.Reason != "qr" || !d.Wake.IsZero() {
		t.Errorf("%+v", d)
	}
}

// The same state for another reason is told, and its clock goes on.
func TestAnotherReasonOfTheSameState(t *testing.T) {
	s, _ := happens(Seen{}, SpawnBegan{wished}, Spawned{},
		HealthSeen{Health{StateOffline, Because("link", "lost")}},
		HealthSeen{Health{StateOffline, Because("heartbeat", "late")}})
	d := Next(testPolicy, wished, s, t0.Add(4*time.Second))
	if d.Cause.Reason != "heartbeat" || !d.Wake.Equal(t0.Add(2*time.Second).Add(testPolicy.OfflineTimeout)) {
		t.Errorf("%+v", d)
	}
}

func TestHealthOfNoProcessIsIgnored(t *testing.T) {
	online := HealthSeen{Health{State: StateOnline}}
	stopping, _ := happens(Seen{}, SpawnBegan{wished}, Spawned{}, StopBegan{crash(1)})
	for name, s := range map[string]Seen{"absent": {}, "stopping": stopping} {
		if got, _ := happens(s, online); !got.Health.Equal(s.Health) || got.HealthAt != s.HealthAt {
			t.Errorf("%s: %+v", name, got.Health)
		}
	}
}

func TestFirstFaultIsTheCause(t *testing.T) {
	first := Faulted{&Fault{Cause: Because("memory", "much")}}
	second := Faulted{&Fault{Cause: Because("disk", "full"), Weight: 1}}
	running, _ := happens(Seen{}, SpawnBegan{wished}, Spawned{})
	spawning, _ := happens(Seen{}, SpawnBegan{wished})
	for name, s := range map[string]Seen{"running": running, "spawning": spawning} {
		got, _ := happens(s, Faulted{nil}, first, second)
		if got.Fault == nil || got.Fault.Reason != "memory" {
			t.Errorf("%s: %+v", name, got.Fault)
		}
	}
	stopping, _ := happens(running, StopBegan{crash(1)})
	for name, s := range map[string]Seen{"absent": {}, "stopping": stopping} {
		if got, _ := happens(s, first); got.Fault != nil {
			t.Errorf("%s: %+v", name, got.Fault)
		}
	}
	// It explains an exit better than the exit does, and its weight counts.
	got, _ := happens(running, first, Exited{Fault: crash(1)})
	if got.Ending.Reason != "memory" || got.Failures != (Failures{}) {
		t.Errorf("ended for %+v, %+v", got.Ending, got.Failures)
	}
}

// The pause counts from the death, however long the cleaning up took.
func TestPauseCountsFromTheDeath(t *testing.T) {
	running, now := happens(Seen{}, SpawnBegan{wished}, Spawned{})
	for _, tt := range []struct {
		name string
		at   time.Time
		from time.Time
	}{
		{"at once", time.Time{}, now},
		{"half a second ago", now.Add(-500 * time.Millisecond), now.Add(-500 * time.Millisecond)},
		{"by a clock that is ahead", now.Add(time.Hour), now},
	} {
		got := running.After(testPolicy, Exited{Fault: crash(1), At: tt.at}, now, 0)
		if want := tt.from.Add(testPolicy.Initial); !got.NotBefore.Equal(want) {
			t.Errorf("%s: not before %v, want %v", tt.name, got.NotBefore, want)
		}
	}
}

// Time that was spent online is credited however it ended.
func TestOnlineTimeCountsBeforeAStop(t *testing.T) {
	s, _ := happens(Seen{Failures: Failures{Score: 4, Streak: 4}}, SpawnBegan{wished}, Spawned{}, HealthSeen{Health{State: StateOnline}})
	at := t0.Add(2*time.Second + time.Minute)
	s = s.After(testPolicy, StopBegan{&Fault{Cause: Because("asked", "asked")}}, at, 0)
	// An hour to end is not an hour online.
	s = s.After(testPolicy, Exited{}, at.Add(time.Hour), 0)
	if s.Failures != (Failures{Score: 2, Streak: 4}) {
		t.Errorf("%+v, want half of the score", s.Failures)
	}
}

func TestHealthyAfterIsEnough(t *testing.T) {
	for d, want := range map[time.Duration]int{testPolicy.HealthyAfter: 1, testPolicy.HealthyAfter - 1: 5} {
		s := Seen{Process: Running, Life: 1, Health: Health{State: StateOnline}, HealthAt: t0, Failures: Failures{Score: 4, Streak: 4}}
		if got := s.After(testPolicy, Exited{Fault: crash(1)}, t0.Add(d), 0); got.Failures.Streak != want {
			t.Errorf("online for %v: %+v", d, got.Failures)
		}
	}
}

// At the limit an account still tries; above it, it waits the longest pause, less
// a share by chance.
func TestScoreLimit(t *testing.T) {
	for _, tt := range []struct {
		score float64
		u     float64
		state State
		pause time.Duration
	}{
		{testPolicy.ScoreLimit - 1, 0, StateBackoff, time.Second},
		{testPolicy.ScoreLimit - 0.5, 0, StateFailed, testPolicy.Max},
		{testPolicy.ScoreLimit - 0.5, 0.5, StateFailed, testPolicy.Max * 9 / 10},
	} {
		s := Seen{Process: Running, Life: 1, Generation: 1, Failures: Failures{Score: tt.score}}
		s = s.After(testPolicy, Exited{Fault: crash(1)}, t0, tt.u)
		if d := Next(testPolicy, wished, s, t0); d.State != tt.state || !d.Wake.Equal(t0.Add(tt.pause)) {
			t.Errorf("score %v: %s until %v, want %s for %v", tt.score+1, d.State, d.Wake.Sub(t0), tt.state, tt.pause)
		}
	}
}

// A cause that is no crash stays the cause of an account that fails too often.
func TestFailedKeepsACauseThatSaysMore(t *testing.T) {
	for reason, want := range map[Reason]Reason{"crash": ReasonCrashLoop, ReasonExited: ReasonCrashLoop, "kicked": "kicked", ReasonNotReady: ReasonNotReady} {
		s := Seen{Generation: 1, Failures: Failures{Score: 9}, NotBefore: t0.Add(time.Minute), Ending: &Fault{Cause: Because(reason, "x")}}
		if d := Next(testPolicy, wished, s, t0); d.State != StateFailed || d.Cause.Reason != want {
			t.Errorf("%s: %s, %s", reason, d.State, d.Cause.Reason)
		}
	}
}

// A restart is served once: the failures that follow it count.
func TestAServedRestartForgetsNothingMore(t *testing.T) {
	w := Want{Running: true, Generation: 2, Restart: 2}
	s, now := happens(Seen{Generation: 1, Failures: Failures{Score: 3, Streak: 3}}, SpawnBegan{w}, Spawned{})
	if d := Next(testPolicy, w, s, now); d.Effect != EffectNone {
		t.Fatalf("it is restarted again: %+v", d)
	}
	s = s.After(testPolicy, Exited{Fault: crash(1)}, now, 0)
	if d := Next(testPolicy, w, s, now); d.Effect != EffectNone || d.State != StateBackoff {
		t.Fatalf("it skips the pause again: %+v", d)
	}
	if s, _ = happens(s, SpawnBegan{w}); s.Failures != (Failures{Score: 1, Streak: 1}) {
		t.Errorf("%+v", s.Failures)
	}
	// While it is spawned for that restart, it is not given up for it.
	if d := Next(testPolicy, w, s, now); d.Effect != EffectNone || d.State != StateStarting {
		t.Errorf("%+v", d)
	}
}

// A fault may ask for a longer pause than the failures, and has it without being
// one itself.
func TestPauseOfAFault(t *testing.T) {
	for _, tt := range []struct {
		weight float64
		pause  time.Duration
		want   time.Duration
	}{{0, 0, 0}, {0, time.Minute, time.Minute}, {1, time.Minute, time.Minute}, {1, time.Millisecond, testPolicy.Initial}} {
		s := Seen{Process: Running, Life: 1}.After(testPolicy, Exited{Fault: &Fault{Weight: tt.weight, Pause: tt.pause}}, t0, 0)
		if got := s.NotBefore.Sub(t0); got != tt.want {
			t.Errorf("weight %v, pause %v: %v", tt.weight, tt.pause, got)
		}
		if s.Failures.Streak != int(tt.weight) || s.Failures.Score != tt.weight {
			t.Errorf("weight %v: %+v", tt.weight, s.Failures)
		}
	}
}

// Every decision is explained, also where the driver gave no reason.
func TestDecisionsWithoutACauseAreExplained(t *testing.T) {
	running, now := happens(Seen{}, SpawnBegan{wished}, Spawned{}, HealthSeen{Health{State: StateOnline}})
	if d := Next(testPolicy, wished, running, now); d.Cause.Reason != Reason(StateOnline) || d.Cause.Why.Code != api.CodeStateOnly {
		t.Errorf("online: %+v", d.Cause)
	}
	if d := Next(testPolicy, Want{Generation: 2}, running, now); d.Effect != EffectStop || d.Stop.Weight != 0 || d.Cause.Reason != ReasonWanted || d.Cause.Why.Code != api.CodeStopAsked {
		t.Errorf("a stop: %+v", d)
	}
	if d := Next(testPolicy, Want{Running: true, Generation: 2, Restart: 2}, running, now); d.Cause.Reason != ReasonRestart || d.Cause.Why.Code != api.CodeRestartAsked {
		t.Errorf("a restart: %+v", d)
	}
	ended, now := happens(running, Exited{})
	if d := Next(testPolicy, wished, ended, now); d.Cause.Reason != ReasonExited || d.Cause.Why.Code != api.CodeProcessEnded {
		t.Errorf("an exit: %+v", d)
	}
}

// A process may die before its spawn is told to be done: it is mourned when it is.
func TestDeathBeforeTheSpawnIsDone(t *testing.T) {
	s, now := happens(Seen{}, SpawnBegan{wished}, Exited{Fault: crash(1)})
	if d := Next(testPolicy, wished, s, now); d.Effect != EffectNone || d.State != StateStarting {
		t.Errorf("while it is spawned: %+v", d)
	}
	s = s.After(testPolicy, Spawned{}, now, 0)
	if d := Next(testPolicy, wished, s, now); d.State != StateBackoff || d.Cause.Reason != "crash" || s.Failures.Streak != 1 {
		t.Errorf("when it is done: %+v, %+v", d, s.Failures)
	}
}

// How long a process that was taken over has been offline is not known: it has all
// of the timeout.
func TestOfflineCountsFromTheSpawn(t *testing.T) {
	s, now := happens(Seen{}, SpawnBegan{wished}, HealthSeen{Health{StateOffline, Because("link", "lost")}})
	now = now.Add(time.Hour)
	s = s.After(testPolicy, Spawned{}, now, 0)
	if d := Next(testPolicy, wished, s, now); d.Effect != EffectNone || !d.Wake.Equal(now.Add(testPolicy.OfflineTimeout)) {
		t.Errorf("%+v", d)
	}
}
