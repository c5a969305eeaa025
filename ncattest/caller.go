package ncattest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/action"
	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
	"github.com/ncatd/ncatd/onebot"
)

// callTimeout is when a call ends that nothing else ends.
const callTimeout = 30 * time.Second

// Caller is an [onebot.Caller] that records every call and carries it out in a
// little QQ of its own, the one that [Server] has, unless told otherwise with
// [Recorder.On]: messages are in the history of their chat, members are muted and
// removed, files can be uploaded and downloaded, and what NapCat refuses is
// refused. Whom a call names is there. Web addresses in messages are taken as
// they are; nothing is fetched. It is safe for concurrent use. The zero Caller is
// ready and has the account [Self].
type Caller struct {
	Recorder

	once sync.Once
	at   *site
}

var _ onebot.Streamer = (*Caller)(nil)

// place returns the Caller's QQ.
func (c *Caller) place() *site {
	c.once.Do(func() {
		if c.at == nil {
			c.settle(world.New(world.Options{UIN: int64(Self), Nickname: "bot", Empty: true, NextSeq: nextSeq}), "", (&web{}).fetch)
		}
	})
	return c.at
}

// settle gives the Caller an account in w, a folder for files and a web.
func (c *Caller) settle(w *world.World, dir string, fetch func(context.Context, string) ([]byte, error)) {
	c.at = newSite(&c.Recorder, w, action.Options{
		TempDir: dir, FileURL: "https://" + fileHost, Fetch: fetch, Restart: func() error { return nil },
	})
	c.at.tell = func(onebot.Event) error { return nil } // nobody listens
}

// Close removes the files that the Caller was sent. A [Harness] closes its own.
func (c *Caller) Close() error { return c.place().host.Close() }

// Call implements [onebot.Caller].
func (c *Caller) Call(ctx context.Context, action string, params, result any) error {
	return c.Stream(ctx, action, params, func(json.RawMessage) error { return nil }, result)
}

// Stream implements [onebot.Streamer]: a download comes in packets, any other
// action answers like Call.
func (c *Caller) Stream(ctx context.Context, action string, params any, packet func(json.RawMessage) error, result any) error {
	data, err := c.do(ctx, action, params, packet)
	if err != nil || result == nil || data == nil {
		return err
	}
	return json.Unmarshal(data, result)
}

// do makes a call; nil data is an answer without any.
func (c *Caller) do(ctx context.Context, action string, params any, packet func(json.RawMessage) error) (json.RawMessage, error) {
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
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	data, err := c.answer(ctx, action, raw, answer, packet)
	if err != nil {
		err = named(action, err)
		c.failed(call, err)
	}
	return data, err
}

func (c *Caller) answer(ctx context.Context, name string, params json.RawMessage, answer Answer, packet func(json.RawMessage) error) (json.RawMessage, error) {
	if answer != nil {
		data, err := answer(params)
		if errors.Is(err, errSilence) {
			return nil, silence(ctx)
		}
		if err != nil {
			return nil, err
		}
		if data != nil {
			return json.Marshal(data)
		}
	}
	if !action.Known(name) {
		return nil, refusal(action.Failure{Code: onebot.RetUnsupported, Text: "不支持的API " + name})
	}
	c.place().admit(params)
	p, err := jsval.Parse(string(params))
	if err != nil {
		return nil, err
	}
	return c.carryOut(ctx, action.Call{Name: name, Params: p, Format: "array"}, packet)
}

// carryOut does what a call wants and waits for its answer.
func (c *Caller) carryOut(ctx context.Context, call action.Call, packet func(json.RawMessage) error) (json.RawMessage, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var last *action.Result
	here := func(f func()) { f() } // the caller waits anyway
	c.place().host.Do(ctx, call, here, func(r action.Result) {
		if !r.More {
			last = &r
			return
		}
		if err := packet(jsval.Append(nil, r.Data)); err != nil {
			cancel(err)
		}
	})
	switch {
	case last == nil || last.Silent:
		return nil, silence(ctx)
	case last.Err != nil && ctx.Err() != nil:
		return nil, fmt.Errorf("%w: %w", onebot.ErrUnknownOutcome, context.Cause(ctx))
	case last.Err != nil:
		return nil, refusal(*last.Err)
	case jsval.IsUndefined(last.Data):
		return nil, nil
	}
	return jsval.Append(nil, last.Data), nil
}

// refusal is a failure as a client sees it.
func refusal(f action.Failure) error {
	code := f.Code
	switch {
	case code != 0:
	case f.Check:
		code = onebot.RetBadParams
	default:
		code = onebot.RetFailed
	}
	return &onebot.Error{RetCode: code, Message: f.Text, Wording: f.Text}
}

// silence waits for the end of a call that is never answered.
func silence(ctx context.Context) error {
	<-ctx.Done()
	return fmt.Errorf("%w: %w", onebot.ErrUnknownOutcome, context.Cause(ctx))
}

// named says in an error which action it answers.
func named(action string, err error) error {
	var e *onebot.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%s: %w", action, err)
	}
	if e.Action != "" {
		return err
	}
	cp := *e
	cp.Action = action
	return &cp
}

// Content returns the content of a picture, voice message, video or file that
// the bot sent or received; false if it is elsewhere, for instance at an address.
func (c *Caller) Content(s onebot.Segment) ([]byte, bool) { return c.place().content(s) }
