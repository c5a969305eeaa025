package rpc

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"time"
)

// Fiber runs work on a goroutine of its own, but in the place of the goroutine
// that calls Run: the two swap directly, without the scheduler. When the work
// waits for the answer to a [Conn.Call], Run returns, and the work goes on in
// the place of the connection's reader once it has read the answer. A handler
// that answers an event costs two such swaps instead of two wake-ups of another
// thread, which at a bot's rates cost more than all the rest of its work.
//
// Work that blocks in any other way keeps the goroutine that runs it; see
// [Options.Event] for what becomes of the reader then. So does a call by work
// that is locked to its thread (runtime.LockOSThread); the lock ends with Body.
//
// The fields are set before Run and not changed while it works.
type Fiber struct {
	// Body is the work. It runs once for each Run of an idle Fiber.
	Body func()
	// Idle is called after Body has returned, not on the fiber. The Fiber
	// can be Run again from then on.
	Idle func()
	// Spawn runs a function in a goroutine that somebody waits for. The work
	// goes on there if what ended its wait is no reader.
	Spawn func(func())
	// Kept is told, not on the fiber, each time the work gave way or ended,
	// whether it had kept the goroutine for longer than is good for a reader;
	// and, at any time from another goroutine, that it just cost a reader its
	// role.
	Kept func(long bool)

	// ctx is the context that most calls of Body come with; see Working.
	ctx context.Context

	woken func() // wake(true), made once

	state atomic.Uint32
	since atomic.Int64 // Unix nanoseconds when it got the goroutine it runs on; 0: none
	next  func() (bool, bool)
	stop  func()
	yield func(finished bool) bool
}

const (
	fiberRunning uint32 = iota
	fiberParked         // gave way, waits for wake
	fiberWoken          // woken before it had given way
)

// longSlice is how long work may keep a reader.
const longSlice = 3 * time.Millisecond

// fibers finds the Fiber of the calling goroutine.
var fibers = struct {
	sync.RWMutex
	by map[uintptr]*Fiber
}{by: map[uintptr]*Fiber{}}

// current returns the Fiber that the calling goroutine belongs to, nil if none.
// A goroutine that the work started is not the Fiber's.
func current() *Fiber {
	if !CanPark {
		return nil
	}
	g := getg()
	fibers.RLock()
	f := fibers.by[g]
	fibers.RUnlock()
	return f
}

// Working tells the Fiber the context under which its work runs now. Calls with
// this very context are watched for its end at less cost than others. It is
// called on the fiber.
func (f *Fiber) Working(ctx context.Context) { f.ctx = ctx }

// Run runs the work until it ends or waits for an answer.
func (f *Fiber) Run() {
	if locked() { // which the two that swap must not be
		f.Spawn(f.Run)
		return
	}
	if f.next == nil {
		f.next, f.stop = iter.Pull(f.loop)
		f.woken = func() { f.wake(true) }
	}
	f.run()
}

// Close ends an idle Fiber.
func (f *Fiber) Close() {
	switch {
	case f.stop == nil:
	case locked():
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			f.stop()
		}()
		<-ended
	default:
		f.stop()
	}
}

// loop is the fiber's goroutine.
func (f *Fiber) loop(yield func(bool) bool) {
	f.yield = yield
	g := getg()
	fibers.Lock()
	fibers.by[g] = f
	fibers.Unlock()
	defer func() {
		fibers.Lock()
		delete(fibers.by, g)
		fibers.Unlock()
		unlock()
	}()
	for {
		f.Body()
		unlock() // else the work that runs here next would be locked, too
		if !yield(true) {
			return
		}
	}
}

// run lends the calling goroutine to the work.
func (f *Fiber) run() {
	if locked() {
		f.Spawn(f.run)
		return
	}
	for {
		start := time.Now()
		f.since.Store(start.UnixNano())
		finished, alive := f.next()
		f.since.Store(0)
		f.Kept(time.Since(start) > longSlice)
		switch {
		case !alive:
			return
		case finished:
			f.Idle()
			return
		case f.state.CompareAndSwap(fiberRunning, fiberParked):
			return // from here on it belongs to who wakes it
		}
		f.state.Store(fiberRunning)
	}
}

// park gives way until wake. It is called on the fiber.
func (f *Fiber) park() { f.yield(false) }

// wake lets a parked fiber go on: in the place of the calling goroutine if that
// is a reader, else in one of its own.
func (f *Fiber) wake(reader bool) {
	for {
		if f.state.CompareAndSwap(fiberParked, fiberRunning) {
			if reader {
				f.run()
			} else {
				f.Spawn(f.run)
			}
			return
		}
		if f.state.CompareAndSwap(fiberRunning, fiberWoken) {
			return
		}
	}
}

// blame tells the fibers that keep a goroutine for long that they do.
func blame() {
	since := time.Now().Add(-longSlice).UnixNano()
	var long []*Fiber
	fibers.RLock()
	for _, f := range fibers.by {
		if at := f.since.Load(); at != 0 && at < since {
			long = append(long, f)
		}
	}
	fibers.RUnlock()
	for _, f := range long {
		f.Kept(true)
	}
}
