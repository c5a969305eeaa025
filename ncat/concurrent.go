package ncat

import (
	"context"
	"sync"

	"github.com/ncatd/ncatd/onebot"
)

// slots are the runs of one handler that go on beside their chats; see
// [Concurrent].
type slots struct {
	mu    sync.Mutex // guards the field below
	chats map[slotKey]*slot
}

type slotKey struct {
	s    *session
	chat Chat
}

type slot struct {
	free chan struct{} // has an element for each run
	refs int
}

// take waits for a free slot in a chat, for as long as ctx. give returns it.
func (l *slots) take(ctx context.Context, k slotKey, n int) (give func(), err error) {
	l.mu.Lock()
	if l.chats == nil {
		l.chats = map[slotKey]*slot{}
	}
	x := l.chats[k]
	if x == nil {
		x = &slot{free: make(chan struct{}, n)}
		l.chats[k] = x
	}
	x.refs++
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if x.refs--; x.refs == 0 {
			delete(l.chats, k)
		}
	}
	select {
	case x.free <- struct{}{}:
		return func() { <-x.free; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}

// aside runs a handler beside its chat, whose queue is from. done is what
// [owner.enter] gave.
func (s *session) aside(ctx context.Context, from *chatQueue, t *table, h *bound, e onebot.Event, done func()) {
	chat := ChatOf(e)
	give, err := h.slots.take(ctx, slotKey{s, chat}, h.parallel)
	if err != nil { // the bot ends
		if done != nil {
			done()
		}
		return
	}
	q := &chatQueue{chat: chat, now: e, aside: true}
	s.mu.Lock()
	s.apart[q] = true
	s.mu.Unlock()
	s.handled.Add(1)
	if from.beside == nil {
		from.beside = new(sync.WaitGroup)
	}
	w := from.beside
	w.Add(1)
	go func() {
		defer func() {
			s.mu.Lock()
			delete(s.apart, q)
			s.mu.Unlock()
			give()
			w.Done()
			s.handled.Done()
		}()
		_ = s.run(ctx, q, t, h, e, done) // reported there
	}()
}
