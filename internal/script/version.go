package script

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// version is one version of a plugin: its source, its machine and what it
// registered.
type version struct {
	p        *Plugin
	m        *machine
	manifest Manifest
	bundle   *bundle
	specs    []spec
	unloaded sync.Once
}

// errReplaced is why a conversation of a plugin ended whose next version took
// over.
var errReplaced = errors.New("a new version of the plugin took over")

// lifecycle calls what the script exports for a moment of its life.
func (v *version) lifecycle(ctx context.Context, d time.Duration, name, state string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d, overLimit("time", inExport(name).With(api.Because(api.CodeScriptLate, d.Round(time.Millisecond)))))
	defer cancel()
	m := v.m
	t := &turn{what: inExport(name), ctx: ctx, b: v.p.bot(), done: make(chan struct{})}
	ok := m.push(job{do: func() {
		m.begin(t)
		m.moment = t
		m.slice(job{turn: t, entry: "lifecycle", args: []any{t.id, name, state}})
	}})
	if !ok {
		return "", errGone
	}
	result, err := m.wait(ctx, t)
	var th *thrown
	if errors.As(err, &th) {
		err = &placed{inExport(name), err}
	}
	return result, err
}

func inExport(name string) api.Fault { return api.Because(api.CodeScriptInExport, name) }

// begin lets a turn begin, on the loop.
func (m *machine) begin(t *turn) {
	m.lastTurn++
	t.id = m.lastTurn
	m.turns[t.id] = t
}

// unload ends the version: conversations and timers at once, but for those that
// what is being handled may wait for; that and onUnload within the limit.
func (v *version) unload(ctx context.Context) {
	v.unloaded.Do(func() {
		m := v.m
		m.endTalks(errReplaced)
		limit := time.Now().Add(m.limits.Unload)
		m.push(job{do: m.endTimers})
		quiet, cancel := context.WithDeadline(ctx, limit)
		m.idle(quiet)
		cancel()
		m.push(job{do: m.endTimers})
		if _, err := v.lifecycle(ctx, max(time.Until(limit), m.limits.Unload/4), "onUnload", ""); err != nil && m.ctx.Err() == nil {
			m.log.Error("plugin does not unload cleanly", "plugin", m.info.ID, "error", err)
		}
		m.stop()
	})
}

// endTimers ends the timers for which nothing that goes on waits, on the loop.
func (m *machine) endTimers() {
	for id, t := range m.timers {
		if !m.open(t.of) {
			m.clearTimer(id)
		}
	}
	m.ending = true
}

// idle waits until no event is being handled.
func (m *machine) idle(ctx context.Context) {
	for {
		m.mu.Lock()
		n, quiet := m.events, m.quiet
		if n > 0 && quiet == nil {
			quiet = make(chan struct{})
			m.quiet = quiet
		}
		m.mu.Unlock()
		if n == 0 {
			return
		}
		select {
		case <-quiet:
		case <-ctx.Done():
			return
		case <-m.ctx.Done():
			return
		}
	}
}

// counterpart returns what in v answers to s of another version, nil if nothing
// does.
func (v *version) counterpart(old *version, s *spec) *spec {
	var same *spec
	nth := old.nth(s)
	for i := range v.specs {
		x := &v.specs[i]
		if x.kind != s.kind {
			continue
		}
		if s.kind != "on" {
			if x.Name == s.Name && reflect.DeepEqual(x.Args, s.Args) {
				return x
			}
			continue
		}
		if x.Type != s.Type {
			continue
		}
		if reflect.DeepEqual(x.Where, s.Where) && reflect.DeepEqual(x.Match, s.Match) {
			return x
		}
		if v.nth(x) == nth {
			same = x
		}
	}
	return same
}

// nth returns the how manieth of its type s is in v.
func (v *version) nth(s *spec) int {
	n := 0
	for i := range v.specs {
		if x := &v.specs[i]; x == s {
			return n
		} else if x.kind == s.kind && x.Type == s.Type {
			n++
		}
	}
	return n
}

// handle lets the present version handle what v was registered for. An event
// that found v in its place although a newer version took over is that one's.
func (p *Plugin) handle(ctx context.Context, v *version, s *spec, b *ncat.Bot, e onebot.Event, args string) error {
	kind, rest := "run", make([]any, 2, 7) // the handler and the turn go first, a call that ended last
	if e != nil {
		text, err := eventJSON(e)
		if err != nil {
			return err
		}
		_, lazy := e.(onebot.MessageEvent)
		lazy = lazy && !strings.Contains(text, `"reply"`) // which would be a field or a quote
		kind, rest = "event", append(rest, text, lazy, args)
	}
	for {
		p.gate.RLock()
		cur, changed := p.current, p.changed
		at := s
		if cur != nil && cur != v {
			if at = cur.counterpart(v, s); at == nil || !passes(at, b, e) {
				p.gate.RUnlock()
				return nil
			}
		}
		if cur == nil {
			p.gate.RUnlock()
			return errGone
		}
		t := &turn{what: at.what(), ctx: ctx, b: b, event: e, done: make(chan struct{}), counts: true}
		err := cur.m.submit(t, kind, at.ID, rest)
		p.gate.RUnlock()
		if !errors.Is(err, errGone) {
			if err == nil {
				_, err = cur.m.wait(ctx, t)
			}
			return err
		}
		select { // it was ended a moment ago and is being made anew
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// passes asks the filter of a spec to which an event was redirected.
func passes(s *spec, b *ncat.Bot, e onebot.Event) bool {
	if e == nil || s.Where == nil {
		return true
	}
	f, err := s.Where.filter()
	return err == nil && f(b, e)
}

// what names what a turn is about, for the log.
func (s *spec) what() api.Fault {
	f := api.Fault{Code: api.CodeScriptInHandler, Args: []string{s.Name}}
	switch s.kind {
	case "command":
		f.Code = api.CodeScriptInCommand
	case "schedule":
		f.Code = api.CodeScriptInSchedule
	}
	return f
}

// submit queues the beginning of a turn, with the handler as the first of args.
func (m *machine) submit(t *turn, kind string, handler int, args []any) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return errGone
	}
	if m.events >= m.limits.Queue {
		err := overLimit("queue", t.what.With(api.Because(api.CodeScriptQueue, m.limits.Queue)))
		go m.outer.failed(m, err, scoreOver) // it may take the lock that is held here
		return err
	}
	m.events++
	args[0] = handler
	m.pushLocked(job{turn: t, begin: true, entry: kind, args: args})
	return nil
}

// wait waits for a turn and for the calls it set off.
func (m *machine) wait(ctx context.Context, t *turn) (string, error) {
	select {
	case <-t.done:
		return t.result, t.err
	case <-ctx.Done():
		m.push(job{do: func() { m.abandon(t, context.Cause(ctx)) }})
		return "", context.Cause(ctx)
	case <-m.ctx.Done():
		select {
		case <-t.done:
			return t.result, t.err
		default:
			return "", context.Cause(m.ctx)
		}
	}
}
