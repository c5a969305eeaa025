package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/ncat"
)

// fullStore is a store on a disk that may be full, or away.
type fullStore struct {
	ncat.Store
	full, away atomic.Bool
}

func (s *fullStore) View(ctx context.Context, fn func(ncat.Tx) error) error {
	if s.away.Load() {
		return errors.New("store: unable to open database file (14)")
	}
	return s.Store.View(ctx, fn)
}

func (s *fullStore) Update(ctx context.Context, fn func(ncat.Tx) error) error {
	return s.Store.Update(ctx, func(tx ncat.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		if s.full.Load() || s.away.Load() {
			return errors.New("store: database or disk is full (13)")
		}
		return nil
	})
}

// A full disk is told, and whatever happens while it is full, each thing once.
func TestAFullDiskIsTold(t *testing.T) {
	for _, away := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := &phone{}
			store := &fullStore{Store: ncat.NewMemoryStore()}
			rules := []Rule{{Channels: []string{"p"}, HoldOff: 10 * time.Second, Settle: 10 * time.Second}}
			r := run(t, store, rules, map[string]*phone{"p": p})
			r.set(online)
			time.Sleep(time.Minute)
			store.full.Store(true)
			store.away.Store(away)
			full := api.Account{Name: "main", State: api.StateOnline, Degraded: []api.Degraded{{Code: api.CodeDiskLow}}}
			r.set(full)
			time.Sleep(time.Hour)
			if got := p.titles(); len(got) != 1 || !strings.Contains(got[0], "disk_low") {
				t.Errorf("away %v: told %q of a full disk", away, got)
			}
			failed := full
			failed.State = api.StateFailed
			r.set(failed)
			time.Sleep(time.Hour)
			if got := p.titles(); len(got) != 2 || !strings.Contains(got[1], "alert.kind.failed") {
				t.Errorf("away %v: told %q of an account that failed then", away, got)
			}
			if log, err := r.Log(t.Context()); err != nil || len(log) != 2 {
				t.Errorf("away %v: a log of %d, %v", away, len(log), err)
			}
			store.full.Store(false)
			store.away.Store(false)
			time.Sleep(time.Minute) // nothing happens, and what is in memory goes down
			r.stop()
			r = run(t, store, rules, map[string]*phone{"p": p})
			defer r.stop()
			r.set(failed)
			time.Sleep(time.Hour)
			if got := p.titles(); len(got) != 2 {
				t.Errorf("away %v: the next ncatd told %q", away, got)
			}
			if log, err := r.Log(t.Context()); err != nil || len(log) != 2 {
				t.Errorf("away %v: the next one has a log of %d, %v", away, len(log), err)
			}
			r.set(online)
			time.Sleep(time.Hour)
			if got := p.titles(); len(got) != 3 || !strings.Contains(got[2], "alert.resolved") {
				t.Errorf("away %v: told %q at the end", away, got)
			}
		})
	}
}

// A message that was written before the disk was full is sent once.
func TestADiskThatIsFullAfterwardsDoublesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &phone{broken: &Error{Problem: ProblemUnreachable}}
		store := &fullStore{Store: ncat.NewMemoryStore()}
		r := run(t, store, []Rule{{Channels: []string{"p"}}}, map[string]*phone{"p": p})
		defer r.stop()
		r.set(waits)
		time.Sleep(time.Minute)
		store.full.Store(true)
		p.breaks(nil)
		time.Sleep(3 * time.Hour)
		if got := p.titles(); len(got) != 1 {
			t.Errorf("told %q", got)
		}
	})
}

// What cannot be read at the start keeps nobody from being told.
func TestAStoreThatCannotBeReadIsDoneWithout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &phone{}
		store := &fullStore{Store: ncat.NewMemoryStore()}
		store.away.Store(true)
		r := run(t, store, []Rule{{Channels: []string{"p"}}}, map[string]*phone{"p": p})
		defer r.stop()
		r.set(waits)
		time.Sleep(time.Hour)
		if got := p.titles(); len(got) != 1 {
			t.Errorf("told %q", got)
		}
	})
}

func TestWhatIsInMemoryIsBounded(t *testing.T) {
	below := &fullStore{Store: ncat.NewMemoryStore()}
	s := NewStore(below, slog.New(slog.DiscardHandler))
	put := func(key string) error {
		return s.Update(t.Context(), func(tx ncat.Tx) error { return tx.Put(key, nil, 0) })
	}
	below.full.Store(true)
	err := s.Update(t.Context(), func(tx ncat.Tx) error {
		for i := range maxSpare {
			if err := tx.Put(fmt.Sprint(i), nil, 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := put("more"); err == nil {
		t.Error("more is kept than there may be")
	}
	below.full.Store(false)
	if err := put("more"); err != nil || s.Spare() {
		t.Errorf("%v, and in memory still", err)
	}
	n := 0
	_ = below.View(t.Context(), func(tx ncat.Tx) error {
		return tx.Scan("", func(string, []byte) error { n++; return nil })
	})
	if n != maxSpare+1 {
		t.Errorf("%d of %d were written", n, maxSpare+1)
	}
}

// picky is a channel that refuses what speaks of some account.
type picky struct{ phone }

func (p *picky) Send(ctx context.Context, t Text) error {
	if strings.Contains(t.Body, "bad") {
		return &Error{Problem: ProblemRefused, Detail: "not these words"}
	}
	return p.phone.Send(ctx, t)
}

// One message that a service refuses does not keep back those behind it.
func TestARefusedMessageKeepsNoneBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &picky{}
		r := run(t, ncat.NewMemoryStore(), []Rule{{Channels: []string{"p"}}}, map[string]*phone{"p": {}})
		defer r.stop()
		r.senders[0].channel = p
		bad := api.Account{Name: "bad", State: api.StateFailed}
		r.set(bad)
		time.Sleep(time.Hour)
		r.set(bad, waits)
		time.Sleep(time.Minute)
		if got := p.titles(); len(got) != 1 || !strings.Contains(got[0], "main") {
			t.Errorf("told %q", got)
		}
		if c, err := r.Channels(t.Context()); err != nil || c[0].Waiting != 1 {
			t.Errorf("channels: %+v, %v", c, err)
		}
	})
}

func decode(t *testing.T, b []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

// Nothing waits for the time that a clock showed before it was put back.
func TestAClockThatIsPutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &phone{broken: &Error{Problem: ProblemUnreachable}}
		store := ncat.NewMemoryStore()
		r := run(t, store, []Rule{{Channels: []string{"p"}, HoldOff: time.Minute, Settle: time.Minute}}, map[string]*phone{"p": p})
		r.set(waits)
		time.Sleep(2 * time.Minute)
		r.stop()
		back := -8 * time.Hour
		shift := func(key string, change func(v []byte) any) {
			err := store.Update(t.Context(), func(tx ncat.Tx) error {
				return tx.Scan(key, func(k string, v []byte) error { return ncat.PutTx(tx, k, change(v), 0) })
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		shift(prefixOut, func(v []byte) any {
			var w row
			decode(t, v, &w)
			w.Next = w.Next.Add(-back)
			return w
		})
		shift(keyState, func(v []byte) any {
			var st State
			decode(t, v, &st)
			for _, o := range st.Open {
				o.Condition.Since, o.Told = o.Condition.Since.Add(-back), time.Time{}
			}
			return st
		})
		p.breaks(nil)
		r = run(t, store, []Rule{{Channels: []string{"p"}, HoldOff: time.Minute, Settle: time.Minute}}, map[string]*phone{"p": p})
		defer r.stop()
		r.set(waits)
		time.Sleep(2 * time.Minute)
		if got := p.titles(); len(got) != 2 {
			t.Errorf("told %q: one was in the outbox, one to be told", got)
		}
	})
}
