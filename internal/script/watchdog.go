package script

import (
	"sync/atomic"
	"time"
)

// watchdog calls a function if something takes too long. To set a timer for each entry
// into an engine would cost a good part of the entry: it is set once in a while, and may
// be as late as what was watched before was allowed to take longer.
type watchdog struct {
	born  time.Time
	timer *time.Timer
	set   atomic.Bool  // the timer is, or its function runs
	until atomic.Int64 // when it is too long, from born; 0: nothing is watched
	stuck atomic.Bool  // it was too long
}

// start lets bite be called, once, when it is too long.
func (w *watchdog) start(bite func()) {
	w.born = time.Now()
	w.set.Store(true)
	w.timer = time.AfterFunc(stuckGrace, func() { w.look(bite) })
}

// watch says that something began that is to take no longer than d.
func (w *watchdog) watch(now time.Time, d time.Duration) {
	w.until.Store(int64(now.Sub(w.born) + d))
	if !w.set.Swap(true) {
		w.timer.Reset(d)
	}
}

// look looks whether it is too long, and sets the timer anew if it may be later.
func (w *watchdog) look(bite func()) {
	w.set.Store(false)
	until := w.until.Load()
	if until == 0 {
		return // the next to begin sets the timer
	}
	left := time.Duration(until) - time.Since(w.born)
	if left <= 0 {
		w.stuck.Store(true)
		bite()
		return
	}
	if !w.set.Swap(true) {
		w.timer.Reset(left)
	}
}
