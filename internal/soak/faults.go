//go:build linux

package main

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/napcatsim"
)

// recovery is how long the simulator itself needs, at worst, to be back after a
// fault that asks for a new process or a new login: this time does not count
// against ncatd.
const recovery = 6 * time.Second

// tally is what was seen of one account.
type tally struct {
	mu                    sync.Mutex
	online, allowed       time.Duration
	excused               time.Time // until then being offline is no fault of ncatd
	asked, answered       int
	lost, doubled, unsure int
	faults                map[string]int
}

// faults disturbs the accounts at random and lets people write to them.
func (s *stage) faults(ctx context.Context, accounts int, length time.Duration) error {
	beat := func(int, *napcatsim.Options) string { return "    onebot: {heartbeat: 2s}\n" }
	if err := s.configure(accounts, fast, beat); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	if _, err := s.await(ctx, "first start", 30*time.Second, online); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	tallies := make(map[string]*tally)
	for _, n := range s.names {
		tallies[n] = &tally{faults: make(map[string]int)}
	}
	var wg sync.WaitGroup
	wg.Go(func() { s.observe(ctx, tallies) })
	for _, n := range s.names {
		wg.Go(func() { s.talk(ctx, n, tallies[n]) })
	}
	first, err := measure(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	report := time.Now()
	for ctx.Err() == nil {
		pause(ctx, time.Duration(5+s.rand.IntN(10))*time.Second)
		name := s.names[s.rand.IntN(len(s.names))]
		s.disturb(ctx, name, tallies[name])
		if time.Since(report) > 30*time.Second {
			report = time.Now()
			if u, err := measure(s.cmd.Process.Pid); err == nil {
				fmt.Printf("%s  RSS %d MiB, %d fds, %d threads, CPU %s\n", time.Now().Format("15:04:05"), u.rss>>20, u.fds, u.threads, u.cpu)
			}
		}
	}
	wg.Wait()
	last, err := s.calm(first)
	if err != nil {
		return err
	}
	fmt.Printf("ncatd: RSS %d to %d MiB, fds %d to %d\n", first.rss>>20, last.rss>>20, first.fds, last.fds)
	var bad []string
	for _, n := range s.names {
		t := tallies[n]
		share := 100.0
		if t.allowed > 0 {
			share = 100 * float64(t.online) / float64(t.allowed)
		}
		fmt.Printf("%s: available %.2f %%, %d messages answered of %d, %d lost, %d doubled, %d in the midst of a fault; faults %v\n", n, share, t.answered, t.asked, t.lost, t.doubled, t.unsure, t.faults)
		if share < 99 || t.lost > 0 || t.doubled > 0 {
			bad = append(bad, n)
		}
	}
	if last.fds > first.fds+10 {
		bad = append(bad, "fds")
	}
	if last.rss > first.rss+growth {
		bad = append(bad, "RSS")
	}
	if len(bad) > 0 {
		return fmt.Errorf("not as promised: %v", bad)
	}
	return nil
}

// growth is how much larger ncatd may be at the end.
const growth = 16 << 20

// calm measures ncatd when it had time to give the memory of the last giant
// frames back: Go's collector lets an idle process wait for up to two minutes.
func (s *stage) calm(first usage) (usage, error) {
	for deadline := time.Now().Add(150 * time.Second); ; {
		u, err := measure(s.cmd.Process.Pid)
		if err != nil || u.rss <= first.rss+growth || time.Now().After(deadline) {
			return u, err
		}
		time.Sleep(time.Second)
	}
}

// observe adds up the time online.
func (s *stage) observe(ctx context.Context, tallies map[string]*tally) {
	last := time.Now()
	for ctx.Err() == nil {
		pause(ctx, 100*time.Millisecond)
		st, err := s.client.Status(ctx)
		now := time.Now()
		d := now.Sub(last)
		last = now
		if err != nil {
			continue
		}
		for _, a := range st.Accounts {
			t := tallies[a.Name]
			t.mu.Lock()
			switch {
			case a.State == api.StateOnline:
				t.online += d
				t.allowed += d
			case now.After(t.excused):
				t.allowed += d
			}
			t.mu.Unlock()
		}
	}
}

// talk writes to one account, a message at a time, and counts the answers.
func (s *stage) talk(ctx context.Context, name string, t *tally) {
	sim := s.sim(name)
	for i := 0; ctx.Err() == nil; i++ {
		pause(ctx, 300*time.Millisecond)
		if !s.settled(ctx, name, t) {
			continue
		}
		began := time.Now()
		r, err := sim.Say(ctx, napcatsim.SayRequest{User: 3001000001, Text: fmt.Sprintf("/echo %s-%d", name, i),
			Wait: napcatsim.Duration(3 * time.Second), Quiet: napcatsim.Duration(300 * time.Millisecond)})
		if ctx.Err() != nil {
			return
		}
		t.mu.Lock()
		disturbed := t.excused.After(began)
		t.asked++
		switch {
		case len(r.Answers) == 1:
			t.answered++
		case len(r.Answers) > 1:
			t.doubled++
			fmt.Printf("%s: %d answers to message %d\n", name, len(r.Answers), i)
		case disturbed:
			t.unsure++
		default:
			t.lost++
			fmt.Printf("%s: no answer to message %d (%v)\n", name, i, err)
		}
		t.mu.Unlock()
	}
}

// settled reports whether the account is online and was not disturbed lately.
func (s *stage) settled(ctx context.Context, name string, t *tally) bool {
	t.mu.Lock()
	excused := time.Now().Before(t.excused)
	t.mu.Unlock()
	if excused {
		return false
	}
	st, err := s.client.Status(ctx)
	if err != nil {
		return false
	}
	for _, a := range st.Accounts {
		if a.Name == name {
			return a.State == api.StateOnline
		}
	}
	return false
}

// disturb does one thing to an account.
func (s *stage) disturb(ctx context.Context, name string, t *tally) {
	sim := s.sim(name)
	kinds := []string{"kick", "status20", "worker", "segv", "master", "halt worker", "halt master", "drop", "garbage", "giant", "restart"}
	kind := kinds[s.rand.IntN(len(kinds))]
	allow := recovery
	switch kind {
	case "halt worker", "halt master":
		allow += 4 * time.Second // two samples, and a stop
	case "status20":
		allow += 3 * time.Second
	}
	t.mu.Lock()
	t.excused = time.Now().Add(allow)
	t.faults[kind]++
	t.mu.Unlock()
	st, err := sim.State(ctx)
	if err != nil {
		return
	}
	switch kind {
	case "kick":
		err = sim.Kick(ctx, "下线通知", "soak", s.rand.IntN(2) == 0)
	case "status20":
		if err = sim.SetOnline(ctx, false); err == nil {
			pause(ctx, 3*time.Second)
			err = sim.SetOnline(ctx, true)
		}
	case "worker":
		err = sim.Crash(ctx, napcatsim.CrashRequest{Code: 1})
	case "segv":
		err = sim.Crash(ctx, napcatsim.CrashRequest{Signal: "SEGV"})
	case "master":
		err = syscall.Kill(st.MasterPID, syscall.SIGKILL)
	case "halt worker":
		err = syscall.Kill(st.PID, syscall.SIGSTOP)
	case "halt master":
		err = syscall.Kill(st.MasterPID, syscall.SIGSTOP)
	case "drop":
		err = sim.Drop(ctx, napcatsim.DropRequest{Mode: "close"})
	case "garbage":
		err = sim.Drop(ctx, napcatsim.DropRequest{Mode: "garbage", Count: 10_000})
	case "giant":
		err = sim.Drop(ctx, napcatsim.DropRequest{Mode: "giant", Size: 49 << 20})
	case "restart":
		err = s.client.Restart(ctx, name)
	}
	if err != nil && ctx.Err() == nil {
		fmt.Printf("%s: %s: %v\n", name, kind, err)
	}
}
