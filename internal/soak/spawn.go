//go:build linux

package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// late is how much later than the policy's pause a new process may come.
const late = 50 * time.Millisecond

// spawn kills NapCat's master n times in a row, as soon as it is there, and
// looks when the next one comes: within the pause, which doubles up to max, and
// 50 ms. Above the score limit the account must be failed, with a diagnosis.
func (s *stage) spawn(ctx context.Context, n int) error {
	const initial, longest = time.Second, 4 * time.Second
	if err := s.configure(1, "  restart: {initial: 1s, max: 4s}\n  stop_timeout: 4s\n", nil); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	st, err := s.await(ctx, "first start", 30*time.Second, online)
	if err != nil {
		return err
	}
	pid, failed := st.Accounts[0].PIDs.NapCat, 0
	for i := 1; i <= n && ctx.Err() == nil; i++ {
		killed := time.Now()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return err
		}
		next := 0
		for next == 0 && time.Since(killed) < time.Minute {
			for _, p := range s.watched.now()[s.names[0]] {
				if p != pid {
					next = p
				}
			}
			pause(ctx, time.Millisecond)
		}
		took := time.Since(killed)
		if next == 0 {
			return fmt.Errorf("kill %d: no new process within a minute", i)
		}
		pid = next
		most := min(initial<<(i-1), longest) + late
		st, err := s.client.Status(ctx)
		if err != nil {
			return err
		}
		seen := api.Transition{}
		for _, h := range st.Accounts[0].History {
			if h.State == api.StateBackoff || h.State == api.StateFailed {
				seen = h
			}
		}
		if seen.State == api.StateFailed {
			failed++
		}
		fmt.Printf("kill %2d: new process after %4d ms, at most %d; %s (%s): %s\n", i, took.Milliseconds(), most.Milliseconds(), seen.State, seen.Reason, seen.Detail)
		if took > most {
			return fmt.Errorf("kill %d: %s late", i, took-most)
		}
	}
	if n > 7 && failed == 0 {
		return fmt.Errorf("%d kills and never failed", n)
	}
	_, err = s.await(ctx, "online in the end", 30*time.Second, online)
	return err
}
