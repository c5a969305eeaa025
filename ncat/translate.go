package ncat

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ncatd/ncatd/internal/alias"
	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// translator is a link whose host may have ids that are no numbers: onebot decodes
// each to a number that stands for it, and a call carries the id itself again.
// For hosts that have numbers it does nothing but compare some of them.
type translator struct {
	to  onebot.Caller
	ids alias.Table
}

// meet remembers the ids of an event that are no numbers.
func (t *translator) meet(e onebot.Event) {
	if t.ids.Used() || alias.Is(int64(e.Base().SelfID)) || worded(e) {
		t.ids.Learn(e.Base().Raw())
	}
}

// worded reports whether an id of e is no number.
func worded(e onebot.Event) bool {
	if m, ok := e.(onebot.MessageEvent); ok && alias.Is(int64(m.Msg().MessageID)) {
		return true
	}
	chat := ChatOf(e)
	return alias.Is(int64(chat.Group)) || alias.Is(int64(chat.User))
}

// Call implements [onebot.Caller].
func (t *translator) Call(ctx context.Context, action string, params, result any) error {
	params, err := t.params(params)
	if err != nil {
		return fmt.Errorf("%s: encode params: %w", action, err)
	}
	err = t.to.Call(ctx, action, params, t.result(result))
	if r, ok := result.(*onebot.SendResult); ok && alias.Is(int64(r.MessageID)) {
		t.ids.Learn(r.Raw())
	}
	return err
}

// Stream implements [onebot.Streamer]; it fails if the link is no Streamer.
func (t *translator) Stream(ctx context.Context, action string, params any, packet func(json.RawMessage) error, result any) error {
	st, ok := t.to.(onebot.Streamer)
	if !ok {
		return fmt.Errorf("%s: this transport has no stream actions: %w", action, onebot.ErrNotSent)
	}
	params, err := t.params(params)
	if err != nil {
		return fmt.Errorf("%s: encode params: %w", action, err)
	}
	return st.Stream(ctx, action, params, packet, t.result(result))
}

// params returns the params with the ids that the host knows.
func (t *translator) params(params any) (any, error) {
	if params == nil || !t.ids.Used() {
		return params, nil
	}
	var text []byte
	if a, ok := params.(onebot.Appender); ok {
		text = a.AppendJSON(nil)
	} else {
		var err error
		if text, err = json.Marshal(params); err != nil {
			return nil, err
		}
	}
	return &translated{params, t.ids.Restore(nil, text)}, nil
}

// translated are params as JSON.
type translated struct {
	from any
	json []byte
}

// AppendJSON implements [onebot.Appender].
func (p *translated) AppendJSON(dst []byte) []byte { return append(dst, p.json...) }

// MarshalJSON implements [json.Marshaler].
func (p *translated) MarshalJSON() ([]byte, error) { return p.json, nil }

// Sent implements [rpc.Sender].
func (p *translated) Sent() {
	if s, ok := p.from.(rpc.Sender); ok {
		s.Sent()
	}
}

// result returns what a call decodes its answer into. The answer to a send has one
// id, which is looked at afterwards, and an [rpc.Answer] is not decoded.
func (t *translator) result(result any) any {
	switch result.(type) {
	case nil, *onebot.SendResult, *rpc.Answer:
		return result
	}
	return &learned{t, result}
}

// learned decodes an answer and remembers the ids in it that are no numbers.
type learned struct {
	t    *translator
	into any
}

// UnmarshalJSON implements [json.Unmarshaler].
func (l *learned) UnmarshalJSON(b []byte) error {
	l.t.ids.Learn(b)
	return json.Unmarshal(b, l.into)
}
