package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/ncatd/ncatd/internal/fleet/bus"
	"github.com/ncatd/ncatd/onebot"
)

// Event is one event on its way to the bus.
type Event struct {
	Account    string        // its name on this host
	Self       onebot.UserID // its number
	Kind       string        // its post_type
	Chat       string        // see bus.Chat
	ID         string        // the same for the same event, however often it comes; "": none
	Backfilled bool
	Raw        []byte
}

const (
	// maxInbox is how many events wait in memory. At more than that within the
	// time that the bus takes to fail, events are lost, and counted.
	maxInbox = 32768
	// maxBatch is how many events are on their way at a time.
	maxBatch = 1024
	// ackWait is how long the bus may take to confirm an event.
	ackWait = 5 * time.Second
	// retryBus is how often a bus that is away is tried.
	retryBus = 500 * time.Millisecond
)

// publisher brings events to the bus, each chat's in order. While the bus is away
// they wait on disk.
type publisher struct {
	bus   *bus.Bus
	spool *spool
	log   *slog.Logger
	wake  chan struct{} // 1 slot: there is something in the inbox
	lost  func()        // something may be missing on the bus

	mu    sync.Mutex // guards the fields below
	inbox []Event
	stats PublishStats
	away  error // why the bus cannot take events; nil: it can, or has not been asked yet

	partitions int // of the goroutine of run; 0: not known yet
}

// PublishStats counts what became of events.
type PublishStats struct {
	Published uint64
	Spooled   uint64 // they waited on disk
	Lost      uint64 // there was no room for them
	Waiting   int    // on disk now
}

func newPublisher(b *bus.Bus, s *spool, log *slog.Logger, lost func()) *publisher {
	return &publisher{bus: b, spool: s, log: log, lost: lost, wake: make(chan struct{}, 1)}
}

// put takes an event in and returns at once.
func (p *publisher) put(events ...Event) {
	p.mu.Lock()
	room := min(len(events), maxInbox-len(p.inbox))
	p.inbox = append(p.inbox, events[:room]...)
	p.stats.Lost += uint64(len(events) - room)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// take returns what waits in memory, at most n events.
func (p *publisher) take(n int) []Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.inbox) <= n {
		out := p.inbox
		p.inbox = nil
		return out
	}
	out := p.inbox[:n:n]
	p.inbox = p.inbox[n:]
	return out
}

func (p *publisher) note(f func(*PublishStats)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.stats)
}

// Stats returns the counters as they stand.
func (p *publisher) Stats() PublishStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Waiting = p.spool.len()
	return s
}

// run publishes until ctx ends. What was not confirmed by then is on disk when it
// returns.
func (p *publisher) run(ctx context.Context) error {
	direct := false
	for {
		var pause <-chan time.Time
		if !direct {
			err := p.drain(ctx)
			p.noteAway(err)
			if direct = err == nil; !direct {
				pause = time.After(retryBus)
			}
		}
		select {
		case <-ctx.Done():
			return p.keep(p.take(maxInbox))
		case <-p.wake:
		case <-pause:
		}
		for batch := p.take(maxBatch); len(batch) > 0; batch = p.take(maxBatch) {
			if direct {
				var err error
				if batch, err = p.send(ctx, batch); err == nil {
					continue
				}
				direct = false
				p.noteAway(err)
			}
			if err := p.keep(batch); err != nil {
				p.log.Error("events for the bus lost: they cannot be written to disk", "events", len(batch), "err", err)
			}
		}
	}
}

// noteAway notes why the bus cannot take events, nil if it can, and says so when that
// changes.
func (p *publisher) noteAway(err error) {
	p.mu.Lock()
	was := p.away
	p.away = err
	p.mu.Unlock()
	switch {
	case err != nil && was == nil:
		p.log.Warn("bus away: events wait on disk", "err", err)
	case err == nil && was != nil:
		p.log.Info("bus is back: what waited is published")
	}
	if err != nil {
		p.partitions = 0 // it may come back with others
		p.lost()
	}
}

// trouble returns why the bus cannot take events, nil if it can.
func (p *publisher) trouble() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.away
}

// keep writes events to disk.
func (p *publisher) keep(events []Event) error {
	lost, err := p.spool.add(events)
	p.note(func(s *PublishStats) {
		s.Spooled += uint64(len(events))
		s.Lost += uint64(lost)
	})
	return err
}

// drain publishes what waits on disk. It returns nil once nothing does.
func (p *publisher) drain(ctx context.Context) error {
	if !p.bus.NC.IsConnected() {
		return nats.ErrDisconnected
	}
	if p.partitions == 0 {
		n, err := p.bus.Partitions(ctx)
		if err != nil {
			return err
		}
		p.partitions = n
	}
	for {
		events, last, err := p.spool.first(maxBatch)
		if err != nil || len(events) == 0 {
			return err
		}
		if _, err := p.send(ctx, events); err != nil {
			return err // what was published is published again, and dropped there
		}
		if err := p.spool.remove(last); err != nil {
			return err
		}
	}
}

// send publishes events and waits until all are confirmed. Each chat's next event
// leaves when the one before it was confirmed, so that no failure can change their
// order. If there is an error it returns those that were not confirmed.
func (p *publisher) send(ctx context.Context, events []Event) ([]Event, error) {
	acks := make([]jetstream.PubAckFuture, len(events))
	done := make([]bool, len(events))
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	var failed error
	for left := len(events); left > 0 && failed == nil; {
		flying := map[string]bool{}
		var round []int
		for i, e := range events {
			chat := bus.ChatKey(e.Self, e.Chat)
			if done[i] || flying[chat] {
				continue
			}
			flying[chat] = true
			if acks[i], failed = p.publish(ctx, e, chat); failed != nil {
				break
			}
			round = append(round, i)
		}
		for _, i := range round {
			select {
			case <-acks[i].Ok():
				done[i] = true
				left--
			case err := <-acks[i].Err():
				failed = errors.Join(failed, err)
			case <-ctx.Done():
				failed = errors.Join(failed, context.Cause(ctx))
			}
		}
	}
	var rest []Event
	for i, e := range events {
		if !done[i] {
			rest = append(rest, e)
		}
	}
	p.note(func(s *PublishStats) { s.Published += uint64(len(events) - len(rest)) })
	return rest, failed
}

func (p *publisher) publish(ctx context.Context, e Event, chat string) (jetstream.PubAckFuture, error) {
	object, err := p.bus.Stow(ctx, e.Raw)
	if err != nil {
		return nil, err
	}
	m := &nats.Msg{Subject: bus.EventSubject(bus.Partition(chat, p.partitions), e.Self, e.Kind, e.Chat), Data: e.Raw, Header: nats.Header{}}
	m.Header[bus.HeaderAccount] = []string{e.Account}
	if e.ID != "" {
		m.Header[bus.HeaderID] = []string{fmt.Sprintf("%d:%s", e.Self, e.ID)}
	}
	if e.Backfilled {
		m.Header[bus.HeaderBackfilled] = []string{"1"}
	}
	if object != "" {
		m.Header[bus.HeaderObject], m.Data = []string{object}, nil
	}
	ack, err := p.bus.JS.PublishMsgAsync(m)
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	return ack, nil
}
