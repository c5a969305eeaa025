package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/rpc"
)

// Reverse is where an app waits for links (contract E.4).
type Reverse struct {
	URL      string // universal
	APIURL   string // split roles
	EventURL string
	Interval time.Duration // longest pause between two tries
}

// target is one link that is to be kept.
type target struct {
	url  string
	role role
}

func (r Reverse) links() []target {
	var out []target
	for _, t := range []target{{r.URL, roleUniversal}, {r.APIURL, roleAPI}, {r.EventURL, roleEvent}} {
		if t.url != "" {
			out = append(out, t)
		}
	}
	return out
}

const (
	// firstPause is how soon a link is tried again that was lost.
	firstPause = 100 * time.Millisecond
	// dialTimeout bounds one try.
	dialTimeout = 10 * time.Second
	// leadTime is how long a link for events waits for the one for calls.
	leadTime, leadStep = 2 * time.Second, 20 * time.Millisecond
	// steady is how long a link must have held for the pauses to begin anew.
	steady = 5 * time.Second
)

// reverse keeps a link to where the app waits.
func (a *App) reverse(ctx context.Context, acc *Account, t target) error {
	self, err := acc.await(ctx)
	if err != nil {
		return err
	}
	pause, told := firstPause, ""
	for {
		if t.role == roleEvent {
			a.lead(ctx, acc)
		}
		began := time.Now()
		l, err := a.dial(ctx, acc, t, self)
		if err == nil {
			told = ""
			_ = a.serve(ctx, l) // how it ended is logged there
			if time.Since(began) > steady {
				pause = firstPause
			}
		} else if text := err.Error(); text != told && ctx.Err() == nil {
			told = text
			a.fail(err)
			a.log.Warn("app not reached, trying on", "account", acc.name, "url", rpc.Redact(t.url), "err", err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		pause = min(2*pause, max(a.c.Reverse.Interval, firstPause))
	}
}

// lead lets an app's link for calls come before the one for events, so that it can
// answer the first of them. The link for calls may never come.
func (a *App) lead(ctx context.Context, acc *Account) {
	ctx, cancel := context.WithTimeout(ctx, leadTime)
	defer cancel()
	step := time.NewTicker(leadStep)
	defer step.Stop()
	for a.c.Reverse.APIURL != "" && !a.takesCalls(acc) {
		select {
		case <-step.C:
		case <-ctx.Done():
			return
		}
	}
}

// takesCalls reports whether the app has a link for calls to the account.
func (a *App) takesCalls(acc *Account) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for l := range a.links {
		if l.acc == acc && l.role != roleEvent {
			return true
		}
	}
	return false
}

// dial connects to the app.
func (a *App) dial(ctx context.Context, acc *Account, t target, self int64) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	l := newLink(a, acc, t.role, rpc.Redact(t.url))
	var connected atomic.Bool
	wrap := func(c net.Conn) net.Conn {
		connected.Store(true)
		l.out = newOutbox(c, c, true)
		return l.out
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return wrap(c), nil
		},
		DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := new(tls.Dialer).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return wrap(c), nil
		},
	}
	defer transport.CloseIdleConnections()
	h := http.Header{"X-Self-ID": {strconv.FormatInt(self, 10)}, "X-Client-Role": {string(t.role)}, "User-Agent": {"OneBot/11"}}
	if a.c.Token != "" {
		h.Set("Authorization", "Bearer "+a.c.Token)
	}
	ws, resp, err := websocket.Dial(ctx, t.url, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		HTTPHeader: h, CompressionMode: websocket.CompressionDisabled, OnPongReceived: l.pong,
	})
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			return nil, fmt.Errorf("%s answered HTTP %d", rpc.Redact(t.url), resp.StatusCode)
		}
		if connected.Load() && errors.Is(err, context.DeadlineExceeded) {
			return nil, fmt.Errorf("%s takes connections, but did not answer within %v", rpc.Redact(t.url), dialTimeout)
		}
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return nil, fmt.Errorf("%s: %w", rpc.Redact(t.url), err)
	}
	ws.SetReadLimit(rpc.MaxRequest)
	l.ws = ws
	return l, nil
}
