package supervisor

import (
	"math"
	"slices"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
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
	ReasonExited       Reason = "exited"        // the process ended and it is not known why
	ReasonProcessAlive Reason = "process_alive" // started, nothing known of it yet
)

// Cause is why an account is in its state: the word that scripts match, and what
// the catalogue makes a sentence of.
type Cause struct {
	Reason Reason
	Why    api.Fault
}

// Because returns a Cause; args fill the sentence of code.
func Because(r Reason, code api.Code, args ...any) Cause { return Cause{r, api.Because(code, args...)} }

// Equal reports whether c and d say the same.
func (c Cause) Equal(d Cause) bool { return c.Reason == d.Reason && equal(&c.Why, &d.Why) }

func equal(f, g *api.Fault) bool {
	if f == nil || g == nil {
		return f == g
	}
	return f.Code == g.Code && slices.Equal(f.Args, g.Args) && equal(f.Cause, g.Cause)
}

// or returns c with what it leaves open taken from d.
func (c Cause) or(d Cause) Cause {
	if c.Reason == "" {
		c.Reason = d.Reason
	}
	if c.Why.Code == "" {
		c.Why = d.Why
	}
	return c
}

// Fault is why a process must end, did end, or could not be started. It is an
// error, so that [Driver.Spawn] can return one.
type Fault struct {
	Cause
	// Weight is what the fault adds to the failure score; 0 for an end that is
	// nobody's failure, after which the next start is not delayed.
	Weight float64
	// Permanent says that trying again cannot help before somebody wishes anew.
	Permanent bool
	// Pause is the shortest pause before the next start.
	Pause time.Duration
}

// Error implements error. It is the reason alone; the sentence is the catalogue's.
func (f *Fault) Error() string { return string(f.Reason) }

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
	// Cause is why that restart or the stop is wished for.
	Cause Cause
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
	State State
	Cause
}

// Equal reports whether h and g say the same.
func (h Health) Equal(g Health) bool { return h.State == g.State && h.Cause.Equal(g.Cause) }

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
	Stop   *Fault // of an EffectStop
	State  State
	Cause  Cause
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
		return Decision{State: StateStopping, Cause: s.Ending.Cause}
	default:
		return nextAbsent(p, w, s, now)
	}
}

func nextSpawning(w Want, s Seen) Decision {
	if !w.Running || w.Restart > s.Generation {
		d := Decision{State: StateStopping, Cause: w.Cause.or(Because(ReasonWanted, api.CodeStartGivenUp))}
		if !s.Cancelled {
			d.Effect = EffectCancel
		}
		return d
	}
	d := Decision{State: StateStarting, Cause: s.Health.Cause.or(Because(ReasonSpawn, api.CodeProcessStarts))}
	if s.Health.State != "" {
		d.State = s.Health.State
	}
	return d
}

func nextRunning(p Policy, w Want, s Seen, now time.Time) Decision {
	stop := func(f *Fault) Decision {
		return Decision{Effect: EffectStop, Stop: f, State: StateStopping, Cause: f.Cause}
	}
	switch {
	case !w.Running:
		return stop(&Fault{Cause: w.Cause.or(Because(ReasonWanted, api.CodeStopAsked))})
	case w.Restart > s.Generation:
		return stop(&Fault{Cause: w.Cause.or(Because(ReasonRestart, api.CodeRestartAsked))})
	case s.Fault != nil:
		return stop(s.Fault)
	}
	d := Decision{State: s.Health.State}
	if d.State == "" {
		d.State, d.Cause = StateStarting, Because(ReasonProcessAlive, api.CodeProcessRuns)
	} else {
		d.Cause = s.Health.Cause.or(Because(Reason(d.State), api.CodeStateOnly, d.State))
	}
	if !s.Unready.IsZero() {
		due := s.Unready.Add(p.StartTimeout)
		if !now.Before(due) {
			return stop(&Fault{Cause: Cause{ReasonNotReady, api.Because(api.CodeNotReadyAfter, p.StartTimeout).With(d.Cause.Why)}, Weight: 1})
		}
		d.Wake = due
	}
	if s.Health.State == StateOffline {
		due := s.HealthAt.Add(p.OfflineTimeout)
		if !now.Before(due) {
			return stop(&Fault{Cause: Cause{d.Cause.Reason, api.Because(api.CodeOfflineAfter, p.OfflineTimeout).With(d.Cause.Why)}, Weight: 1})
		}
		d.Wake = due
	}
	return d
}

func nextAbsent(p Policy, w Want, s Seen, now time.Time) Decision {
	if !w.Running {
		return Decision{State: StateStopped, Cause: w.Cause.or(Because(ReasonWanted, api.CodeNotWanted))}
	}
	anew := w.Restart > s.Generation
	if s.Ending != nil && s.Ending.Permanent && w.Generation <= s.Generation {
		return Decision{State: StateFailed, Cause: s.Ending.Cause}
	}
	if now.Before(s.NotBefore) && !anew {
		d := Decision{State: StateBackoff, Cause: Because(ReasonExited, api.CodeBackoff), Wake: s.NotBefore}
		if s.Ending != nil {
			d.Cause = s.Ending.Cause
		}
		if s.Failures.Score > p.ScoreLimit {
			d.State = StateFailed
			if d.Cause.Reason == "crash" || d.Cause.Reason == ReasonExited {
				d.Cause = Cause{ReasonCrashLoop, api.Because(api.CodeCrashLoop).With(d.Cause.Why)}
			}
		}
		return d
	}
	return Decision{Effect: EffectSpawn, State: StateStarting, Cause: Because(ReasonSpawn, api.CodeProcessStarts)}
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
