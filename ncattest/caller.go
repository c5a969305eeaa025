package ncattest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
	"github.com/ncatd/ncatd/onebot/schema"
)

// callTimeout is when a call ends that nothing else ends.
const callTimeout = 30 * time.Second

// Caller is an [onebot.Caller] that records every call and answers it as a host
// does on which all goes well, unless told otherwise with [Recorder.On]: messages
// get an id and are found by get_msg and in the history of their chat, the
// members of groups are those who were seen there, files can be uploaded and
// downloaded, and what does something is done. It is safe for concurrent use.
// The zero Caller is ready.
type Caller struct {
	Recorder
	memory memory
}

var _ onebot.Streamer = (*Caller)(nil)

// Call implements [onebot.Caller].
func (c *Caller) Call(ctx context.Context, action string, params, result any) error {
	data, err := c.do(ctx, action, params, nil)
	if err != nil || result == nil {
		return err
	}
	b, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("%s: answer: %w", action, err)
	}
	return json.Unmarshal(b, result)
}

// Stream implements [onebot.Streamer]: a download comes in packets, any other
// action answers like Call.
func (c *Caller) Stream(ctx context.Context, action string, params any, packet func(json.RawMessage) error, result any) error {
	data, err := c.do(ctx, action, params, packet)
	if err != nil || result == nil {
		return err
	}
	b, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("%s: answer: %w", action, err)
	}
	return json.Unmarshal(b, result)
}

func (c *Caller) do(ctx context.Context, action string, params any, packet func(json.RawMessage) error) (any, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s: %w: %w", action, onebot.ErrNotSent, context.Cause(ctx))
	}
	raw := json.RawMessage("{}")
	if params != nil {
		var err error
		if raw, err = json.Marshal(params); err != nil {
			return nil, fmt.Errorf("%s: %w: %w", action, onebot.ErrNotSent, err)
		}
	}
	call, answer := c.record(action, raw)
	data, err := c.answer(ctx, action, raw, answer, packet)
	if err != nil {
		c.failed(call, err)
	}
	return data, err
}

func (c *Caller) answer(ctx context.Context, action string, params json.RawMessage, answer Answer, packet func(json.RawMessage) error) (any, error) {
	if answer != nil {
		data, err := answer(params)
		if errors.Is(err, errSilence) {
			return nil, silence(ctx, action)
		}
		if err != nil {
			return nil, named(action, err)
		}
		if data != nil {
			return data, nil
		}
	}
	if schema.Sends(action) {
		return c.send(action, params)
	}
	data, err := c.memory.answer(action, params, packet)
	if err != nil {
		return nil, named(action, err)
	}
	return data, nil
}

// silence waits for the end of a call that is never answered.
func silence(ctx context.Context, action string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	<-ctx.Done()
	return fmt.Errorf("%s: %w: %w", action, onebot.ErrUnknownOutcome, context.Cause(ctx))
}

// named says in an error of an Answer which action it answers.
func named(action string, err error) error {
	var e *onebot.Error
	switch {
	case errors.As(err, &e):
		if e.Action == "" {
			cp := *e
			cp.Action = action
			return &cp
		}
		return err
	case errors.Is(err, onebot.ErrNotSent), errors.Is(err, onebot.ErrUnknownOutcome):
		return fmt.Errorf("%s: %w", action, err)
	}
	return err
}

// unfit says what NapCat would say of a message that it does not take.
func unfit(group bool, m onebot.Message) error {
	kind := onebot.ChatPrivate
	if group {
		kind = onebot.ChatGroup
	}
	var ps onebot.Problems
	if !errors.As(m.Validate(kind), &ps) {
		return nil
	}
	for _, p := range ps {
		if p.Refused() {
			return &onebot.Error{RetCode: onebot.RetFailed, Message: "NapCat refuses this: " + p.String()}
		}
	}
	return nil
}

func (c *Caller) send(action string, params json.RawMessage) (any, error) {
	var p struct {
		GroupID  onebot.GroupID `json:"group_id"`
		UserID   onebot.UserID  `json:"user_id"`
		Message  onebot.Message `json:"message"`
		Messages onebot.Message `json:"messages"`
	}
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, fmt.Errorf("%s: %w", action, err)
	}
	if err := unfit(p.GroupID != 0, append(p.Message, p.Messages...)); err != nil {
		return nil, named(action, err)
	}
	if err := c.memory.unheard(ncat.Chat{Group: p.GroupID, User: p.UserID}); err != nil {
		return nil, named(action, err)
	}
	s := Sent{Chat: ncat.Chat{Group: p.GroupID, User: p.UserID}, ID: nextMessageID(), Message: append(p.Message, p.Messages...)}
	c.memory.said(s)
	c.recordSent(s)
	return map[string]any{"message_id": s.ID}, nil
}
