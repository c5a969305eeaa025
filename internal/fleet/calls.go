package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/ncatd/ncatd/internal/fleet/bus"
	"github.com/ncatd/ncatd/onebot"
)

// maxCalls is how many calls of workers an account's host carries out at a time.
const maxCalls = 512

// callTimeout is how long a call may take whose caller does not say.
const callTimeout = 30 * time.Second

// calls carries out what workers ask this host's accounts for.
type calls struct {
	ctx  context.Context // of all calls; a field because messages come without one
	bus  *bus.Bus
	log  *slog.Logger
	link func(onebot.UserID) onebot.Caller // nil: not an account of this host

	slots chan struct{}
	wg    sync.WaitGroup

	members bus.Members

	mu   sync.Mutex // guards the field below
	subs map[onebot.UserID]*nats.Subscription
}

func newCalls(ctx context.Context, b *bus.Bus, log *slog.Logger, link func(onebot.UserID) onebot.Caller) *calls {
	return &calls{ctx: ctx, bus: b, log: log, link: link, slots: make(chan struct{}, maxCalls), subs: map[onebot.UserID]*nats.Subscription{}}
}

// run follows which workers are alive until ctx ends, and then waits for the calls
// that are being carried out.
func (c *calls) run(ctx context.Context) error {
	defer c.wg.Wait()
	for ctx.Err() == nil {
		if err := c.members.Follow(ctx, c.bus, ">", false); err != nil && ctx.Err() == nil {
			c.log.Debug("workers not known", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(retryBus):
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, s := range c.subs {
		errs = append(errs, s.Drain())
	}
	clear(c.subs)
	return errors.Join(errs...)
}

// accept takes calls for an account from now on.
func (c *calls) accept(self onebot.UserID) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.subs[self] != nil {
		return nil
	}
	s, err := c.bus.NC.Subscribe(bus.CallSubject(self), func(m *nats.Msg) { c.take(self, m) })
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	c.subs[self] = s
	return nil
}

// refuse takes no more calls for an account.
func (c *calls) refuse(self onebot.UserID) {
	c.mu.Lock()
	s := c.subs[self]
	delete(c.subs, self)
	c.mu.Unlock()
	if s != nil {
		_ = s.Drain() // the connection has ended: so has the subscription
	}
}

// take carries one call out, on a goroutine of its own.
func (c *calls) take(self onebot.UserID, m *nats.Msg) {
	select {
	case c.slots <- struct{}{}:
	default:
		c.reply(m, bus.Answer{Error: &bus.Failure{Kind: "not_sent", Text: fmt.Sprintf("more than %d calls are being carried out", maxCalls)}})
		return
	}
	c.wg.Go(func() {
		defer func() { <-c.slots }()
		c.reply(m, c.carryOut(self, m))
	})
}

func (c *calls) carryOut(self onebot.UserID, m *nats.Msg) bus.Answer {
	refused := func(format string, args ...any) bus.Answer {
		return bus.Answer{Error: &bus.Failure{Kind: "not_sent", Text: fmt.Sprintf(format, args...)}}
	}
	if w := m.Header.Get(bus.HeaderWorker); w != "" && c.dead(w) {
		return refused("worker %s was not heard for too long: its chats may be another's", w)
	}
	var call bus.Call
	if err := json.Unmarshal(m.Data, &call); err != nil || call.Action == "" {
		return refused("the call cannot be read: %v", err)
	}
	timeout := callTimeout
	if call.Timeout > 0 {
		timeout = min(time.Duration(call.Timeout)*time.Millisecond, 10*time.Minute)
	}
	ctx, cancel := context.WithTimeout(c.ctx, timeout)
	defer cancel()
	params, err := c.bus.Fetch(ctx, call.Object, call.Params)
	if err != nil {
		return refused("%v", err)
	}
	c.mu.Lock()
	accepted := c.subs[self] != nil
	c.mu.Unlock()
	link := c.link(self)
	if link == nil || !accepted {
		return refused("account %d is not of this host", self)
	}
	var data json.RawMessage
	if len(params) == 0 {
		params = []byte("{}")
	}
	if err := link.Call(ctx, call.Action, json.RawMessage(params), &data); err != nil {
		return bus.Answer{Error: bus.Fail(err)}
	}
	name, err := c.bus.Stow(ctx, data)
	if err != nil {
		return bus.Answer{Error: &bus.Failure{Kind: "unknown_outcome", Text: err.Error()}}
	}
	if name != "" {
		data = nil
	}
	return bus.Answer{Data: data, Object: name}
}

func (c *calls) reply(m *nats.Msg, a bus.Answer) {
	b, err := a.Encode()
	if err == nil {
		err = m.Respond(b)
	}
	if err != nil {
		c.log.Warn("answer to a worker's call lost", "err", err)
	}
}

// dead reports whether a worker's lease is over: it was not heard here, and its key is
// gone.
func (c *calls) dead(worker string) bool {
	if !c.members.Dead(worker) {
		return false
	}
	ctx, cancel := context.WithTimeout(c.ctx, time.Second)
	defer cancel()
	kv, err := c.bus.JS.KeyValue(ctx, bus.Workers)
	if err != nil {
		return true
	}
	_, err = kv.Get(ctx, worker)
	return err != nil
}
