package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
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
	// maxBatch is how many events are taken in hand at a time.
	maxBatch = bus.MaxBatch
	// leastBatch is from how many events on they go as one, and maxBatchBytes how large
	// they are then: within ackWait that must get through the line of a home.
	leastBatch    = 4
	maxBatchBytes = 256 << 10
	// singlyFor is how long events go one by one after servers refused to take them
	// as one.
	singlyFor = 10 * time.Second
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

	// Of the goroutine of run:
	diskless    bool      // the disk takes no events
	partitions  int       // 0: not known yet
	singly      bool      // events go one by one
	singlyUntil time.Time // for a while
}

// PublishStats counts what became of events.
type PublishStats struct {
	Published uint64
	Spooled   uint64 // they waited on disk
	Lost      uint64 // there was no room for them
	Waiting   int    // on disk now, or where the disk takes none
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
	p.poke()
}

// poke has it looked at what waits in memory.
func (p *publisher) poke() {
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
	s.Waiting = p.spool.len() + len(p.inbox)
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
			if direct = err == nil; direct {
				p.poke() // the disk may have taken nothing
			} else {
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
			if !p.keepOrHold(batch) {
				break
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
	if err != nil {
		return err
	}
	p.note(func(s *PublishStats) {
		s.Spooled += uint64(len(events))
		s.Lost += uint64(lost)
	})
	return nil
}

// keepOrHold writes events to disk. If that takes none they wait in memory, before those
// that came since, and it returns false.
func (p *publisher) keepOrHold(events []Event) bool {
	err := p.keep(events)
	switch {
	case err != nil && !p.diskless:
		p.log.Error("events for the bus wait in memory: they cannot be written to disk", "err", err)
	case err == nil && p.diskless:
		p.log.Info("events for the bus are written to disk again")
	}
	if p.diskless = err != nil; err == nil {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inbox = append(events, p.inbox...)
	if over := len(p.inbox) - maxInbox; over > 0 {
		p.inbox = p.inbox[over:]
		p.stats.Lost += uint64(over)
	}
	return false
}

// drain publishes what waits on disk. It returns nil once nothing does.
func (p *publisher) drain(ctx context.Context) error {
	if !p.bus.NC.IsConnected() {
		return nats.ErrDisconnected
	}
	if p.partitions == 0 {
		n, copies, err := p.bus.Partitions(ctx)
		if err != nil {
			return err
		}
		p.partitions, p.singly = n, copies == 1 // a server without others makes a folder for each batch
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

// send publishes events and waits until all are confirmed. If there is an error it
// returns those that were not.
func (p *publisher) send(ctx context.Context, events []Event) ([]Event, error) {
	for len(events) > 0 {
		n := fitting(events)
		rest, err := p.sendFitting(ctx, events[:n])
		p.note(func(s *PublishStats) { s.Published += uint64(n - len(rest)) })
		if err != nil {
			return append(rest, events[n:]...), err
		}
		events = events[n:]
	}
	return nil, nil
}

// fitting returns how many of the first events can go as one.
func fitting(events []Event) int {
	for n, size := 0, 0; n < len(events); n++ {
		if size += len(events[n].Raw); n > 0 && size > maxBatchBytes {
			return n
		}
	}
	return len(events)
}

// sendFitting is send, for events that can go as one. They do if they are several: then
// the bus has all of them or none. It refuses all if it has one of them already, which
// is when a confirmation of it was lost; then they go one by one.
func (p *publisher) sendFitting(ctx context.Context, events []Event) ([]Event, error) {
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	if len(events) >= leastBatch && !p.singly && time.Now().After(p.singlyUntil) {
		err := p.sendAtOnce(ctx, events)
		if err == nil {
			return nil, nil
		}
		var refused *jetstream.APIError
		if !errors.As(err, &refused) {
			return slices.Clone(events), err
		}
		if refused.ErrorCode != bus.BatchKnown {
			p.log.Debug("bus does not take events as one", "err", err)
			p.singlyUntil = time.Now().Add(singlyFor)
		}
	}
	return p.sendSingly(ctx, events)
}

// sendAtOnce publishes events as one.
func (p *publisher) sendAtOnce(ctx context.Context, events []Event) error {
	batch := bus.Batch{Bus: p.bus}
	m := &nats.Msg{Header: nats.Header{}}
	for i, e := range events {
		if err := p.fill(ctx, m, e, bus.ChatKey(e.Self, e.Chat)); err != nil {
			return err
		}
		if i == len(events)-1 {
			return batch.Commit(ctx, m)
		}
		if err := batch.Add(m); err != nil {
			return fmt.Errorf("bus: %w", err)
		}
	}
	return nil
}

// sendSingly publishes events one by one. Each chat's next event leaves when the one
// before it was confirmed, so that no failure can change their order.
func (p *publisher) sendSingly(ctx context.Context, events []Event) ([]Event, error) {
	acks := make([]jetstream.PubAckFuture, len(events))
	chats := make([]string, len(events))
	for i, e := range events {
		chats[i] = bus.ChatKey(e.Self, e.Chat)
	}
	done := make([]bool, len(events))
	var failed error
	for left := len(events); left > 0 && failed == nil; {
		flying := map[string]bool{}
		var round []int
		for i, e := range events {
			if done[i] || flying[chats[i]] {
				continue
			}
			flying[chats[i]] = true
			m := &nats.Msg{Header: nats.Header{}}
			if failed = p.fill(ctx, m, e, chats[i]); failed != nil {
				break
			}
			if acks[i], failed = p.bus.JS.PublishMsgAsync(m); failed != nil {
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
	if failed != nil {
		failed = fmt.Errorf("bus: %w", failed)
	}
	return rest, failed
}

// fill makes a message of an event, of one that was sent or of an empty one. chat is the
// event's [bus.ChatKey].
func (p *publisher) fill(ctx context.Context, m *nats.Msg, e Event, chat string) error {
	object, err := p.bus.Stow(ctx, e.Raw)
	if err != nil {
		return err
	}
	clear(m.Header)
	m.Subject, m.Data = bus.EventSubject(bus.Partition(chat, p.partitions), e.Self, e.Kind, e.Chat), e.Raw
	m.Header[bus.HeaderAccount] = []string{e.Account}
	if e.ID != "" {
		m.Header[bus.HeaderID] = []string{strconv.FormatInt(int64(e.Self), 10) + ":" + e.ID}
	}
	if e.Backfilled {
		m.Header[bus.HeaderBackfilled] = []string{"1"}
	}
	if object != "" {
		m.Header[bus.HeaderObject], m.Data = []string{object}, nil
	}
	return nil
}
