package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// Driver starts and ends the process of one account. The runner calls one
// method at a time, Spawn and Stop on a goroutine of their own, View on its own.
type Driver interface {
	// Spawn brings the process numbered life into being and returns when it
	// runs. When it returns an error nothing of the process may be left; a
	// [*Fault] says more than another error. It gives up when ctx ends.
	Spawn(ctx context.Context, life uint64) error
	// Stop ends the process and returns when nothing of it is left. ctx ends
	// only when the runner itself must return.
	Stop(ctx context.Context, life uint64, why *Fault) error
	// View returns how the process numbered life looks at now. The runner asks
	// before each decision while there is a process, so that whatever changes the
	// answer must do so within [Runner.Do]. It must not block; ctx ends with the
	// runner.
	View(ctx context.Context, life uint64, now time.Time) View
}

// View is how a process looks to its driver.
type View struct {
	Health Health    // the zero Health: nothing is known
	Fault  *Fault    // why the process must end, nil if it need not
	Wake   time.Time // when it may look different although nothing happens; zero: never
}

// Options are what a [Runner] is made of.
type Options struct {
	Policy Policy
	Driver Driver
	Logger *slog.Logger
	// Failures is the memory of an earlier run.
	Failures Failures
	// Changed is called by the runner's goroutine after every change of its
	// status; it must not block. transition is true if the state or the reason
	// changed.
	Changed func(s Status, transition bool)
	// Say makes a sentence for the log; nil leaves it out.
	Say func(api.Fault) string
}

// Status is what a [Runner] shows of itself.
type Status struct {
	State    State
	Cause    Cause
	Since    time.Time // when State or Reason became what they are
	Life     uint64    // number of the present or last process
	NextTry  time.Time // of a backoff or failed account; zero: none planned
	Failures Failures
}

func (s Status) equal(t Status) bool {
	return s.State == t.State && s.Cause.Equal(t.Cause) && s.Since.Equal(t.Since) && s.Life == t.Life && s.NextTry.Equal(t.NextTry) && s.Failures == t.Failures
}

// Runner keeps one account as wanted. All its methods are safe for concurrent
// use and none but Run and Ping blocks.
type Runner struct {
	o     Options
	ready chan struct{} // capacity 1: the inbox is not empty

	mu     sync.Mutex
	inbox  []any
	want   Want
	status Status
}

// NewRunner returns a runner that wants the account stopped. It starts nothing.
func NewRunner(o Options) *Runner {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Runner{o: o, ready: make(chan struct{}, 1)}
	if o.Say == nil {
		r.o.Say = func(api.Fault) string { return "" }
	}
	r.status = Status{State: StateStopped, Cause: Because(ReasonWanted, api.CodeNotWanted), Failures: o.Failures}
	return r
}

// Want wishes for the account to run or not; why explains a stop and may be zero.
// A wish that repeats the last one frees an account that failed for good.
func (r *Runner) Want(running bool, why Cause) {
	r.wish(func(w *Want) { w.Running, w.Cause = running, why })
}

// Restart wishes for a new process, at once, also of an account that waits or
// has failed; a stopped one is started. Earlier failures are forgotten.
func (r *Runner) Restart(why Cause) {
	r.wish(func(w *Want) { w.Running, w.Restart, w.Cause = true, w.Generation, why })
}

func (r *Runner) wish(f func(*Want)) {
	r.mu.Lock()
	r.want.Generation++
	f(&r.want)
	w := r.want
	r.mu.Unlock()
	r.post(w)
}

// Do has f called by the runner's goroutine, in the order of the calls of Do and
// before its next decision. f must not block. Nothing is called once Run has
// returned.
func (r *Runner) Do(f func(now time.Time)) { r.post(f) }

// Exited tells that nothing is left of the process numbered life, why it ended
// and when. What comes too late is ignored.
func (r *Runner) Exited(life uint64, f *Fault, at time.Time) { r.post(exit{life, Exited{f, at}}) }

type exit struct {
	life  uint64
	event Exited
}

// Ping returns nil as soon as Run has taken note of it: proof that the runner
// makes progress. It returns the cause of ctx if that ends first.
func (r *Runner) Ping(ctx context.Context) error {
	pong := make(chan struct{})
	r.post(pong)
	select {
	case <-pong:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Status returns the present status.
func (r *Runner) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

func (r *Runner) post(v any) {
	r.mu.Lock()
	r.inbox = append(r.inbox, v)
	r.mu.Unlock()
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

func (r *Runner) take() []any {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.inbox
	r.inbox = nil
	return in
}

// run is what Run's goroutine owns.
type run struct {
	*Runner
	seen   Seen
	want   Want
	effect chan Event // the end of the effect in progress
	ending bool       // a stop is in progress, which may outlast the process
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// Run obeys the wishes until ctx ends, and returns its cause. It does not end
// the process then: whatever wants that wishes for it and waits for the state
// stopped first.
func (r *Runner) Run(ctx context.Context) error {
	s := &run{Runner: r, seen: Seen{Failures: r.o.Failures}, effect: make(chan Event, 1), cancel: func() {}}
	defer s.wg.Wait()
	// A wish made before Run counts from the start: without it the first state
	// would be stopped.
	r.mu.Lock()
	s.want = r.want
	r.mu.Unlock()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait := time.Hour
		if wake := s.obey(ctx); !wake.IsZero() {
			wait = max(0, time.Until(wake))
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
		case e := <-s.effect:
			s.ending = false
			s.cancel()
			if e != nil {
				s.apply(e)
			}
		case <-r.ready:
			for _, v := range r.take() {
				s.receive(v)
			}
		}
	}
}

func (s *run) apply(e Event) { s.seen = s.seen.After(s.o.Policy, e, time.Now(), chance()) }

func (s *run) receive(v any) {
	switch v := v.(type) {
	case Want:
		s.want = v
	case func(time.Time):
		v(time.Now())
	case exit:
		if v.life == s.seen.Life {
			s.apply(v.event)
		}
	case chan struct{}:
		close(v)
	}
}

// look takes over how the driver sees the process.
func (s *run) look(ctx context.Context) (wake time.Time) {
	if s.seen.Process != Spawning && s.seen.Process != Running {
		return time.Time{}
	}
	v := s.o.Driver.View(ctx, s.seen.Life, time.Now())
	if v.Health.State != "" && !v.Health.Equal(s.seen.Health) {
		s.apply(HealthSeen{v.Health})
	}
	if v.Fault != nil {
		s.apply(Faulted{v.Fault})
	}
	return v.Wake
}

// obey begins whatever effects are due and returns when to decide again although
// nothing happened.
func (s *run) obey(ctx context.Context) time.Time {
	wake := s.look(ctx)
	d := Next(s.o.Policy, s.want, s.seen, time.Now())
	// There is one effect at a time. A spawn is over when Seen says so; a stop is
	// over when the driver says so, even if the process was seen to exit before.
	for d.Effect != EffectNone && !s.ending {
		if old := s.Status().State; d.Effect == EffectSpawn && s.seen.Ending != nil && s.seen.Ending.Weight > 0 && old != StateBackoff && old != StateFailed {
			// The pause may be over already; why there was one must be told all
			// the same.
			s.show(Decision{State: StateBackoff, Cause: s.seen.Ending.Cause}, s.seen)
		}
		switch d.Effect {
		case EffectSpawn:
			s.apply(SpawnBegan{s.want})
			s.cancel = s.begin(ctx, &s.wg, s.seen.Life, s.effect)
		case EffectCancel:
			s.apply(SpawnCancelled{})
			s.cancel()
		case EffectStop:
			s.apply(StopBegan{d.Stop})
			s.ending = true
			life, why := s.seen.Life, d.Stop
			s.wg.Go(func() { s.effect <- s.stop(ctx, life, why) })
		}
		d = Next(s.o.Policy, s.want, s.seen, time.Now())
	}
	s.show(d, s.seen)
	if d.Wake.IsZero() || !wake.IsZero() && wake.Before(d.Wake) {
		return wake
	}
	return d.Wake
}

// chance returns the part of the jitter that is taken off a pause. A little is
// taken off always, so that the work of a spawn falls within the pause and the
// new process is there when it ends.
func chance() float64 { return leastChance + (1-leastChance)*rand.Float64() }

const leastChance = 0.15

// begin starts a spawn in the background and returns what makes it give up.
func (r *Runner) begin(ctx context.Context, wg *sync.WaitGroup, life uint64, done chan<- Event) context.CancelFunc {
	ctx, cancel := context.WithCancel(ctx)
	wg.Go(func() { done <- r.spawn(ctx, life) })
	return cancel
}

func (r *Runner) spawn(ctx context.Context, life uint64) Event {
	err := r.o.Driver.Spawn(ctx, life)
	if err == nil {
		return Spawned{}
	}
	var f *Fault
	switch {
	case errors.As(err, &f):
	case ctx.Err() != nil:
		f = &Fault{Cause: Because(ReasonWanted, api.CodeStartGivenUp)}
	default:
		f = &Fault{Cause: Because(ReasonSpawnFailed, api.CodeSpawnFailed, err), Weight: 1}
	}
	return SpawnFailed{f}
}

func (r *Runner) stop(ctx context.Context, life uint64, why *Fault) Event {
	if err := r.o.Driver.Stop(ctx, life, why); err != nil {
		// Only the end of ctx makes a driver give up; then Run returns as well.
		r.o.Logger.Warn("process not ended", "life", life, "err", err)
		return nil
	}
	return Exited{}
}

// show publishes what was decided. It is the one place where an account's state
// is entered.
func (r *Runner) show(d Decision, seen Seen) {
	r.mu.Lock()
	old := r.status
	s := Status{State: d.State, Cause: d.Cause, Since: old.Since, Life: seen.Life, Failures: seen.Failures}
	if d.State == StateBackoff || d.State == StateFailed {
		s.NextTry = d.Wake
	}
	transition := old.State != s.State || old.Cause.Reason != s.Cause.Reason || old.Since.IsZero()
	if transition {
		s.Since = time.Now()
	}
	r.status = s
	r.mu.Unlock()
	if s.equal(old) {
		return
	}
	if transition {
		r.o.Logger.Info("state", "state", s.State, "reason", s.Cause.Reason, "detail", r.o.Say(s.Cause.Why))
	}
	if r.o.Changed != nil {
		r.o.Changed(s, transition)
	}
}
