package script

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// watchdog calls a function if something takes too long. To set a timer for each entry
// into an engine would cost a good part of the entry: it is set once in a while, and may
// be as late as what was watched before was allowed to take longer. While something
// computes for long, Go's scheduler has a processor more.
type watchdog struct {
	born  time.Time
	timer *time.Timer
	set   atomic.Bool  // the timer is, or its function runs
	began atomic.Int64 // when what is watched did, from born
	until atomic.Int64 // when it is too long, from born; 0: nothing is watched
	stuck atomic.Bool  // it was too long
	long  atomic.Bool  // a processor is lent for it
}

// start lets bite be called, once, when it is too long.
func (w *watchdog) start(bite func()) {
	w.born = time.Now()
	w.set.Store(true)
	w.timer = time.AfterFunc(longEntry, func() { w.look(bite) })
}

// watch says that something began that is to take no longer than d.
func (w *watchdog) watch(now time.Time, d time.Duration) {
	began := int64(now.Sub(w.born))
	w.began.Store(began)
	w.until.Store(began + int64(d))
	if !w.set.Swap(true) {
		w.timer.Reset(min(d, longEntry))
	}
}

// rest says that it is over.
func (w *watchdog) rest() {
	w.until.Store(0)
	if w.long.Load() && w.long.CompareAndSwap(true, false) {
		lend(-1)
	}
}

// look looks whether it is too long, and sets the timer anew if it may be later.
func (w *watchdog) look(bite func()) {
	w.set.Store(false)
	now, until := time.Since(w.born), w.until.Load()
	if until == 0 {
		return // the next to begin sets the timer
	}
	left := time.Duration(until) - now
	if left <= 0 {
		w.stuck.Store(true)
		bite()
		return
	}
	if short := longEntry - (now - time.Duration(w.began.Load())); short > 0 {
		left = min(left, short)
	} else if w.long.CompareAndSwap(false, true) {
		lend(1)
		if w.until.Load() == 0 {
			w.rest() // it was over before it could see that
		}
	}
	if !w.set.Swap(true) {
		w.timer.Reset(left)
	}
}

// longEntry is how long an entry into an engine may take before a processor is lent.
const longEntry = 50 * time.Millisecond

// lent is how many processors Go's scheduler has more than it had.
var lent struct {
	mu     sync.Mutex // guards the fields below
	n, had int
}

// lend gives Go's scheduler n processors more. What computes keeps one of them for up
// to 10 ms at a time, whoever waits for it, as those that answer for other plugins do.
// With one more the system shares out its processors, and does so sooner.
func lend(n int) {
	lent.mu.Lock()
	defer lent.mu.Unlock()
	if lent.n == 0 {
		lent.had = runtime.GOMAXPROCS(0)
	}
	lent.n += n
	runtime.GOMAXPROCS(lent.had + lent.n)
}
