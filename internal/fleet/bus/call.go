package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/ncatd/ncatd/onebot"
)

// Call is a OneBot call that a worker asks an account's host for.
type Call struct {
	Action string          `json:"action"`
	Params json.RawMessage `json:"params,omitempty"`
	// Timeout is what is left of the caller's patience, in milliseconds.
	Timeout int64 `json:"timeout_ms,omitempty"`
	// Object names the params in the object store, where they are too large for a
	// message.
	Object string `json:"object,omitempty"`
}

// Answer is what became of a Call.
type Answer struct {
	Data   json.RawMessage `json:"data,omitempty"`
	Object string          `json:"object,omitempty"` // data in the object store
	Error  *Failure        `json:"error,omitempty"`
}

// Encode returns an answer as it travels. Its data are left as they are: escaped, they
// could have outgrown a message.
func (a Answer) Encode() ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(a)
	return out.Bytes(), err
}

// Failure is a call's error on its way to the caller.
type Failure struct {
	Kind    string          `json:"kind"` // refused, not_sent, unknown_outcome or other
	Text    string          `json:"text,omitempty"`
	RetCode int             `json:"retcode,omitempty"`
	Message string          `json:"message,omitempty"`
	Wording string          `json:"wording,omitempty"`
	Verdict int             `json:"verdict,omitempty"`
	Raw     json.RawMessage `json:"raw,omitempty"`
}

// Fail returns err as it travels; nil for nil.
func Fail(err error) *Failure {
	var refused *onebot.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return &Failure{Kind: "refused", RetCode: refused.RetCode, Message: refused.Message, Wording: refused.Wording, Verdict: refused.Verdict, Raw: refused.Raw}
	case errors.Is(err, onebot.ErrUnknownOutcome):
		return &Failure{Kind: "unknown_outcome", Text: err.Error()}
	case errors.Is(err, onebot.ErrNotSent):
		return &Failure{Kind: "not_sent", Text: err.Error()}
	}
	return &Failure{Kind: "other", Text: err.Error()}
}

// Err returns the error that was made a Failure of, as far as a caller can tell;
// nil for nil.
func (f *Failure) Err(action string) error {
	switch {
	case f == nil:
		return nil
	case f.Kind == "refused":
		return &onebot.Error{Action: action, RetCode: f.RetCode, Message: f.Message, Wording: f.Wording, Verdict: f.Verdict, Raw: f.Raw}
	case f.Kind == "unknown_outcome":
		return fmt.Errorf("%s: %w: at the account's host: %s", action, onebot.ErrUnknownOutcome, f.Text)
	case f.Kind == "not_sent":
		return fmt.Errorf("%s: %w: at the account's host: %s", action, onebot.ErrNotSent, f.Text)
	}
	return fmt.Errorf("%s: at the account's host: %s", action, f.Text)
}

// Caller makes a worker's calls at an account's host. It is an [onebot.Caller]:
// see there for its errors.
type Caller struct {
	Bus    *Bus
	Self   onebot.UserID
	Worker string
}

var _ onebot.Caller = (*Caller)(nil)

// Call implements [onebot.Caller].
func (c *Caller) Call(ctx context.Context, action string, params, result any) error {
	call := Call{Action: action}
	if params != nil {
		b, err := json.Marshal(params)
		if err != nil {
			return fmt.Errorf("%s: %w: %w", action, onebot.ErrNotSent, err)
		}
		if call.Object, err = c.Bus.Stow(ctx, b); err != nil {
			return fmt.Errorf("%s: %w: %w", action, onebot.ErrNotSent, err)
		}
		if call.Object == "" {
			call.Params = b
		} else {
			defer c.Bus.Discard(context.WithoutCancel(ctx), call.Object)
		}
	}
	if end, ok := ctx.Deadline(); ok {
		call.Timeout = time.Until(end).Milliseconds()
	} else {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
	}
	body, err := json.Marshal(call)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", action, onebot.ErrNotSent, err)
	}
	m, err := c.Bus.NC.RequestMsgWithContext(ctx, &nats.Msg{Subject: CallSubject(c.Self), Data: body, Header: nats.Header{HeaderWorker: {c.Worker}}})
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%s: %w: no host runs account %d", action, onebot.ErrNotSent, c.Self)
	case errors.Is(err, nats.ErrDisconnected) || errors.Is(err, nats.ErrConnectionReconnecting) || errors.Is(err, nats.ErrReconnectBufExceeded) || errors.Is(err, nats.ErrConnectionClosed):
		return fmt.Errorf("%s: %w: %w", action, onebot.ErrNotSent, err)
	case err != nil:
		return fmt.Errorf("%s: %w: %w", action, onebot.ErrUnknownOutcome, err)
	}
	var a Answer
	if err := json.Unmarshal(m.Data, &a); err != nil {
		return fmt.Errorf("%s: %w: answer cannot be read: %w", action, onebot.ErrUnknownOutcome, err)
	}
	if a.Error != nil {
		return a.Error.Err(action)
	}
	data, err := c.Bus.Fetch(ctx, a.Object, a.Data)
	if err != nil {
		return fmt.Errorf("%s: done, but its result is lost: %w", action, err)
	}
	c.Bus.Discard(context.WithoutCancel(ctx), a.Object)
	if result == nil || len(data) == 0 || string(data) == "null" {
		return nil
	}
	if err := json.Unmarshal(data, result); err != nil {
		return fmt.Errorf("%s: decoding the result: %w", action, err)
	}
	return nil
}
