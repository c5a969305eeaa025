package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

// Pauses between attempts to connect.
const (
	firstPause = 50 * time.Millisecond
	// nearPause bounds the pause for an endpoint on this machine: asking a
	// port of our own costs nothing, and the link is back within half a second
	// of the endpoint's return.
	nearPause = 400 * time.Millisecond
	// farPause bounds it for others, and for an endpoint that takes
	// connections only to drop them.
	farPause = 5 * time.Second
	// steady is how long a link must have held for the pauses to start anew.
	steady = 5 * time.Second
	// dialTimeout bounds one attempt.
	dialTimeout = 10 * time.Second
)

// errDown is why a call was not sent while there is no link.
var errDown = errors.New("link is down")

// Redialer keeps a link to one endpoint: it dials, runs the [Conn], and dials
// again when the link is lost, until its context ends or the endpoint refuses
// the token. Calls go to the present Conn; while there is none they fail at
// once with [onebot.ErrNotSent]. The fields must not be changed after Run was
// called. A Redialer is safe for concurrent use.
type Redialer struct {
	// URL and Options are what [Dial] gets.
	URL     string
	Options Options
	// Up is called after each successful dial, before the link's first
	// event; Down after each loss and each failed attempt, with the reason.
	// Both run on Run's goroutine and may be nil.
	Up   func()
	Down func(err error)

	conn atomic.Pointer[Conn]
}

var _ onebot.Streamer = (*Redialer)(nil)

// Run returns the cause of ctx, or an error that wraps [ErrBadToken] or
// [ErrBadAddress].
func (r *Redialer) Run(ctx context.Context) error {
	return redial(ctx, r.URL, r.Down, r.once)
}

// redial calls once until ctx ends or the token is refused. once reports
// whether it had a link before it failed.
func redial(ctx context.Context, rawURL string, down func(error), once func(context.Context) (linked bool, err error)) error {
	longest := farPause
	if near(rawURL) {
		longest = nearPause
	}
	pause := firstPause
	for {
		start := time.Now()
		linked, err := once(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if down != nil {
			down(err)
		}
		if errors.Is(err, ErrBadToken) || errors.Is(err, ErrBadAddress) {
			return err
		}
		bound := longest
		if linked {
			bound = farPause
			if time.Since(start) > steady {
				pause = firstPause
			}
		}
		t := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		case <-t.C:
		}
		pause = min(2*pause, bound)
	}
}

// once dials and runs one link.
func (r *Redialer) once(ctx context.Context) (linked bool, err error) {
	c, err := r.dial(ctx)
	if err != nil {
		return false, err
	}
	r.conn.Store(c)
	if r.Up != nil {
		r.Up()
	}
	err = c.Run(ctx)
	r.conn.Store(nil)
	return true, err
}

func (r *Redialer) dial(ctx context.Context) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	return Dial(ctx, r.URL, r.Options)
}

// Drop ends the present link, if there is one; Run dials again at once.
func (r *Redialer) Drop() {
	if c := r.conn.Load(); c != nil {
		c.Close()
	}
}

// Stats returns the counters of the present link.
func (r *Redialer) Stats() Stats {
	if c := r.conn.Load(); c != nil {
		return c.Stats()
	}
	return Stats{}
}

// Call implements [onebot.Caller].
func (r *Redialer) Call(ctx context.Context, action string, params, result any) error {
	c := r.conn.Load()
	if c == nil {
		return lostError(action, onebot.ErrNotSent, errDown)
	}
	return c.Call(ctx, action, params, result)
}

// Stream implements [onebot.Streamer].
func (r *Redialer) Stream(ctx context.Context, action string, params any, packet func(json.RawMessage) error, result any) error {
	c := r.conn.Load()
	if c == nil {
		return lostError(action, onebot.ErrNotSent, errDown)
	}
	return c.Stream(ctx, action, params, packet, result)
}

// near reports whether the endpoint is on this machine.
func near(rawURL string) bool {
	u, err := url.Parse(rawURL)
	return err == nil && (u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback())
}
