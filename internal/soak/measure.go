//go:build linux

package main

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// usage is what a process uses.
type usage struct {
	rss          uint64
	cpu          time.Duration
	fds, threads int
}

func measure(pid int) (usage, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	b, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return usage{}, err
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	num := func(i int) uint64 {
		n, _ := strconv.ParseUint(f[i], 10, 64) // the kernel wrote it
		return n
	}
	u := usage{rss: num(21) * uint64(os.Getpagesize()), cpu: time.Duration(num(11)+num(12)) * 10 * time.Millisecond, threads: int(num(17))}
	fds, err := os.ReadDir(dir + "/fd")
	if err != nil {
		return usage{}, err
	}
	u.fds = len(fds)
	return u, nil
}
