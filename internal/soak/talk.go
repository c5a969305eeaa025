//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim"
)

// The people of the simulator's world that talk.
const (
	talkGroup  = 700000001
	talkPerson = 3001000001
	talkMember = 3001000002
)

// talkers are the people who write to the accounts, whatever happens to them. What
// they said is on the servers of QQ, so that none of it may be lost.
type talkers struct {
	quiet sync.RWMutex // held for writing while no talker may speak

	mu     sync.Mutex // guards the fields below
	said   map[chatKey][]int
	unsure map[chatKey]map[int]bool // nobody knows whether they were said
}

func newTalkers() *talkers {
	return &talkers{said: map[chatKey][]int{}, unsure: map[chatKey]map[int]bool{}}
}

// talk says a message in one chat rate times a second until ctx ends.
func (t *talkers) talk(ctx context.Context, sim *napcatsim.Control, k chatKey, rate int) {
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		t.quiet.RLock()
		r := napcatsim.SayRequest{User: talkPerson, Text: fmt.Sprintf("/mark %s %s %d", k.account, k.chat, n), Unheard: true}
		if k.chat == "group" {
			r.User, r.Group = talkMember, talkGroup
		}
		_, err := sim.Say(context.WithoutCancel(ctx), r)
		t.quiet.RUnlock()
		var notYet *napcatsim.NotYetError
		if errors.Is(err, napcatsim.ErrNotRunning) || errors.As(err, &notYet) {
			continue // nobody is logged in
		}
		t.mu.Lock()
		t.said[k] = append(t.said[k], n)
		if err != nil {
			if t.unsure[k] == nil {
				t.unsure[k] = map[int]bool{}
			}
			t.unsure[k][n] = true
		}
		t.mu.Unlock()
		n++
	}
}

// hush keeps everybody from speaking while f runs, and for a moment before: what
// the simulator's worker was told last is on its disk then, as on QQ's servers.
func (t *talkers) hush(ctx context.Context, f func() error) error {
	t.quiet.Lock()
	defer t.quiet.Unlock()
	pause(ctx, 400*time.Millisecond)
	return f()
}

// judge waits until handlers were given all that was said, or nothing comes any
// more, and says how each chat fared.
func (t *talkers) judge(path string) (map[chatKey]verdict, error) {
	const patience = 15 * time.Second
	out := map[chatKey]verdict{}
	handled, since := -1, time.Now()
	for {
		got, err := readLedger(path)
		if err != nil {
			return nil, err
		}
		sum, lost := 0, 0
		t.mu.Lock()
		for k, said := range t.said {
			v := judge(said, t.unsure[k], got[k])
			out[k] = v
			sum += v.handled
			lost += len(v.lost)
		}
		t.mu.Unlock()
		if sum != handled {
			handled, since = sum, time.Now()
		}
		if lost == 0 || time.Since(since) > patience {
			return out, nil
		}
		time.Sleep(200 * time.Millisecond)
	}
}
