package action

import (
	"context"
	"strconv"

	"github.com/ncatd/ncatd/internal/napcatsim/cqcode"
	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// Quick is what the receiver of an event wants done about it.
type Quick struct {
	Context, Operation *jsval.Object
}

// quickOperation answers at once; what follows shows only in the log. The
// schema of context knows neither request_type nor flag, so requests cannot be
// answered this way.
func quickOperation(c *call) (any, error) {
	context, _ := c.p.Get("context").(*jsval.Object)
	operation, _ := c.p.Get("operation").(*jsval.Object)
	c.h.quick(c.ctx, Quick{Context: context, Operation: operation}, nil)
	return undefined, nil
}

// Quick carries out what a webhook answered (contract E.7). What takes time runs
// in a goroutine started with goes.
func (h *Host) Quick(ctx context.Context, q Quick, goes func(func())) { h.quick(ctx, q, goes) }

func (h *Host) quick(ctx context.Context, q Quick, goes func(func())) {
	if goes == nil {
		goes = func(f func()) { f() }
	}
	switch q.Context.Get("post_type") {
	case "message":
		h.quickReply(ctx, q, goes)
	case "request":
		h.quickRequest(q)
	}
}

func (h *Host) quickReply(ctx context.Context, q Quick, goes func(func())) {
	reply := q.Operation.Get("reply")
	if !jsval.Truthy(reply) {
		return
	}
	list := normalize(reply, q.Operation.Get("auto_escape"))
	params := jsval.Obj("user_id", q.Context.Get("user_id"))
	name := "send_private_msg"
	if q.Context.Get("message_type") == "group" {
		name = "send_group_msg"
		params = jsval.Obj("group_id", q.Context.Get("group_id"))
		id := strconv.FormatInt(jsval.Int(q.Context.Get("message_id")), 10)
		head := []world.Segment{{Type: "reply", Data: jsval.Obj("id", id)}}
		if q.Operation.Get("at_sender") == true {
			head = append(head, world.At(jsval.Int(q.Context.Get("user_id"))))
		}
		list = append(cqcode.Array(head), list...)
	}
	params.Set("message", list)
	h.Do(ctx, Call{Name: name, Params: params, Format: "array"}, goes, func(r Result) {
		if r.Err != nil {
			h.o.Log("error", "[OneBot] 快速操作失败 "+r.Err.Text)
		}
	})
}

func (h *Host) quickRequest(q Quick) {
	approve := q.Operation.Get("approve")
	if jsval.IsUndefined(approve) {
		return
	}
	flag, reason := jsval.ToString(q.Context.Get("flag")), ""
	if s, ok := q.Operation.Get("reason").(string); ok {
		reason = s
	}
	kinds := []world.RequestKind{world.JoinRequest, world.InviteRequest}
	if q.Context.Get("request_type") == "friend" {
		kinds, reason = []world.RequestKind{world.FriendRequest}, ""
	}
	if err := h.w.Answer(flag, jsval.Truthy(approve), reason, kinds...); err != nil {
		h.o.Log("error", "[OneBot] 快速操作失败 "+err.Error())
	}
}
