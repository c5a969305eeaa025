package control

import (
	"slices"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// subscriberBuffer is how many items a watcher may lag behind. Beyond it items
// are dropped and the reader is told how many: a watcher must never hold up the
// daemon. The items themselves are shared by all watchers.
const subscriberBuffer = 128

// Hub hands what happens to every watcher. The zero Hub is ready. All
// methods are safe for concurrent use and none of them waits for a reader.
type Hub struct {
	mu   sync.Mutex
	subs map[*Subscription]struct{}
	want map[string]int // kind -> subscribers that want it
}

// Subscription is one watcher's queue.
type Subscription struct {
	hub     *Hub
	kinds   []string
	account string              // "": all
	ch      chan *api.WatchItem // shared by all subscribers: a thousand idle watchers cost little

	mu      sync.Mutex
	dropped int
}

// Wants reports whether anybody watches items of this kind, so that a publisher
// can spare itself the work of making one.
func (h *Hub) Wants(kind string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.want[kind] > 0
}

// Publish hands it to all watchers that want it. An item without a time gets the present
// one. The hub keeps it; nothing it points to may change afterwards.
func (h *Hub) Publish(it api.WatchItem) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.want[it.Kind] == 0 {
		return
	}
	if it.Time.IsZero() {
		it.Time = time.Now()
	}
	for s := range h.subs {
		if !s.wants(it) {
			continue
		}
		select {
		case s.ch <- &it:
		default:
			s.mu.Lock()
			s.dropped++
			s.mu.Unlock()
		}
	}
}

// Subscribe begins to collect items of the given kinds (of one account, if
// account is not empty). The caller must Close the subscription.
func (h *Hub) Subscribe(account string, kinds ...string) *Subscription {
	s := &Subscription{hub: h, kinds: kinds, account: account, ch: make(chan *api.WatchItem, subscriberBuffer)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subs == nil {
		h.subs = make(map[*Subscription]struct{})
		h.want = make(map[string]int)
	}
	h.subs[s] = struct{}{}
	for _, k := range kinds {
		h.want[k]++
	}
	return s
}

// Len returns the number of subscriptions.
func (h *Hub) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.subs)
}

func (s *Subscription) wants(it api.WatchItem) bool {
	return (s.account == "" || it.Account == "" || it.Account == s.account) && slices.Contains(s.kinds, it.Kind)
}

// C delivers the items in order; they must not be changed. It is never closed.
func (s *Subscription) C() <-chan *api.WatchItem { return s.ch }

// TakeDropped returns how many items were dropped since the last call.
func (s *Subscription) TakeDropped() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.dropped
	s.dropped = 0
	return n
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if _, ok := s.hub.subs[s]; !ok {
		return
	}
	delete(s.hub.subs, s)
	for _, k := range s.kinds {
		s.hub.want[k]--
	}
}
