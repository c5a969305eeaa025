package main

import (
	"time"

	"github.com/shirou/gopsutil/v3/process"
	"golang.org/x/sys/unix"
)

// cpuTime returns the processor time that p has used, by its own clock
// (clock_getcpuclockid): the one in /proc counts in steps of 10 ms.
func cpuTime(p *process.Process) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED
	var t unix.Timespec
	err := unix.ClockGettime(^p.Pid<<3|scheduled, &t)
	return time.Duration(t.Nano()), err
}
