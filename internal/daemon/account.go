package daemon

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/logfile"
	"github.com/ncatd/ncatd/internal/napcat/install"
	"github.com/ncatd/ncatd/internal/napcat/launch"
	"github.com/ncatd/ncatd/internal/napcat/webui"
	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/internal/supervisor"
)

const (
	// historyLen is how many transitions an account remembers.
	historyLen = 64
	// offlineFactor times the start timeout is how long an account may be
	// offline before its process is replaced: QQ mostly comes back by itself.
	offlineFactor = 2
	// stopGrace is what a stop may take beyond the stop timeout.
	stopGrace = 2 * time.Second
)

// AccountConfig is what an [Account] is made of.
type AccountConfig struct {
	Account    config.Account
	ExtraArgs  []string // for qq
	Supervisor config.Supervisor
	// Dir is the account's folder; it has the folders napcat and home and
	// state.json.
	Dir string
	// LogFile is where NapCat's output is kept for people.
	LogFile          string
	LogSize, LogsAll int64 // bytes; see logfile.NewWriter
	WebUIToken       config.Secret
	OneBotToken      config.Secret
	// Environ is ncatd's own environment, from which the children's is made.
	Environ []string
}

// AccountDeps are what an [Account] uses of the daemon. Functions must not block
// unless they take a context, and may be nil where a comment says so.
type AccountDeps struct {
	Logger  *slog.Logger
	Display *launch.Display
	Sampler *proc.Sampler
	Ports   *Ports
	// Pair returns the installed pair to run, installing it if need be; then it
	// tells installing how that goes.
	Pair func(ctx context.Context, installing func(detail string)) (install.Pair, error)
	// Online is told that an account came online with a pair.
	Online func(install.Pair)
	// NotOnline is told that a process ended by a fault before the account was
	// ever online with this pair's process. It may roll back; then it returns
	// true, and the next start is not delayed.
	NotOnline func(p install.Pair, reason, detail string) bool
	// Link makes the account's link, which reports to emit.
	Link func(account string, emit func(LinkEvent)) Link
	// Changed is told of every change of the snapshot that a watcher should see;
	// transition says whether state or reason changed.
	Changed func(a api.Account, transition bool)
	Log     func(r api.LogRecord)
	// Remember is told who logged in.
	Remember func(account string, uin int64)
}

// Account is the life of one account: the driver that a [supervisor.Runner]
// commands, what watches NapCat while it runs, and the link to the bot. It is
// safe for concurrent use.
type Account struct {
	c      AccountConfig
	d      AccountDeps
	log    *slog.Logger
	runner *supervisor.Runner
	link   Link
	memory *webui.Memory
	logs   *logfile.Writer
	bg     sync.WaitGroup // ends of processes being dealt with

	mu        sync.Mutex
	state     accountState
	fresh     bool // no process was looked for yet: the first spawn may adopt
	life      *life
	web       *webui.Client
	snap      api.Account
	deaths    int // of workers, which NapCat itself starts again
	detached  bool
	changedCh chan struct{} // closed at the next change of the runner's status
}

// NewAccount returns an account that wants to be stopped. It starts nothing.
func NewAccount(c AccountConfig, d AccountDeps) *Account {
	a := &Account{c: c, d: d, memory: new(webui.Memory), fresh: true}
	a.log = d.Logger.With("account", c.Account.Name)
	a.logs = logfile.NewWriter(c.LogFile, c.LogSize, c.LogsAll, logfile.LostPlain)
	state, err := loadState(a.statePath())
	if err != nil {
		a.log.Warn("account state not read, beginning anew", "err", err)
	}
	a.state = state
	a.snap = api.Account{Name: c.Account.Name, UIN: a.uin(), Nickname: state.Nickname, State: api.StateStopped, Reason: string(supervisor.ReasonWanted), Since: time.Now()}
	a.runner = supervisor.NewRunner(supervisor.Options{
		Policy:   policy(c.Supervisor),
		Driver:   (*driver)(a),
		Logger:   a.log,
		Failures: state.Failures,
		Changed:  a.changed,
	})
	a.link = d.Link(c.Account.Name, a.linkEvent)
	return a
}

func policy(c config.Supervisor) supervisor.Policy {
	return supervisor.Policy{
		Initial: c.Restart.Initial.D(), Max: c.Restart.Max.D(), Jitter: c.Restart.Jitter,
		ScoreLimit: c.Restart.ScoreLimit, ScoreHalfLife: c.Restart.ScoreHalfLife.D(), HealthyAfter: c.Restart.HealthyAfter.D(),
		StartTimeout: c.Health.StartTimeout.D(), OfflineTimeout: offlineFactor * c.Health.StartTimeout.D(),
	}
}

func (a *Account) statePath() string { return filepath.Join(a.c.Dir, "state.json") }

// uin returns the account's number: configured, or remembered from its last
// login; 0 if neither. The caller holds mu or is alone.
func (a *Account) uin() int64 {
	if a.c.Account.UIN != 0 {
		return a.c.Account.UIN
	}
	return a.state.UIN
}

// Name returns the account's name.
func (a *Account) Name() string { return a.c.Account.Name }

// Want wishes for the account to run or to be stopped.
func (a *Account) Want(running bool) {
	if running {
		a.memory.Forget()
	}
	a.runner.Want(running, "", "")
}

// Restart wishes for a fresh NapCat, at once. reason is one word for the
// history, detail its sentence; both may be empty.
func (a *Account) Restart(reason, detail string) {
	a.memory.Forget()
	a.runner.Restart(supervisor.Reason(reason), detail)
}

// Detach makes Run leave NapCat running when its context ends, for a later
// ncatd to adopt.
func (a *Account) Detach() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.detached = true
}

// Link returns the account's link, for calls.
func (a *Account) Link() Link { return a.link }

// Run keeps the account as wanted until ctx ends, stops NapCat unless Detach
// was called, and returns when nothing of it is left or the stop timeout and
// two seconds are over. It returns nil after an orderly end.
func (a *Account) Run(ctx context.Context) error {
	defer func() {
		if err := a.logs.Close(); err != nil {
			a.log.Warn("account log not closed", "err", err)
		}
	}()
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var wg sync.WaitGroup
	stopped := make(chan struct{})
	wg.Go(func() { defer close(stopped); _ = a.runner.Run(inner) }) // ends with inner only
	wg.Go(func() {
		if err := a.link.Run(inner); err != nil && inner.Err() == nil {
			a.log.Error("link ended", "err", err)
		}
	})
	<-ctx.Done()
	if a.isDetached() {
		cancel()
		wg.Wait()
		a.bg.Wait()
		return a.release()
	}
	a.runner.Want(false, "shutdown", "ncatd is stopping")
	t := time.NewTimer(a.c.Supervisor.StopTimeout.D() + stopGrace)
	defer t.Stop()
	var err error
	for done := false; !done; {
		w := a.settled()
		if w == nil {
			break
		}
		select {
		case <-w:
		case <-t.C:
			err, done = errors.New("NapCat did not end in time"), true
		}
	}
	cancel()
	wg.Wait()
	a.bg.Wait()
	a.mu.Lock()
	l := a.life
	a.mu.Unlock()
	if l != nil {
		// A start that could not be given up in time.
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
		defer cancel()
		err = l.finish(late, 0)
	}
	return err
}

// settled returns nil once the runner is stopped, else a channel that is closed
// at a change worth looking again.
func (a *Account) settled() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.runner.Status().State == supervisor.StateStopped && a.life == nil {
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

// release lets go of a process that still runs, writing down how far its output
// was read. Runner and link have ended.
func (a *Account) release() error {
	a.mu.Lock()
	l := a.life
	a.mu.Unlock()
	if l == nil {
		return nil
	}
	l.end()
	l.proc.Release()
	return a.update(func(s *accountState) { s.Output = l.proc.Offset() })
}

// update changes the account's state and saves it. A failed save is returned;
// the change holds in memory all the same.
func (a *Account) update(f func(*accountState)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	f(&a.state)
	return a.state.save(a.statePath())
}

// note is update for changes that are not worth failing for.
func (a *Account) note(f func(*accountState)) {
	if err := a.update(f); err != nil {
		a.log.Warn("account state not saved", "err", err)
	}
}

// changed takes a new status from the runner.
func (a *Account) changed(s supervisor.Status, transition bool) {
	now := time.Now()
	a.mu.Lock()
	a.snap.State, a.snap.Reason, a.snap.Detail, a.snap.Since = api.State(s.State), string(s.Reason), s.Detail, s.Since
	a.snap.Restarts = s.Restarts + a.deaths
	if transition {
		a.snap.History = append(slices.Clip(a.snap.History), api.Transition{Time: now, State: a.snap.State, Reason: a.snap.Reason, Detail: a.snap.Detail})
		if n := len(a.snap.History); n > historyLen {
			a.snap.History = a.snap.History[n-historyLen:]
		}
	}
	if a.changedCh != nil {
		close(a.changedCh)
		a.changedCh = nil
	}
	save := transition || a.state.Failures != s.Failures
	l := a.life
	snap := a.snapshotLocked()
	a.mu.Unlock()
	if save {
		a.note(func(st *accountState) {
			st.Failures = s.Failures
			if l != nil && st.Process == l.proc.Identity() {
				st.Output = l.proc.Offset()
			}
		})
	}
	if a.d.Changed != nil {
		a.d.Changed(snap, transition)
	}
}

// edit changes the snapshot and tells watchers.
func (a *Account) edit(f func(*api.Account)) {
	a.mu.Lock()
	f(&a.snap)
	snap := a.snapshotLocked()
	a.mu.Unlock()
	if a.d.Changed != nil {
		a.d.Changed(snap, false)
	}
}

// Snapshot returns the account as it stands now. The caller owns the result but
// must not change the elements of its History.
func (a *Account) Snapshot() api.Account {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.snapshotLocked()
}

func (a *Account) snapshotLocked() api.Account {
	s := a.snap
	st := a.link.Stats()
	s.Events, s.Calls, s.SendsFailed, s.QueueDropped = st.Events, st.Calls, st.SendsFailed, st.QueueDropped
	if s.PIDs.NapCat != 0 {
		s.PIDs.Xvfb = a.d.Display.PID()
	}
	return s
}

// linkEvent takes what the link tells and hands it to the process that runs.
func (a *Account) linkEvent(e LinkEvent) {
	a.mu.Lock()
	l := a.life
	a.mu.Unlock()
	if l != nil {
		l.linkEvent(e)
	}
}
