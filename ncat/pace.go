package ncat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/ncatd/ncatd/onebot"
)

// SendPolicy says what becomes of a message that is sent too soon.
type SendPolicy string

// The policies.
const (
	// SendWait lets it wait for its turn, in order, until its context ends.
	SendWait SendPolicy = "wait"
	// SendMerge is SendWait, but what waits for the same chat goes out as one
	// message, a line for each, if all of it is text, faces, mentions and
	// pictures. Every sender gets the id of the one.
	SendMerge SendPolicy = "merge"
	// SendRefuse fails at once with [ErrTooFast].
	SendRefuse SendPolicy = "refuse"
)

// ErrTooFast says that a message was not sent because of [WithSendRate] or
// [WithChatSendRate]: there was no turn for it ([SendRefuse]), or too many were
// waiting. It comes with [onebot.ErrNotSent].
var ErrTooFast = errors.New("too many messages")

const (
	// maxPaced is how many messages of an account, or of each of its sources, may
	// wait for their turn. Further sends are refused: a bot that sends faster than it
	// may for so long will not catch up.
	maxPaced = 1024
	// maxPacedChats is how many chats' rates are remembered beyond those that
	// are busy.
	maxPacedChats = 256
	// maxMerged is how many bytes of text are merged into one message.
	maxMerged = 3000
)

// WithSendRate lets each account send at most n messages within per, and n at
// once after a pause. What becomes of others says [WithSendPolicy]. Without it,
// or with n 0, nothing waits.
func WithSendRate(n int, per time.Duration) Option {
	return func(c *core) { c.sends = sendRate{max(n, 0), per} }
}

// WithChatSendRate is [WithSendRate] for each chat of an account, in addition.
func WithChatSendRate(n int, per time.Duration) Option {
	return func(c *core) { c.chatSends = sendRate{max(n, 0), per} }
}

// WithSendPolicy sets what becomes of messages that are sent too soon; [SendWait]
// without it.
func WithSendPolicy(p SendPolicy) Option { return func(c *core) { c.sendPolicy = p } }

// sendRate is n within per; n 0 is no limit.
type sendRate struct {
	n   int
	per time.Duration
}

func (r sendRate) limiter() *rate.Limiter {
	if r.n == 0 || r.per <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Every(r.per/time.Duration(r.n)), r.n)
}

// pacer holds an account's messages to the rates.
type pacer struct {
	account *rate.Limiter // nil: no limit
	chat    sendRate
	policy  SendPolicy

	paced, refused, merged atomic.Uint64

	mu      sync.Mutex     // guards the fields below
	waiting map[string]int // source to how many; see CallFrom
	chats   map[Chat]*chatPace
	turns   map[string]chan struct{} // 1 slot for each source, see CallFrom
}

// chatPace is the pace of one chat.
type chatPace struct {
	limit   *rate.Limiter // nil: no limit
	waiting int
	batch   *batch // that others may join; nil: none
}

// batch is a message that waits and that others join.
type batch struct {
	msg  onebot.Message
	size int
	n    int
	done chan struct{} // closed when it was sent
	id   onebot.MessageID
	err  error
}

func (c *core) pacer() *pacer {
	return &pacer{account: c.sends.limiter(), chat: c.chatSends, policy: c.sendPolicy, waiting: map[string]int{}, chats: map[Chat]*chatPace{}}
}

// off reports whether nothing is held to a rate.
func (p *pacer) off() bool { return p.account == nil && p.chat.n == 0 }

// sendsMessage reports whether an action sends a message, or may (contract E.7,
// F.2).
func sendsMessage(action string) bool {
	return strings.HasPrefix(action, "send_") && strings.Contains(action, "msg") ||
		strings.HasPrefix(action, "forward_") && strings.Contains(action, "_single_msg") ||
		strings.Contains(action, "_quick_operation")
}

// CallFrom implements [botlink.Session].
func (s *session) CallFrom(ctx context.Context, source, action string, params, result any) error {
	return s.pace.call(context.WithValue(ctx, sourceKey{}, source), s.caller, action, params, result)
}

type sourceKey struct{}

func sourceOf(ctx context.Context) string {
	source, _ := ctx.Value(sourceKey{}).(string)
	return source
}

// leaveLocked notes that a message of a source waits no more.
func (p *pacer) leaveLocked(source string) {
	if p.waiting[source]--; p.waiting[source] == 0 {
		delete(p.waiting, source)
	}
}

// turn lets one message of each source wait at a time, so that the limiter, which
// is first come, first served, serves the sources in turn. It returns what ends
// the turn.
func (p *pacer) turn(ctx context.Context, action string) (end func(), err error) {
	source := sourceOf(ctx)
	p.mu.Lock()
	if p.turns == nil {
		p.mu.Unlock()
		return func() {}, nil
	}
	t := p.turns[source]
	if t == nil {
		t = make(chan struct{}, 1)
		p.turns[source] = t
	}
	full := p.waiting[source] >= maxPaced
	if !full {
		p.waiting[source]++
	}
	p.mu.Unlock()
	if full {
		p.refused.Add(1)
		return nil, fmt.Errorf("%s: %w: %w", action, onebot.ErrNotSent, ErrTooFast)
	}
	select {
	case t <- struct{}{}:
	case <-ctx.Done():
		err = fmt.Errorf("%s: %w: waiting for its turn: %w", action, onebot.ErrNotSent, context.Cause(ctx))
	}
	p.mu.Lock()
	p.leaveLocked(source)
	p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return func() { <-t }, nil
}

// call makes a call when the rates allow it.
func (p *pacer) call(ctx context.Context, c onebot.Caller, action string, params, result any) error {
	if p.off() || !sendsMessage(action) {
		return c.Call(ctx, action, params, result)
	}
	chat, msg, sends := target(params)
	if !sends {
		return c.Call(ctx, action, params, result)
	}
	if p.policy == SendMerge && mergeable(*msg) {
		if r, ok := result.(*onebot.SendResult); ok {
			return p.merge(ctx, c, action, params, r, chat, msg)
		}
	}
	if err := p.wait(ctx, action, chat); err != nil {
		return err
	}
	return c.Call(ctx, action, params, result)
}

// wait waits for a turn in a chat.
func (p *pacer) wait(ctx context.Context, action string, chat Chat) error {
	p.mu.Lock()
	cp := p.chatLocked(chat)
	shared := p.turns != nil && p.account != nil && p.policy != SendRefuse
	p.mu.Unlock()
	if !shared {
		return p.reserve(ctx, action, cp, cp.limit, p.account)
	}
	// The chat's turn comes first: a send that waits for it must not keep the source
	// from sending elsewhere.
	if err := p.reserve(ctx, action, cp, cp.limit); err != nil {
		return err
	}
	end, err := p.turn(ctx, action)
	if err != nil {
		return err
	}
	defer end()
	return p.reserve(ctx, action, cp, p.account)
}

// reserve waits until all of the limits allow a message.
func (p *pacer) reserve(ctx context.Context, action string, cp *chatPace, limits ...*rate.Limiter) error {
	now, source := time.Now(), sourceOf(ctx)
	p.mu.Lock()
	var turns []*rate.Reservation
	for _, l := range limits {
		if l != nil {
			turns = append(turns, l.ReserveN(now, 1))
		}
	}
	var delay time.Duration
	for _, t := range turns {
		delay = max(delay, t.DelayFrom(now))
	}
	if delay > 0 && (p.policy == SendRefuse || p.waiting[source] >= maxPaced) {
		for _, t := range slices.Backward(turns) {
			t.CancelAt(now)
		}
		p.mu.Unlock()
		p.refused.Add(1)
		return fmt.Errorf("%s: %w: %w", action, onebot.ErrNotSent, ErrTooFast)
	}
	if delay == 0 {
		p.mu.Unlock()
		return nil
	}
	p.waiting[source]++
	cp.waiting++
	p.mu.Unlock()
	p.paced.Add(1)
	t := time.NewTimer(delay)
	defer t.Stop()
	var err error
	select {
	case <-t.C:
	case <-ctx.Done():
		now := time.Now()
		for _, t := range slices.Backward(turns) {
			t.CancelAt(now) // as far as nobody waits behind it
		}
		err = fmt.Errorf("%s: %w: waiting for its turn: %w", action, onebot.ErrNotSent, context.Cause(ctx))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaveLocked(source)
	cp.waiting--
	return err
}

// chatLocked returns the pace of a chat, and forgets chats that have been quiet
// for so long that their rate is as new.
func (p *pacer) chatLocked(chat Chat) *chatPace {
	if cp := p.chats[chat]; cp != nil {
		return cp
	}
	if len(p.chats) >= maxPacedChats {
		for c, cp := range p.chats {
			if cp.waiting == 0 && cp.batch == nil && (cp.limit == nil || cp.limit.Tokens() >= float64(cp.limit.Burst())) {
				delete(p.chats, c)
			}
		}
	}
	cp := &chatPace{limit: p.chat.limiter()}
	p.chats[chat] = cp
	return cp
}

// merge sends a message together with those for the same chat that come while
// it waits.
func (p *pacer) merge(ctx context.Context, c onebot.Caller, action string, params any, r *onebot.SendResult, chat Chat, msg *onebot.Message) error {
	size := len(msg.Text())
	p.mu.Lock()
	cp := p.chatLocked(chat)
	if b := cp.batch; b != nil && b.size+size < maxMerged && b.n < maxPaced {
		b.msg = append(append(b.msg, onebot.Text("\n")), *msg...)
		b.size += size + 1
		b.n++
		p.mu.Unlock()
		p.merged.Add(1)
		select {
		case <-b.done:
			r.MessageID = b.id
			return b.err
		case <-ctx.Done(): // it may be on its way with the others
			return fmt.Errorf("%s: %w: merged: %w", action, onebot.ErrUnknownOutcome, context.Cause(ctx))
		}
	}
	b := &batch{msg: slices.Clone(*msg), size: size, n: 1, done: make(chan struct{})}
	cp.batch = b
	p.mu.Unlock()
	err := p.wait(ctx, action, chat)
	if ctx.Err() != nil {
		p.mu.Lock()
		alone := b.n == 1
		if alone {
			cp.batch = nil
		}
		p.mu.Unlock()
		if alone {
			return err
		}
		// The others depend on this one: its context's end is not theirs.
		err = p.wait(context.WithoutCancel(ctx), action, chat)
	}
	p.mu.Lock()
	if cp.batch == b {
		cp.batch = nil
	}
	*msg = b.msg
	p.mu.Unlock()
	if err == nil {
		err = c.Call(context.WithoutCancel(ctx), action, params, r)
	}
	b.id, b.err = r.MessageID, err
	close(b.done)
	return err
}

// target returns the chat that a message goes to, and the message within params,
// which is empty if it is of no kind that this package knows. sends is false for a
// quick operation that replies nothing.
func target(params any) (c Chat, msg *onebot.Message, sends bool) {
	switch p := params.(type) {
	case *onebot.SendGroupMsgParams:
		return Chat{Group: p.GroupID}, &p.Message, true
	case *onebot.SendPrivateMsgParams:
		return Chat{Group: p.GroupID, User: p.UserID}, &p.Message, true
	}
	type place struct {
		Group json.RawMessage `json:"group_id"`
		User  json.RawMessage `json:"user_id"`
	}
	var q struct {
		place
		Context   place
		Operation *struct{ Reply any }
	}
	none := new(onebot.Message)
	b, err := json.Marshal(params)
	if err != nil || json.Unmarshal(b, &q) != nil {
		return Chat{}, none, true
	}
	if q.Operation != nil { // a quick operation, which answers a request or a message
		if q.Operation.Reply == nil || q.Operation.Reply == "" {
			return Chat{}, none, false
		}
		q.place = q.Context
	}
	if g := number(q.Group); g != 0 {
		c.Group = onebot.GroupID(g) // it wins over the user (contract F.2)
	} else {
		c.User = onebot.UserID(number(q.User))
	}
	return c, none, true
}

// number reads an id as NapCat does: a number or digits.
func number(raw json.RawMessage) int64 {
	n, err := strconv.ParseInt(strings.Trim(string(raw), `"`), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// mergeable reports whether a message may be part of a longer one.
func mergeable(m onebot.Message) bool {
	for _, s := range m {
		switch s.(type) {
		case *onebot.TextSegment, *onebot.FaceSegment, *onebot.AtSegment, *onebot.ImageSegment:
		default:
			return false
		}
	}
	return len(m) > 0
}
