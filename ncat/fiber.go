package ncat

import (
	"sync/atomic"

	"github.com/ncatd/ncatd/internal/rpc"
)

// Handlers run in one of two ways. A chat whose handlers return or wait for
// answers of the link is served by a fiber, in the place of the goroutine that
// reads the link: nothing is woken for it. A chat with handlers that kept that
// goroutine before is served by a worker, a goroutine of its own. Which one it
// is makes no difference to a handler, only to what an event costs.

// fiber serves chats in a reader's place.
type fiber struct {
	s   *Session
	run rpc.Fiber
	fn  func() // run.Run, made once
	q   *chatQueue
	// at is the handler that last ran, for blame when it kept the reader.
	at atomic.Pointer[registration]
}

// maxFibers is how many idle fibers are kept for the next burst.
const maxFibers = 64

// A handler's score goes up by slowStep each time it kept a reader for long and
// down by one each time it ran without. From slowFrom on, its chats are served
// by workers: one that blocks in one case out of eight ends up there, one that
// had the bad luck of a busy machine does not.
const (
	slowStep = 8
	slowFrom = 16
	slowMost = 256
)

// quick reports whether none of the handlers is known to keep a reader.
func quick(handlers []*bound) bool {
	ok := rpc.CanPark
	for _, h := range handlers {
		if h.own {
			ok = false
		}
		if n := h.slow.Load(); n >= slowFrom {
			h.slow.CompareAndSwap(n, n-1)
			ok = false
		}
	}
	return ok
}

// lendLocked returns what serves q in the place of its caller.
func (s *Session) lendLocked(q *chatQueue) (run func()) {
	var f *fiber
	if n := len(s.fibers); n > 0 {
		f = s.fibers[n-1]
		s.fibers[n-1] = nil
		s.fibers = s.fibers[:n-1]
	} else {
		f = &fiber{s: s}
		f.fn = f.run.Run
		f.run.Body, f.run.Idle, f.run.Kept = f.body, f.idle, f.kept
		f.run.Spawn = s.handled.Go
	}
	s.workers++
	s.handled.Add(1)
	f.q, q.fiber = q, f
	return f.fn
}

// body serves the fiber's chat.
func (f *fiber) body() {
	s, returned := f.s, false
	defer func() {
		if !returned { // a handler ended the goroutine: a worker goes on
			q := f.q
			q.fiber = nil
			s.handled.Add(1)
			go s.work(q) // takes over the fiber's place in s.workers
			s.handled.Done()
		}
	}()
	s.serve(f.q)
	returned = true
}

// idle takes the fiber back after body.
func (f *fiber) idle() {
	s := f.s
	f.q = nil
	s.mu.Lock()
	s.workers--
	keep := s.state == sessionRunning && len(s.fibers) < maxFibers
	if keep {
		s.fibers = append(s.fibers, f)
	}
	if n := len(s.ready); n > 0 {
		q := s.ready[0]
		s.ready[0] = nil
		s.ready = s.ready[1:]
		s.startLocked(q)
	}
	s.mu.Unlock()
	if !keep {
		f.run.Close()
	}
	s.handled.Done()
}

// kept keeps the score of the handler that ran last.
func (f *fiber) kept(long bool) {
	r := f.at.Load()
	if r == nil {
		return
	}
	n := r.slow.Load()
	switch {
	case long:
		r.slow.CompareAndSwap(n, min(n+slowStep, slowMost))
	case n > 0:
		r.slow.CompareAndSwap(n, n-1)
	}
}
