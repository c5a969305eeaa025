package script

import (
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
				w.until.Store(0)
			}
		},
		func(w *watchdog) {
			w.watch(time.Now(), time.Minute)
			time.Sleep(time.Second)
			w.until.Store(0)
		},
		func(w *watchdog) {
			w.watch(time.Now(), 3*time.Second)
			w.until.Store(0)
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
