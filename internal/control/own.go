package control

import (
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/ncatd/ncatd/internal/proc"
)

// single is a family of one series without labels.
type single struct {
	kind, name, help string
	value            float64
}

func (s single) family() *family {
	f := newFamily(s.kind, s.name, s.help)
	f.set(s.value)
	return f
}

// ownFamilies returns what every Go program tells Prometheus of itself, under the
// names that its official client uses and dashboards know.
func ownFamilies(started time.Time) []*family {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	version := newFamily(gauge, "go_info", "Information about the Go environment.", "version")
	version.set(1, runtime.Version())
	out := []*family{version, collections()}
	for _, x := range []single{
		{gauge, "go_goroutines", "Number of goroutines that currently exist.", float64(runtime.NumGoroutine())},
		{gauge, "go_threads", "Number of OS threads that live.", threads()},
		{gauge, "go_sched_gomaxprocs_threads", "How many threads run Go code at once.", float64(runtime.GOMAXPROCS(0))},
		{gauge, "go_memstats_alloc_bytes", "Number of bytes allocated in heap and currently in use.", float64(m.Alloc)},
		{counter, "go_memstats_alloc_bytes_total", "Total number of bytes allocated in heap, even if released already.", float64(m.TotalAlloc)},
		{gauge, "go_memstats_sys_bytes", "Number of bytes obtained from the system.", float64(m.Sys)},
		{counter, "go_memstats_mallocs_total", "Total number of heap objects allocated, both live and gc-ed.", float64(m.Mallocs)},
		{counter, "go_memstats_frees_total", "Total number of heap objects freed.", float64(m.Frees)},
		{gauge, "go_memstats_heap_alloc_bytes", "Number of heap bytes allocated and currently in use.", float64(m.HeapAlloc)},
		{gauge, "go_memstats_heap_sys_bytes", "Number of heap bytes obtained from the system.", float64(m.HeapSys)},
		{gauge, "go_memstats_heap_idle_bytes", "Number of heap bytes waiting to be used.", float64(m.HeapIdle)},
		{gauge, "go_memstats_heap_inuse_bytes", "Number of heap bytes that are in use.", float64(m.HeapInuse)},
		{gauge, "go_memstats_heap_released_bytes", "Number of heap bytes released to the system.", float64(m.HeapReleased)},
		{gauge, "go_memstats_heap_objects", "Number of currently allocated objects.", float64(m.HeapObjects)},
		{gauge, "go_memstats_stack_inuse_bytes", "Number of bytes used for stacks.", float64(m.StackInuse)},
		{gauge, "go_memstats_stack_sys_bytes", "Number of bytes obtained from the system for stacks.", float64(m.StackSys)},
		{gauge, "go_memstats_next_gc_bytes", "Number of heap bytes when the next garbage collection takes place.", float64(m.NextGC)},
		{gauge, "go_memstats_last_gc_time_seconds", "When the last garbage collection ended.", float64(m.LastGC) / 1e9},
	} {
		out = append(out, x.family())
	}
	for _, x := range ownProcess(started) {
		out = append(out, x.family())
	}
	return out
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
func ownProcess(started time.Time) []single {
	out := []single{}
	out = append(out, single{gauge, "process_start_time_seconds", "Start time of the process since unix epoch in seconds.", float64(started.UnixMilli()) / 1000})
	if p, err := proc.Self(); err == nil {
		out = append(out, single{counter, "process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", p.CPU})
		out = append(out, single{gauge, "process_resident_memory_bytes", "Resident memory size in bytes.", float64(p.RSS)})
	}
	if n := openFiles(); n > 0 {
		out = append(out, single{gauge, "process_max_fds", "Maximum number of open file descriptors.", float64(n)})
	}
	if d, err := os.Open("/proc/self/fd"); err == nil { // Linux only
		names, err := d.Readdirnames(-1)
		_ = d.Close()
		if err == nil {
			out = append(out, single{gauge, "process_open_fds", "Number of open file descriptors.", float64(len(names) - 1)})
		}
	}
	return out
}
