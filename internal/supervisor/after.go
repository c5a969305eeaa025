package supervisor

import (
	"math"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// Event is something that happened to an account: one of [SpawnBegan],
// [Spawned], [SpawnFailed], [SpawnCancelled], [HealthSeen], [Faulted],
// [StopBegan] and [Exited].
type Event interface{ event() }

// SpawnBegan happens when a spawn is begun for Want. One that a person asked for
// as a restart forgets the failures before it: whoever asks has mended something,
// or wants to see at once that it is not mended.
type SpawnBegan struct{ Want Want }

// Spawned happens when the process exists.
type Spawned struct{}

// SpawnFailed happens when the process could not be started and nothing of it
// is left.
type SpawnFailed struct{ Fault *Fault }

// SpawnCancelled happens when the spawn in progress was told to give up.
type SpawnCancelled struct{}

// HealthSeen happens when the driver's view of the process changed.
type HealthSeen struct{ Health Health }

// Faulted happens when the driver finds that the process must end.
type Faulted struct{ Fault *Fault }

// StopBegan happens when the process is about to be ended.
type StopBegan struct{ Fault *Fault }

// Exited happens when nothing of the process is left. Fault says why if it
// ended by itself, and At when: the pause before the next start counts from
// there, so that cleaning up after it costs no time. A zero At is now.
type Exited struct {
	Fault *Fault
	At    time.Time
}

func (SpawnBegan) event()     {}
func (Spawned) event()        {}
func (SpawnFailed) event()    {}
func (SpawnCancelled) event() {}
func (HealthSeen) event()     {}
func (Faulted) event()        {}
func (StopBegan) event()      {}
func (Exited) event()         {}

// After returns what is known after e happened at now; u in [0, 1) is chance,
// used for the jitter of a pause. It is pure, and total: an event that does not
// fit the stage of the process changes nothing.
func (s Seen) After(p Policy, e Event, now time.Time, u float64) Seen {
	switch e := e.(type) {
	case SpawnBegan:
		if s.Process == Absent {
			failures := s.Failures
			if e.Want.Restart > s.Generation {
				failures = Failures{}
			}
			s = Seen{Process: Spawning, Life: s.Life + 1, Generation: e.Want.Generation, Ending: s.Ending, Failures: failures}
		}
	case Spawned:
		if s.Process == Spawning {
			s.Process = Running
			if s.Health.State == "" || s.Health.State == StateInstalling {
				s.Health = Health{}
			}
			s.HealthAt, s.Unready = now, time.Time{}
			if s.gettingReady() {
				s.Unready = now
			}
			if s.Early != nil {
				s = s.ended(p, s.Early, now, u)
			}
		}
	case SpawnFailed:
		if s.Process == Spawning {
			s = s.ended(p, e.Fault, now, u)
		}
	case SpawnCancelled:
		if s.Process == Spawning {
			s.Cancelled = true
		}
	case HealthSeen:
		if s.Process == Spawning || s.Process == Running {
			s = s.healthier(p, e.Health, now)
		}
	case Faulted:
		// The first fault is the cause; what follows is its consequence.
		if (s.Process == Running || s.Process == Spawning) && s.Fault == nil && e.Fault != nil {
			s.Fault = orFault(e.Fault)
		}
	case StopBegan:
		if s.Process == Running {
			s = s.healthier(p, Health{State: StateStopping}, now)
			s.Process, s.Ending = Stopping, orFault(e.Fault)
		}
	case Exited:
		switch s.Process {
		case Spawning:
			// It died before the driver could say that it lives.
			s.Early = orFault(e.Fault)
		case Running:
			// A fault that was seen just before explains the exit better than
			// the exit itself.
			f := e.Fault
			if s.Fault != nil {
				f = s.Fault
			}
			if !e.At.IsZero() && e.At.Before(now) {
				now = e.At
			}
			s = s.ended(p, f, now, u)
		case Stopping:
			s = s.ended(p, s.Ending, now, u)
		}
	}
	return s
}

// healthier enters a health, settling the score of the time that was spent
// online.
func (s Seen) healthier(p Policy, h Health, now time.Time) Seen {
	if h.State == s.Health.State {
		s.Health = h
		return s
	}
	if s.Health.State == StateOnline {
		s.Failures = s.Failures.after(p, now.Sub(s.HealthAt))
	}
	s.Health, s.HealthAt = h, now
	switch {
	case !s.gettingReady():
		s.Unready = time.Time{}
	case s.Unready.IsZero():
		s.Unready = now
	}
	return s
}

func (s Seen) gettingReady() bool {
	switch s.Health.State {
	case "", StateStarting, StateConnecting, StateInstalling:
		return true
	}
	return false
}

func (s Seen) ended(p Policy, f *Fault, now time.Time, u float64) Seen {
	f = orFault(f)
	s = s.healthier(p, Health{}, now)
	s = Seen{Process: Absent, Life: s.Life, Generation: s.Generation, Ending: f, Failures: s.Failures, NotBefore: now.Add(f.Pause)}
	if f.Weight > 0 {
		s.Failures.Score += f.Weight
		s.Failures.Streak++
		pause := p.Pause(s.Failures.Streak, u)
		if s.Failures.Score > p.ScoreLimit {
			pause = time.Duration(float64(p.Max) * (1 - p.Jitter*u))
		}
		s.NotBefore = now.Add(max(pause, f.Pause))
	}
	return s
}

// after returns f after the account was online for d. Only such time counts: a
// pause that we impose ourselves, or a start that leads nowhere, is no sign of
// health, and would keep a crash loop below any limit.
func (f Failures) after(p Policy, d time.Duration) Failures {
	if d >= p.HealthyAfter {
		return Failures{}
	}
	f.Score *= math.Exp2(-float64(d) / float64(p.ScoreHalfLife))
	return f
}

func orFault(f *Fault) *Fault {
	ended := Because(ReasonExited, api.CodeProcessEnded)
	if f == nil {
		return &Fault{Cause: ended, Weight: 1}
	}
	g := *f
	g.Cause = f.Cause.or(ended)
	return &g
}
