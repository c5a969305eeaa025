package ncat

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

// handle runs the handlers for one event.
func (s *session) handle(ctx context.Context, q *chatQueue, e onebot.Event) {
	t := s.core.registry.table.Load()
	ran := false
	for _, h := range t.handlers(reflect.TypeOf(e)) {
		if ran && h.fallback {
			return
		}
		if h.pick {
			if h = t.commands.find(s.bot, e); h == nil {
				continue
			}
		}
		if len(h.filters) > 0 && !s.passes(ctx, h, e) {
			continue
		}
		if h.owner.id != "" && s.core.perms.deniesPlugin(e, h.owner.id) {
			continue
		}
		if h.cmd == nil && !s.admits(ctx, t, h, e) {
			continue
		}
		hctx, done := h.owner.enter(ctx, s)
		if hctx == nil {
			continue // switched off
		}
		ran = ran || !h.fallback
		var err error
		if h.parallel > 0 {
			s.aside(hctx, q, t, h, e, done)
		} else {
			err = s.run(hctx, q, t, h, e, done)
		}
		if errors.Is(err, ErrStop) || h.cmd != nil && !h.cmd.pass {
			return
		}
	}
}

// run runs one handler, within its deadline, and reports its error.
func (s *session) run(ctx context.Context, q *chatQueue, t *table, h *bound, e onebot.Event, done func()) error {
	var cancel *context.CancelCauseFunc
	if s.core.deadline > 0 {
		cancel = new(context.CancelCauseFunc)
		ctx, *cancel = context.WithCancelCause(ctx)
		q.cancel.Store(cancel)
	}
	q.since.Store(s.tick.Load())
	q.running.Store(h.registration)
	err := s.call(ctx, q, t, h, e, done)
	if cancel != nil {
		q.cancel.Store(nil)
		(*cancel)(nil)
	}
	if err != nil && !errors.Is(err, ErrStop) {
		s.report(ctx, t, h, e, err)
	}
	return err
}

// admits reports whether a handler that is no command runs for an event, as its
// [Need] and [Limit] say. One that [Help] shows says why not.
func (s *session) admits(ctx context.Context, t *table, h *bound, e onebot.Event) bool {
	if len(h.needs) == 0 && len(h.limit.rules) == 0 {
		return true
	}
	b, refusal := s.botOf(h.owner), ""
	if !s.core.perms.may(e, h.registration) {
		refusal = b.text("denied")
	} else if wait, tell := h.limit.take(e.Base().SelfID, UserOf(e)); wait > 0 {
		if tell {
			refusal = fmt.Sprintf(b.text("cooldown"), duration(b, wait))
		}
	} else {
		return true
	}
	if m, ok := e.(onebot.MessageEvent); ok && refusal != "" && h.help != "" && !m.Msg().FromSelf() {
		if err := b.Reply(ctx, m, refusal); err != nil {
			s.report(ctx, t, h, e, err)
		}
	}
	return false
}

// passes asks the filters of a handler.
func (s *session) passes(ctx context.Context, h *bound, e onebot.Event) (ok bool) {
	defer func() {
		if v := recover(); v != nil {
			ok = false
			s.report(ctx, s.core.registry.table.Load(), h, e, &PanicError{Handler: h.name, Value: v, Stack: debug.Stack()})
		}
	}()
	for _, f := range h.filters {
		if !f(s.botOf(h.owner), e) {
			return false
		}
	}
	return true
}

// errGoexit is the error of a handler that called runtime.Goexit, as the Fatal
// methods of package testing do.
var errGoexit = errors.New("handler ended its goroutine")

// call runs one handler and turns its panic into an error.
func (s *session) call(ctx context.Context, q *chatQueue, t *table, h *bound, e onebot.Event, done func()) (err error) {
	returned := false
	defer func() {
		q.running.Store(nil)
		if done != nil {
			done()
		}
		if returned {
			return
		}
		if v := recover(); v != nil {
			err = &PanicError{Handler: h.name, Value: v, Stack: debug.Stack()}
			return
		}
		s.report(ctx, t, h, e, errGoexit)
	}()
	err = h.run(ctx, s.botOf(h.owner), e)
	returned = true
	return err
}

// report counts and tells a handler's error.
func (s *session) report(ctx context.Context, t *table, h *bound, e onebot.Event, err error) {
	attrs := []any{"handler", h.name, "event", fmt.Sprintf("%T", e), "error", err}
	if h.owner.id != "" {
		attrs = append(attrs, "plugin", h.owner.id)
	}
	var p *PanicError
	if errors.As(err, &p) {
		s.panics.Add(1)
		attrs = append(attrs, "stack", string(p.Stack))
	} else {
		s.errs.Add(1)
	}
	s.log.Error("handler failed", attrs...)
	for _, hook := range t.errorHooks {
		s.hook(ctx, hook, e, err)
	}
}

// hook runs one error hook; its panic is logged and goes no further.
func (s *session) hook(ctx context.Context, hook errorHook, e onebot.Event, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.panics.Add(1)
			s.log.Error("error hook panicked", "error", fmt.Sprint(v), "stack", string(debug.Stack()))
		}
	}()
	hook.run(ctx, s.botOf(hook.owner), e, err)
}

// enter returns the context for one handler of o, nil if o was stopped. done
// must be called when the handler has returned, unless it is nil.
func (o *owner) enter(ctx context.Context, s *session) (context.Context, func()) {
	if o.id == "" {
		return ctx, nil // the bot itself: it ends with the session
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stopped != nil {
		return nil, nil
	}
	o.active.Add(1)
	if _, ok := o.cancels[s]; !ok {
		own, cancel := context.WithCancelCause(context.WithValue(ctx, ownerKey{}, o))
		o.cancels[s] = cancel
		s.owned.Store(o, own)
	}
	own, _ := s.owned.Load(o)
	return own.(context.Context), o.active.Done
}

// ErrHandlerDeadline is why the context of a handler ended that ran for longer
// than [WithHandlerDeadline] allows.
var ErrHandlerDeadline = errors.New("handler is over its deadline")

const (
	// watchSteps is in how many steps a time limit of handlers is watched: one of
	// d shows after d to 1.25 d.
	watchSteps = 4
	// maxLeft is how many handlers that do not return are left behind in a
	// session. With more of them their chats wait.
	maxLeft = 128
)

// watch reports slow handlers and ends overdue ones until ctx ends.
func (s *session) watch(ctx context.Context) {
	warn, deadline := s.core.warn, s.core.deadline
	least := warn
	if warn < 0 || deadline > 0 && deadline < warn {
		least = deadline
	}
	if warn < 0 && deadline == 0 {
		<-ctx.Done()
		return
	}
	step := max(least/watchSteps, time.Millisecond)
	steps := func(d time.Duration) int64 { return int64((d + step - 1) / step) }
	t := time.NewTicker(step)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		now := s.tick.Add(1)
		s.mu.Lock()
		for _, q := range s.chats {
			s.checkLocked(q, now, steps, true)
		}
		for q := range s.apart {
			if q.aside {
				s.checkLocked(q, now, steps, false)
			}
		}
		s.mu.Unlock()
	}
}

// checkLocked reports the handler that runs in q if it is slow, and ends it if it
// is over its deadline; with leave the chat goes on without it.
func (s *session) checkLocked(q *chatQueue, now int64, steps func(time.Duration) int64, leave bool) {
	warn, deadline := s.core.warn, s.core.deadline
	r, ran := q.running.Load(), now-q.since.Load()
	if r == nil || ran <= 1 {
		q.warned, q.overdue = false, false
		return
	}
	if warn >= 0 && ran > steps(warn) && !q.warned {
		q.warned = true
		s.slow.Add(1)
		s.log.Warn("handler is slow", "handler", r.name, "plugin", r.owner.id,
			"group_id", int64(q.chat.Group), "user_id", int64(q.chat.User), "waiting", len(q.events)-q.head, "after", warn)
	}
	if deadline > 0 && ran > steps(deadline) {
		s.endOverdueLocked(q, r, leave && ran > steps(deadline)+max(steps(deadline)/watchSteps, steps(time.Second)))
	}
}

// endOverdueLocked cancels the handler r that runs in q and, with leave, lets the
// chat go on without it.
func (s *session) endOverdueLocked(q *chatQueue, r *registration, leave bool) {
	attrs := []any{"handler", r.name, "plugin", r.owner.id, "group_id", int64(q.chat.Group), "user_id", int64(q.chat.User)}
	if cancel := q.cancel.Load(); cancel != nil && !q.overdue {
		q.overdue = true
		s.overdue.Add(1)
		s.log.Error("handler is over its deadline", append(attrs, "deadline", s.core.deadline)...)
		(*cancel)(ErrHandlerDeadline)
	}
	if leave && len(s.apart) < maxLeft {
		s.log.Error("handler does not return; its chat goes on without it", attrs...)
		s.leaveLocked(q)
	}
}
