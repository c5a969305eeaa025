//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/napcatsim"
)

// many runs accounts of which the last but one crashes for ever and the last
// waits for a scan that never comes; the others must be online soon, and ncatd
// must be small and quiet then: 60 MiB and 1 % of a core, with one account
// 40 MiB and 0.5 %.
func (s *stage) many(ctx context.Context, accounts int) error {
	well := accounts
	if accounts > 2 {
		well = accounts - 2
	}
	err := s.configure(accounts, "  stop_timeout: 4s\n", func(i int, o *napcatsim.Options) string {
		switch {
		case i < well:
		case i == accounts-2:
			after := napcatsim.Duration(200 * time.Millisecond)
			o.CrashAfter = &after
		default:
			return "    env: {" + napcatsim.ScanAfterEnv + ": \"off\"}\n"
		}
		return ""
	})
	if err != nil {
		return err
	}
	began := time.Now()
	if err := s.start(); err != nil {
		return err
	}
	if _, err = s.await(ctx, "accounts online", time.Minute, func(st api.Status) bool {
		return len(st.Accounts) == accounts && online(api.Status{Accounts: st.Accounts[:well]})
	}); err != nil {
		return err
	}
	took := time.Since(began)
	fmt.Printf("%d accounts online after %s\n", well, took.Round(time.Millisecond))
	pause(ctx, 10*time.Second)
	a, err := measure(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	window, maxRSS, maxCPU := 20*time.Second, uint64(60), 1.0
	if accounts == 1 {
		window, maxRSS, maxCPU = 30*time.Second, 40, 0.5
	}
	pause(ctx, window)
	b, err := measure(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	cpu := (b.cpu - a.cpu).Seconds() / window.Seconds() * 100
	fmt.Printf("ncatd idle: %d MiB RSS, %.2f %% of a core, %d threads, %d fds\n", b.rss>>20, cpu, b.threads, b.fds)
	st, err := s.client.Status(ctx)
	if err != nil {
		return err
	}
	for _, acc := range st.Accounts {
		fmt.Printf("  %s %s (%s) restarts %d\n", acc.Name, acc.State, acc.Reason, acc.Restarts)
	}
	switch {
	case took > 15*time.Second:
		return fmt.Errorf("not online within 15 s")
	case b.rss > maxRSS<<20:
		return fmt.Errorf("more than %d MiB", maxRSS)
	case cpu > maxCPU:
		return fmt.Errorf("more than %g %% of a core", maxCPU)
	}
	return nil
}
