// Package worker shares the events of a fleet among the workers of a group: each
// partition of the chats belongs to one worker at a time, which is given its events
// in order and once. It knows events as bytes; what handles them is package
// ncat/natsbot.
package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/ncatd/ncatd/internal/fleet/bus"
	"github.com/ncatd/ncatd/onebot"
)

// Options make a [Worker]. Accounts may be empty: all of them.
type Options struct {
	Bus      *bus.Bus
	Group    string
	Name     string // of this worker, used by no other at any time
	Accounts []onebot.UserID
	Retries  int // how often an event is given again that a worker died of
	// Deliver takes an event in, in order for each chat, and returns at once. It
	// must see to it that the event's Done is called, once, when all is done with it.
	Deliver func(*Event)
	// Lost is told that the worker could not renew its lease in time: its chats may
	// be another's, and what is being handled must be given up before it returns.
	Lost   func()
	Logger *slog.Logger
}

// Event is one event for the worker.
type Event struct {
	Account     string // its name on its host
	Self        onebot.UserID
	Raw         json.RawMessage
	Backfilled  bool // it was missed by its host and fetched afterwards
	Redelivered bool // a worker had begun with it and did not end
	Done        func()
}

// Worker is one member of a group.
type Worker struct {
	o          Options
	partitions int
	members    bus.Members
	born       time.Time     // of the group: it is given what came since
	redo       chan struct{} // 1 slot: an event is being given again
	nonce      string        // tells this worker from another one of its name
	revision   uint64        // of its lease, as this worker wrote it; 0: it has none

	mu    sync.Mutex // guards the fields below
	parts map[int]*part
	done  map[int]*doneSet // by partition, of all times that it was this worker's
	made  time.Time        // the stream of events
}

const (
	beat      = bus.WorkerLease / 10
	leaseHold = bus.WorkerLease * 7 / 10
	// patience is how long a partition that another worker shall have is kept
	// because something is being handled in it, and as long again until that is
	// given up.
	patience = 30 * time.Second
)

var (
	// errLease says that the lease could not be renewed in time.
	errLease = errors.New("the worker's lease could not be renewed in time")
	// errTwin says that another worker has the name.
	errTwin = errors.New("another worker of the group has this one's name")
)

// New returns a worker that takes part in nothing yet.
func New(o Options) (*Worker, error) {
	for _, n := range []string{o.Group, o.Name} {
		if err := bus.CheckName(n); err != nil {
			return nil, err
		}
	}
	return &Worker{o: o, nonce: nuid.Next(), redo: make(chan struct{}, 1), parts: map[int]*part{}, done: map[int]*doneSet{}}, nil
}

// ID is the worker's name on the bus.
func (w *Worker) ID() string { return w.o.Group + "." + w.o.Name }

// Run takes part until ctx ends, and then hands over what it has once that is
// handled, or after a lease.
func (w *Worker) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { w.follow(ctx) })
	defer wg.Wait()
	said := "" // what was told that helps
	for ctx.Err() == nil {
		err := w.join(ctx, func() { said = "" })
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errLease):
			w.o.Logger.Warn("the bus was away for too long: what is being handled was given up", "lease", bus.WorkerLease)
		default:
			said = w.tell(err, said)
		}
		select {
		case <-ctx.Done():
		case <-time.After(beat):
		}
	}
}

// tell says why the worker cannot take part, and what helps, unless that was said. It
// returns what helps.
func (w *Worker) tell(err error, said string) string {
	if t := w.o.Bus.Trouble(); t != nil {
		err = t
	}
	help := remedy(err)
	if help != said {
		w.o.Logger.Warn("worker cannot take part yet; it goes on trying", "err", err, "remedy", help)
	}
	return help
}

// remedy says what helps against an error that keeps a worker from taking part.
func remedy(err error) string {
	if errors.Is(err, errTwin) {
		return "give each worker a Name of its own, or none; one that was killed keeps its name for 8 s"
	}
	return map[bus.Trouble]string{
		bus.Away:        "see that the NATS servers can be reached and that a host of the fleet has been connected to them",
		bus.Refused:     "check the credentials with whoever runs the servers",
		bus.TLS:         "CA has to name the authority that signed the servers' certificate, which must hold the name in URL",
		bus.NoJetStream: "switch JetStream on for the servers and for this account",
		bus.Denied:      "give this worker what docs/fleet.md lists under Permissions",
		bus.Unprepared:  "look at the log of the NATS servers",
		bus.Newer:       "build this worker with the ncatd that the hosts have; until then the group's other workers have all chats",
	}[bus.TroubleOf(err)]
}

// join takes part until ctx or the lease ends. joined is called once it does.
func (w *Worker) join(ctx context.Context, joined func()) error {
	n, _, err := w.o.Bus.Partitions(ctx)
	if err != nil {
		return err
	}
	w.partitions = n
	alive, err := w.o.Bus.JS.KeyValue(ctx, bus.Workers)
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	owners, err := w.o.Bus.JS.KeyValue(ctx, bus.Chats)
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	if w.born, err = w.birth(ctx, owners); err != nil {
		return err
	}
	err = w.member(ctx, alive, owners, joined)
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), bus.WorkerLease)
	defer cancel()
	w.leave(late, owners, errors.Is(err, errLease))
	if ctx.Err() != nil && w.revision != 0 {
		_ = alive.Delete(late, w.ID(), jetstream.LastRevision(w.revision)) // it expires by itself
	}
	return err
}

// birth returns when the first worker of the group joined. Servers that lost it are
// told anew by whoever knows it: what came since is the group's.
func (w *Worker) birth(ctx context.Context, kv jetstream.KeyValue) (time.Time, error) {
	key := w.o.Group + ".born"
	var known []byte
	if !w.born.IsZero() {
		known = []byte(w.born.Format(time.RFC3339Nano))
	}
	if _, err := kv.Create(ctx, key, known); err != nil && !errors.Is(err, jetstream.ErrKeyExists) && !bus.Conflict(err) {
		return time.Time{}, fmt.Errorf("bus: %w", err)
	}
	e, err := kv.Get(ctx, key)
	if err != nil {
		return time.Time{}, fmt.Errorf("bus: %w", err)
	}
	if at, err := time.Parse(time.RFC3339Nano, string(e.Value())); err == nil {
		return at, nil
	}
	return e.Created(), nil
}

// follow follows the members of the group until ctx ends.
func (w *Worker) follow(ctx context.Context) {
	for ctx.Err() == nil {
		if err := w.members.Follow(ctx, w.o.Bus, w.o.Group+".*", true); ctx.Err() == nil {
			w.o.Logger.Debug("workers not known", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(beat):
		}
	}
}

// member renews the lease and settles which member has which partition until ctx ends or the
// lease does.
func (w *Worker) member(ctx context.Context, alive, owners jetstream.KeyValue, joined func()) error {
	t := time.NewTicker(beat)
	defer t.Stop()
	var heard time.Time
	for {
		began := time.Now()
		bctx, cancel := context.WithTimeout(ctx, leaseHold/2)
		err := w.renew(bctx, alive)
		if err == nil {
			if heard.IsZero() {
				joined()
			}
			heard = began
			err = w.share(bctx, alive, owners)
		}
		cancel()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case heard.IsZero():
			return fmt.Errorf("bus: %w", err)
		case time.Since(heard) > leaseHold || errors.Is(err, errTwin):
			return errLease
		case err != nil:
			w.o.Logger.Debug("worker's share not settled", "err", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.C:
		}
	}
}

// renew renews the worker's lease, or takes it if no other worker has the name.
func (w *Worker) renew(ctx context.Context, alive jetstream.KeyValue) error {
	if w.revision == 0 {
		rev, err := alive.Create(ctx, w.ID(), []byte(w.nonce))
		if err == nil {
			w.revision = rev
			return nil
		}
		if !errors.Is(err, jetstream.ErrKeyExists) && !bus.Conflict(err) {
			return err
		}
		e, err := alive.Get(ctx, w.ID())
		if err != nil {
			return err
		}
		if string(e.Value()) != w.nonce {
			return errTwin
		}
		w.revision = e.Revision() // our own write, whose answer was lost
	}
	rev, err := alive.Update(ctx, w.ID(), []byte(w.nonce), w.revision)
	switch {
	case err == nil:
		w.revision = rev
	case bus.Conflict(err):
		w.revision = 0 // it has ended; who has it now shows the next time
	}
	return err
}

// share takes the partitions that are due to this worker and free, and begins to
// give up those that are due to another.
func (w *Worker) share(ctx context.Context, alive, owners jetstream.KeyValue) error {
	names := w.names()
	for p := range w.partitions {
		due := Due(p, names) == w.o.Name
		w.mu.Lock()
		mine := w.parts[p]
		w.mu.Unlock()
		switch {
		case mine != nil && mine.hasEnded():
			w.drop(ctx, owners, p)
		case mine != nil:
			mine.keep(due)
		case due:
			if err := w.acquire(ctx, alive, owners, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// names returns the names of the group's workers that are alive, sorted.
func (w *Worker) names() []string {
	names := []string{w.o.Name}
	for _, id := range w.members.Alive() {
		names = append(names, strings.TrimPrefix(id, w.o.Group+"."))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Due returns which of the members a partition is due to, by rendezvous hashing: a
// member that comes or goes moves no partitions but its own.
func Due(partition int, members []string) string {
	best, winner := uint64(0), ""
	for _, m := range members {
		h := fnv.New64a()
		_, _ = fmt.Fprintf(h, "%s/%d", m, partition) // a hash takes all
		v := h.Sum64()
		v ^= v >> 31 // FNV's high bits hardly depend on the last characters
		v *= 0x9e3779b97f4a7c15
		v ^= v >> 29
		if winner == "" || v > best {
			best, winner = v, m
		}
	}
	return winner
}

func (w *Worker) ownerKey(p int) string { return fmt.Sprintf("%s.%d", w.o.Group, p) }

// acquire takes a partition that no living member has.
func (w *Worker) acquire(ctx context.Context, alive, owners jetstream.KeyValue, p int) error {
	e, err := owners.Get(ctx, w.ownerKey(p))
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		_, err = owners.Create(ctx, w.ownerKey(p), []byte(w.o.Name))
	case err != nil:
		return fmt.Errorf("bus: %w", err)
	case string(e.Value()) != w.o.Name && !w.dead(ctx, alive, w.o.Group+"."+string(e.Value())):
		return nil
	default:
		_, err = owners.Update(ctx, w.ownerKey(p), []byte(w.o.Name), e.Revision())
	}
	if bus.Conflict(err) {
		return nil // another one was quicker
	}
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	w.o.Logger.Debug("partition taken", "partition", p)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.parts[p] = newPart(context.WithoutCancel(ctx), w, p)
	return nil
}

// doneOf returns which events of a partition were done with, of the stream that was
// made then.
func (w *Worker) doneOf(p int, made time.Time) *doneSet {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.made.IsZero() && !w.made.Equal(made) {
		w.o.Logger.Warn("the bus has lost its events; what comes from now on is handled")
	}
	w.made = made
	if s := w.done[p]; s == nil || !s.made.Equal(made) {
		w.done[p] = &doneSet{made: made}
	}
	return w.done[p]
}

// dead reports whether a worker's lease is over: it was not heard here, which a
// broken watch may be the cause of, and its key is gone.
func (w *Worker) dead(ctx context.Context, alive jetstream.KeyValue, id string) bool {
	if !w.members.Dead(id) {
		return false
	}
	_, err := alive.Get(ctx, id)
	return errors.Is(err, jetstream.ErrKeyNotFound)
}

// drop gives a partition away that has ended.
func (w *Worker) drop(ctx context.Context, owners jetstream.KeyValue, p int) {
	w.o.Logger.Debug("partition handed over", "partition", p)
	w.mu.Lock()
	delete(w.parts, p)
	w.mu.Unlock()
	if err := owners.Delete(ctx, w.ownerKey(p)); err != nil {
		w.o.Logger.Debug("partition not handed over; it is once this worker's lease is over", "partition", p, "err", err)
	}
}

// leave ends all partitions: once what is being handled is done, or at once.
func (w *Worker) leave(ctx context.Context, owners jetstream.KeyValue, atOnce bool) {
	w.mu.Lock()
	parts := make(map[int]*part, len(w.parts))
	for p, pt := range w.parts {
		parts[p] = pt
	}
	w.mu.Unlock()
	for _, pt := range parts {
		pt.finish(atOnce)
	}
	if atOnce { // first of all: what follows may wait for a bus that does not answer
		w.o.Lost()
	}
	for p, pt := range parts {
		select {
		case <-pt.ended:
			w.drop(ctx, owners, p)
		case <-ctx.Done():
			pt.cancel()
			<-pt.ended
		}
	}
}
