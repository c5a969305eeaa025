package ncat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ncatd/ncatd/internal/bot/journal"
	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/onebot"
)

// session is one account's side of a [Bot], see [botlink.Session].
type session struct {
	name   string
	bot    *Bot
	core   *core
	log    *slog.Logger
	caller *translator
	self   atomic.Int64
	pace   *pacer // of sends
	online atomic.Bool
	owned  sync.Map // *owner to the context of its handlers here
	bots   sync.Map // *owner to its *Bot here

	sharedDisk bool // see botlink.Options

	journal *journal.Filler          // nil: nothing is remembered
	told    func(onebot.Event)       // of what was missed; nil: nobody
	heard   func(onebot.Event, bool) // of what the bot gets; nil: nobody
	done    func(onebot.Event)       // of what was handled, see botlink.Options; nil: nobody
	// gap is told of what is missing for good, see botlink.Options; nil: nobody.
	gap   func(onebot.GroupID, onebot.UserID, int)
	drops dropLog

	tick atomic.Int64 // advances while Run watches for slow handlers
	sessionCounters
	dispatch
}

// sessionCounters are what Stats shows of a session's own work.
type sessionCounters struct {
	events, dropped, errs, panics, slow, bad, overdue atomic.Uint64
}

// dispatch is the way of events from their chats' queues to workers.
type dispatch struct {
	// beginning lets events in before a session begins, or after, but not while it
	// does: what has to wait is decided once.
	beginning sync.RWMutex

	mu      sync.Mutex // guards the fields below
	state   sessionState
	ctx     context.Context // handlers' context, set by Run
	chats   map[Chat]*chatQueue
	apart   map[*chatQueue]bool // no longer in chats, see release
	waiting int                 // events in all queues
	ready   []*chatQueue        // chats that wait for a worker
	idle    []*worker
	workers int            // goroutines that serve a chat or wait for one
	handled sync.WaitGroup // workers
}

type sessionState uint8

const (
	sessionNew sessionState = iota
	sessionRunning
	sessionEnded
)

// chatQueue is what waits in one chat. It exists while a handler runs in the
// chat or waits for a worker.
type chatQueue struct {
	chat   Chat
	events []onebot.Event // events[head:] wait
	now    onebot.Event   // being handled; guarded by session.mu
	head   int

	aside   bool                         // it is one event's, beside its chat; see Concurrent
	beside  *sync.WaitGroup              // what runs so for the event being handled; nil: nothing
	running atomic.Pointer[registration] // the handler that runs now
	since   atomic.Int64                 // session.tick when it began
	warned  bool                         // it was reported
	// cancel ends its context; nil: it has no deadline.
	cancel  atomic.Pointer[context.CancelCauseFunc]
	overdue bool // it was cancelled
}

// worker runs the handlers of one chat at a time.
type worker struct{ next chan *chatQueue } // 1 slot; nil ends it

// maxIdle is how many idle workers are kept for the next burst.
const maxIdle = 64

var _ botlink.Session[*Bot] = (*session)(nil)

// newSession returns the session of an account that makes its calls through c.
func (b *Bot) newSession(name string, c onebot.Caller) *session {
	s := &session{name: name, core: b.core, caller: &translator{to: c}}
	s.chats, s.apart = map[Chat]*chatQueue{}, map[*chatQueue]bool{}
	s.log, s.pace = b.core.log, b.core.pacer()
	if name != "" {
		s.log = s.log.With("account", name)
	}
	s.bot = &Bot{core: b.core, s: s}
	s.bot.api = onebot.NewClient(s.bot)
	s.journal = s.newJournal()
	return s
}

// Bot implements [botlink.Session].
func (s *session) Bot() *Bot { return s.bot }

// Stats implements [botlink.Session].
func (s *session) Stats() botlink.Stats {
	s.mu.Lock()
	waiting, handling := s.waiting, len(s.chats)-len(s.ready)
	s.mu.Unlock()
	st := botlink.Stats{
		Events: s.events.Load(), Dropped: s.dropped.Load(), Bad: s.bad.Load(), Errors: s.errs.Load(),
		Panics: s.panics.Load(), Slow: s.slow.Load(),
		Waiting: waiting, Handling: handling,
		Paced: s.pace.paced.Load(), Refused: s.pace.refused.Load(), Merged: s.pace.merged.Load(), Overdue: s.overdue.Load(),
	}
	if s.journal != nil {
		st.Backfilled, st.Duplicates = s.journal.Counts()
		st.Redelivered, st.GivenUp = s.core.book().Counts()
	}
	return st
}

// Call implements [onebot.Caller].
func (s *session) Call(ctx context.Context, action string, params, result any) error {
	return s.pace.call(ctx, s.caller, action, params, result)
}

// Stream implements [onebot.Streamer]; it fails if the session's Caller is no
// Streamer.
func (s *session) Stream(ctx context.Context, action string, params any, packet func(json.RawMessage) error, result any) error {
	return s.caller.Stream(ctx, action, params, packet, result)
}

// Feed implements [botlink.Session].
func (s *session) Feed(frame []byte) onebot.Event {
	e := s.decode(frame)
	if e != nil {
		s.Deliver(e)
	}
	return e
}

func (s *session) decode(frame []byte) onebot.Event {
	e, err := onebot.Decode(frame)
	if err != nil {
		s.bad.Add(1)
		s.log.Warn("frame is no event", "error", err, "bytes", len(frame))
		return nil
	}
	return e
}

// Deliver implements [botlink.Session].
func (s *session) Deliver(e onebot.Event) bool {
	s.beginning.RLock()
	defer s.beginning.RUnlock()
	s.events.Add(1)
	if id := e.Base().SelfID; id != 0 && int64(id) != s.self.Load() {
		s.self.Store(int64(id))
	}
	defer s.look(e)
	if !s.core.empty && isEmpty(e) {
		s.settled(e)
		return false
	}
	if s.journal != nil {
		s.journal.SetSelf(onebot.UserID(s.self.Load()))
		if s.journal.Arrive(e) {
			return false
		}
	}
	return s.pass(e, true)
}

// Had implements [botlink.Session].
func (s *session) Had(m onebot.MessageEvent) bool { return s.journal == nil || s.journal.Had(m) }

// pass hands an event on: to a conversation that waits for it, or to its chat. A
// message that had its turn already goes no further. It reports whether one of them
// has it now.
func (s *session) pass(e onebot.Event, live bool) bool {
	s.caller.meet(e)
	s.mu.Lock()
	early := s.state == sessionNew // plugins may still register handlers for what comes now
	if !early && !s.note(e) {
		s.mu.Unlock()
		return false
	}
	s.mu.Unlock()
	ours := isPresence(e)
	if !early && s.heard != nil && !ours {
		s.heard(e, live)
	}
	t := s.core.registry.table.Load()
	for _, tap := range t.taps {
		if !ours && tap(s.bot, e) {
			s.settled(e)
			return true
		}
	}
	handlers := t.handlers(reflect.TypeOf(e))
	if len(handlers) == 0 && !early {
		s.settled(e)
		return false
	}
	chat := ChatOf(e)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == sessionEnded {
		s.forget(e)
		s.drop(chat, "ending")
		return false
	}
	if q := s.chats[chat]; q != nil {
		if len(q.events)-q.head >= s.core.queue || s.waiting >= 16*s.core.queue {
			s.settled(e)
			s.drop(chat, "queue full")
			return true
		}
		if q.head > 0 && len(q.events) == cap(q.events) {
			n := copy(q.events, q.events[q.head:])
			clear(q.events[n:])
			q.events, q.head = q.events[:n], 0
		}
		q.events = append(q.events, e)
		s.waiting++
		return false
	}
	q := queues.Get().(*chatQueue)
	q.chat = chat
	q.events = append(q.events, e)
	s.chats[chat] = q
	s.waiting++
	s.startLocked(q)
	return true
}

var queues = sync.Pool{New: func() any { return new(chatQueue) }}

// startLocked finds a worker for a chat.
func (s *session) startLocked(q *chatQueue) {
	if s.state == sessionNew { // Run starts it
		s.ready = append(s.ready, q)
		return
	}
	if n := len(s.idle); n > 0 {
		w := s.idle[n-1]
		s.idle[n-1] = nil
		s.idle = s.idle[:n-1]
		w.next <- q
		return
	}
	if s.workers >= s.core.workers {
		s.ready = append(s.ready, q)
		return
	}
	s.workers++
	s.handled.Add(1)
	go s.work(q)
}

// work runs the handlers of q and then of other chats.
func (s *session) work(q *chatQueue) {
	w := &worker{next: make(chan *chatQueue, 1)}
	defer func() {
		if q != nil { // a handler ended the goroutine: another serves its chat
			s.handled.Add(1)
			go s.work(q)
		}
		s.handled.Done()
	}()
	for q != nil {
		s.serve(q)
		q = s.nextChat(w)
	}
}

// atWorkLocked yields the handlers that run now, once for each time they do.
func (s *session) atWorkLocked() iter.Seq[*registration] {
	return func(yield func(*registration) bool) {
		for _, q := range s.chats {
			if r := q.running.Load(); r != nil && !yield(r) {
				return
			}
		}
		for q := range s.apart {
			if r := q.running.Load(); r != nil && !yield(r) {
				return
			}
		}
	}
}

// serve handles what waits in q until nothing does.
func (s *session) serve(q *chatQueue) {
	s.mu.Lock()
	for q.head < len(q.events) {
		e := q.events[q.head]
		q.events[q.head], q.now = nil, e
		q.head++
		if q.head == len(q.events) {
			q.events, q.head = q.events[:0], 0
		}
		s.waiting--
		ctx := s.ctx
		s.mu.Unlock()
		s.handleNoted(ctx, q, e)
		s.mu.Lock()
	}
	q.now = nil
	if s.chats[q.chat] == q {
		delete(s.chats, q.chat)
	}
	delete(s.apart, q)
	s.mu.Unlock()
	if cap(q.events) <= 64 {
		q.chat = Chat{}
		queues.Put(q)
	}
}

// release lets the chat of e go on while the handler that runs for e waits, as
// conversations do: what waits in the chat's queue is served by another worker.
func (s *session) release(e onebot.Event) {
	chat := ChatOf(e)
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.chats[chat]
	if q == nil || q.now != e || s.state != sessionRunning {
		return
	}
	s.leaveLocked(q)
}

// leaveLocked takes q, in which a handler runs, out of its chat: what waits is
// served by another worker.
func (s *session) leaveLocked(q *chatQueue) {
	chat := q.chat
	s.apart[q] = true
	delete(s.chats, chat)
	if q.head == len(q.events) {
		return
	}
	rest := &chatQueue{chat: chat, events: slices.Clone(q.events[q.head:])}
	clear(q.events)
	q.events, q.head = q.events[:0], 0
	s.chats[chat] = rest
	s.startLocked(rest)
}

// nextChat waits for the next chat to serve; nil when the worker is to end.
func (s *session) nextChat(w *worker) *chatQueue {
	s.mu.Lock()
	if n := len(s.ready); n > 0 {
		q := s.ready[0]
		s.ready[0] = nil
		s.ready = s.ready[1:]
		s.mu.Unlock()
		return q
	}
	if s.state == sessionEnded || len(s.idle) >= maxIdle {
		s.workers--
		s.mu.Unlock()
		return nil
	}
	s.idle = append(s.idle, w)
	s.mu.Unlock()
	return <-w.next
}

// Run implements [botlink.Session].
func (s *session) Run(ctx context.Context) error {
	hctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	s.mu.Lock()
	if s.state != sessionNew {
		s.mu.Unlock()
		return errors.New("ncat: a session runs once")
	}
	s.mu.Unlock()
	s.core.life.begin(ctx)
	defer s.core.life.end()
	s.loadJournal(ctx)
	s.core.add(s) // before any handler, which may act through what New returned
	s.beginning.Lock()
	s.mu.Lock()
	s.state, s.ctx = sessionRunning, hctx
	s.startJournalLocked()
	early := s.ready
	s.ready = nil
	for _, q := range early {
		s.startLocked(q)
	}
	s.mu.Unlock()
	s.beginning.Unlock()
	defer s.runJournal(ctx)()
	defer s.core.remove(s)
	s.watch(ctx)

	s.mu.Lock()
	s.state = sessionEnded
	for _, q := range s.chats {
		for _, e := range q.events[q.head:] {
			s.forget(e)
			s.drop(q.chat, "ending")
			s.waiting--
		}
		clear(q.events)
		q.events, q.head = q.events[:0], 0
	}
	if s.journal != nil {
		s.journal.Stop()
	}
	for _, w := range s.idle {
		w.next <- nil
	}
	s.idle = nil
	s.mu.Unlock()

	ended := make(chan struct{})
	go func() {
		s.handled.Wait()
		close(ended)
	}()
	cause := context.Cause(ctx)
	if !errors.Is(cause, botlink.ErrAbandon) && waitFor(ended, s.core.drain) {
		return cause
	}
	cancel(cause)
	if waitFor(ended, max(s.core.drain, time.Second)) {
		return cause
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for r := range s.atWorkLocked() {
		cause = errors.Join(cause, fmt.Errorf("handler %s does not return", r.name))
	}
	return cause
}

func waitFor(ch <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ch:
		return true
	case <-t.C:
		return false
	}
}
