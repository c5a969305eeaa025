package ncat

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"

	"github.com/ncatd/ncatd/internal/schedule"
)

// Scheduled is something that happens by a schedule.
type Scheduled struct {
	b        *Bot
	o        *owner
	name     string
	label    string
	when     Schedule
	run      func(ctx context.Context, b *Bot) error
	spec     string
	loc      *time.Location
	inherits bool // loc is the bot's
	jitter   time.Duration
	catchUp  bool
	stop     context.CancelFunc // of the waiting; guarded by o.mu, nil before it
	gone     bool               // Stop was called; guarded by o.mu
}

// ScheduleOption configures one schedule.
type ScheduleOption func(*Scheduled)

// InZone sets the time zone of a schedule; the bot's without it ([WithTimeZone]).
func InZone(loc *time.Location) ScheduleOption { return func(s *Scheduled) { s.loc = loc } }

// Jitter delays each run by a random time of up to d.
func Jitter(d time.Duration) ScheduleOption { return func(s *Scheduled) { s.jitter = max(d, 0) } }

// CatchUp lets a schedule run once, at once, if one or more of its times went by
// while the bot did not run. Without it they are left out.
func CatchUp() ScheduleOption { return func(s *Scheduled) { s.catchUp = true } }

// Schedule lets run happen as spec says (see [ParseSchedule]): while at least one
// account runs the bot, once for all accounts. ctx ends with the bot or the
// plugin. name tells the schedule from others of the bot or plugin; under it the
// store remembers the last run, so that "every 6h" goes on in step after a
// restart. Runs of one schedule never overlap; times that go by during a run are
// left out. An error or panic of run is logged and the next run comes as usual.
func (b *Bot) Schedule(name, spec string, run func(ctx context.Context, b *Bot) error, opts ...ScheduleOption) (*Scheduled, error) {
	if run == nil {
		return nil, fmt.Errorf("schedule %s: the function to run is nil", name)
	}
	s := &Scheduled{b: b, o: b.owner(), name: name, run: run, spec: spec}
	for _, f := range opts {
		f(s)
	}
	if s.loc == nil {
		s.loc, s.inherits = b.Location(), true
	}
	var err error
	if s.when, err = ParseSchedule(spec, s.loc); err != nil {
		return nil, fmt.Errorf("schedule %s: %w", name, err)
	}
	s.label = "schedule " + name
	o := s.o
	if b.next != nil {
		if name == "" || slices.ContainsFunc(b.next.schedules, func(x *Scheduled) bool { return x.name == name }) {
			return nil, fmt.Errorf("schedule %q: the name is empty or taken", name)
		}
		b.next.schedules = append(b.next.schedules, s)
		return s, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if name == "" || slices.ContainsFunc(o.schedules, func(x *Scheduled) bool { return x.name == name }) {
		return nil, fmt.Errorf("schedule %q: the name is empty or taken", name)
	}
	o.schedules = append(o.schedules, s)
	if o.opened {
		o.goLocked(b.core, s.label, s.loop)
	}
	return s, nil
}

// Name returns the schedule's name.
func (s *Scheduled) Name() string { return s.name }

// Stop ends the schedule and forgets its last run. A run that is going on is not
// interrupted.
func (s *Scheduled) Stop(ctx context.Context) error {
	s.o.mu.Lock()
	i := slices.Index(s.o.schedules, s)
	if i >= 0 {
		s.o.schedules = slices.Delete(s.o.schedules, i, i+1)
		s.gone = true
		if s.stop != nil {
			s.stop()
		}
	}
	s.o.mu.Unlock()
	if i < 0 {
		return nil
	}
	return Delete(ctx, s.b.core.stores.space(scheduleSpace), s.key())
}

// scheduleSpace is the owner of the last runs in the store.
const scheduleSpace = "ncat.schedules"

// lastRun is what the store remembers of a schedule.
type lastRun struct {
	Spec string    `json:"spec"`
	At   time.Time `json:"at"` // when it was last due, or was first seen
}

func (s *Scheduled) key() string { return s.o.id + "|" + s.name }

// longestWait is after how long a waiting schedule looks at the clock again,
// which may have been set or have stood still.
const longestWait = time.Minute

// loop runs the schedule until ctx ends or it is stopped.
func (s *Scheduled) loop(ctx context.Context) {
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	s.o.mu.Lock()
	s.stop = stop
	gone := s.gone
	s.o.mu.Unlock()
	if gone {
		return
	}
	log, store := s.b.core.log, s.b.core.stores.space(scheduleSpace)
	now := time.Now()
	last, ok, err := Get[lastRun](ctx, store, s.key())
	if err != nil {
		log.Error("the last run of a schedule cannot be read", "schedule", s.name, "plugin", s.o.id, "error", err)
	}
	if !ok || last.Spec != s.when.String() || last.At.After(now) {
		last = lastRun{Spec: s.when.String(), At: now}
		s.remember(ctx, store, last)
	}
	due := s.when.Next(last.At)
	if !due.After(now) && !due.IsZero() {
		if s.catchUp { // once for all that were missed, in step with the last
			due = latest(s.when, last.At, now)
		} else {
			due = after(s.when, last.At, now)
		}
	}
	for !due.IsZero() {
		start := due
		if s.jitter > 0 {
			start = due.Add(rand.N(s.jitter))
		}
		if !waitUntil(waiting, start) {
			return
		}
		last.At = due
		if s.claim(ctx, store, last) { // before the run: better none than two
			if err := s.once(ctx); err != nil && ctx.Err() == nil {
				log.Error("schedule failed", "schedule", s.name, "plugin", s.o.id, "error", err)
			}
		}
		due = after(s.when, due, time.Now())
	}
}

// smallSetback is by how much the clock may be set back without a time that was
// due coming again.
const smallSetback = 5 * time.Minute

// after returns the first time after now that is due, in step with from, which
// was due before.
func after(s Schedule, from, now time.Time) time.Time {
	if d, ok := schedule.Distance(s); ok {
		return latest(s, from, now).Add(d)
	}
	if from.After(now) && from.Sub(now) < smallSetback {
		now = from
	}
	return s.Next(now)
}

// latest returns the last time up to now that was due, in step with from. Of
// other schedules than distances it returns the first after from, which is as
// good for one that runs at once.
func latest(s Schedule, from, now time.Time) time.Time {
	d, ok := schedule.Distance(s)
	if !ok {
		return s.Next(from)
	}
	return from.Add(now.Sub(from).Truncate(d))
}

func (s *Scheduled) remember(ctx context.Context, store Store, l lastRun) {
	if err := Put(ctx, store, s.key(), l); err != nil && ctx.Err() == nil {
		s.b.core.log.Error("the run of a schedule cannot be remembered", "schedule", s.name, "plugin", s.o.id, "error", err)
	}
}

// claim remembers a run that is due, and reports false if another process that
// shares the store was quicker.
func (s *Scheduled) claim(ctx context.Context, store Store, l lastRun) bool {
	mine := true
	_, err := Update(ctx, store, s.key(), func(was lastRun, ok bool) (lastRun, error) {
		if mine = !ok || was.Spec != l.Spec || was.At.Before(l.At); !mine {
			return was, nil
		}
		return l, nil
	})
	if err != nil && ctx.Err() == nil {
		s.b.core.log.Error("the run of a schedule cannot be remembered", "schedule", s.name, "plugin", s.o.id, "error", err)
	}
	return mine
}

func waitUntil(ctx context.Context, due time.Time) bool {
	for {
		left := time.Until(due.Round(0)) // by the wall clock
		if left <= 0 {
			return ctx.Err() == nil
		}
		t := time.NewTimer(min(left, longestWait))
		select {
		case <-ctx.Done():
			t.Stop()
			return false
		case <-t.C:
		}
	}
}

// once runs the schedule's function; its panic becomes an error.
func (s *Scheduled) once(ctx context.Context) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	if err := s.run(ctx, s.b); !errors.Is(err, ErrStop) {
		return err
	}
	return nil
}
