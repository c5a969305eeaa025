package onebot

import (
	"context"
	"encoding/json"
	"fmt"
)

// stream makes a call whose answer comes in packets.
func (c *Client) stream(ctx context.Context, action string, params any, packet func(*StreamPacket) error) (*StreamPacket, error) {
	s, ok := c.c.(Streamer)
	if !ok {
		return nil, fmt.Errorf("%s: this connection cannot stream: %w", action, ErrNotSent)
	}
	last := new(StreamPacket)
	err := s.Stream(ctx, action, params, func(data json.RawMessage) error {
		if packet == nil {
			return nil
		}
		p := new(StreamPacket)
		if err := p.UnmarshalJSON(data); err != nil {
			return fmt.Errorf("%s: packet: %w", action, err)
		}
		return packet(p)
	}, last)
	if err != nil {
		return nil, err
	}
	return last, nil
}
