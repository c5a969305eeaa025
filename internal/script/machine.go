package script

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// machine runs one version of a plugin: one engine and the goroutine that runs
// it. Everything enters the engine as a job of its queue.
type machine struct {
	info   pluginInfo
	limits Limits
	log    *slog.Logger
	source *sourceMap // nil: places are those of the bundle
	outer  outside
	wg     sync.WaitGroup // the loop and the calls on their way

	carriers carriers

	ctx    context.Context // ends with the machine; its cause says why
	cancel context.CancelCauseFunc

	mu        sync.Mutex // guards the fields below
	queue     []job
	events    int // of them, and of those that have not ended, events
	closed    bool
	wake      waker
	calls     map[int]*request // on their way, by their ids
	interrupt func()
	quiet     chan struct{}   // closed when events gets to 0; nil if nothing waits for that
	talks     context.Context // ends when another version takes over
	endTalks  context.CancelCauseFunc

	loop
}

// waker wakes the loop if it waits.
type waker struct {
	waits bool
	ch    chan struct{} // capacity 1
}

// loop is what only the machine's goroutine touches, but for the watchdog.
type loop struct {
	eng       engine
	batch     []job // batch[at:] is to be done before the queue
	at        int
	turns     map[int]*turn
	lastTurn  int
	now       *turn     // on whose account the engine runs
	entered   time.Time // when it began to
	underWay  int       // bytes of the params of calls that have not ended
	late      []any     // ids and results of calls that ended and of which the script does not know yet
	lost      bool      // promises failed for which nobody may wait
	timers    map[int]alarm
	ending    bool   // no timer is set any more but by what goes on
	moment    *turn  // of its life that was begun last
	specs     []spec // registered while it was loaded
	schedules int    // of them
	loaded    bool
	loadErr   error
	tx        ncat.Tx
	lines     logBudget
	watchdog
}

// outside is what a machine needs of the plugin it belongs to.
type outside interface {
	// bot is the plugin's host, nil before it is set up.
	bot() *ncat.Bot
	// failed is told of what counts against the plugin.
	failed(m *machine, err error, score float64)
	granted() Grants
}

// job is one entry into the engine.
type job struct {
	turn  *turn
	entry string
	args  []any
	begin bool     // with turn, whose id goes into the second of args
	of    *request // that ended; in place of entering
	do    func()   // likewise
}

// turn is one reason for which the engine runs: an event, a timer, a run of a
// schedule. What it sets off, calls and their ends, is on its account.
type turn struct {
	id      int
	what    api.Fault
	ctx     context.Context
	b       *ncat.Bot
	event   onebot.Event
	spent   time.Duration
	settled bool
	pending int           // calls that have not ended
	last    bool          // it ends with the one call that is pending, see lastCall; guarded by the machine's mu
	awaited bool          // the script waits for that call; likewise
	ended   bool          // done is closed; likewise
	sends   chan struct{} // closed when the last send was written
	result  string
	err     error
	done    chan struct{} // closed when it settled and nothing is pending
	counts  bool          // against the depth of the queue
	over    bool          // it ran into a limit, which is counted once
	alone   bool          // nobody waits for it, so that its error is logged
	of      *turn         // what set the timer whose turn it is; nil for others
}

func newMachine(info pluginInfo, limits Limits, log *slog.Logger, source *sourceMap, o outside) *machine {
	ctx, cancel := context.WithCancelCause(info.ctx)
	talks, endTalks := context.WithCancelCause(ctx)
	m := &machine{talks: talks, endTalks: endTalks,
		info: info, limits: limits, log: log, source: source, outer: o, ctx: ctx, cancel: cancel,
		wake: waker{ch: make(chan struct{}, 1)}, calls: map[int]*request{}, carriers: carriers{calls: make(chan *request), stores: make(chan struct{}, 1), bodies: make(chan struct{}, 1)},
		loop: loop{turns: map[int]*turn{}, timers: map[int]alarm{}},
	}
	context.AfterFunc(ctx, m.rouse)
	return m
}

// start runs the engine with the plugin's module and returns when the module has
// run, with what it registered. The machine must be stopped in any case.
func (m *machine) start(ctx context.Context, module string) ([]spec, error) {
	ready := make(chan error, 1)
	m.wg.Go(func() { m.run(module, ready) })
	t := time.NewTimer(m.limits.Setup)
	defer t.Stop()
	select {
	case err := <-ready:
		return m.specs, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-t.C:
		return nil, overLimit("setup", api.Because(api.CodeScriptSetup, m.limits.Setup))
	}
}

func (m *machine) run(module string, ready chan<- error) {
	eng, err := newEngine(m.limits.Memory, prelude, m.host, m.call)
	if err != nil {
		m.end(err)
		ready <- err
		return
	}
	m.mu.Lock()
	m.interrupt = eng.Interrupt
	m.mu.Unlock()
	m.eng = eng
	m.watchdog.start(func() { m.end(errStuck) })
	defer m.close()
	load := m.newTurn(api.Because(api.CodeScriptInTop), m.ctx)
	m.slice(job{turn: load, entry: "setup", args: []any{m.info.setup}})
	if m.ctx.Err() == nil {
		m.now = load
		m.guard(m.limits.CPU)
		spent, err := m.eng.Load(m.info.file, module, m.limits.CPU)
		if err == nil {
			err = m.tellLost(m.limits.CPU - spent)
		}
		if err == nil && !m.loaded {
			_, _, err = m.eng.Call(m.limits.CPU-spent, "room")
		}
		load.spent += spent
		m.unguard()
		m.after(load, err)
	}
	told := false
	tell := func() {
		if told || !m.loaded && m.ctx.Err() == nil {
			return
		}
		told = true
		if m.ctx.Err() != nil {
			ready <- context.Cause(m.ctx)
			return
		}
		ready <- m.loadErr
	}
	tell()
	for {
		j, ok := m.next()
		if !ok {
			tell()
			return
		}
		m.slice(j)
		tell()
	}
}

// next waits for a job.
func (m *machine) next() (job, bool) {
	for m.ctx.Err() == nil {
		if m.at < len(m.batch) {
			j := m.batch[m.at]
			m.batch[m.at] = job{}
			m.at++
			return j, true
		}
		if cap(m.batch) > keptJobs {
			m.batch = nil
		}
		m.mu.Lock()
		m.batch, m.queue, m.at = m.queue, m.batch[:0], 0
		m.wake.waits = len(m.batch) == 0
		m.mu.Unlock()
		if len(m.batch) == 0 {
			<-m.wake.ch
		}
	}
	return job{}, false
}

// keptJobs is for how many jobs memory is kept.
const keptJobs = 256

// push appends a job, unless the machine ended.
func (m *machine) push(j job) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pushLocked(j)
}

func (m *machine) pushLocked(j job) bool {
	if m.closed {
		return false
	}
	m.queue = append(m.queue, j)
	if m.wake.waits {
		m.wake.waits = false
		m.rouse()
	}
	return true
}

// rouse lets next look again.
func (m *machine) rouse() {
	select {
	case m.wake.ch <- struct{}{}:
	default:
	}
}

// slice enters the engine for one job.
func (m *machine) slice(j job) {
	t := j.turn
	switch {
	case j.of != nil:
		j.of.done()
		return
	case j.do != nil:
		m.now = t
		j.do()
		m.now = nil
		return
	case j.begin:
		m.begin(t)
		j.args[1] = t.id
	}
	m.now = t
	left := m.limits.CPU - t.spent
	m.guard(left)
	out, spent, err := m.enter(left, j)
	if err == nil {
		err = m.tellLost(left - spent)
	}
	m.unguard()
	t.spent += spent
	m.after(t, err)
	switch id := (arguments{out}).int(0); {
	case err != nil:
	case id > 0:
		m.settle(id, "", nil)
	case id < 0:
		m.lastCall(t)
	}
	m.now = nil
}

// enter enters the engine for a job, but first tells the script of calls that ended.
func (m *machine) enter(left time.Duration, j job) (out any, spent time.Duration, err error) {
	late, args := m.late, j.args
	if n := len(late); n > 0 && j.entry == "event" { // which takes one along
		late, args = late[:n-2], append(args, late[n-2:]...)
	}
	if len(late) > 0 {
		_, spent, err = m.eng.Call(left, "late", late...)
	}
	clear(m.late)
	m.late = m.late[:0]
	if err != nil {
		return nil, spent, err
	}
	out, more, err := m.eng.Enter(left-spent, j.entry, args...)
	return out, spent + more, err
}

// lastCall is told by the script that a handler returned a call of its turn for which
// nothing else waits. If nothing but that call is left of the turn, the turn ends with
// it, without the engine: the script hears of it before it runs again.
func (m *machine) lastCall(t *turn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t.last = t.pending == 1 && !t.awaited
}

// awaited is told by the script that it does wait for the call that the handler of a
// turn returned.
func (m *machine) awaited(id int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := m.turns[id]; t != nil {
		t.awaited, t.last = true, false
	}
	m.pushLocked(job{turn: m.now, entry: "late"}) // the call may have ended just now
}

// tellLost lets the script tell of promises that failed and for which nobody waits,
// when all that was due has run.
func (m *machine) tellLost(left time.Duration) error {
	if !m.lost {
		return nil
	}
	m.lost = false
	_, _, err := m.eng.Call(left, "lost")
	return err
}

// after deals with how a slice ended.
func (m *machine) after(t *turn, err error) {
	switch {
	case err == nil:
	case m.stuck.Load():
		// Told already, by the watchdog.
	case errors.Is(err, errCPU):
		m.end(overLimit("cpu", t.what.With(api.Because(api.CodeScriptCPU, m.limits.CPU))))
	case errors.Is(err, errMemory):
		m.end(m.outOfMemory(t))
	case errors.Is(err, errBroken):
		m.end(err)
	default:
		m.fail(t, m.located(err))
	}
}

func (m *machine) outOfMemory(t *turn) error {
	return overLimit("memory", t.what.With(api.Because(api.CodeScriptMemory, m.limits.Memory>>20)))
}

// stuckGrace is how long after its budget an engine that cannot be interrupted
// is given up.
const stuckGrace = 2 * time.Second

// guard watches a slice from outside: a built-in function that loops without
// running any code of the script sees no interrupt.
func (m *machine) guard(budget time.Duration) {
	m.entered = time.Now()
	m.watch(m.entered, budget+stuckGrace)
}

func (m *machine) unguard() { m.rest() }

// newTurn returns a turn that begins now. It is called on the loop.
func (m *machine) newTurn(what api.Fault, ctx context.Context) *turn {
	m.lastTurn++
	t := &turn{id: m.lastTurn, what: what, ctx: ctx, done: make(chan struct{})}
	m.turns[t.id] = t
	return t
}

// abandon ends a turn that is not waited for any more.
func (m *machine) abandon(t *turn, err error) {
	if m.turns[t.id] == t {
		t.settled, t.err, t.pending = true, err, 0
		m.finish(t)
	}
}

// errGone says that the machine had ended before something could reach it.
var errGone = Fail(api.Because(api.CodeScriptGone), nil)

// settle is told by the script that a turn's handler returned.
func (m *machine) settle(id int, result string, err error) {
	t := m.turns[id]
	if t == nil || t.settled {
		return
	}
	t.settled, t.result, t.err = true, result, err
	m.finish(t)
}

// finish ends a turn of which nothing is left, once: what goes on after one that was
// abandoned may make calls.
func (m *machine) finish(t *turn) {
	if !t.settled || t.pending > 0 || m.turns[t.id] != t {
		return
	}
	delete(m.turns, t.id)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.endLocked(t)
}

// endLocked tells whoever waits for a turn that it ended.
func (m *machine) endLocked(t *turn) {
	if t.ended {
		return
	}
	t.ended = true
	if t.counts {
		if m.events--; m.events == 0 && m.quiet != nil {
			close(m.quiet)
			m.quiet = nil
		}
	}
	close(t.done)
}

// fail logs an error that no caller waits for.
func (m *machine) fail(t *turn, err error) {
	m.log.Error("script failed", "plugin", m.info.ID, "in", english(t.what), "error", err)
	m.outer.failed(m, err, scoreFailed)
}

// end ends the machine, with err as the cause. Unless it was ended on purpose it
// counts against the plugin.
func (m *machine) end(err error) {
	if !m.shut(err) {
		return
	}
	if !errors.Is(err, errUnloaded) {
		m.outer.failed(m, err, scoreKilled)
	}
}

// shut ends what goes on, once.
func (m *machine) shut(err error) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.closed, m.queue = true, nil
	m.cancel(err)
	for _, r := range m.calls {
		r.cancel(err)
	}
	return true
}

// errUnloaded is why a machine ended that was asked to.
var errUnloaded = errors.New("the plugin was unloaded")

// close gives back what the loop has.
func (m *machine) close() {
	for _, t := range m.timers {
		t.Stop()
	}
	clear(m.timers)
	m.watchdog.timer.Stop()
	if err := m.eng.Close(); err != nil {
		m.log.Error("engine does not close", "plugin", m.info.ID, "error", err)
	}
}

// stop ends the machine and waits until nothing of it is left, but for an engine
// that is stuck.
func (m *machine) stop() {
	m.end(errUnloaded)
	if m.stuck.Load() {
		return
	}
	m.mu.Lock()
	interrupt := m.interrupt
	m.mu.Unlock()
	if interrupt != nil {
		interrupt()
	}
	m.wg.Wait()
}
