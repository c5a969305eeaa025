// Package cost holds, in tests, what reading an input may cost: [Bounds] for each
// of its bytes, so that no input costs the square of its length.
package cost

import (
	"runtime"
	"testing"
	"time"
)

// Bounds are what reading may cost.
type Bounds struct {
	Memory       uint64        // bytes allocated for each byte of the input
	MemoryAnyway uint64        // and for none
	Time         time.Duration // of computing
	TimeAnyway   time.Duration
}

// Hold fails if read, which reads n bytes, costs more than it may. A measurement
// that another goroutine spoilt is repeated.
func (b Bounds) Hold(tb testing.TB, n int, read func()) {
	tb.Helper()
	memory, took := uint64(0), time.Duration(0)
	most, longest := b.Memory*uint64(n)+b.MemoryAnyway, b.Time*time.Duration(n)+b.TimeAnyway
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := CPU()
		read()
		took = CPU() - began
		runtime.ReadMemStats(&after)
		if memory = after.TotalAlloc - before.TotalAlloc; memory <= most && took <= longest {
			return
		}
	}
	tb.Errorf("%d bytes cost %d bytes of memory (at most %d) and %v (at most %v)", n, memory, most, took, longest)
}
