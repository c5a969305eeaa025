//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ncatd/ncatd/internal/control/api"
)

// What a machine that runs short is to be worth.
const (
	fewFiles   = 128
	shareOfCPU = 0.05 // of a core, while nothing can be done
	backWithin = 90 * time.Second
	smallDisk  = "64m"
)

// shortage is something that a machine runs out of. impose takes it away from a
// daemon that runs and returns what brings it back, or why it cannot be tried
// here.
type shortage struct {
	name   string
	impose func(s *stage) (lift func() error, skip string, err error)
}

var shortages = []shortage{
	{"128 descriptors", func(s *stage) (func() error, string, error) { return s.limit(unix.RLIMIT_NOFILE, fewFiles) }},
	{"no descriptors", func(s *stage) (func() error, string, error) {
		u, err := measure(s.cmd.Process.Pid)
		if err != nil {
			return nil, "", err
		}
		return s.limit(unix.RLIMIT_NOFILE, uint64(u.fds))
	}},
	{"no processes", func(s *stage) (func() error, string, error) {
		if os.Geteuid() == 0 {
			return nil, "root's processes are not limited: run it as another user", nil
		}
		return s.limit(unix.RLIMIT_NPROC, 1)
	}},
	{"no memory", func(s *stage) (func() error, string, error) {
		vsize, err := addressSpace(s.cmd.Process.Pid)
		if err != nil {
			return nil, "", err
		}
		return s.limit(unix.RLIMIT_AS, vsize+16<<20)
	}},
	{"full disk", (*stage).fillDisk},
}

// limits takes from a daemon with accounts one thing after the other, ends a
// NapCat meanwhile, and gives it back: no account is lost, no second copy runs,
// nothing spins, and all are online again by themselves. A daemon that dies, as
// Go's do without memory, is started again as the unit does.
func (s *stage) limits(ctx context.Context, accounts int, each time.Duration) error {
	if err := s.ownDisk(); err != nil {
		return err
	}
	if err := s.configure(accounts, fast, nil); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	if _, err := s.await(ctx, "first start", 60*time.Second, online); err != nil {
		return err
	}
	for _, short := range shortages {
		lift, skip, err := short.impose(s)
		if err != nil {
			return fmt.Errorf("%s: %w", short.name, err)
		}
		if skip != "" {
			fmt.Printf("%-16s skipped: %s\n", short.name, skip)
			continue
		}
		share, deaths, err := s.endure(ctx, each)
		if err = errors.Join(err, lift()); err != nil {
			return fmt.Errorf("%s: %w", short.name, err)
		}
		began := time.Now()
		st, err := s.awaitBack(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", short.name, err)
		}
		if n := len(st.Accounts); n != accounts {
			return fmt.Errorf("%s: %d accounts of %d are left", short.name, n, accounts)
		}
		fmt.Printf("%-16s %4.1f %% of a core, ncatd ended %d times, all online %.1f s after it was over\n", short.name, 100*share, deaths, time.Since(began).Seconds())
		if share > shareOfCPU {
			return fmt.Errorf("%s: %.1f %% of a core is more than %.0f %%", short.name, 100*share, 100*shareOfCPU)
		}
	}
	return ctx.Err()
}

// endure ends the first account's NapCat and measures what the daemon makes of it
// in the second half of a time.
func (s *stage) endure(ctx context.Context, length time.Duration) (share float64, deaths int, err error) {
	for _, pid := range s.watched.now()[s.names[0]] {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
	}
	half := time.Now().Add(length / 2)
	var first usage
	var since time.Time
	for end := time.Now().Add(length); time.Now().Before(end) && ctx.Err() == nil; pause(ctx, 100*time.Millisecond) {
		select {
		case <-s.exited:
			deaths++
			since = time.Time{}
			pause(ctx, time.Second) // RestartSec
			if err := s.start(); err != nil {
				return 0, deaths, err
			}
		default:
		}
		if since.IsZero() && time.Now().After(half) {
			if first, err = measure(s.cmd.Process.Pid); err != nil {
				continue // it ended just now
			}
			since = time.Now()
		}
	}
	if since.IsZero() {
		return 0, deaths, nil
	}
	last, err := measure(s.cmd.Process.Pid)
	if err != nil {
		return 0, deaths, nil // likewise
	}
	return (last.cpu - first.cpu).Seconds() / time.Since(since).Seconds(), deaths, nil
}

// awaitBack waits until all accounts are online, starting a daemon that died.
func (s *stage) awaitBack(ctx context.Context) (api.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, backWithin)
	defer cancel()
	for {
		st, err := s.await(ctx, "back", backWithin, online)
		if err == nil || ctx.Err() != nil {
			return st, err
		}
		if err := s.start(); err != nil {
			return st, err
		}
	}
}

// limit sets a soft limit of the daemon, and what brings the old one back.
func (s *stage) limit(what int, n uint64) (lift func() error, skip string, err error) {
	pid := s.cmd.Process.Pid
	var was unix.Rlimit
	if err := unix.Prlimit(pid, what, nil, &was); err != nil {
		return nil, "", err
	}
	if err := unix.Prlimit(pid, what, &unix.Rlimit{Cur: min(n, was.Max), Max: was.Max}, nil); err != nil {
		return nil, "", err
	}
	return func() error {
		err := unix.Prlimit(pid, what, &was, nil)
		if errors.Is(err, unix.ESRCH) {
			return nil // it died; its successor has no such limit
		}
		return err
	}, "", nil
}

// addressSpace is a process's, in bytes.
func addressSpace(pid int) (uint64, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0, err
	}
	pages, err := strconv.ParseUint(strings.Fields(string(b))[0], 10, 64)
	return pages * uint64(os.Getpagesize()), err
}

// ownDisk gives the home a small disk of its own, where that is allowed.
func (s *stage) ownDisk() error {
	if err := s.home.Make(); err != nil || os.Geteuid() != 0 {
		return err
	}
	if err := unix.Mount("tmpfs", string(s.home), "tmpfs", 0, "mode=0700,size="+smallDisk); err != nil {
		fmt.Println("no disk of its own:", err)
		return nil
	}
	s.unmount = func() error { return unix.Unmount(string(s.home), unix.MNT_DETACH) }
	return nil
}

// fillDisk fills that disk.
func (s *stage) fillDisk() (lift func() error, skip string, err error) {
	if s.unmount == nil {
		return nil, "only root can mount a small disk", nil
	}
	path := filepath.Join(string(s.home), "filling")
	f, err := os.Create(path)
	if err != nil {
		return nil, "", err
	}
	block := make([]byte, 64<<10)
	for len(block) > 0 {
		if _, err = f.Write(block); err != nil {
			block = block[:len(block)/2] // to the last byte
		}
	}
	if !errors.Is(err, unix.ENOSPC) {
		return nil, "", errors.Join(err, f.Close())
	}
	return func() error { return errors.Join(f.Close(), os.Remove(path)) }, "", nil
}
