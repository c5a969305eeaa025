package supervisor

import (
	"fmt"
	"math"
	"time"
)

// State is one word for what an account is doing.
type State string

// The states of an account.
const (
	StateStopped       State = "stopped"
	StateInstalling    State = "installing"
	StateStarting      State = "starting"
	StateLoginRequired State = "login_required"
	StateConnecting    State = "connecting"
	StateOnline        State = "online"
	StateOffline       State = "offline"
	StateBackoff       State = "backoff"
	StateFailed        State = "failed"
	StateStopping      State = "stopping"
)

// Reason is one word that a script can match and that says why an account is in
// its state. Drivers add words of their own.
type Reason string

// The reasons that this package gives by itself.
const (
	ReasonWanted       Reason = "wanted"        // somebody asked for it
	ReasonSpawn        Reason = "spawn"         // a process is being started
	ReasonRestart      Reason = "restart"       // somebody asked for a restart
	ReasonNotReady     Reason = "not_ready"     // not ready within the start timeout
	ReasonOffline      Reason = "offline"       // offline for too long
	ReasonCrashLoop    Reason = "crash_loop"    // failed too often
	ReasonSpawnFailed  Reason = "spawn_failed"  // the process could not be started
	ReasonExited       Reason = "exited"        // the process ended and nobody said why
	ReasonProcessAlive Reason = "process_alive" // started, nothing known of it yet
)

// Fault is why a process must end, did end, or could not be started. It is an
// error, so that [Driver.Spawn] can return one.
type Fault struct {
	Reason Reason
	Detail string
	// Weight is what the fault adds to the failure score; 0 for an end that is
	// nobody's failure, after which the next start is not delayed.
	Weight float64
	// Permanent says that trying again cannot help before somebody wishes anew.
	Permanent bool
	// Pause is the shortest pause before the next start.
	Pause time.Duration
}

// Error implements error.
func (f *Fault) Error() string {
	if f.Detail == "" {
		return string(f.Reason)
	}
	return string(f.Reason) + ": " + f.Detail
}

// Policy bounds the pauses and the patience. All fields must be positive;
// Jitter is in [0, 1).
type Policy struct {
	Initial        time.Duration // pause after the first failure
	Max            time.Duration // longest pause
	Jitter         float64       // part of a pause that chance may take off
	ScoreLimit     float64       // a score above it means failed
	ScoreHalfLife  time.Duration // of time online
	HealthyAfter   time.Duration // so long online forgives everything
	StartTimeout   time.Duration // for getting ready, a wait for a login not counted
	OfflineTimeout time.Duration // for coming back online by itself
}

// Want is what somebody wishes for an account.
type Want struct {
	Running bool
	// Generation grows with every wish. A permanent failure holds until a
	// greater one comes.
	Generation uint64
	// Restart is the generation at which a restart was asked for: a process of
	// an older generation is replaced. 0 is never.
	Restart uint64
	// Why is the reason of that restart or of the stop, Detail its sentence.
	Why    Reason
	Detail string
}

// Process is the stage of an account's process.
type Process int

// The stages of a process.
const (
	Absent Process = iota
	Spawning
	Running
	Stopping
)

// Health is what the driver last said of a running process.
type Health struct {
	// State is one of starting, login_required, connecting, online, offline;
	// while the process is being spawned also installing.
	State  State
	Reason Reason
	Detail string
}

// Failures is the memory of what went wrong. It is worth saving: a supervisor
// that starts with it does not forget a crash loop.
type Failures struct {
	Score  float64 `json:"score"`  // decays while online
	Streak int     `json:"streak"` // failures since the account was last healthy
}

// Seen is what is known of an account. The zero Seen is an account that was
// never started. It changes only through [Seen.After].
type Seen struct {
	Process    Process
	Life       uint64 // spawns so far; numbers the process
	Generation uint64 // of the wish under which Life was spawned
	Health     Health
	HealthAt   time.Time // when Health.State became what it is
	Unready    time.Time // since when it has been getting ready; zero: is ready or waits for a login
	Fault      *Fault    // of the running process: why it must end
	Ending     *Fault    // why it is being ended, or why it ended last
	Early      *Fault    // the process ended before its spawn was done
	Cancelled  bool      // the spawn was told to give up
	Failures   Failures
	NotBefore  time.Time // no spawn before it
}

// Effect is what a [Runner] does next.
type Effect int

// The effects.
const (
	EffectNone   Effect = iota
	EffectSpawn         // start the process
	EffectCancel        // give up the spawn in progress
	EffectStop          // end the process
)

// Decision is what follows from the facts.
type Decision struct {
	Effect Effect
	Why    *Fault // of an EffectStop
	State  State
	Reason Reason
	Detail string
	// Wake is when the decision must be made again although nothing happened;
	// zero is never.
	Wake time.Time
}

// Next decides. It is total and pure, and of a decision with the state backoff
// or failed the Wake is when the next start is due.
func Next(p Policy, w Want, s Seen, now time.Time) Decision {
	switch s.Process {
	case Spawning:
		return nextSpawning(w, s)
	case Running:
		return nextRunning(p, w, s, now)
	case Stopping:
		return Decision{State: StateStopping, Reason: s.Ending.Reason, Detail: s.Ending.Detail}
	default:
		return nextAbsent(p, w, s, now)
	}
}

func nextSpawning(w Want, s Seen) Decision {
	if !w.Running || w.Restart > s.Generation {
		d := Decision{State: StateStopping, Reason: wanted(w), Detail: orText(w.Detail, "the start was given up because a stop was asked for")}
		if !s.Cancelled {
			d.Effect = EffectCancel
		}
		return d
	}
	d := Decision{State: StateStarting, Reason: ReasonSpawn, Detail: "the process is being started"}
	if s.Health.State != "" {
		d.State, d.Reason, d.Detail = s.Health.State, orReason(s.Health.Reason, ReasonSpawn), orText(s.Health.Detail, d.Detail)
	}
	return d
}

func nextRunning(p Policy, w Want, s Seen, now time.Time) Decision {
	stop := func(f *Fault) Decision {
		return Decision{Effect: EffectStop, Why: f, State: StateStopping, Reason: f.Reason, Detail: f.Detail}
	}
	switch {
	case !w.Running:
		return stop(&Fault{Reason: wanted(w), Detail: orText(w.Detail, "a stop was asked for")})
	case w.Restart > s.Generation:
		return stop(&Fault{Reason: orReason(w.Why, ReasonRestart), Detail: orText(w.Detail, "a restart was asked for")})
	case s.Fault != nil:
		return stop(s.Fault)
	}
	d := Decision{State: s.Health.State, Reason: s.Health.Reason, Detail: s.Health.Detail}
	if d.State == "" {
		d.State, d.Reason, d.Detail = StateStarting, ReasonProcessAlive, "the process runs, nothing has been heard of it yet"
	}
	if d.Reason == "" {
		d.Reason = Reason(d.State)
	}
	if d.Detail == "" {
		d.Detail = "the account is " + string(d.State)
	}
	if !s.Unready.IsZero() {
		due := s.Unready.Add(p.StartTimeout)
		if !now.Before(due) {
			return stop(&Fault{Reason: ReasonNotReady, Weight: 1, Detail: fmt.Sprintf("not ready after %s: %s", p.StartTimeout, d.Detail)})
		}
		d.Wake = due
	}
	if s.Health.State == StateOffline {
		due := s.HealthAt.Add(p.OfflineTimeout)
		if !now.Before(due) {
			return stop(&Fault{Reason: orReason(s.Health.Reason, ReasonOffline), Weight: 1, Detail: fmt.Sprintf("still offline after %s: %s", p.OfflineTimeout, d.Detail)})
		}
		d.Wake = due
	}
	return d
}

func nextAbsent(p Policy, w Want, s Seen, now time.Time) Decision {
	if !w.Running {
		d := Decision{State: StateStopped, Reason: wanted(w), Detail: orText(w.Detail, "not wanted to run")}
		return d
	}
	anew := w.Restart > s.Generation
	if s.Ending != nil && s.Ending.Permanent && w.Generation <= s.Generation {
		return Decision{State: StateFailed, Reason: s.Ending.Reason, Detail: s.Ending.Detail}
	}
	if now.Before(s.NotBefore) && !anew {
		d := Decision{State: StateBackoff, Reason: ReasonExited, Detail: "waiting before the next start", Wake: s.NotBefore}
		if s.Ending != nil {
			d.Reason, d.Detail = s.Ending.Reason, s.Ending.Detail
		}
		if s.Failures.Score > p.ScoreLimit {
			d.State = StateFailed
			if d.Reason == "crash" || d.Reason == ReasonExited {
				d.Reason = ReasonCrashLoop
			}
		}
		return d
	}
	return Decision{Effect: EffectSpawn, State: StateStarting, Reason: ReasonSpawn, Detail: "the process is being started"}
}

func wanted(w Want) Reason { return orReason(w.Why, ReasonWanted) }

func orReason(r, other Reason) Reason {
	if r == "" {
		return other
	}
	return r
}

func orText(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// Pause returns how long to wait before the start that follows failure number
// streak (from 1), where u in [0, 1) is the part of the jitter that chance
// chose. The pause doubles from Initial to Max; the jitter only shortens it, so
// that a start is never later than the policy says.
func (p Policy) Pause(streak int, u float64) time.Duration {
	if streak < 1 {
		return 0
	}
	pause := float64(p.Max)
	if n := float64(p.Initial) * math.Pow(2, float64(streak-1)); n < pause {
		pause = n
	}
	return time.Duration(pause * (1 - p.Jitter*u))
}
