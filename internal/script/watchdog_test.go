package script

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// It bites once what is watched takes too long, and not before, whatever went well
// until then and however long ago.
func TestWatchdog(t *testing.T) {
	for _, before := range []func(w *watchdog){
		func(*watchdog) {},
		func(*watchdog) { time.Sleep(time.Hour) },
		func(w *watchdog) {
			for range 100 { // each is short, all together are not
				w.watch(time.Now(), 3*time.Second)
				time.Sleep(2900 * time.Millisecond)
				w.rest()
			}
		},
		func(w *watchdog) {
			w.watch(time.Now(), time.Minute)
			time.Sleep(time.Second)
			w.rest()
		},
		func(w *watchdog) {
			w.watch(time.Now(), 3*time.Second)
			w.rest()
			time.Sleep(3 * time.Second)
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			var w watchdog
			var bites atomic.Int32
			w.start(func() { bites.Add(1) })
			defer w.timer.Stop()
			before(&w)
			synctest.Wait()
			if bites.Load() > 0 || w.stuck.Load() {
				t.Fatal("it bites for nothing")
			}
			w.watch(time.Now(), 3*time.Second)
			time.Sleep(3*time.Second - 1)
			synctest.Wait()
			if bites.Load() > 0 {
				t.Fatal("it bites too early")
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if bites.Load() != 1 || !w.stuck.Load() {
				t.Errorf("%d bites", bites.Load())
			}
		})
	}
}

// While something computes for long there is a processor more, and never after it.
func TestLentProcessor(t *testing.T) {
	had := runtime.GOMAXPROCS(0)
	synctest.Test(t, func(t *testing.T) {
		var a, b watchdog
		for _, w := range []*watchdog{&a, &b} {
			w.start(func() {})
			defer w.timer.Stop()
		}
		for i, step := range []struct {
			do   func()
			more int
		}{
			{func() { a.watch(time.Now(), time.Second) }, 0},
			{func() { time.Sleep(longEntry - 1) }, 0},
			{func() { a.rest(); a.watch(time.Now(), time.Second); time.Sleep(longEntry - 1) }, 0}, // two short ones
			{func() { time.Sleep(time.Nanosecond) }, 1},
			{func() { b.watch(time.Now(), time.Second); time.Sleep(longEntry) }, 2},
			{func() { time.Sleep(time.Second / 2) }, 2},
			{a.rest, 1},
			{func() { time.Sleep(time.Minute) }, 1}, // stuck
			{b.rest, 0},
			{b.rest, 0},
			{func() { b.watch(time.Now(), time.Second); b.rest(); time.Sleep(time.Minute) }, 0},
		} {
			step.do()
			synctest.Wait()
			if more := runtime.GOMAXPROCS(0) - had; more != step.more {
				t.Errorf("step %d: %d more, not %d", i, more, step.more)
			}
		}
	})
}
