//go:build !linux

package main

import (
	"time"

	"github.com/shirou/gopsutil/v3/process"
)

// cpuTime returns the processor time that p has used.
func cpuTime(p *process.Process) (time.Duration, error) {
	t, err := p.Times()
	if err != nil {
		return 0, err
	}
	return time.Duration((t.User + t.System) * float64(time.Second)), nil
}
