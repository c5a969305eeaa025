package ncat

import "github.com/ncatd/ncatd/internal/rpc"

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
	at *registration
}

// maxFibers is how many idle fibers are kept for the next burst.
const maxFibers = 64

// Handlers that kept a reader run on workers for the next slowEvents events, in
// total up to slowMost.
const (
	slowEvents = 16
	slowMost   = 4096
)

// quick reports whether none of the handlers is known to keep a reader.
func quick(handlers []*bound) bool {
	ok := rpc.CanPark
	for _, h := range handlers {
		if n := h.slow.Load(); n > 0 {
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
		f.run.Body, f.run.Idle, f.run.Slow = f.body, f.idle, f.slow
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

// slow blames the handler that kept the reader.
func (f *fiber) slow() {
	if r := f.at; r != nil {
		r.slow.Store(min(r.slow.Load()+slowEvents, slowMost))
	}
}
