package control

import (
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/ncatd/ncatd/internal/proc"
)

// ownFamilies returns what every Go program tells Prometheus of itself, under the
// names that its official client uses and dashboards know.
func ownFamilies(started time.Time) []*family {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	out := []*family{}
	one := func(kind, name, help string, v float64) {
		f := newFamily(kind, name, help)
		f.set(v)
		out = append(out, f)
	}
	version := newFamily(gauge, "go_info", "Information about the Go environment.", "version")
	version.set(1, runtime.Version())
	out = append(out, version)
	one(gauge, "go_goroutines", "Number of goroutines that currently exist.", float64(runtime.NumGoroutine()))
	one(gauge, "go_threads", "Number of OS threads that live.", threads())
	one(gauge, "go_sched_gomaxprocs_threads", "How many threads run Go code at once.", float64(runtime.GOMAXPROCS(0)))
	one(gauge, "go_memstats_alloc_bytes", "Number of bytes allocated in heap and currently in use.", float64(m.Alloc))
	one(counter, "go_memstats_alloc_bytes_total", "Total number of bytes allocated in heap, even if released already.", float64(m.TotalAlloc))
	one(gauge, "go_memstats_sys_bytes", "Number of bytes obtained from the system.", float64(m.Sys))
	one(counter, "go_memstats_mallocs_total", "Total number of heap objects allocated, both live and gc-ed.", float64(m.Mallocs))
	one(counter, "go_memstats_frees_total", "Total number of heap objects freed.", float64(m.Frees))
	one(gauge, "go_memstats_heap_alloc_bytes", "Number of heap bytes allocated and currently in use.", float64(m.HeapAlloc))
	one(gauge, "go_memstats_heap_sys_bytes", "Number of heap bytes obtained from the system.", float64(m.HeapSys))
	one(gauge, "go_memstats_heap_idle_bytes", "Number of heap bytes waiting to be used.", float64(m.HeapIdle))
	one(gauge, "go_memstats_heap_inuse_bytes", "Number of heap bytes that are in use.", float64(m.HeapInuse))
	one(gauge, "go_memstats_heap_released_bytes", "Number of heap bytes released to the system.", float64(m.HeapReleased))
	one(gauge, "go_memstats_heap_objects", "Number of currently allocated objects.", float64(m.HeapObjects))
	one(gauge, "go_memstats_stack_inuse_bytes", "Number of bytes used for stacks.", float64(m.StackInuse))
	one(gauge, "go_memstats_stack_sys_bytes", "Number of bytes obtained from the system for stacks.", float64(m.StackSys))
	one(gauge, "go_memstats_next_gc_bytes", "Number of heap bytes when the next garbage collection takes place.", float64(m.NextGC))
	one(gauge, "go_memstats_last_gc_time_seconds", "When the last garbage collection ended.", float64(m.LastGC)/1e9)
	return append(append(out, collections()), ownProcess(started)...)
}

func threads() float64 {
	n, _ := runtime.ThreadCreateProfile(nil)
	return float64(n)
}

// collections returns for how long garbage collections stopped everything.
func collections() *family {
	g := debug.GCStats{PauseQuantiles: make([]time.Duration, 5)}
	debug.ReadGCStats(&g)
	f := newFamily(summary, "go_gc_duration_seconds", "For how long garbage collections stopped the program.", "quantile")
	for i, q := range []string{"0", "0.25", "0.5", "0.75", "1"} {
		f.set(g.PauseQuantiles[i].Seconds(), q)
	}
	whole := f.at(nil)
	whole.value, whole.count = g.PauseTotal.Seconds(), uint64(g.NumGC)
	return f
}

// ownProcess returns what the system knows of this process; nothing of what it
// does not tell.
func ownProcess(started time.Time) []*family {
	out := []*family{}
	one := func(kind, name, help string, v float64) {
		f := newFamily(kind, name, help)
		f.set(v)
		out = append(out, f)
	}
	one(gauge, "process_start_time_seconds", "Start time of the process since unix epoch in seconds.", float64(started.UnixMilli())/1000)
	if p, err := proc.Self(); err == nil {
		one(counter, "process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", p.CPU)
		one(gauge, "process_resident_memory_bytes", "Resident memory size in bytes.", float64(p.RSS))
	}
	if n := openFiles(); n > 0 {
		one(gauge, "process_max_fds", "Maximum number of open file descriptors.", float64(n))
	}
	if d, err := os.Open("/proc/self/fd"); err == nil { // Linux only
		names, err := d.Readdirnames(-1)
		_ = d.Close()
		if err == nil {
			one(gauge, "process_open_fds", "Number of open file descriptors.", float64(len(names)-1))
		}
	}
	return out
}
