// Package fleet makes this host one of many: over a NATS server with JetStream it
// tells the others how its accounts are, takes their requests of the control API,
// brings every event to a stream for workers elsewhere and carries out their calls,
// and sees to it that an account never runs on two hosts. Its central type is
// [Fleet]. It knows accounts by their numbers only, and neither NapCat nor how an
// account is kept; package bus has the words that hosts and workers share, package
// ncat/natsbot is the other side.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/nats-io/nuid"
	"golang.org/x/sync/errgroup"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/fleet/bus"
	"github.com/ncatd/ncatd/onebot"
)

// Options make a [Fleet]. All but Settings are required.
type Options struct {
	Bus      bus.Options
	Settings bus.Settings
	// Host is this host's name in the fleet, Home the name of its installation,
	// which tells it from another host that was given the same name, and Boot is
	// the start of its machine.
	Host, Home, Boot string
	// Spool is the file in which events wait while the bus is away.
	Spool string
	// Known is the file that remembers which host has which account, for the case
	// that the bus loses it.
	Known string
	// Status returns this host as it stands; it must be cheap.
	Status func() api.Status
	// API answers requests of the control API that other hosts make.
	API http.Handler
	// Link returns the link of an account of this host, nil if it has none.
	Link   func(onebot.UserID) onebot.Caller
	Logger *slog.Logger
}

// Fleet is this host's part of a fleet. It is safe for concurrent use.
type Fleet struct {
	o      Options
	bus    *bus.Bus
	leases *leases
	pub    *publisher
	calls  *calls
	boot   string // distinguishes notices of this process
	dirty  chan struct{}
	look   chan struct{} // 1 slot: something may be missing on the bus
	record *record

	mu     sync.Mutex // guards the fields below
	number uint64     // of notices
	held   map[onebot.UserID][]Event
	setup  error // why what the fleet needs could not be made on the bus
}

// Open returns this host's part of a fleet. Nothing is asked of the bus before Run.
func Open(ctx context.Context, o Options) (*Fleet, error) {
	if err := bus.CheckName(o.Host); err != nil {
		return nil, fmt.Errorf("bus.host: %w", err)
	}
	s, err := openSpool(o.Spool, maxSpool, o.Logger)
	if err != nil {
		return nil, err
	}
	known, err := readKnown(o.Known, o.Logger)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	f := &Fleet{o: o, boot: nuid.Next(), dirty: make(chan struct{}, 1), look: make(chan struct{}, 1)}
	o.Bus.Up = f.lookAgain
	b, err := bus.Connect(o.Bus)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	f.bus = b
	f.leases = &leases{bus: b, me: Owner{Host: o.Host, Home: o.Home, Boot: o.Boot}, log: o.Logger, known: known, ctx: context.WithoutCancel(ctx), held: map[onebot.UserID]*lease{}}
	f.pub = newPublisher(b, s, o.Logger, f.lookAgain)
	f.calls = newCalls(ctx, b, o.Logger, o.Link)
	f.record = &record{bus: b, host: o.Host, home: o.Home}
	return f, nil
}

// lookAgain has it looked at whether something is missing on the bus.
func (f *Fleet) lookAgain() {
	select {
	case f.look <- struct{}{}:
	default:
	}
}

// Run takes part in the fleet until ctx ends. The accounts' leases stay.
func (f *Fleet) Run(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return f.prepare(gctx) })
	g.Go(func() error { return f.pub.run(gctx) })
	g.Go(func() error { return f.calls.run(gctx) })
	g.Go(func() error { return serveTunnel(gctx, f.bus, f.o.Host, f.o.API, f.record.told.Load, f.o.Logger) })
	g.Go(func() error { return f.tell(gctx) })
	err := g.Wait()
	f.bus.Close()
	return errors.Join(err, f.pub.spool.close())
}

// prepare makes what the fleet needs on the bus, as soon as the bus is there, and
// again when something of it is gone: servers may lose their disks.
func (f *Fleet) prepare(ctx context.Context) error {
	for made := false; ; {
		var again <-chan time.Time
		if f.bus.NC.IsConnected() {
			err := f.prepareOnce(ctx, made)
			if ctx.Err() != nil {
				return nil
			}
			f.mu.Lock()
			first := err != nil && f.setup == nil
			f.setup = err
			f.mu.Unlock()
			if made = made || err == nil; err != nil {
				again = time.After(retryBus)
			}
			if first {
				f.o.Logger.Warn("bus not prepared; it is tried again", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.look:
		case <-again:
		}
	}
}

// prepareOnce makes what the fleet needs; where it was made before, only if something
// of it is missing.
func (f *Fleet) prepareOnce(ctx context.Context, made bool) error {
	ctx, cancel := context.WithTimeout(ctx, prepareTime)
	defer cancel()
	if made {
		switch missing, err := f.bus.Missing(ctx); {
		case err != nil:
			return err
		case !missing:
			return nil
		}
		f.o.Logger.Warn("what the fleet keeps on the bus is gone; it is made anew")
	}
	return f.bus.Ensure(ctx, f.o.Settings)
}

// Trouble returns what keeps this host from taking part in the fleet, nil for nothing.
// [bus.TroubleOf] says of which kind it is.
func (f *Fleet) Trouble() error {
	if err := f.bus.Trouble(); err != nil {
		return err
	}
	f.mu.Lock()
	err := f.setup
	f.mu.Unlock()
	if err != nil {
		return err
	}
	return f.pub.trouble()
}

// Twin reports whether another host has this one's name and was there first: then this
// one is not shown in the fleet, and the others cannot reach it.
func (f *Fleet) Twin() bool { return f.record.twin.Load() }

// Publish brings an event to the bus. It returns at once.
func (f *Fleet) Publish(e Event) {
	if e.Kind == "meta_event" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.ID == "" {
		f.number++
		e.ID = fmt.Sprintf("%s-%d", f.boot, f.number)
	}
	if waiting, ok := f.held[e.Self]; ok {
		f.held[e.Self] = append(waiting, e)
		return
	}
	f.pub.put(e)
}

// Hold keeps an account's events back until Release, so that what an earlier process
// had not published any more can go before them.
func (f *Fleet) Hold(self onebot.UserID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held == nil {
		f.held = map[onebot.UserID][]Event{}
	}
	f.held[self] = nil
}

// Release publishes what came earlier, and then what Hold kept back. What the bus has
// already it drops.
func (f *Fleet) Release(self onebot.UserID, earlier []Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pub.put(earlier...)
	f.pub.put(f.held[self]...)
	delete(f.held, self)
}

// Stats returns what became of events.
func (f *Fleet) Stats() PublishStats { return f.pub.Stats() }

// Take makes an account this host's, and carries out calls for it from then on. The
// error is a [*HeldError] if it is another host's. lost is called, once, if the
// account must stop because it is, or may soon be, another's.
func (f *Fleet) Take(ctx context.Context, uin onebot.UserID, account string, lost func(error)) error {
	if err := f.leases.take(ctx, uin, account, false, lost); err != nil {
		f.lookAgain()
		return err
	}
	return f.calls.accept(uin)
}

// Seize makes an account this host's whose host was not heard for the length of a
// lease. Whether its NapCat still runs there only a person can know.
func (f *Fleet) Seize(ctx context.Context, uin onebot.UserID, account string) error {
	if err := f.leases.take(ctx, uin, account, true, func(error) {}); err != nil {
		return err
	}
	f.leases.drop(uin)
	return nil
}

// Rest takes no more calls for an account and no longer renews its lease. The
// account stays this host's.
func (f *Fleet) Rest(uin onebot.UserID) {
	f.calls.refuse(uin)
	f.leases.rest(uin)
}

// Give is Rest, and lets any other host take the account, which is stopped.
func (f *Fleet) Give(ctx context.Context, uin onebot.UserID) error {
	f.calls.refuse(uin)
	return f.leases.give(ctx, uin)
}

// Changed says that Status has changed.
func (f *Fleet) Changed() {
	select {
	case f.dirty <- struct{}{}:
	default:
	}
}

const (
	tellEvery   = 10 * time.Second       // unchanged
	tellPause   = 250 * time.Millisecond // between two changes
	silentFrom  = 3 * tellEvery          // a host that was not heard for so long is silent
	prepareTime = 30 * time.Second       // for what the fleet needs on the bus
)

// tell says how this host is until ctx ends.
func (f *Fleet) tell(ctx context.Context) error {
	t := time.NewTicker(tellEvery)
	defer t.Stop()
	for {
		err := f.tellOnce(ctx)
		if err != nil && ctx.Err() == nil {
			f.o.Logger.Debug("status not told to the fleet", "err", err)
			f.lookAgain()
			f.Changed()
		}
		select {
		case <-ctx.Done():
			return f.record.withdraw(ctx)
		case <-time.After(tellPause):
		}
		select {
		case <-ctx.Done():
			return f.record.withdraw(ctx)
		case <-t.C:
		case <-f.dirty:
		}
	}
}

func (f *Fleet) tellOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, tellEvery)
	defer cancel()
	st := f.o.Status()
	for i := range st.Accounts {
		st.Accounts[i].History = nil
		if l := st.Accounts[i].Login; l != nil { // the code is for clients of the host itself
			told := *l
			told.URL = ""
			st.Accounts[i].Login = &told
		}
	}
	return f.record.write(ctx, st)
}
