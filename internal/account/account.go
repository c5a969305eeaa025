package account

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/supervisor"
	"github.com/ncatd/ncatd/onebot"
)

const (
	// historyLen is how many transitions an account remembers.
	historyLen = 64
	// stopGrace is what a stop may take beyond the stop timeout.
	stopGrace = 2 * time.Second
	// stall is how late a timer must be for ncatd itself to have been held up.
	stall = 5 * time.Second
	// stallWatch is how often a timer is set for nothing but to find that out.
	stallWatch = 10 * time.Second
	// quietFor is how long no event and no call may have come for a moment to
	// count as quiet.
	quietFor = time.Minute
)

// Options is what an [Account] is made of. The functions must not block; all of
// them but Say may be nil.
type Options struct {
	Name         string
	Policy       Policy
	StopTimeout  time.Duration
	ProbeTimeout time.Duration // of one question to OneBot
	Logger       *slog.Logger
	Store        *Store
	Host         Host
	// Link makes the account's link, which tells its facts to emit.
	Link func(emit func(Fact)) Connection
	// Token returns the token of the OneBot server.
	Token func() string
	// Say words a fault for the log and for people who read JSON.
	Say func(api.Fault) string
	// Degraded returns why the account does less than it should.
	Degraded func() []api.Degraded
	// Changed is told of every change of the snapshot that a watcher should see;
	// transition says whether state or reason changed.
	Changed func(a api.Account, transition bool)
	// Restarted is told of each restart once: of a process, or of a worker.
	Restarted func(why supervisor.Reason)
	// Remember is told which account logged in where none is configured.
	Remember func(uin int64)
}

// Account is the life of one account. It is safe for concurrent use.
type Account struct {
	o      Options
	log    *slog.Logger
	runner *supervisor.Runner
	link   Connection
	bg     sync.WaitGroup // what the runner's goroutine must not wait for

	// Of the runner's goroutine:
	facts    Facts
	due      time.Time // when it was to look again
	activity uint64    // of the link
	activeAt time.Time

	mu        sync.Mutex
	seen      Facts // what facts was when it last changed
	status    supervisor.Status
	history   []api.Transition
	changedCh chan struct{} // closed at the next change; nil: nothing waits
	detached  bool          // leave the process running at the end
}

// New returns an account that is wanted to be stopped. It starts nothing.
func New(o Options) *Account {
	a := &Account{o: o, log: o.Logger}
	if o.Changed == nil {
		a.o.Changed = func(api.Account, bool) {}
	}
	if o.Restarted == nil {
		a.o.Restarted = func(supervisor.Reason) {}
	}
	if o.Remember == nil {
		a.o.Remember = func(int64) {}
	}
	if o.Degraded == nil {
		a.o.Degraded = func() []api.Degraded { return nil }
	}
	a.facts = remembered(o.Store.Saved(), time.Now())
	a.seen = a.facts
	a.runner = supervisor.NewRunner(supervisor.Options{
		Policy: o.Policy.Supervisor, Driver: (*driver)(a), Logger: a.log, Failures: a.facts.Past.Failures, Changed: a.changed, Say: o.Say,
	})
	a.status = a.runner.Status()
	a.status.Since = time.Now()
	a.link = o.Link(a.linkFact)
	return a
}

// Name returns the account's name.
func (a *Account) Name() string { return a.o.Name }

// Link returns the account's link, for calls.
func (a *Account) Link() Connection { return a.link }

// Facts returns what is known now.
func (a *Account) Facts() Facts {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen
}

// Want wishes for the account to run or to be stopped.
func (a *Account) Want(running bool) {
	if running {
		a.o.Host.Forget()
	}
	a.runner.Want(running, supervisor.Cause{})
}

// Restart wishes for a fresh process, at once.
func (a *Account) Restart() {
	a.o.Host.Forget()
	a.runner.Restart(supervisor.Cause{})
}

// Detach makes Run leave the process running when its context ends, for a later
// ncatd to adopt.
func (a *Account) Detach() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.detached = true
}

// Ping returns nil as soon as the account's goroutine answers, or the cause of
// ctx if that ends first.
func (a *Account) Ping(ctx context.Context) error { return a.runner.Ping(ctx) }

// Run keeps the account as wanted until ctx ends, stops the process unless Detach
// was called, and returns when nothing of it is left or the stop timeout and two
// seconds are over. It returns nil after an orderly end.
func (a *Account) Run(ctx context.Context) error {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { _ = a.runner.Run(inner) }) // ends with inner only
	wg.Go(func() {
		if err := a.link.Run(inner); err != nil && inner.Err() == nil {
			a.log.Error("link ended", "err", err)
		}
	})
	end := func() { cancel(); wg.Wait(); a.bg.Wait() }
	<-ctx.Done()
	if a.isDetached() {
		end()
		return a.o.Host.Release()
	}
	a.runner.Want(false, supervisor.Because(ReasonShutdown, api.CodeShutdown))
	a.waitSettled(a.o.StopTimeout + stopGrace)
	end()
	// A start that could not be given up in time.
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	if e := a.o.Host.Stop(late, 0); e != nil {
		return e
	}
	return nil
}

// waitSettled waits until the account is stopped, but not longer than limit.
func (a *Account) waitSettled(limit time.Duration) {
	t := time.NewTimer(limit)
	defer t.Stop()
	for w := a.settled(); w != nil; w = a.settled() {
		select {
		case <-w:
		case <-t.C:
			a.log.Warn("process did not end in time", "limit", limit)
			return
		}
	}
}

// settled returns nil once the account is stopped, else a channel that is closed
// at a change worth looking again.
func (a *Account) settled() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.status.State == supervisor.StateStopped && a.seen.Process.State == ProcessAbsent {
		return nil
	}
	if a.changedCh == nil {
		a.changedCh = make(chan struct{})
	}
	return a.changedCh
}

func (a *Account) isDetached() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.detached
}

// tell enters a fact about the process numbered life.
func (a *Account) tell(life uint64, e Fact) {
	a.runner.Do(func(now time.Time) {
		if life == a.facts.Process.Life {
			a.enter(e, now)
		}
	})
}

// linkFact enters what the link tells. It may run on any goroutine.
func (a *Account) linkFact(e Fact) {
	a.runner.Do(func(now time.Time) {
		was := a.facts.Link.State
		a.enter(e, now)
		switch e := e.(type) {
		case Kicked:
			a.o.Host.Look() // the session may be gone
		case Beat:
			if !e.Online {
				a.o.Host.Look()
			}
		case LinkDown:
			if was >= LinkOpen {
				a.o.Host.Look() // the worker may be gone
			}
		}
	})
}

// enter is the one place where the facts change. It belongs to the runner's
// goroutine.
func (a *Account) enter(e Fact, now time.Time) {
	if m, ok := e.(Measured); ok {
		m.Quiet = a.quiet(now)
		e = m
	}
	old := a.facts
	a.facts = old.After(a.o.Policy, e, now)
	a.mu.Lock()
	a.seen = a.facts
	a.mu.Unlock()
	past := a.facts.Past
	if past.Restarts != old.Past.Restarts {
		a.o.Restarted(past.LastRestart)
	}
	if old.Login.State < LoginIn && a.facts.Login.State >= LoginIn && a.o.Policy.UIN == 0 {
		a.bg.Go(func() { a.o.Remember(past.UIN) })
	}
	if old.Process.OnlineAt.IsZero() && !a.facts.Process.OnlineAt.IsZero() {
		a.bg.Go(a.o.Host.Online)
	}
	if old.Link.Dialed != "" && a.facts.Process.State == ProcessAbsent {
		a.link.Disconnect()
	}
	a.save(old)
	if visible(old) != visible(a.facts) {
		a.publish(false)
	}
}

// visible is what of the facts makes a watcher look, measurements not counted.
func visible(f Facts) any {
	type shown struct {
		process, login       int
		pid, x               int
		uin                  int64
		nick, host, url, one string
		restarts             int
		packet               api.Packet
		told                 api.Login
	}
	return shown{
		int(f.Process.State), int(f.Login.State), f.Process.PID, f.Process.DisplayPID, f.Past.UIN,
		f.Past.Nickname, f.Past.Host, f.Past.HostURL, f.Link.Dialed, f.Past.Restarts, f.Process.Packet, f.Login.Told,
	}
}

// save writes down what must outlive ncatd, if it changed.
func (a *Account) save(old Facts) {
	if s := a.facts.Saved(); !reflect.DeepEqual(s, old.Saved()) {
		_ = a.o.Store.Set(s) // it tells of what fails
	}
}

// quiet reports whether nothing came and went for a while.
func (a *Account) quiet(now time.Time) bool {
	st := a.link.Stats()
	if n := st.Events + st.Calls; n != a.activity || a.activeAt.Before(a.facts.Process.At) {
		a.activity, a.activeAt = n, now
	}
	return now.Sub(a.activeAt) >= quietFor
}

// changed takes a new status from the runner, on its goroutine.
func (a *Account) changed(s supervisor.Status, transition bool) {
	old := a.facts
	a.facts.Past.Failures = s.Failures
	a.mu.Lock()
	a.seen = a.facts
	a.status = s
	if transition {
		a.history = append(slices.Clip(a.history), api.Transition{
			Time: time.Now(), State: api.State(s.State), Reason: string(s.Cause.Reason), Detail: a.o.Say(s.Cause.Why), Fault: s.Cause.Why,
		})
		a.history = a.history[max(0, len(a.history)-historyLen):]
	}
	a.mu.Unlock()
	if a.save(old); transition {
		_ = a.o.Store.Save() // it tells of what fails
	}
	a.publish(transition)
}

// publish tells watchers.
func (a *Account) publish(transition bool) {
	a.mu.Lock()
	if a.changedCh != nil {
		close(a.changedCh)
		a.changedCh = nil
	}
	a.mu.Unlock()
	a.o.Changed(a.Snapshot(), transition)
}

// Republish tells watchers again: something outside of the account changed.
func (a *Account) Republish() { a.runner.Do(func(time.Time) { a.publish(false) }) }

// Snapshot returns the account as it stands now. The caller owns the result but
// must not change the elements of its slices.
func (a *Account) Snapshot() api.Account {
	a.mu.Lock()
	f, s, history := a.seen, a.status, a.history
	a.mu.Unlock()
	out := f.Snapshot(a.o.Name, s)
	out.UIN = f.want(a.o.Policy)
	st := a.link.Stats()
	out.Events, out.Calls, out.SendsFailed, out.QueueDropped = st.Events, st.Calls, st.SendsFailed, st.QueueDropped
	out.Detail, out.History, out.Degraded = a.o.Say(out.Fault), history, a.o.Degraded()
	for i := range out.Degraded {
		d := &out.Degraded[i]
		d.Detail = a.o.Say(d.Fault())
	}
	return out
}

// driver is the Account as its runner sees it.
type driver Account

var _ supervisor.Driver = (*driver)(nil)

// View implements [supervisor.Driver], and has done what is due.
func (d *driver) View(ctx context.Context, life uint64, now time.Time) supervisor.View {
	a := (*Account)(d)
	if life != a.facts.Process.Life {
		return supervisor.View{}
	}
	if !a.due.IsZero() && now.Sub(a.due) > stall {
		a.log.Info("ncatd was held up", "for", now.Sub(a.due).Round(time.Second))
		a.enter(HeldUp{}, now)
	}
	a.enter(Looked{}, now)
	n := a.facts.Needs(a.o.Policy, now)
	if n.Dial {
		url := a.facts.Link.URL
		a.enter(Dialed{url}, now)
		a.link.Connect(url, a.o.Token())
	}
	if n.Drop {
		a.enter(Dropped{}, now)
		a.link.Redial()
	}
	if n.Probe {
		a.enter(Probed{}, now)
		a.bg.Go(func() { a.probe(ctx, life) })
	}
	if n.Repair {
		a.enter(RepairBegan{}, now)
		why := a.facts.Link.State
		a.bg.Go(func() { a.repair(ctx, life, why) })
	}
	if a.facts.Process.State == ProcessDoomed && a.facts.Link.Dialed != "" {
		a.enter(Dialed{}, now)
		a.link.Disconnect()
	}
	v := a.facts.View(a.o.Policy, now)
	v.Wake = earlier(v.Wake, now.Add(stallWatch))
	a.due = v.Wake
	return v
}

// probe asks OneBot whether the account is online.
func (a *Account) probe(ctx context.Context, life uint64) {
	ctx, cancel := context.WithTimeout(ctx, a.o.ProbeTimeout)
	defer cancel()
	status, err := onebot.NewClient(a.link).GetStatus(ctx)
	if err != nil {
		a.log.Debug("probe not answered", "err", err)
		a.tell(life, ProbeFailed{})
		return
	}
	a.tell(life, Beat{Online: status.Online})
	if !status.Online {
		a.o.Host.Look()
	}
}

// repair has the host set its OneBot server up anew.
func (a *Account) repair(ctx context.Context, life uint64, why Link) {
	still := func() bool {
		f := a.Facts()
		return f.Process.Life == life && f.runs() && f.Login.State >= LoginIn && !f.Link.State.up()
	}
	if err := a.o.Host.Repair(ctx, why, still); err != nil && ctx.Err() == nil {
		a.log.Warn("onebot server not set up anew", "err", err)
	}
}

// Spawn implements [supervisor.Driver].
func (d *driver) Spawn(ctx context.Context, n uint64) error {
	a := (*Account)(d)
	a.runner.Do(func(now time.Time) {
		a.due = time.Time{} // no look was due while there was nothing to look at
		a.enter(Began{n}, now)
	})
	err := a.o.Host.Spawn(ctx, &Life{a, n})
	if err != nil {
		why := supervisor.ReasonSpawnFailed
		if f := (*supervisor.Fault)(nil); errors.As(err, &f) {
			why = f.Reason
		}
		a.tell(n, Ended{why})
	}
	// The runner must know what was told before it hears that the spawn is over.
	_ = a.runner.Ping(ctx)
	return err
}

// Stop implements [supervisor.Driver].
func (d *driver) Stop(ctx context.Context, n uint64, why *supervisor.Fault) error {
	a := (*Account)(d)
	a.link.Disconnect()
	err := a.o.Host.Stop(ctx, a.o.StopTimeout)
	if err != nil {
		return err
	}
	_ = a.softened(why) // the runner knows why it stops; the host may roll back
	a.tell(n, Ended{why.Reason})
	_ = a.runner.Ping(ctx)
	return nil
}

// softened lets the host see why a process that never was online ends.
func (a *Account) softened(f *supervisor.Fault) *supervisor.Fault {
	if f.Weight == 0 || !a.Facts().Process.OnlineAt.IsZero() {
		return f
	}
	return a.o.Host.NotOnline(f)
}
