package ncat

import (
	"context"
	"crypto/tls"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/rpc"
)

// ErrBadToken ends [Bot.Dial]: the endpoint refused the token, so that dialling
// again is useless.
var ErrBadToken = rpc.ErrBadToken

// DialOption configures one [Bot.Dial].
type DialOption func(*dialOptions)

type dialOptions struct {
	callTimeout time.Duration
	tls         *tls.Config
}

// WithCallTimeout sets after how long a call ends whose context has no
// deadline; 30 s without it.
func WithCallTimeout(d time.Duration) DialOption {
	return func(o *dialOptions) { o.callTimeout = d }
}

// WithTLS configures the connection to a wss endpoint.
func WithTLS(c *tls.Config) DialOption { return func(o *dialOptions) { o.tls = c } }

// Dial runs the bot against the OneBot 11 forward WebSocket at url (ws or wss)
// until ctx ends, whose cause it returns. It connects again when the link is
// lost: an endpoint on this machine within half a second of its return, another
// one within some seconds. Only a refused token ends it, with an error that
// wraps [ErrBadToken]. token may be empty.
//
// Several Dials of one Bot may run at the same time, one for each account.
func (b *Bot) Dial(ctx context.Context, url, token string, opts ...DialOption) error {
	var do dialOptions
	for _, o := range opts {
		o(&do)
	}
	r := &rpc.Redialer{URL: url, Options: rpc.Options{Token: token, Logger: b.core.log, CallTimeout: do.callTimeout, TLS: do.tls}}
	s := b.NewSession("", r)
	r.Options.Event = func(frame []byte) func() {
		if e := s.decode(frame); e != nil {
			return s.Take(e)
		}
		return nil
	}
	r.Up = func() { s.log.Info("connected", "url", rpc.Redact(url)) }
	var last string
	r.Down = func(err error) {
		// The same refusal every 400 ms is said once.
		if text := err.Error(); text != last {
			last = text
			s.log.Warn("not connected", "url", rpc.Redact(url), "error", err)
		}
	}
	// The link outlives ctx, so that handlers can finish what they are at.
	linkCtx, endLink := context.WithCancelCause(context.WithoutCancel(ctx))
	defer endLink(nil)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	wg.Go(func() { cancel(r.Run(linkCtx)) })
	err := s.Run(ctx)
	endLink(err)
	wg.Wait()
	return err
}
