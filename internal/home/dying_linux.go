package home

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// dying reports whether a process has been killed or is exiting, but may still
// hold its locks: the kernel gives them up when its last thread is gone.
func dying(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return os.IsNotExist(err)
	}
	// "pid (name) state ppid pgrp session tty tpgid flags …"; a name may hold
	// anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 7 {
		return false
	}
	const exiting = 0x4 // PF_EXITING
	if flags, err := strconv.ParseUint(string(fields[6]), 10, 64); err == nil && flags&exiting != 0 {
		return true
	}
	if s := fields[0][0]; s == 'Z' || s == 'X' {
		return true
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return os.IsNotExist(err)
	}
	for line := range bytes.Lines(status) {
		key, value, _ := bytes.Cut(line, []byte(":"))
		if k := string(key); k != "SigPnd" && k != "ShdPnd" {
			continue
		}
		const killed = 1 << (9 - 1) // SIGKILL
		if set, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 16, 64); err == nil && set&killed != 0 {
			return true
		}
	}
	return false
}
