//go:build linux

package main

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// kills kills ncatd n times: while all is well, while it starts, while somebody
// should log in, and while it stops. After each the account must come online
// again, with the same NapCat if that was well.
func (s *stage) kills(ctx context.Context, n int) error {
	if err := s.configure(1, fast, nil); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	st, err := s.await(ctx, "first start", 30*time.Second, online)
	if err != nil {
		return err
	}
	kept, lost := 0, 0
	for i := 1; i <= n && ctx.Err() == nil; i++ {
		moment := []string{"online", "start", "login", "stop"}[i%4]
		before := st.Accounts[0].PIDs.NapCat
		chance := time.Duration(s.rand.Int64N(int64(1500 * time.Millisecond)))
		switch moment {
		case "online":
			pause(ctx, chance)
		case "start":
			s.signal(syscall.SIGTERM)
			if err := s.gone(10 * time.Second); err != nil {
				return err
			}
			if err := s.start(); err != nil {
				return err
			}
			pause(ctx, chance)
		case "login":
			if err := s.sim(s.names[0]).Kick(ctx, "下线通知", "soak", false); err != nil {
				return fmt.Errorf("kick: %w", err)
			}
			pause(ctx, chance*2)
		case "stop":
			s.signal(syscall.SIGTERM)
			pause(ctx, chance*2)
		}
		s.signal(syscall.SIGKILL)
		if err := s.gone(5 * time.Second); err != nil {
			return err
		}
		began := time.Now()
		if err := s.start(); err != nil {
			return err
		}
		if st, err = s.await(ctx, fmt.Sprintf("kill %d (%s, %s)", i, moment, chance), 40*time.Second, online); err != nil {
			return err
		}
		same := st.Accounts[0].PIDs.NapCat == before
		if moment == "online" {
			if same {
				kept++
			} else {
				lost++
			}
		}
		fmt.Printf("kill %3d %-7s online again after %5d ms, same NapCat: %v\n", i, moment, time.Since(began).Milliseconds(), same)
	}
	fmt.Printf("killed while online: %d kept their NapCat, %d did not\n", kept, lost)
	if lost > 0 {
		return fmt.Errorf("%d healthy NapCats were not kept", lost)
	}
	return ctx.Err()
}
