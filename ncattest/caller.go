package ncattest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
	"github.com/ncatd/ncatd/onebot/schema"
)

// Call is one call that was made.
type Call struct {
	Action string
	Params json.RawMessage
}

// Decode decodes the parameters into v.
func (c Call) Decode(v any) error { return json.Unmarshal(c.Params, v) }

// Sent is one message that was sent.
type Sent struct {
	Chat    ncat.Chat
	ID      onebot.MessageID
	Message onebot.Message
}

// Text returns the plain text of the message.
func (s Sent) Text() string { return s.Message.Text() }

// Answer answers calls of one action: with what encodes to the data of the
// answer, or with an error, for instance an *[onebot.Error].
type Answer func(params json.RawMessage) (data any, err error)

// Caller is an [onebot.Caller] that records every call and answers it: sends with
// a new message id, everything else with null, unless told otherwise with
// [Caller.On]. It is safe for concurrent use. The zero Caller is ready.
type Caller struct {
	mu      sync.Mutex // guards the fields below
	calls   []Call
	sent    []Sent
	answers map[string]Answer
}

var _ onebot.Streamer = (*Caller)(nil)

// On sets how calls of an action are answered; nil: as without it.
func (c *Caller) On(action string, a Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil {
		c.answers = map[string]Answer{}
	}
	c.answers[action] = a
}

// Calls returns the calls of the actions, of all if none is given, in the order
// in which they were made.
func (c *Caller) Calls(actions ...string) []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Call
	for _, x := range c.calls {
		if len(actions) == 0 || slices.Contains(actions, x.Action) {
			out = append(out, x)
		}
	}
	return out
}

// Sent returns what was sent since the last call of Sent.
func (c *Caller) Sent() []Sent {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.sent
	c.sent = nil
	return out
}

// Call implements [onebot.Caller].
func (c *Caller) Call(ctx context.Context, action string, params, result any) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w: %w", action, onebot.ErrNotSent, context.Cause(ctx))
	}
	raw, err := json.Marshal(params)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", action, onebot.ErrNotSent, err)
	}
	data, err := c.answer(action, raw)
	if err != nil || result == nil {
		return err
	}
	b, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("%s: answer: %w", action, err)
	}
	return json.Unmarshal(b, result)
}

// Stream implements [onebot.Streamer]: it answers like Call, without packets.
func (c *Caller) Stream(ctx context.Context, action string, params any, _ func(json.RawMessage) error, result any) error {
	return c.Call(ctx, action, params, result)
}

func (c *Caller) answer(action string, params json.RawMessage) (any, error) {
	c.mu.Lock()
	c.calls = append(c.calls, Call{action, params})
	a := c.answers[action]
	c.mu.Unlock()
	if a != nil {
		if data, err := a(params); data != nil || err != nil {
			return data, err
		}
	}
	if !schema.Sends(action) {
		return nil, nil
	}
	var p struct {
		GroupID  onebot.GroupID `json:"group_id"`
		UserID   onebot.UserID  `json:"user_id"`
		Message  onebot.Message `json:"message"`
		Messages onebot.Message `json:"messages"`
	}
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, fmt.Errorf("%s: %w", action, err)
	}
	s := Sent{Chat: ncat.Chat{Group: p.GroupID, User: p.UserID}, ID: nextMessageID(), Message: append(p.Message, p.Messages...)}
	c.mu.Lock()
	c.sent = append(c.sent, s)
	c.mu.Unlock()
	return map[string]any{"message_id": s.ID}, nil
}
