package fleet

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/fleet/bus"
)

// maxDead is how many dead events are listed.
const maxDead = 1000

// Dead returns the events that no worker could finish, the oldest first.
func (f *Fleet) Dead(ctx context.Context) ([]api.DeadEvent, error) {
	st, err := f.bus.JS.Stream(ctx, bus.Dead)
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	info, err := st.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	var out []api.DeadEvent
	for seq := info.State.FirstSeq; seq <= info.State.LastSeq && info.State.Msgs > 0 && len(out) < maxDead; seq++ {
		m, err := st.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("bus: %w", err)
		}
		out = append(out, api.DeadEvent{
			ID: seq, Time: m.Time, Group: m.Header.Get(bus.HeaderGroup), Account: m.Header.Get(bus.HeaderAccount), Error: m.Header.Get(bus.HeaderError), Event: m.Data,
		})
	}
	return out, nil
}

// ErrNoDead says that no dead event has the number.
var ErrNoDead = errors.New("no dead event has the number")

// Settle gives a dead event again to the group that could not finish it, or drops it.
func (f *Fleet) Settle(ctx context.Context, id uint64, retry bool) error {
	st, err := f.bus.JS.Stream(ctx, bus.Dead)
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	m, err := st.GetMsg(ctx, id)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return ErrNoDead
	}
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	if retry {
		again := &nats.Msg{Subject: m.Header.Get(bus.HeaderSubject), Data: m.Data, Header: nats.Header{
			bus.HeaderID: {nuid.Next()}, bus.HeaderAccount: {m.Header.Get(bus.HeaderAccount)}, bus.HeaderOnly: {m.Header.Get(bus.HeaderGroup)},
		}}
		if _, err := f.bus.JS.PublishMsg(ctx, again); err != nil {
			return fmt.Errorf("bus: %w", err)
		}
	}
	if err := st.DeleteMsg(ctx, id); err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	return nil
}
