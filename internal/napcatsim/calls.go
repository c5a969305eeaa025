package napcatsim

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/action"
	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/onebot/schema"
)

// Called is a call of an action that sends no message.
type Called struct {
	Time   time.Time       `json:"time"`
	Action string          `json:"action"`
	Params json.RawMessage `json:"params"`
}

// calledLimit is how many calls a worker remembers, the newest.
const calledLimit = 2000

// callLog is what this worker was called for, by any client.
type callLog struct {
	mu   sync.Mutex
	list []Called
}

// note remembers a call. It stands before the actions and answers none.
func (l *callLog) note(c action.Call) func() *action.Result {
	if schema.Sends(c.Name) {
		return nil
	}
	params := json.RawMessage("{}")
	if c.Params != nil && !jsval.IsUndefined(c.Params) {
		params = json.RawMessage(jsval.Stringify(c.Params))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, Called{Time: time.Now(), Action: c.Name, Params: params})
	if len(l.list) > 2*calledLimit {
		l.list = slices.Clone(l.list[calledLimit:])
	}
	return nil
}

func (l *callLog) newest() []Called {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list[max(0, len(l.list)-calledLimit):])
}

// Calls returns the calls that the running worker got and that send no message,
// oldest first.
func (c *Control) Calls(ctx context.Context) ([]Called, error) {
	var out []Called
	err := c.Do(ctx, "calls", nil, &out)
	return out, err
}

func (w *worker) cmdCalls(context.Context, *json.Decoder) (any, error) { return w.calls.newest(), nil }
