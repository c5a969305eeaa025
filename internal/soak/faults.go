//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/napcatsim"
	"github.com/ncatd/ncatd/internal/napcatsim/adapter"
)

const (
	// recovery is how long the simulator itself needs, at worst, to be back after a
	// fault that asks for a new process or a new login: this time does not count
	// against ncatd.
	recovery = 6 * time.Second
	// growth is how much larger ncatd may be at the end.
	growth = 16 << 20
)

// tally is what was seen of one account.
type tally struct {
	mu              sync.Mutex
	online, allowed time.Duration
	excused         time.Time // until then being offline is no fault of ncatd
	faults          map[string]int
}

// trial is a run of faults.
type trial struct {
	*stage
	talkers *talkers
	tallies map[string]*tally
	ledger  string
	kills   int      // of ncatd
	wrong   []string // what is not as promised
}

// faults disturbs the accounts at random while people write to them.
func (s *stage) faults(ctx context.Context, accounts int, length time.Duration) error {
	t := &trial{stage: s, talkers: newTalkers(), tallies: map[string]*tally{}, ledger: filepath.Join(filepath.Dir(string(s.home)), "ledger")}
	s.env = append(s.env, ledgerEnv+"="+t.ledger)
	beat := func(int, *napcatsim.Options) string { return "    onebot: {heartbeat: 2s}\n" }
	if err := s.configure(accounts, patient, beat); err != nil {
		return err
	}
	if err := s.smallDisk(); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	if _, err := s.await(ctx, "first start", 60*time.Second, online); err != nil {
		return err
	}
	for _, n := range s.names {
		t.tallies[n] = &tally{faults: map[string]int{}}
	}
	first, err := measure(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	t.run(ctx, length)
	for _, n := range s.names {
		_ = s.sim(n).Drop(ctx, napcatsim.DropRequest{Mode: "heal"}) // it may be down: then nothing is to be healed
	}
	if _, err := s.await(context.WithoutCancel(ctx), "the end", 60*time.Second, online); err != nil {
		t.blame("%v", err)
	}
	return t.verdict(first)
}

// run disturbs and lets people talk for a while.
func (t *trial) run(ctx context.Context, length time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { t.observe(ctx) })
	for i, n := range t.names {
		group := 5
		if i == 0 {
			group = 25
		}
		wg.Go(func() { t.talkers.talk(ctx, t.sim(n), chatKey{n, "group"}, group) })
		wg.Go(func() { t.talkers.talk(ctx, t.sim(n), chatKey{n, "private"}, 3) })
	}
	report := time.Now()
	for i := 0; ctx.Err() == nil; i++ {
		pause(ctx, time.Duration(3+t.rand.IntN(5))*time.Second)
		if ctx.Err() != nil {
			return
		}
		if i%4 == 3 {
			t.strike(ctx)
		} else {
			t.disturb(ctx, t.names[t.rand.IntN(len(t.names))])
		}
		if time.Since(report) > 30*time.Second {
			report = time.Now()
			if u, err := measure(t.cmd.Process.Pid); err == nil {
				fmt.Printf("%s  RSS %d MiB, %d fds, %d threads, CPU %s\n", time.Now().Format("15:04:05"), u.rss>>20, u.fds, u.threads, u.cpu)
			}
		}
	}
}

func (t *trial) blame(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	t.wrong = append(t.wrong, text)
	fmt.Printf("%s  WRONG: %s\n", time.Now().Format("15:04:05"), text)
}

// verdict says how everything fared.
func (t *trial) verdict(first usage) error {
	chats, err := t.talkers.judge(t.ledger)
	if err != nil {
		return err
	}
	again := 0
	for k, v := range chats {
		again += v.again
		fmt.Printf("%s %s: %d said, %d handled, %d lost, %d doubled, %d out of order, %d begun and given once more\n",
			k.account, k.chat, v.said, v.handled, len(v.lost), len(v.doubled), len(v.outOfOrder), v.again)
		if len(v.lost)+len(v.doubled)+len(v.outOfOrder) > 0 {
			t.blame("%s %s: lost %s, doubled %s, out of order %s", k.account, k.chat, some(v.lost), some(v.doubled), some(v.outOfOrder))
		}
	}
	if limit := t.kills * len(chats); again > limit {
		t.blame("%d messages given once more in %d chats after %d kills", again, len(chats), t.kills)
	}
	for _, n := range t.names {
		q := t.tallies[n]
		share := 100.0
		if q.allowed > 0 {
			share = 100 * float64(q.online) / float64(q.allowed)
		}
		fmt.Printf("%s: available %.2f %%; faults %v\n", n, share, q.faults)
		if share < 99 {
			t.blame("%s: available %.2f %%", n, share)
		}
	}
	if t.kills == 0 { // the same process all the time
		last, err := t.calm(first)
		if err != nil {
			return err
		}
		fmt.Printf("ncatd: RSS %d to %d MiB, fds %d to %d\n", first.rss>>20, last.rss>>20, first.fds, last.fds)
		if last.fds > first.fds+10 || last.rss > first.rss+growth {
			t.blame("ncatd grew: RSS %d to %d MiB, fds %d to %d", first.rss>>20, last.rss>>20, first.fds, last.fds)
		}
	}
	if len(t.wrong) > 0 {
		return fmt.Errorf("not as promised: %q", t.wrong)
	}
	return nil
}

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
func (t *trial) observe(ctx context.Context) {
	last := time.Now()
	for ctx.Err() == nil {
		pause(ctx, 100*time.Millisecond)
		st, err := t.client.Status(ctx)
		now := time.Now()
		d := now.Sub(last)
		last = now
		if err != nil {
			continue
		}
		for _, a := range st.Accounts {
			q := t.tallies[a.Name]
			q.mu.Lock()
			switch {
			case a.State == api.StateOnline:
				q.online += d
				q.allowed += d
			case now.After(q.excused):
				q.allowed += d
			}
			q.mu.Unlock()
		}
	}
}

func (t *trial) excuse(name, kind string, d time.Duration) {
	q := t.tallies[name]
	q.mu.Lock()
	defer q.mu.Unlock()
	q.excused = time.Now().Add(d)
	q.faults[kind]++
}

// masters returns the NapCat of each account, 0 for one that is not online.
func (t *trial) masters(ctx context.Context) map[string]int {
	out := map[string]int{}
	st, err := t.client.Status(ctx)
	if err != nil {
		return nil
	}
	for _, a := range st.Accounts {
		if a.State == api.StateOnline {
			out[a.Name] = a.PIDs.NapCat
		}
	}
	return out
}

// disturbance is what can happen to one account.
type disturbance struct {
	kind  string
	allow time.Duration // beyond recovery
	// harmless is one for which no NapCat may be started again.
	harmless bool
	// fatal is one of which the worker dies, and with it what the simulator did not
	// write down yet.
	fatal bool
	do    func(ctx context.Context, t *trial, name string, st napcatsim.State) error
}

// disturb does one thing to an account.
func (t *trial) disturb(ctx context.Context, name string) {
	all := disturbances()
	d := all[t.rand.IntN(len(all))]
	before := t.masters(ctx)[name]
	st, err := t.sim(name).State(ctx)
	if err != nil {
		return
	}
	t.excuse(name, d.kind, recovery+d.allow)
	do := func() error { return d.do(ctx, t, name, st) }
	if d.fatal {
		err = t.talkers.hush(ctx, func() error { return errors.Join(do(), t.successor(ctx, name, st)) })
	} else {
		err = do()
	}
	if err != nil && ctx.Err() == nil {
		fmt.Printf("%s: %s: %v\n", name, d.kind, err)
	}
	if !d.harmless || before == 0 {
		return
	}
	pause(ctx, recovery)
	if now := t.masters(ctx)[name]; now != 0 && now != before {
		t.blame("%s: NapCat was started again because of %s", name, d.kind)
	}
}

// successor waits until the simulated worker is gone: what a dying one is told
// reaches no server of QQ.
func (t *trial) successor(ctx context.Context, name string, dying napcatsim.State) error {
	for deadline := time.Now().Add(2 * recovery); time.Now().Before(deadline) && ctx.Err() == nil; pause(ctx, 10*time.Millisecond) {
		if now, err := t.sim(name).State(ctx); err == nil && now.PID != dying.PID || errors.Is(err, napcatsim.ErrNotRunning) || gone(dying.PID) {
			return nil
		}
	}
	return nil
}

// gone reports whether there is no process with that number.
func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

// clients reports whether a client is connected to an adapter.
func clients(a adapter.Status) bool { return a.Clients > 0 }

// disturbances are all there are.
func disturbances() []disturbance {
	drop := func(r napcatsim.DropRequest) func(context.Context, *trial, string, napcatsim.State) error {
		return func(ctx context.Context, t *trial, name string, _ napcatsim.State) error {
			return t.sim(name).Drop(ctx, r)
		}
	}
	crash := func(r napcatsim.CrashRequest) func(context.Context, *trial, string, napcatsim.State) error {
		return func(ctx context.Context, t *trial, name string, _ napcatsim.State) error {
			return t.sim(name).Crash(ctx, r)
		}
	}
	kill := func(master bool, sig syscall.Signal) func(context.Context, *trial, string, napcatsim.State) error {
		return func(_ context.Context, _ *trial, _ string, st napcatsim.State) error {
			if master {
				return syscall.Kill(st.MasterPID, sig)
			}
			return syscall.Kill(st.PID, sig)
		}
	}
	return []disturbance{
		{kind: "kick", do: func(ctx context.Context, t *trial, name string, _ napcatsim.State) error {
			return t.sim(name).Kick(ctx, "下线通知", "soak", t.rand.IntN(2) == 0)
		}, fatal: true},
		{kind: "status20", allow: 3 * time.Second, do: func(ctx context.Context, t *trial, name string, _ napcatsim.State) error {
			if err := t.sim(name).SetOnline(ctx, false); err != nil {
				return err
			}
			pause(ctx, 3*time.Second)
			return t.sim(name).SetOnline(ctx, true)
		}},
		{kind: "worker", do: crash(napcatsim.CrashRequest{Code: 1}), fatal: true},
		{kind: "segv", do: crash(napcatsim.CrashRequest{Signal: "SEGV"}), fatal: true},
		{kind: "master", do: kill(true, syscall.SIGKILL), fatal: true},
		{kind: "halt worker", allow: 4 * time.Second, do: kill(false, syscall.SIGSTOP), fatal: true}, // two samples, and a stop
		{kind: "halt master", allow: 4 * time.Second, do: kill(true, syscall.SIGSTOP), fatal: true},
		{kind: "drop", do: drop(napcatsim.DropRequest{Mode: "close"}), harmless: true},
		{kind: "garbage", do: drop(napcatsim.DropRequest{Mode: "garbage", Count: 10_000}), harmless: true},
		{kind: "giant", do: drop(napcatsim.DropRequest{Mode: "giant", Size: 49 << 20}), harmless: true},
		{kind: "restart", do: func(ctx context.Context, t *trial, name string, _ napcatsim.State) error {
			return t.client.Restart(ctx, name)
		}, fatal: true},
		{kind: "mute", do: func(ctx context.Context, t *trial, name string, _ napcatsim.State) error {
			if err := t.sim(name).Mute(ctx, napcatsim.MuteRequest{Group: talkGroup, Seconds: 60}); err != nil {
				return err
			}
			pause(ctx, 3*time.Second)
			return t.sim(name).Mute(ctx, napcatsim.MuteRequest{Group: talkGroup, Off: true})
		}, harmless: true},
		{kind: "refuse", do: func(ctx context.Context, t *trial, name string, _ napcatsim.State) error {
			return t.sim(name).Refuse(ctx, napcatsim.RefuseRequest{Code: -1, Text: "rich media transfer failed", Count: 20})
		}, harmless: true},
		{kind: "freeze", allow: 3 * time.Second, do: func(ctx context.Context, t *trial, name string, _ napcatsim.State) error {
			return t.sim(name).Freeze(ctx, napcatsim.FreezeRequest{For: napcatsim.Duration(3 * time.Second)})
		}, harmless: true},
		{kind: "cut in the boot second", do: cutInTheBootSecond},
	}
}

// cutInTheBootSecond has the worker started again, and cuts the link as soon as it
// is up, and again.
func cutInTheBootSecond(ctx context.Context, t *trial, name string, st napcatsim.State) error {
	sim := t.sim(name)
	if err := t.talkers.hush(ctx, func() error { return sim.Crash(ctx, napcatsim.CrashRequest{Code: 1}) }); err != nil {
		return err
	}
	for deadline := time.Now().Add(recovery); time.Now().Before(deadline) && ctx.Err() == nil; pause(ctx, 20*time.Millisecond) {
		now, err := sim.State(ctx)
		if err != nil || now.PID == st.PID || !slices.ContainsFunc(now.Adapters, clients) {
			continue
		}
		if err := sim.Drop(ctx, napcatsim.DropRequest{Mode: "close"}); err != nil {
			return err
		}
		pause(ctx, time.Duration(t.rand.Int64N(int64(time.Second))))
		return sim.Drop(ctx, napcatsim.DropRequest{Mode: "close"})
	}
	return nil
}
