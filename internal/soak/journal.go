//go:build linux

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim"
)

// journal kills ncatd n times at random moments while a message comes every 50 ms:
// each is given to handlers and answered once, in order, but for the one that was
// begun when ncatd was killed, which comes once more and says so.
func (s *stage) journal(ctx context.Context, n int) error {
	ledger := filepath.Join(filepath.Dir(string(s.home)), "ledger")
	s.env = append(s.env, ledgerEnv+"="+ledger)
	if err := s.configure(1, patient, nil); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	if _, err := s.await(ctx, "first start", 60*time.Second, online); err != nil {
		return err
	}
	k := chatKey{s.names[0], "group"}
	sim := s.sim(k.account)
	people := newTalkers()
	tctx, hush := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { people.talk(tctx, sim, k, 20) })
	err := s.killed(ctx, n)
	hush()
	wg.Wait()
	if err != nil {
		return err
	}
	chats, err := people.judge(ledger)
	if err != nil {
		return err
	}
	v := chats[k]
	twice, missing, err := answers(ctx, sim, k, people.said[k])
	if err != nil {
		return err
	}
	fmt.Printf("%d kills: %d messages said, %d handled, %d lost, %d doubled, %d out of order, %d begun and given once more; %d not answered, %d answered twice\n",
		n, v.said, v.handled, len(v.lost), len(v.doubled), len(v.outOfOrder), v.again, len(missing), len(twice))
	if len(v.lost)+len(v.doubled)+len(v.outOfOrder)+len(missing) > 0 || v.again > n || len(twice) > v.again {
		return fmt.Errorf("not as promised: lost %s, doubled %s, out of order %s, not answered %s, answered twice %s", some(v.lost), some(v.doubled), some(v.outOfOrder), some(missing), some(twice))
	}
	return nil
}

// killed kills ncatd n times and starts it again each time.
func (s *stage) killed(ctx context.Context, n int) error {
	for i := 1; i <= n; i++ {
		pause(ctx, time.Duration(s.rand.Int64N(int64(1500*time.Millisecond))))
		s.signal(syscall.SIGKILL)
		if err := s.gone(5 * time.Second); err != nil {
			return err
		}
		if err := s.start(); err != nil {
			return err
		}
		if _, err := s.await(ctx, fmt.Sprintf("kill %d", i), 40*time.Second, online); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// answers returns which messages the bot answered more than once, and which never.
func answers(ctx context.Context, sim *napcatsim.Control, k chatKey, said []int) (twice, missing []int, err error) {
	sent, err := sim.Sent(ctx, 0)
	if err != nil {
		return nil, nil, err
	}
	times := map[int]int{}
	prefix := "marked " + k.account + " " + k.chat + " "
	for _, m := range sent {
		if _, rest, ok := strings.Cut(m.Text, prefix); ok {
			if i, err := strconv.Atoi(rest); err == nil {
				times[i]++
			}
		}
	}
	for _, i := range said {
		switch {
		case times[i] == 0:
			missing = append(missing, i)
		case times[i] > 1:
			twice = append(twice, i)
		}
	}
	return twice, missing, nil
}
