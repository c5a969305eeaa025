// Package companion runs an app that uses an account: a program that somebody
// else wrote, kept alive under the same policy as NapCat, adopted after ncatd
// itself was killed, and ready when its link is up. Its central type is
// [Companion].
//
// What is generic of running a program is package proc's, when it runs is decided
// by package supervisor. The package knows no NapCat, no OneBot and no config.
package companion

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/atomicfile"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// The reasons that this package gives.
const (
	ReasonCrash  supervisor.Reason = "crash"  // it ended by itself
	ReasonMemory supervisor.Reason = "memory" // it used more memory than allowed
	ReasonLink   supervisor.Reason = "link"   // its link is not up
	ReasonOK     supervisor.Reason = "ok"
)

const (
	// sampleEvery is how often its memory is measured.
	sampleEvery = 5 * time.Second
	// stopGrace is what a stop may take beyond the stop timeout.
	stopGrace = 2 * time.Second
	stateFile = "state.json"
	// tailLines is how much of its output explains an end.
	tailLines = 20
)

// Options is what a [Companion] is made of.
type Options struct {
	Name string
	// Path and Args are the program; Dir is where it runs.
	Path string
	Args []string
	Dir  string
	// Env makes its environment, each time it is started.
	Env func() []string
	// User says as whom it runs, each time it is started; nil, or a nil user: as we do.
	User func() (*proc.User, error)
	// State is the folder for its state and its output.
	State       string
	Log         io.Writer
	Secrets     []string
	Policy      supervisor.Policy
	StopTimeout time.Duration
	MemoryLimit uint64 // of its process tree; 0: none
	// Linkless says that it has no link to be ready by.
	Linkless bool
	Sampler  *proc.Sampler
	Logger   *slog.Logger
	// Changed is told of every change of its status. It must not block.
	Changed func()
	Say     func(api.Fault) string
}

// Status is how a companion stands.
type Status struct {
	supervisor.Status
	PID      int
	Restarts int
	Usage    proc.Usage
}

// state is what must be known after ncatd's own death.
type state struct {
	Marker   string              `json:"marker"`
	Process  proc.Identity       `json:"process"`
	Output   int64               `json:"output"`
	Command  string              `json:"command"` // what it was started with
	Failures supervisor.Failures `json:"failures"`
}

// Companion is one program. It is safe for concurrent use.
type Companion struct {
	o      Options
	log    *slog.Logger
	runner *supervisor.Runner
	ended  sync.WaitGroup // what waits for the end of a process

	mu     sync.Mutex // guards the fields below
	state  state
	fresh  bool // nothing was started yet: a survivor may be adopted
	linked bool
	lives  int
	proc   *proc.Process
	stop   context.CancelFunc // of what watches proc
	usage  proc.Usage
	keep   bool // leave the process at the end
}

// New returns a companion that is not wanted to run. It starts nothing.
func New(o Options) (*Companion, error) {
	c := &Companion{o: o, log: o.Logger.With("app", o.Name), fresh: true}
	if err := os.MkdirAll(o.State, 0o700); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(c.path())
	if err == nil {
		err = json.Unmarshal(b, &c.state)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.log.Warn("state of the app not read", "err", err)
	}
	if c.state.Marker == "" {
		c.state.Marker = rand.Text()
	}
	c.runner = supervisor.NewRunner(supervisor.Options{
		Policy: o.Policy, Driver: (*driver)(c), Logger: c.log, Failures: c.state.Failures, Say: o.Say,
		Changed: func(s supervisor.Status, _ bool) { c.changed(s) },
	})
	return c, nil
}

func (c *Companion) path() string { return filepath.Join(c.o.State, stateFile) }

// command tells one way of running it from another. What is in its environment
// does not count: a token that changed is no reason to kill a program.
func (c *Companion) command() string {
	return fmt.Sprintf("%q %q %q", c.o.Path, c.o.Args, c.o.Dir)
}

// changed keeps the failures.
func (c *Companion) changed(s supervisor.Status) {
	c.mu.Lock()
	differ := c.state.Failures != s.Failures
	c.state.Failures = s.Failures
	c.mu.Unlock()
	if differ {
		c.save()
	}
	if c.o.Changed != nil {
		c.o.Changed()
	}
}

func (c *Companion) save() {
	c.mu.Lock()
	if c.proc != nil {
		c.state.Output = c.proc.Offset()
	}
	b, err := json.Marshal(c.state)
	c.mu.Unlock()
	if err == nil {
		err = atomicfile.Write(c.path(), b, 0o600)
	}
	if err != nil {
		c.log.Warn("state of the app not written", "err", err)
	}
}

// Sweep ends what an earlier ncatd left running of an app that is not run any more.
// dir is the app's folder for its state.
func Sweep(dir string, timeout time.Duration) error {
	path := filepath.Join(dir, stateFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var st state
	if err == nil {
		err = json.Unmarshal(b, &st)
	}
	if err == nil {
		err = proc.Sweep(st.Process, st.Marker, timeout)
	}
	if err != nil {
		return fmt.Errorf("sweep what is left of an app: %w", err)
	}
	return os.Remove(path)
}

// Survives reports whether a process lives that an earlier ncatd started.
func (c *Companion) Survives() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return proc.Alive(c.state.Process)
}

// Want wishes for it to run or not.
func (c *Companion) Want(running bool) { c.runner.Want(running, supervisor.Cause{}) }

// Restart wishes for a new process.
func (c *Companion) Restart() { c.runner.Restart(supervisor.Cause{}) }

// Detach leaves the process running when Run ends.
func (c *Companion) Detach() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep = true
}

// Linked says whether its link is up.
func (c *Companion) Linked(up bool) {
	c.mu.Lock()
	c.linked = up
	c.mu.Unlock()
	c.runner.Do(func(time.Time) {}) // so that it looks again
}

// Status returns how it stands.
func (c *Companion) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Status{Status: c.runner.Status(), Restarts: max(c.lives-1, 0), Usage: c.usage}
	if c.proc != nil {
		s.PID = c.proc.Identity().PID
	}
	return s
}

// Run keeps it as wanted until ctx ends, and ends it then.
func (c *Companion) Run(ctx context.Context) error {
	rctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	done := make(chan error, 1)
	go func() { done <- c.runner.Run(rctx) }() // awaited below
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	c.mu.Lock()
	keep := c.keep
	c.mu.Unlock()
	if keep {
		c.release()
	} else {
		c.runner.Want(false, supervisor.Because("shutdown", api.CodeShutdown))
		c.awaitStopped(rctx)
	}
	cancel(context.Cause(ctx))
	_ = <-done // it says that it was told to end
	c.ended.Wait()
	return nil
}

// awaitStopped returns when the process has ended, or cannot be ended.
func (c *Companion) awaitStopped(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, c.o.StopTimeout+stopGrace)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for c.runner.Ping(ctx) == nil && c.runner.Status().State != supervisor.StateStopped {
		select {
		case <-tick.C:
		case <-ctx.Done():
			c.log.Error("app does not end")
			return
		}
	}
}

// release lets go of the process, which a later ncatd adopts.
func (c *Companion) release() {
	c.mu.Lock()
	p, stop := c.proc, c.stop
	c.mu.Unlock()
	if p == nil {
		return
	}
	stop()
	p.Release()
	c.save()
}

// driver makes a [supervisor.Driver] of a companion.
type driver Companion

// Spawn implements [supervisor.Driver].
func (d *driver) Spawn(ctx context.Context, life uint64) error {
	c := (*Companion)(d)
	c.mu.Lock()
	st, fresh := c.state, c.fresh
	c.fresh = false
	c.mu.Unlock()
	if fresh && st.Command == c.command() && proc.Alive(st.Process) {
		p, err := proc.Adopt(c.spec(st.Marker, nil), st.Process, st.Output)
		if err == nil {
			c.log.Info("app adopted", "pid", st.Process.PID)
			c.take(ctx, p, life)
			return nil
		}
		c.log.Warn("app not adopted, ending it", "pid", st.Process.PID, "err", err)
	}
	if err := proc.Sweep(st.Process, st.Marker, c.o.StopTimeout); err != nil {
		return &supervisor.Fault{Cause: supervisor.Because(supervisor.ReasonSpawnFailed, api.CodeSpawnFailed, err), Weight: 1}
	}
	var user *proc.User
	if c.o.User != nil {
		var err error
		if user, err = c.o.User(); err != nil {
			return err
		}
	}
	if err := makeDir(c.o.Dir, user); err != nil {
		return err
	}
	// What carries the marker can be found although ncatd dies before it has
	// written the pid down.
	c.mu.Lock()
	c.state.Process, c.state.Output, c.state.Command = proc.Identity{}, 0, c.command()
	c.mu.Unlock()
	c.save()
	p, err := proc.Start(c.spec(st.Marker, user))
	if err != nil {
		if why := mayEnter(user, c.o.Dir); why != nil {
			err = fmt.Errorf("%w: %w", err, why)
		}
		return err
	}
	c.log.Info("app started", "pid", p.Identity().PID, "command", c.o.Path)
	c.take(ctx, p, life)
	return nil
}

func (c *Companion) spec(marker string, user *proc.User) proc.Spec {
	return proc.Spec{
		Path: c.o.Path, Args: c.o.Args, Dir: c.o.Dir, Env: c.o.Env(), Marker: marker, User: user,
		Output: filepath.Join(c.o.State, "output"), Log: c.o.Log, Secrets: c.o.Secrets, Logger: c.log,
	}
}

// take makes p the present process and watches it.
func (c *Companion) take(ctx context.Context, p *proc.Process, life uint64) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx)) // ended by Stop or release
	c.mu.Lock()
	c.proc, c.stop, c.usage = p, stop, proc.Usage{}
	c.lives++
	c.state.Process = p.Identity()
	c.mu.Unlock()
	c.save()
	c.ended.Go(func() { c.watch(ctx, p, life) })
}

// watch measures the process and tells its end.
func (c *Companion) watch(ctx context.Context, p *proc.Process, life uint64) {
	t := time.NewTicker(sampleEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			u, err := c.o.Sampler.Sample(p)
			if err != nil {
				continue
			}
			c.mu.Lock()
			c.usage = u
			c.mu.Unlock()
			c.runner.Do(func(time.Time) {})
		case <-p.Exited():
			at := time.Now()
			fault := diagnose(p.Exit(), p.Tail(tailLines))
			c.log.Warn("app ended", "exit", p.Exit().String())
			if err := c.finish(ctx, p, 0); err != nil {
				c.log.Error("app not cleaned up", "err", err)
			}
			c.runner.Exited(life, fault, at)
			return
		}
	}
}

// diagnose says why a program ended by itself.
func diagnose(e proc.Exit, tail []string) *supervisor.Fault {
	why := api.Because(api.CodeAppExit, strconv.Itoa(e.Code))
	switch {
	case e.Unknown:
		why = api.Because(api.CodeProcessEnded)
	case e.Signal != 0:
		why = api.Because(api.CodeAppSignal, e.Signal.String())
	}
	for i := len(tail) - 1; i >= 0; i-- {
		if tail[i] != "" {
			why = why.With(api.Because(api.CodeLastLine, tail[i]))
			break
		}
	}
	return &supervisor.Fault{Cause: supervisor.Cause{Reason: ReasonCrash, Why: why}, Weight: 1}
}

// finish ends what is left of a process.
func (c *Companion) finish(ctx context.Context, p *proc.Process, timeout time.Duration) error {
	err := p.Stop(ctx, timeout)
	if err == nil {
		c.mu.Lock()
		if c.proc == p {
			c.proc, c.usage = nil, proc.Usage{}
			c.state.Process, c.state.Output = proc.Identity{}, 0
		}
		c.mu.Unlock()
		c.save()
	}
	return err
}

// Stop implements [supervisor.Driver].
func (d *driver) Stop(ctx context.Context, _ uint64, _ *supervisor.Fault) error {
	c := (*Companion)(d)
	c.mu.Lock()
	p, stop := c.proc, c.stop
	c.mu.Unlock()
	if p == nil {
		return nil
	}
	stop()
	for timeout := c.o.StopTimeout; ; timeout = 0 {
		err := c.finish(ctx, p, timeout)
		if err == nil || ctx.Err() != nil {
			return err
		}
		c.log.Error("app does not end", "err", err)
	}
}

// View implements [supervisor.Driver].
func (d *driver) View(_ context.Context, _ uint64, _ time.Time) supervisor.View {
	c := (*Companion)(d)
	c.mu.Lock()
	defer c.mu.Unlock()
	var v supervisor.View
	if c.proc == nil {
		return v
	}
	v.Health = supervisor.Health{State: supervisor.StateConnecting, Cause: supervisor.Because(ReasonLink, api.CodeAppLink)}
	if c.linked || c.o.Linkless {
		v.Health = supervisor.Health{State: supervisor.StateOnline, Cause: supervisor.Because(ReasonOK, api.CodeAppRuns)}
	}
	if limit := c.o.MemoryLimit; limit > 0 && c.usage.RSS > limit {
		v.Fault = &supervisor.Fault{Cause: supervisor.Because(ReasonMemory, api.CodeAppMemory, c.usage.RSS>>20, limit>>20), Weight: 1}
	}
	return v
}
