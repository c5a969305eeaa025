package rpc

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/jsonscan"
	"github.com/ncatd/ncatd/onebot"
)

// pending is a call that waits for its answer. The goroutine that takes it out of
// Conn.calls owns it and must finish it (the reader, the sweeper, fail), unless it
// is the caller. Only one that was finished goes back into the pool.
type pending struct {
	id     uint64
	tick   uint32        // Conn.tick when it was made
	own    bool          // the default deadline applies
	done   chan struct{} // 1 slot; one message when answered or failed
	answer []byte        // the whole answer frame
	parts  reply         // slices of answer
	err    error         // in place of an answer
	stream *stream       // for stream actions
}

var pendings = sync.Pool{New: func() any { return &pending{done: make(chan struct{}, 1)} }}

// errDeadline is the cause of a call that ran into Options.CallTimeout.
var errDeadline = fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)

// errEarly is why a call was not sent that the endpoint answered before.
var errEarly = errors.New("answered before it was sent")

var frames = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

// appendRequest appends the frame of a call.
func appendRequest(b []byte, action string, params any, id uint64) ([]byte, error) {
	b = append(b, `{"action":`...)
	b = appendName(b, action)
	b = append(b, `,"params":`...)
	b, err := appendParams(b, params)
	if err != nil {
		return b, fmt.Errorf("%s: encode params: %w", action, err)
	}
	b = append(b, `,"echo":"`...)
	b = strconv.AppendUint(b, id, 10)
	return append(b, `"}`...), nil
}

func appendParams(b []byte, params any) ([]byte, error) {
	switch p := params.(type) {
	case nil:
		return append(b, "{}"...), nil
	case onebot.Appender:
		return p.AppendJSON(b), nil
	case json.RawMessage:
		if len(p) == 0 {
			return append(b, "{}"...), nil
		}
		// Compacting checks the syntax: NapCat answers broken JSON with an
		// answer that names no call.
		var w bytes.Buffer
		if err := json.Compact(&w, p); err != nil {
			return b, err
		}
		return append(b, w.Bytes()...), nil
	}
	enc, err := json.Marshal(params)
	if err != nil {
		return b, err
	}
	return append(b, enc...), nil
}

func appendName(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			enc, err := json.Marshal(s)
			if err == nil {
				return append(b, enc...)
			}
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// Call implements [onebot.Caller]. A call whose context has no deadline ends
// after Options.CallTimeout.
func (c *Conn) Call(ctx context.Context, action string, params, result any) error {
	p := pendings.Get().(*pending)
	if err := c.start(ctx, p, action, params); err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		if c.remove(p.id) {
			return lostError(action, onebot.ErrUnknownOutcome, context.Cause(ctx))
		}
		<-p.done // being answered at this moment
	}
	err := p.finish(action, result)
	release(p)
	return err
}

// Answer is the result of a call that wants the answer as it came, whatever it
// says: a refusal is no error then.
type Answer struct {
	// Frame is the whole of it, and belongs to the caller.
	Frame   []byte
	RetCode int

	echo, end int // of its echo in Frame; both 0 if it has none
}

// Echo returns the answer's parts before and after its echo. One without an echo
// has its place at the end.
func (a *Answer) Echo() (before, after []byte, has bool) {
	if a.end > 0 {
		return a.Frame[:a.echo], a.Frame[a.end:], true
	}
	end := bytes.LastIndexByte(a.Frame, '}')
	return a.Frame[:end], a.Frame[end:], false
}

// NewAnswer returns the answer that a frame is, for callers that are no
// connection.
func NewAnswer(frame []byte) (a Answer) {
	_, r := classify(frame)
	a.take(&r, frame)
	return a
}

// Err returns the refusal that the answer is, nil if it is none.
func (a *Answer) Err(action string) error {
	_, r := classify(a.Frame)
	if !r.refused() {
		return nil
	}
	return &onebot.Error{Action: action, RetCode: r.retCode, Message: unquote(r.message), Wording: unquote(r.wording), Raw: a.Frame}
}

// take makes a of an answer.
func (a *Answer) take(r *reply, frame []byte) {
	a.Frame, a.RetCode = frame, r.retCode
	if len(frame) <= maxKept {
		a.Frame = bytes.Clone(frame)
	}
	if r.echo != nil {
		a.end = cap(frame) - cap(r.echo) + len(r.echo) // r.echo is a slice of frame
		a.echo = a.end - len(r.echo)
	}
}

// Sender is implemented by params whose maker wants to know when they are on
// their way: calls that begin one after the other leave in that order.
type Sender interface{ Sent() }

// fail ends a call that was taken out of the table without an answer.
func (p *pending) fail(err error) {
	p.err = err
	p.done <- struct{}{}
}

// start registers p and writes its request. After an error p is of no use.
func (c *Conn) start(ctx context.Context, p *pending, action string, params any) error {
	if ctx.Err() != nil {
		return lostError(action, onebot.ErrNotSent, context.Cause(ctx))
	}
	_, has := ctx.Deadline()
	p.own = !has
	p.tick = c.tick.Load()
	c.mu.Lock()
	if c.lost != nil {
		err := c.lost
		c.mu.Unlock()
		return lostError(action, onebot.ErrNotSent, err)
	}
	c.lastID++
	p.id = c.lastID
	others := len(c.calls) >= manyCalls
	c.calls[p.id] = p
	c.mu.Unlock()

	buf := frames.Get().(*[]byte)
	b, err := appendRequest((*buf)[:headRoom], action, params, p.id)
	if n := len(b) - headRoom; err == nil && n > MaxRequest {
		err = fmt.Errorf("%s: %w: request of %d bytes: %w", action, ErrTooLarge, n, onebot.ErrNotSent)
	}
	if err != nil {
		c.remove(p.id)
		return err
	}
	if err := c.turn(ctx, p); err != nil {
		c.remove(p.id)
		return lostError(action, onebot.ErrNotSent, err)
	}
	if s, ok := params.(Sender); ok { // the next write waits for this frame
		s.Sent()
	}
	if len(b) > inlineWrite && c.join() {
		go func() {
			defer c.writers.Done()
			c.write(ctx, b, others)
			keep(buf, b)
		}()
		return nil
	}
	c.write(ctx, b, others)
	keep(buf, b)
	return nil
}

// turn waits for the turn to write p's request. An error is why there will be none:
// nothing left yet.
func (c *Conn) turn(ctx context.Context, p *pending) error {
	select {
	case c.writing <- struct{}{}:
	default:
		select {
		case c.writing <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.done: // the link was lost, or the default deadline passed
			return cmp.Or(p.err, errEarly)
		}
	}
	if c.ending.Load() {
		<-c.writing
		return net.ErrClosed
	}
	if c.down.Load() { // both were ready
		<-c.writing
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.lost
	}
	return nil
}

// join adds a writer that Run waits for, unless the link has ended.
func (c *Conn) join() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost != nil {
		return false
	}
	c.writers.Add(1)
	return true
}

// write writes one request, for whose header b has room, and gives up the turn to
// write; others says whether many other calls are on their way. A frame that cannot be written ends the link, which fails all pending
// calls, the one it belongs to among them.
func (c *Conn) write(ctx context.Context, b []byte, others bool) {
	c.wire.hold()
	var err error
	if c.tls { // which is between the wire and the WebSocket
		err = c.ws.Write(context.WithoutCancel(ctx), websocket.MessageText, b[headRoom:])
	} else {
		_, err = c.wire.Write(seal(b, c.client))
	}
	if err != nil {
		c.fail(err) // before others have their turn: they write nothing then
	}
	<-c.writing
	c.wire.release(others)
	if err != nil {
		c.ws.CloseNow()
	}
}

// keep puts a frame's memory back for the next one.
func keep(buf *[]byte, b []byte) {
	if cap(b) <= maxKept {
		*buf = b[:0]
		frames.Put(buf)
	}
}

// remove takes a call out of the table and reports whether it was there.
func (c *Conn) remove(id uint64) bool {
	c.mu.Lock()
	_, ok := c.calls[id]
	delete(c.calls, id)
	c.mu.Unlock()
	return ok
}

func release(p *pending) {
	if cap(p.answer) > maxKept {
		p.answer = nil
	}
	p.parts, p.err, p.stream = reply{}, nil, nil
	pendings.Put(p)
}

// answer hands an answer to the call that waits for it; false if none does.
func (c *Conn) answer(id uint64, frame []byte, r *reply) bool {
	c.mu.Lock()
	p := c.calls[id]
	if p == nil {
		c.mu.Unlock()
		return false
	}
	c.hits.Add(1) // before the call can return
	if p.stream != nil && r.isPacket() {
		s := p.stream
		p.tick = c.tick.Load() // each packet renews the default deadline
		c.mu.Unlock()
		s.put(r.data, c.wire)
		return true
	}
	delete(c.calls, id)
	c.mu.Unlock()
	if len(frame) > maxKept {
		p.answer, p.parts = frame, *r
	} else {
		p.answer = append(p.answer[:0], frame...)
		p.parts = r.in(p.answer, frame)
	}
	c.wire.woke.Add(1)
	p.done <- struct{}{}
	return true
}

// finish turns the answer into Call's result.
func (p *pending) finish(action string, result any) error {
	if p.err != nil {
		return lostError(action, onebot.ErrUnknownOutcome, p.err)
	}
	return p.parts.finish(action, p.answer, result)
}

// finish turns an answer, which frame is the whole of, into a call's result,
// which may keep a frame longer than maxKept.
func (r *reply) finish(action string, frame []byte, result any) error {
	if a, ok := result.(*Answer); ok {
		a.take(r, frame)
		return nil
	}
	if r.odd != "" {
		return fmt.Errorf("%s: the answer's %s is of a wrong type: %w", action, r.odd, onebot.ErrUnknownOutcome)
	}
	if r.refused() {
		return &onebot.Error{
			Action: action, RetCode: r.retCode, Message: unquote(r.message), Wording: unquote(r.wording),
			Raw: bytes.Clone(frame),
		}
	}
	if result == nil || len(r.data) == 0 || string(r.data) == "null" {
		return nil
	}
	if raw, ok := result.(*json.RawMessage); ok {
		if *raw = r.data; len(frame) <= maxKept {
			*raw = bytes.Clone(r.data)
		}
		return nil
	}
	var err error
	if u, ok := result.(json.Unmarshaler); ok {
		err = u.UnmarshalJSON(r.data) // what Unmarshal would do, without its search for it
	} else {
		err = json.Unmarshal(r.data, result)
	}
	if err != nil {
		return fmt.Errorf("%s: decode answer: %w", action, err)
	}
	return nil
}

// lostCall is the error of a call that the link failed. Its text is made when
// it is asked for: a lost link fails thousands of calls at once.
type lostCall struct {
	action      string
	kind, cause error // cause may be nil
}

func lostError(action string, kind, cause error) error { return &lostCall{action, kind, cause} }

func (e *lostCall) Error() string {
	if e.cause == nil {
		return e.action + ": " + e.kind.Error()
	}
	return e.action + ": " + e.kind.Error() + ": " + e.cause.Error()
}

func (e *lostCall) Unwrap() []error {
	if e.cause == nil {
		return []error{e.kind}
	}
	return []error{e.kind, e.cause}
}

// fail marks the link lost and ends all pending calls. Only the first reason
// counts.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	if c.lost != nil {
		c.mu.Unlock()
		return
	}
	c.lost = err
	c.down.Store(true)
	calls := c.calls
	c.calls = map[uint64]*pending{}
	c.mu.Unlock()
	for _, p := range calls {
		p.fail(err)
	}
}

// deadlines ends the calls that ran into Options.CallTimeout. One ticker for
// all calls costs less than a timer for each.
func (c *Conn) deadlines(ctx context.Context) {
	const steps = 50
	t := time.NewTicker(max(c.o.CallTimeout/steps, time.Millisecond))
	defer t.Stop()
	limit := uint32(c.o.CallTimeout/max(c.o.CallTimeout/steps, time.Millisecond)) + 1
	var late []*pending
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		now := c.tick.Add(1)
		c.mu.Lock()
		for id, p := range c.calls {
			if p.own && now-p.tick >= limit {
				delete(c.calls, id)
				late = append(late, p)
			}
		}
		c.mu.Unlock()
		for i, p := range late {
			p.fail(errDeadline)
			late[i] = nil
		}
		late = late[:0]
	}
}

// tooLarge deals with an answer that was thrown away because of its size; tail
// is its end.
func (c *Conn) tooLarge(tail []byte, size int) {
	c.large.Add(1)
	c.o.Logger.Debug("frame too large", "bytes", size, "limit", c.o.MaxFrame)
	const key = `"echo":`
	i := bytes.LastIndex(tail, []byte(key))
	if i < 0 {
		return
	}
	tail = bytes.TrimLeft(tail[i+len(key):], " \t\r\n")
	end := jsonscan.Prefix(tail)
	if end < 0 {
		return
	}
	id := echoID(tail[:end])
	c.mu.Lock()
	p := c.calls[id]
	delete(c.calls, id)
	c.mu.Unlock()
	if p != nil {
		p.fail(fmt.Errorf("%w: answer of %d bytes", ErrTooLarge, size))
	}
}

// Lost reports whether err says that the link, not the endpoint, failed the
// call.
func Lost(err error) bool {
	return errors.Is(err, onebot.ErrNotSent) || errors.Is(err, onebot.ErrUnknownOutcome)
}
