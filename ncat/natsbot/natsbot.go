// Package natsbot runs a bot on any number of machines: its handlers are given the
// events of a whole fleet of ncatd hosts over NATS, and its calls are made by the
// host that has the account. [Join] is in the place of ncatd.Main or [ncat.Bot.Dial].
//
//	b := ncat.New()
//	ncat.Command(b, "ping", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, _ struct{}) error { … })
//	err := natsbot.Join(ctx, b, natsbot.Options{URL: "nats://bus:4222", Creds: "worker.creds", Group: "shop"})
//
// The workers of one group share the chats: each chat belongs to one of them at a
// time, which handles its events in order. When a worker ends, the others have its
// chats as soon as what it was at is done; when it dies, some seconds later (8 s
// without a sign of life, then at once). An event that it had begun with is given
// again, marked Redelivered, at most Retries times; then it is among the dead, which
// `ncatd fleet dead` shows.
//
// Conversations stay with the worker of their chat. Schedules run once in the group,
// and what a bot stores is shared by it, unless it was given a store of its own with
// [ncat.WithStore].
package natsbot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/nats-io/nuid"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/internal/fleet/bus"
	"github.com/ncatd/ncatd/internal/fleet/worker"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// Options says how a bot joins a fleet. URL and Group are required.
type Options struct {
	// URL is one NATS server or several, with commas between them.
	URL string
	// Creds is a file with NATS credentials or the seed of an nkey; "" for none.
	Creds string
	// CA is a file with the certificates that servers are verified by; "": the
	// system's.
	CA string
	// Group names the workers that share the chats: letters, digits, - and _. Groups
	// are independent of each other; each is given every event.
	Group string
	// Name is this worker's, used by no other; "" makes one of the host's name.
	Name string
	// Accounts are the QQ numbers whose events this group handles; nil is all. It
	// must be the same for all workers of a group.
	Accounts []onebot.UserID
	// Retries is how often an event is given again that a worker died of; 0 is 3,
	// and negative never.
	Retries int
	// Logger gets what the worker has to say; nil is slog.Default.
	Logger *slog.Logger
}

// Join runs b as a worker of a fleet until ctx ends, whose cause it returns. While
// the servers are away it waits for them. It ends early with an error only if the
// options cannot work.
func Join(ctx context.Context, b *ncat.Bot, o Options) error {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("natsbot: %w", err)
		}
		o.Name = plainName(host) + "-" + nuid.Next()[:8]
	}
	retries := cmp.Or(o.Retries, 3)
	c, err := bus.Connect(bus.Options{URL: o.URL, Creds: o.Creds, CA: o.CA, Name: "ncatd worker " + o.Group + "/" + o.Name, Logger: o.Logger})
	if err != nil {
		return fmt.Errorf("natsbot: %w", err)
	}
	defer c.Close()
	if !b.HasStore() {
		botlink.Apply(b, ncat.WithStore(func(owner string) ncat.Store { return newStore(c, o.Group+"/"+owner) }))
	}
	j := &joined{bot: b, bus: c, log: o.Logger, sessions: map[onebot.UserID]*running{}, waiting: map[onebot.Event]func(){}}
	w, err := worker.New(worker.Options{
		Bus: c, Group: o.Group, Name: o.Name, Accounts: o.Accounts, Retries: max(retries, 0), Logger: o.Logger,
		Deliver: j.deliver, Lost: func() { j.end(botlink.ErrAbandon) },
	})
	if err != nil {
		return fmt.Errorf("natsbot: %w", err)
	}
	j.id = w.ID()
	j.ctx = context.WithoutCancel(ctx)
	w.Run(ctx)
	j.end(context.Cause(ctx))
	return context.Cause(ctx)
}

// plainName makes a name that can be part of a subject.
func plainName(s string) string {
	return strings.Map(func(r rune) rune {
		if bus.CheckName(string(r)) != nil {
			return '-'
		}
		return r
	}, s[:min(len(s), 32)])
}

// joined is a bot that takes part in a fleet.
type joined struct {
	bot *ncat.Bot
	bus *bus.Bus
	log *slog.Logger
	id  string
	ctx context.Context // of all sessions; a field because events come without one

	mu       sync.Mutex // guards the fields below
	sessions map[onebot.UserID]*running
	waiting  map[onebot.Event]func() // events that are being handled, and what confirms them
}

// running is an account's session.
type running struct {
	session botlink.Session[*ncat.Bot]
	cancel  context.CancelCauseFunc
	ended   chan struct{}
}

// deliver gives an event to its account's session.
func (j *joined) deliver(e *worker.Event) {
	event, err := onebot.Decode(e.Raw)
	if err != nil {
		j.log.Warn("frame is no event", "error", err, "bytes", len(e.Raw))
		e.Done()
		return
	}
	if m, ok := event.(onebot.MessageEvent); ok {
		m.Msg().Backfilled, m.Msg().Redelivered = e.Backfilled, e.Redelivered
	}
	j.mu.Lock()
	r := j.sessions[e.Self]
	if r == nil {
		r = j.openLocked(e.Self, e.Account)
	}
	j.waiting[event] = e.Done
	j.mu.Unlock()
	r.session.Deliver(event)
}

// openLocked runs an account's session.
func (j *joined) openLocked(self onebot.UserID, account string) *running {
	ctx, cancel := context.WithCancelCause(j.ctx)
	r := &running{cancel: cancel, ended: make(chan struct{})}
	r.session = botlink.Of(j.bot).NewSession(account, &bus.Caller{Bus: j.bus, Self: self, Worker: j.id}, botlink.Options{Settled: j.settled})
	j.sessions[self] = r
	go func() { // end waits for it
		defer close(r.ended)
		if err := r.session.Run(ctx); err != nil && !errors.Is(err, context.Cause(ctx)) {
			j.log.Error("session ended badly", "account", account, "err", err)
		}
	}()
	return r
}

// settled confirms an event that was handled.
func (j *joined) settled(e onebot.Event) {
	j.mu.Lock()
	done := j.waiting[e]
	delete(j.waiting, e)
	j.mu.Unlock()
	if done != nil {
		done()
	}
}

// end ends all sessions and waits for their handlers, as ncat.WithDrain says.
func (j *joined) end(cause error) {
	j.mu.Lock()
	sessions := j.sessions
	j.sessions = map[onebot.UserID]*running{}
	clear(j.waiting)
	j.mu.Unlock()
	for _, r := range sessions {
		r.cancel(cause)
	}
	for _, r := range sessions {
		<-r.ended
	}
}
