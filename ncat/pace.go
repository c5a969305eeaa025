package ncat

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/ncatd/ncatd/onebot"
)

// WithSendRate lets each account send at most n messages within per; sends
// beyond that wait for their turn, in order, until their context ends. Without
// it, or with n 0, nothing waits.
func WithSendRate(n int, per time.Duration) Option {
	return func(c *core) { c.sends, c.sendsPer = max(n, 0), per }
}

// limiter returns the limiter of one account, nil for none.
func (c *core) limiter() *rate.Limiter {
	if c.sends == 0 || c.sendsPer <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Every(c.sendsPer/time.Duration(c.sends)), c.sends)
}

// pace waits until the account may make the call.
func (s *Session) pace(ctx context.Context, action string) error {
	if s.limit == nil || !strings.HasPrefix(action, "send_") || !strings.Contains(action, "msg") {
		return nil
	}
	if err := s.limit.Wait(ctx); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("%s: %w: waiting for its turn: %w", action, onebot.ErrNotSent, err)
	}
	return nil
}
