package ncattest_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
)

// sharedStore is one of several processes: it tells of each change.
type sharedStore struct {
	ncat.Store
	told   chan struct{}
	broken atomic.Bool // cannot be read
}

func (s *sharedStore) Update(ctx context.Context, fn func(ncat.Tx) error) error {
	defer func() {
		select {
		case s.told <- struct{}{}:
		default:
		}
	}()
	return s.Store.Update(ctx, fn)
}

func (s *sharedStore) View(ctx context.Context, fn func(ncat.Tx) error) error {
	if s.broken.Load() {
		return errors.New("away")
	}
	return s.Store.View(ctx, fn)
}

func (s *sharedStore) Watch(ctx context.Context, changed func() error) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.told:
		}
		for changed() != nil {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
		}
	}
}

// What another process of the same bot writes into the store they share holds
// here: grants, denials and switches of plugins.
func TestChangesOfOtherProcesses(t *testing.T) {
	var mu sync.Mutex
	stores := map[string]*sharedStore{}
	space := func(id string) ncat.Store {
		mu.Lock()
		defer mu.Unlock()
		if stores[id] == nil {
			stores[id] = &sharedStore{Store: ncat.NewMemoryStore(), told: make(chan struct{}, 1)}
		}
		return stores[id]
	}
	here, other := permissionBot(space), permissionBot(space)
	ncattest.Run(t, here, func(h *ncattest.Harness) {
		alice := h.InGroup(100, 1)
		can := func(command, answer string) {
			t.Helper()
			synctest.Wait()
			alice.Says(command)
			if h.Want(answer); t.Failed() {
				t.FailNow()
			}
		}
		const denied = "you may not use this command"
		can("/edit page", denied)
		do := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		ctx := h.Context()
		do(other.Permissions().Grant(ctx, "editor", ncat.Scope{User: 1}))
		can("/edit page", "edited")
		do(other.Permissions().DenyCommand(ctx, "edit page", ncat.Scope{Group: 100}))
		synctest.Wait()
		alice.Says("/edit page")
		h.WantNothing()
		do(other.Permissions().AllowCommand(ctx, "edit page", ncat.Scope{Group: 100}))
		can("/edit page", "edited")
		do(other.Permissions().Revoke(ctx, "editor", ncat.Scope{User: 1}))
		can("/edit page", denied)

		can("/points", denied)
		do(other.SetPlugin(ctx, "points", false))
		synctest.Wait()
		alice.Says("/points")
		h.WantNothing()
		// A store that cannot be read at that moment is looked at again, and what held
		// goes on.
		switches := space("ncat.plugins").(*sharedStore)
		switches.broken.Store(true)
		do(other.SetPlugin(ctx, "points", true))
		synctest.Wait()
		alice.Says("/points")
		h.WantNothing()
		switches.broken.Store(false)
		h.Pass(time.Second)
		can("/points", denied)
	})
}
