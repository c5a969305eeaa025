package script

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// maxText bounds what one call hands over, in either direction.
const maxText = 24 << 20

// host answers the prelude. It runs on the machine's goroutine, inside of the
// engine. What begins with ! is an error to be thrown.
func (m *machine) host(args []any) (any, error) {
	a := arguments(args)
	switch op := a.text(0); op {
	case "settle":
		m.settled(a.int(1), a.text(2), a.text(3))
	case "loaded":
		m.loaded = true
		if text := a.text(1); text != "" {
			m.loadErr = m.thrown(text)
			var th *thrown
			switch ok := errors.As(m.loadErr, &th); {
			case !ok: // what was thrown could not be read
			case th.outOfMemory(time.Since(m.entered), m.limits.Memory):
				m.loadErr = m.outOfMemory(&turn{what: api.Because(api.CodeScriptInTop)})
			case th.Name == "thrown":
				m.loadErr = &placed{api.Because(api.CodeScriptInTop), m.loadErr}
			}
		}
	case "failed":
		m.fail(m.now, m.thrown(a.text(1)))
	case "log":
		return m.logLine(a.text(1), a.text(2), a.int(3)), nil
	case "lost":
		m.lost = true
	case "awaited":
		m.awaited(a.int(1))
	case "unawaited":
		m.unawaited(a.int(1), m.thrown(a.text(2)))
	case "unhandled":
		m.unhandled(a.text(1), m.thrown(a.text(2)))
	case "stack":
		return m.source.stack(m.info.file, a.text(1)), nil
	case "abort":
		m.abort(a.int(1))
	case "timer":
		return m.timer(a.int(1), a.float(2), a.flag(3)), nil
	case "clear":
		m.clearTimer(a.int(1))
	default:
		out, err := m.ask(op, a)
		if err != nil {
			return "!" + faultOf(err), nil
		}
		return out, nil
	}
	return nil, nil
}

// arguments are those of a call from the engine; what is missing or of another
// type is zero.
type arguments []any

func (a arguments) text(i int) string {
	if i < len(a) {
		s, _ := a[i].(string)
		return s
	}
	return ""
}

func (a arguments) float(i int) float64 {
	if i < len(a) {
		switch n := a[i].(type) {
		case int:
			return float64(n)
		case int32:
			return float64(n)
		case int64:
			return float64(n)
		case float64:
			return n
		}
	}
	return 0
}

func (a arguments) int(i int) int { return int(a.float(i)) }

func (a arguments) flag(i int) bool {
	if i < len(a) {
		v, _ := a[i].(bool)
		return v
	}
	return false
}

// ask answers a question at once.
func (m *machine) ask(op string, a arguments) (any, error) {
	switch op {
	case "register":
		return nil, m.register(a.text(1), a.text(2))
	case "now":
		return float64(time.Now().UnixMilli()), nil
	case "uuid":
		return uuid.NewString(), nil
	case "random":
		n := a.int(1)
		if n < 0 || n > 65536 {
			return nil, &argumentError{text: "at most 65536 random bytes at once"}
		}
		b := make([]byte, n)
		_, _ = rand.Read(b) // never fails
		return base64.StdEncoding.EncodeToString(b), nil
	case "url":
		return parseURL(a.text(1), a.text(2))
	case "utf8":
		b, err := base64.StdEncoding.DecodeString(a.text(1))
		if err != nil {
			return nil, err
		}
		if a.flag(2) && !utf8.Valid(b) {
			return nil, &argumentError{text: "the bytes are no UTF-8"}
		}
		return strings.ToValidUTF8(strings.TrimPrefix(string(b), "\ufeff"), "\ufffd"), nil
	case "is_admin":
		id, err := onebot.ParseUserID(a.text(1))
		b := m.outer.bot()
		return err == nil && b != nil && b.IsAdmin(id), nil
	case "accounts":
		return m.accounts()
	case "perm_has", "perm_rules":
		return m.permission(op, a)
	case "tx_get", "tx_put", "tx_delete", "tx_scan":
		return m.transact(op, a)
	}
	return nil, fmt.Errorf("no such request: %s", op)
}

func (m *machine) accounts() (any, error) {
	ids := []onebot.UserID{}
	if b := m.outer.bot(); b != nil {
		for _, x := range b.Accounts() {
			ids = append(ids, x.Self())
		}
	}
	return jsonText(ids)
}

func jsonText(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

func short(s string) string {
	if len(s) > 120 {
		return strings.ToValidUTF8(s[:120], "") + "…"
	}
	return s
}

// thrown reads what the prelude's describe wrote, with its places in the source.
func (m *machine) thrown(text string) error {
	t := new(thrown)
	if err := json.Unmarshal([]byte(text), t); err != nil {
		return err
	}
	return m.located(t)
}

// located gives the stack of what was thrown the places of the source.
func (m *machine) located(err error) error {
	var t *thrown
	if errors.As(err, &t) {
		c := *t
		c.Stack = m.source.stack(m.info.file, t.Stack)
		return &c
	}
	return err
}

func (m *machine) settled(id int, status, text string) {
	switch status {
	case "stop":
		m.settle(id, "", ncat.ErrStop)
	case "ok":
		m.settle(id, text, nil)
	default:
		err := m.thrown(text)
		t := m.turns[id]
		var th *thrown
		if t != nil && errors.As(err, &th) && th.outOfMemory(time.Since(m.entered), m.limits.Memory) {
			m.settle(id, "", m.outOfMemory(t))
			m.end(m.outOfMemory(t))
			return
		}
		m.settle(id, "", err)
		if t != nil && t.alone {
			m.fail(t, err)
			return
		}
		m.outer.failed(m, err, scoreFailed)
	}
}

// logBudget bounds how many lines a script writes: burst at once, and so many a
// second.
type logBudget struct {
	left, dropped int
	since         time.Time
}

const logBurst = 100

// take reports whether one more line may be written, and how many were not
// before it.
func (l *logBudget) take() (dropped int, ok bool) {
	if now := time.Now(); now.Sub(l.since) >= time.Second {
		l.left, l.since = logBurst, now
		dropped, l.dropped = l.dropped, 0
	}
	if l.left == 0 {
		l.dropped++
		return 0, false
	}
	l.left--
	return dropped, true
}

// logLine writes a line of the script, before which the script itself left some
// out. It returns until when the script may leave out more, nil if it may not.
func (m *machine) logLine(level, text string, leftOut int) any {
	m.lines.dropped += leftOut
	dropped, ok := m.lines.take()
	if dropped > 0 {
		m.log.Warn("lines of the script were left out", "plugin", m.info.ID, "lines", dropped)
	}
	if !ok {
		if m.lines.dropped == 1 {
			m.log.Warn("script writes too much", "plugin", m.info.ID, "lines_a_second", logBurst)
		}
		return float64(m.lines.since.Add(time.Second).UnixMilli())
	}
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	const most = 8 << 10
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	m.log.Log(m.ctx, levels[level], text, "plugin", m.info.ID)
	return nil
}

// unhandled logs a call that failed and for which the script does not wait.
func (m *machine) unhandled(op string, err error) {
	if _, ok := m.lines.take(); ok && m.ctx.Err() == nil {
		m.log.Error("a call that nobody awaits failed", "plugin", m.info.ID, "call", op, "error", err)
	}
}

// unawaited logs why a promise failed for which the script does not wait.
func (m *machine) unawaited(id int, err error) {
	var th *thrown
	if errors.As(err, &th) && th.outOfMemory(time.Since(m.entered), m.limits.Memory) {
		m.end(m.outOfMemory(m.now))
		return
	}
	t := m.turns[id]
	if t == nil {
		t = m.now
	}
	if _, ok := m.lines.take(); ok && m.ctx.Err() == nil {
		m.log.Error("a promise that nobody awaits failed", "plugin", m.info.ID, "in", english(t.what), "error", err)
	}
}

// alarm is a timer that is set, and by what.
type alarm struct {
	*time.Timer
	of *turn
}

// origin is the turn that set off t, through any number of timers.
func (t *turn) origin() *turn {
	if t != nil && t.of != nil {
		return t.of
	}
	return t
}

// open reports whether a turn goes on for which somebody waits: that of an event,
// or of a moment of the plugin's life.
func (m *machine) open(t *turn) bool {
	return t != nil && m.turns[t.id] == t && (t.counts || t == m.moment)
}

// timer sets a timer; an error is returned as text.
func (m *machine) timer(id int, ms float64, every bool) any {
	of := m.now.origin()
	if m.ending && !m.open(of) {
		return "!" + faultOf(errUnloaded)
	}
	if len(m.timers) >= m.limits.Timers {
		return "!" + faultOf(m.over(overLimit("timers", api.Because(api.CodeScriptTimers, m.limits.Timers))))
	}
	const longest = 1 << 31 // ms, 24 days, as in browsers
	d := max(time.Duration(min(max(ms, 0), longest)*float64(time.Millisecond)), time.Millisecond)
	fire := func() {
		m.push(job{do: func() {
			t, ok := m.timers[id]
			if !ok {
				return // cleared meanwhile
			}
			if every {
				t.Reset(d)
			} else {
				delete(m.timers, id)
			}
			turn := m.newTurn(api.Because(api.CodeScriptInTimer), m.ctx)
			turn.b, turn.alone, turn.of = m.outer.bot(), true, of
			m.slice(job{turn: turn, entry: "timer", args: []any{id, turn.id}})
		}})
	}
	m.timers[id] = alarm{time.AfterFunc(d, fire), of}
	return nil
}

func (m *machine) clearTimer(id int) {
	if t, ok := m.timers[id]; ok {
		t.Stop()
		delete(m.timers, id)
	}
}

// over counts a limit that the present turn ran into, once for each turn.
func (m *machine) over(err *limitError) error {
	if m.now != nil && !m.now.over {
		m.now.over = true
		m.log.Error("script is over a limit", "plugin", m.info.ID, "in", english(m.now.what), "error", err)
		m.outer.failed(m, err, scoreOver)
	}
	return err
}

// request is one call on its way.
type request struct {
	m      *machine
	id     int
	turn   *turn
	op     string
	params string // JSON, but for "say"

	ctx     context.Context // that of what the script handles, until the machine ends
	cancel  context.CancelCauseFunc
	before  chan struct{} // closed when the send before it was written; nil if there is none
	written chan struct{} // closed when it was written; nil if it is no send
	held    chan struct{} // what it holds so that no other call does; nil if nothing

	result any // what the script is told
	well   bool
	last   bool // its turn ended with it
}

// call begins a call of the script. What it returns is an error, or nil.
func (m *machine) call(number, name, body any) any {
	a := arguments{number, name, body}
	id, op, params := a.int(0), a.text(1), a.text(2)
	if name == nil {
		op = "say"
	}
	if len(params) > maxText {
		return faultOf(m.over(overLimit("size", api.Because(api.CodeScriptCallSize, len(params)))))
	}
	if m.underWay += len(params); m.underWay > maxText { // what many hold at a time is memory as well
		m.underWay -= len(params)
		return faultOf(m.over(overLimit("size", api.Because(api.CodeScriptCallsSize, maxText>>20))))
	}
	t := m.now
	if t == nil {
		t = m.newTurn(api.Because(api.CodeScriptInCall), m.ctx)
	}
	r := &request{m: m, id: id, turn: t, op: op, params: params}
	if !m.take(r) {
		m.underWay -= len(params)
		return faultOf(m.over(overLimit("calls", api.Because(api.CodeScriptCalls, m.limits.Calls))))
	}
	t.pending++
	if op == "store_tx" {
		m.push(job{turn: t, do: r.transaction})
		return nil
	}
	r.before = t.sends
	if sends[op] {
		r.written = make(chan struct{})
		t.sends = r.written
	}
	m.carry(r)
	return nil
}

// take lets a call begin, unless too many are on their way.
func (m *machine) take(r *request) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.calls) >= m.limits.Calls {
		return false
	}
	base := r.turn.ctx
	if base == nil {
		base = m.ctx
	}
	r.ctx, r.cancel = context.WithCancelCause(base)
	if m.closed {
		r.cancel(context.Cause(m.ctx))
	}
	m.calls[r.id] = r
	return true
}

// abort ends a call that is on its way.
func (m *machine) abort(id int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.calls[id]; r != nil {
		r.cancel(nil)
	}
}

// run makes the call and hands its outcome to the script.
func (r *request) run() {
	if r.before != nil {
		select { // what was written first goes first, whether it is awaited or not
		case <-r.before:
		case <-r.ctx.Done():
		}
	}
	out, err := r.do(r.ctx)
	if r.written != nil {
		close(r.written)
	}
	r.end(out, err)
}

// carriers are the goroutines that wait for calls, and how many of them. Calls of the
// store, and those that fetch much, go one at a time, until the script has what the
// last one found, so that what many of them find is not all in memory.
type carriers struct {
	calls   chan *request
	resting atomic.Int32
	stores  chan struct{} // capacity 1
	bodies  chan struct{} // likewise
}

// carry runs a call on a goroutine that has nothing to do, whose stack has grown
// already, or on a new one. Some of them stay until the machine ends.
func (m *machine) carry(r *request) {
	select {
	case m.carriers.calls <- r:
		return
	default:
	}
	first := r
	m.wg.Go(func() {
		r := first
		for {
			r.run()
			if m.carriers.resting.Add(1) > restingCarriers {
				break
			}
			select {
			case r = <-m.carriers.calls:
				m.carriers.resting.Add(-1)
			case <-m.ctx.Done():
				return
			}
		}
		m.carriers.resting.Add(-1)
	})
}

// restingCarriers bounds how many goroutines wait for calls.
const restingCarriers = 64

// sends are the calls that write messages, whose order is that of the script.
var sends = map[string]bool{"say": true, "reply": true, "quote": true, "mention": true, "send": true, "forward": true, "send_forward": true}

// encoded is an outcome that is JSON already.
type encoded string

// outcome returns what the script is told of how a call ended: a number, or JSON.
func outcome(out any, err error) (any, error) {
	text := ""
	if id, ok := out.(onebot.MessageID); ok && err == nil {
		return int64(id), nil
	}
	if err == nil && out != nil {
		if e, ok := out.(encoded); ok {
			text = string(e)
		} else {
			text, err = jsonText(out)
		}
		if err == nil && len(text) > maxText {
			err = overLimit("size", api.Because(api.CodeScriptAnswerSize, len(text)))
		}
	}
	if err != nil {
		return faultOf(err), err
	}
	return text, nil
}

// smallAnswer is what many calls may have found at a time.
const smallAnswer = 64 << 10

// hold waits until no other call holds c.
func (r *request) hold(ctx context.Context, c chan struct{}) error {
	select {
	case c <- struct{}{}:
		r.held = c
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// release lets the next go on that waits to hold what r holds.
func (r *request) release() {
	if r.held != nil {
		<-r.held
		r.held = nil
	}
}

// end hands the outcome to the script.
func (r *request) end(out any, err error) {
	r.cancel(nil)
	r.result, err = outcome(out, err)
	r.well = err == nil
	if text, _ := r.result.(string); len(text) <= smallAnswer {
		r.release()
	}
	m, t := r.m, r.turn
	m.mu.Lock()
	defer m.mu.Unlock()
	_, number := r.result.(int64)
	if !number || !r.well || m.closed || t.ended || !t.last {
		m.pushLocked(job{turn: t, of: r})
		return
	}
	r.last = true
	m.endLocked(t)
	m.queue = append(m.queue, job{turn: t, of: r}) // for which the loop needs not wake up
}

// done tells the script how the call ended, on the loop.
func (r *request) done() {
	m, t := r.m, r.turn
	m.mu.Lock()
	delete(m.calls, r.id)
	m.mu.Unlock()
	m.underWay -= len(r.params)
	defer r.release()
	if r.last {
		delete(m.turns, t.id)
		m.late = append(m.late, r.id, r.result)
		return
	}
	m.slice(job{turn: t, entry: "done", args: []any{r.id, r.well, r.result}})
	if t.pending > 0 {
		t.pending--
		m.finish(t)
	}
}
