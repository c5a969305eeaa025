package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Driver starts and ends the process of one account. The runner calls one
// method at a time. Whatever the driver learns about a process it tells the
// runner by [Runner.Health], [Runner.Fault] and [Runner.Exited].
type Driver interface {
	// Spawn brings the process numbered life into being and returns when it
	// runs. When it returns an error nothing of the process may be left; a
	// [*Fault] says more than another error. It gives up when ctx ends.
	Spawn(ctx context.Context, life uint64) error
	// Stop ends the process and returns when nothing of it is left. ctx ends
	// only when the runner itself must return.
	Stop(ctx context.Context, life uint64, why *Fault) error
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
}

// Status is what a [Runner] shows of itself.
type Status struct {
	State    State
	Reason   Reason
	Detail   string
	Since    time.Time // when State or Reason became what they are
	Life     uint64    // number of the present or last process
	Restarts int       // spawns after the first
	NextTry  time.Time // of a backoff or failed account; zero: none planned
	Failures Failures
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
	r.status = Status{State: StateStopped, Reason: ReasonWanted, Detail: "not wanted to run", Failures: o.Failures}
	return r
}

// Want wishes for the account to run or not; why and detail explain a stop. A
// wish that repeats the last one frees an account that failed for good.
func (r *Runner) Want(running bool, why Reason, detail string) {
	r.mu.Lock()
	r.want.Generation++
	r.want.Running, r.want.Why, r.want.Detail = running, why, detail
	w := r.want
	r.mu.Unlock()
	r.post(w)
}

// Restart wishes for a new process, at once, also of an account that waits or
// has failed; a stopped one is started.
func (r *Runner) Restart(why Reason, detail string) {
	r.mu.Lock()
	r.want.Generation++
	r.want.Running, r.want.Restart, r.want.Why, r.want.Detail = true, r.want.Generation, why, detail
	w := r.want
	r.mu.Unlock()
	r.post(w)
}

type lifeEvent struct {
	life  uint64
	event Event
}

// Health tells how the process numbered life is. What comes too late is ignored.
func (r *Runner) Health(life uint64, h Health) { r.post(lifeEvent{life, HealthSeen{h}}) }

// Fault tells that the process numbered life must end, and why.
func (r *Runner) Fault(life uint64, f *Fault) { r.post(lifeEvent{life, Faulted{f}}) }

// Exited tells that nothing is left of the process numbered life, why it ended
// and when.
func (r *Runner) Exited(life uint64, f *Fault, at time.Time) {
	r.post(lifeEvent{life, Exited{f, at}})
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

// Run obeys the wishes until ctx ends, and returns its cause. It does not end
// the process then: who wants that wishes for it and waits for the state
// stopped first.
func (r *Runner) Run(ctx context.Context) error {
	var (
		seen   = Seen{Failures: r.o.Failures}
		want   Want
		effect = make(chan Event, 1) // the end of the effect in progress
		busy   bool
		cancel context.CancelFunc = func() {}
		timer                     = time.NewTimer(time.Hour)
		wg     sync.WaitGroup
	)
	defer wg.Wait()
	// A wish made before Run is the first thing to know: without it the first
	// state would be one that nobody asked for.
	r.mu.Lock()
	want = r.want
	r.mu.Unlock()
	defer func() { cancel() }()
	defer timer.Stop()
	apply := func(e Event) { seen = seen.After(r.o.Policy, e, time.Now(), chance()) }
	for {
		d := Next(r.o.Policy, want, seen, time.Now())
		// An effect whose end is awaited is the only one in progress, except
		// that a spawn may be told to give up.
		for d.Effect != EffectNone && (!busy || d.Effect == EffectCancel) {
			if old := r.Status().State; d.Effect == EffectSpawn && seen.Ending != nil && seen.Ending.Weight > 0 && old != StateBackoff && old != StateFailed {
				// The pause may be over already; why there was one must be told
				// all the same.
				r.show(Decision{State: StateBackoff, Reason: seen.Ending.Reason, Detail: seen.Ending.Detail}, seen)
			}
			r.show(d, seen)
			switch d.Effect {
			case EffectSpawn:
				apply(SpawnBegan{want.Generation})
				busy = true
				cancel = r.begin(ctx, &wg, seen.Life, effect)
			case EffectCancel:
				apply(SpawnCancelled{})
				cancel()
			case EffectStop:
				apply(StopBegan{d.Why})
				life, why := seen.Life, d.Why
				busy = true
				wg.Go(func() { effect <- r.stop(ctx, life, why) })
			}
			d = Next(r.o.Policy, want, seen, time.Now())
		}
		r.show(d, seen)
		wait := time.Hour
		if !d.Wake.IsZero() {
			wait = max(0, time.Until(d.Wake))
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
		case e := <-effect:
			busy = false
			cancel()
			if e != nil {
				apply(e)
			}
		case <-r.ready:
			for _, v := range r.take() {
				switch v := v.(type) {
				case Want:
					want = v
				case lifeEvent:
					if v.life == seen.Life {
						apply(v.event)
					}
				case chan struct{}:
					close(v)
				}
			}
		}
	}
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
		f = &Fault{Reason: ReasonWanted, Detail: "the start was given up"}
	default:
		f = &Fault{Reason: ReasonSpawnFailed, Detail: err.Error(), Weight: 1}
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
	s := Status{State: d.State, Reason: d.Reason, Detail: d.Detail, Since: old.Since, Life: seen.Life, Failures: seen.Failures}
	if seen.Life > 1 {
		s.Restarts = int(seen.Life - 1)
	}
	if d.State == StateBackoff || d.State == StateFailed {
		s.NextTry = d.Wake
	}
	transition := old.State != s.State || old.Reason != s.Reason || old.Since.IsZero()
	if transition {
		s.Since = time.Now()
	}
	r.status = s
	r.mu.Unlock()
	if s == old {
		return
	}
	if transition {
		r.o.Logger.Info("state", "state", s.State, "reason", s.Reason, "detail", s.Detail)
	}
	if r.o.Changed != nil {
		r.o.Changed(s, transition)
	}
}
