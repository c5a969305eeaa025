package napcatsim

import (
	"context"
	"encoding/json"

	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// ActRequest is something that somebody does besides writing.
type ActRequest = world.Deed

// Act lets somebody do something. A deed of which nothing would come is an error.
func (c *Control) Act(ctx context.Context, r ActRequest) error { return c.Do(ctx, "act", r, nil) }

func (w *worker) cmdAct(_ context.Context, in *json.Decoder) (any, error) {
	var r ActRequest
	if err := in.Decode(&r); err != nil {
		return nil, err
	}
	wd := w.theWorld()
	if wd == nil {
		return nil, errNotLoggedIn
	}
	return nil, wd.Act(r)
}

// Deeds are the deeds of an ActRequest, each with what it does and needs.
var Deeds = world.Deeds
