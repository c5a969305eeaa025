package worker

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
)

const (
	// maxPending is how many events of a partition are being handled or wait.
	maxPending = 64
	// progressEvery is how often the bus is told that they still are.
	progressEvery = bus.WorkerLease / 4
	// maxDone is how many handled events are remembered, for the case that the bus
	// did not hear of them.
	maxDone = 16 * maxPending
	// redoWait is how long an event that is given again holds up the others of its
	// partition, so that one that kills its worker takes none of them along.
	redoWait = 10 * time.Second
	// askEvery is how often the bus is asked for what it gave to an earlier owner.
	askEvery = 100 * time.Millisecond
)

// part is one partition for as long as this worker has it. Its events come in order
// unless some are with an earlier owner, or were lost on their way: the bus gives
// those again, later. Until all of them are there, what is newer is held back.
type part struct {
	w      *Worker
	number int
	log    *slog.Logger
	cancel context.CancelFunc
	ended  chan struct{} // closed when nothing of it is handled any more

	mu      sync.Mutex // guards the fields below
	done    *doneSet   // of the stream that there is
	pending map[uint64]*delivery
	notDue  time.Time // since when another worker shall have it; zero: it shall not
	closing bool      // nothing new is taken
	lost    bool      // it may be another's: nothing is confirmed
	idle    chan struct{}

	// Of the goroutine of run:
	last uint64  // the bus's number of the last delivery
	from *uint64 // the last event that an earlier owner was given; nil: not known yet
	held []*delivery
	made time.Time // the stream
}

// delivery is one event as the bus gave it.
type delivery struct {
	msg   jetstream.Msg
	seq   uint64 // in the stream
	again bool   // it was given before
	begun bool   // to an earlier owner, which may have begun with it
	done  *doneSet
	over  chan struct{} // closed when it is done with; nil: nobody waits for that
}

func newPart(ctx context.Context, w *Worker, number int) *part {
	ctx, cancel := context.WithCancel(ctx)
	p := &part{
		w: w, number: number, log: w.o.Logger.With("partition", number), cancel: cancel, ended: make(chan struct{}),
		pending: map[uint64]*delivery{}, idle: make(chan struct{}, 1),
	}
	go p.run(ctx)
	return p
}

// run serves the partition, over interruptions of the bus, until it is given up.
func (p *part) run(ctx context.Context) {
	defer close(p.ended)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer p.cancel()
	wg.Go(func() { p.progress(ctx) })
	for ctx.Err() == nil {
		err := p.serve(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		p.log.Debug("events of the bus interrupted", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(askEvery):
		}
	}
}

func (p *part) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// keep says whether this worker shall keep the partition. One that it shall not is
// given up at the first moment at which nothing is being handled, or after patience.
func (p *part) keep(due bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case due:
		p.notDue = time.Time{}
		return
	case p.notDue.IsZero():
		p.notDue = time.Now()
	case time.Since(p.notDue) > patience:
		p.closing = true
	}
	p.wakeLocked()
}

// finish gives the partition up once what is being handled is done, or at once.
func (p *part) finish(atOnce bool) {
	p.mu.Lock()
	p.closing, p.lost = true, atOnce
	p.wakeLocked()
	p.mu.Unlock()
	if atOnce {
		p.cancel()
	}
}

func (p *part) wakeLocked() {
	select {
	case p.idle <- struct{}{}:
	default:
	}
}

// serve takes events until the partition is given up, and returns nil then.
func (p *part) serve(ctx context.Context) error {
	cfg := jetstream.ConsumerConfig{
		Durable: bus.ConsumerName(p.w.o.Group, p.number), AckPolicy: jetstream.AckExplicitPolicy, AckWait: bus.WorkerLease,
		MaxAckPending: maxPending, MaxDeliver: -1, FilterSubjects: bus.PartitionSubjects(p.number, p.w.o.Accounts),
		DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &p.w.born,
	}
	st, err := p.w.o.Bus.JS.Stream(ctx, bus.Events)
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	p.stream(st.CachedInfo().Created)
	c, err := st.CreateOrUpdateConsumer(ctx, cfg)
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	if p.from == nil {
		p.from = &c.CachedInfo().Delivered.Stream
	}
	msgs := make(chan jetstream.Msg, maxPending)
	ails := make(chan struct{}, 1)
	cc, err := c.Consume(func(m jetstream.Msg) { msgs <- m }, jetstream.PullMaxMessages(maxPending/2), jetstream.PullHeartbeat(time.Second), jetstream.PullExpiry(5*time.Second),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			p.log.Debug("events of the bus", "err", err)
			select {
			case ails <- struct{}{}:
			default:
			}
		}))
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	defer func() { // Consume's goroutine may wait for room
		cc.Stop()
		for {
			select {
			case <-msgs:
			case <-cc.Closed():
				return
			}
		}
	}()
	return p.take(ctx, c, cc, msgs, ails)
}

// stream notes when the stream was made. One that was made anew numbers its events
// anew: what is known by number is of the old one.
func (p *part) stream(made time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done = p.w.doneOf(p.number, made); p.made.Equal(made) {
		return
	}
	p.made, p.from, p.last, p.held = made, nil, 0, nil
	p.pending = map[uint64]*delivery{}
}

// take is serve, with what the bus gives.
func (p *part) take(ctx context.Context, c jetstream.Consumer, cc jetstream.ConsumeContext, msgs <-chan jetstream.Msg, ails <-chan struct{}) error {
	hold := true // what an earlier owner had may be missing
	draining := false
	var ask <-chan time.Time
	for {
		idle := p.quiet()
		if closing := p.leaving(idle); closing && !draining {
			cc.Drain() // what is on its way still comes
			draining = true
		}
		closed := cc.Closed()
		if draining && !(idle && len(msgs) == 0) {
			closed = nil
		}
		if hold && ask == nil {
			ask = time.After(askEvery)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-closed:
			if !draining {
				return errors.New("bus: the consumer is gone")
			}
			if len(msgs) == 0 {
				p.heard(ctx, c)
				return nil
			}
		case <-p.idle:
		case <-ails:
			if _, err := c.Info(ctx); errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
				return fmt.Errorf("bus: %w", err)
			}
		case m := <-msgs:
			d, gap, err := p.arrived(m)
			if err != nil {
				return err
			}
			hold = hold || gap || d != nil && d.again
			switch {
			case d == nil:
			case hold:
				p.held = append(p.held, d)
			default:
				p.deliver(ctx, d, false)
			}
		case <-ask:
			ask = nil
			all, err := p.complete(ctx, c)
			if err != nil {
				return err
			}
			if all {
				hold = false
				if err := p.release(ctx); err != nil {
					return err
				}
			}
		}
	}
}

// heard waits until the bus has heard of all that was done, but not for long: the
// next owner would be given again what it has not.
func (p *part) heard(ctx context.Context, c jetstream.Consumer) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for {
		info, err := c.Info(ctx)
		if err != nil || info.NumAckPending == 0 {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(askEvery):
		}
	}
}

// quiet reports whether nothing is being handled and nothing waits.
func (p *part) quiet() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pending) == 0 && len(p.held) == 0
}

// leaving reports whether the partition is being given up.
func (p *part) leaving(idle bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closing = p.closing || idle && !p.notDue.IsZero()
	return p.closing
}

// arrived makes a delivery of a message; nil if it is one that this worker has
// already. gap says that deliveries before it went astray.
func (p *part) arrived(m jetstream.Msg) (d *delivery, gap bool, err error) {
	meta, err := m.Metadata()
	if err != nil {
		return nil, false, fmt.Errorf("bus: %w", err)
	}
	again := meta.NumDelivered > 1
	d = &delivery{msg: m, seq: meta.Sequence.Stream, again: again, begun: again && meta.Sequence.Stream <= *p.from}
	gap = p.last != 0 && meta.Sequence.Consumer != p.last+1
	p.last = meta.Sequence.Consumer
	p.mu.Lock()
	defer p.mu.Unlock()
	d.done = p.done
	if was := p.pending[d.seq]; was != nil {
		was.msg = m // the ack goes to the newest
		return nil, gap, nil
	}
	if d.done.contains(d.seq) {
		_ = m.Ack() // it is given again if this is lost
		return nil, gap, nil
	}
	if i := slices.IndexFunc(p.held, func(h *delivery) bool { return h.seq == d.seq }); i >= 0 {
		p.held[i] = d
		return nil, gap, nil
	}
	return d, gap, nil
}

// complete reports whether all that the bus gave and that was not confirmed is in
// this worker's hands.
func (p *part) complete(ctx context.Context, c jetstream.Consumer) (bool, error) {
	info, err := c.Info(ctx)
	if err != nil {
		return false, fmt.Errorf("bus: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return info.NumAckPending <= len(p.pending)+len(p.held), nil
}

// release delivers what was held back, in order. What was given before goes one by
// one.
func (p *part) release(ctx context.Context) error {
	slices.SortFunc(p.held, func(a, b *delivery) int { return int(int64(a.seq) - int64(b.seq)) })
	for len(p.held) > 0 {
		d := p.held[0]
		if d.begun {
			if err := p.redo(ctx, d); err != nil {
				return err
			}
		} else {
			p.deliver(ctx, d, false)
		}
		p.held = p.held[1:]
	}
	return nil
}

// redo gives an event again, and waits until it is done with, but not for long. A
// worker does so with one event at a time.
func (p *part) redo(ctx context.Context, d *delivery) error {
	select {
	case p.w.redo <- struct{}{}:
		defer func() { <-p.w.redo }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	again, err := p.again(ctx, d)
	if err != nil || !again {
		return err
	}
	d.over = make(chan struct{})
	p.deliver(ctx, d, true)
	select {
	case <-d.over:
		p.forget(ctx, d)
	case <-time.After(redoWait):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

func (p *part) attemptKey(d *delivery) string { return fmt.Sprintf("%s.%d", p.w.o.Group, d.seq) }

// again counts that an event is given again, and reports false once it was given
// often enough: then it is among the dead.
func (p *part) again(ctx context.Context, d *delivery) (bool, error) {
	kv, err := p.w.o.Bus.JS.KeyValue(ctx, bus.Attempts)
	if err != nil {
		return false, fmt.Errorf("bus: %w", err)
	}
	n := 0
	e, err := kv.Get(ctx, p.attemptKey(d))
	switch {
	case err == nil:
		n, _ = strconv.Atoi(string(e.Value())) // 0 gives it once more
	case !errors.Is(err, jetstream.ErrKeyNotFound):
		return false, fmt.Errorf("bus: %w", err)
	}
	if n < p.w.o.Retries {
		if _, err := kv.PutString(ctx, p.attemptKey(d), strconv.Itoa(n+1)); err != nil {
			return false, fmt.Errorf("bus: %w", err)
		}
		return true, nil
	}
	dead := &nats.Msg{Subject: bus.DeadSubject(p.w.o.Group, bus.SelfOf(d.msg.Subject())), Data: d.msg.Data(), Header: nats.Header{
		bus.HeaderID: {p.w.o.Group + ":" + strconv.FormatUint(d.seq, 10)}, bus.HeaderGroup: {p.w.o.Group}, bus.HeaderSubject: {d.msg.Subject()},
		bus.HeaderAccount: {d.msg.Headers().Get(bus.HeaderAccount)},
		bus.HeaderError:   {fmt.Sprintf("given %d times, and each time the worker ended before it was done", n+1)},
	}}
	if _, err := p.w.o.Bus.JS.PublishMsg(ctx, dead); err != nil {
		return false, fmt.Errorf("bus: %w", err)
	}
	p.log.Error("event given up: its workers ended before it was done", "event", string(d.msg.Data()), "times", n+1)
	d.done.add(d.seq)
	_ = d.msg.Ack() // it is given again if this is lost, and known then
	p.forget(ctx, d)
	return false, nil
}

func (p *part) forget(ctx context.Context, d *delivery) {
	if kv, err := p.w.o.Bus.JS.KeyValue(ctx, bus.Attempts); err == nil {
		_ = kv.Purge(ctx, p.attemptKey(d)) // it expires by itself
	}
}

// deliver hands an event on.
func (p *part) deliver(ctx context.Context, d *delivery, redo bool) {
	p.mu.Lock()
	p.pending[d.seq] = d
	p.mu.Unlock()
	h := d.msg.Headers()
	if only := h.Get(bus.HeaderOnly); only != "" && only != p.w.o.Group {
		p.settle(d)
		return
	}
	raw, err := p.w.o.Bus.Fetch(ctx, h.Get(bus.HeaderObject), d.msg.Data())
	if err != nil {
		p.log.Error("event lost: its bytes are gone", "err", err)
		p.settle(d)
		return
	}
	p.w.o.Deliver(&Event{
		Account: h.Get(bus.HeaderAccount), Self: bus.SelfOf(d.msg.Subject()), Raw: raw, Backfilled: h.Get(bus.HeaderBackfilled) != "", Redelivered: redo,
		Done: func() { p.settle(d) },
	})
}

// settle confirms an event that was done with, once.
func (p *part) settle(d *delivery) {
	if d.over != nil {
		defer close(d.over)
	}
	p.mu.Lock()
	if p.lost {
		p.mu.Unlock()
		return
	}
	d.done.add(d.seq)
	msg := d.msg
	if p.pending[d.seq] == d {
		delete(p.pending, d.seq)
	}
	if len(p.pending) == 0 {
		p.wakeLocked()
	}
	p.mu.Unlock()
	if err := msg.Ack(); err != nil {
		p.log.Debug("event not confirmed; it is when the bus gives it again", "err", err)
	}
}

// doneSet is the last events of a partition that were done with, for when the bus
// did not hear of it. It is safe for concurrent use.
type doneSet struct {
	made time.Time // the stream that they are of

	mu   sync.Mutex // guards the fields below
	row  []uint64   // a ring of at most maxDone
	next int        // where in it the next one goes
	last uint64     // the newest: what is new is newer
}

func (s *doneSet) contains(seq uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return seq <= s.last && slices.Contains(s.row, seq)
}

func (s *doneSet) add(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last, seq)
	if len(s.row) < maxDone {
		s.row = append(s.row, seq)
		return
	}
	s.row[s.next] = seq
	s.next = (s.next + 1) % maxDone
}

// progress tells the bus that what waits or is being handled still is.
func (p *part) progress(ctx context.Context) {
	t := time.NewTicker(progressEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		p.mu.Lock()
		var msgs []jetstream.Msg
		for _, d := range p.pending {
			msgs = append(msgs, d.msg)
		}
		p.mu.Unlock()
		for _, m := range msgs {
			if err := m.InProgress(); err != nil {
				p.log.Debug("progress not told", "err", err)
				break
			}
		}
	}
}
