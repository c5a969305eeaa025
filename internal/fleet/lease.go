package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/ncatd/ncatd/internal/fleet/bus"
	"github.com/ncatd/ncatd/onebot"
)

// Owner is what the bucket of accounts says of one of them.
type Owner struct {
	Host string `json:"host"`
	// Home tells two hosts of one name apart.
	Home string `json:"home"`
	Boot string `json:"boot"`
	// Account is its name in the host's config.
	Account string `json:"account"`
	// Generation grows with every change of the host.
	Generation uint64 `json:"generation"`
	// Given is set once the host has stopped the account for good: any host may
	// take it.
	Given bool `json:"given,omitempty"`
	// Rested is set once the host has stopped the account for now: it may start it
	// again, also after its machine was started anew.
	Rested bool `json:"rested,omitempty"`
	// Move is the move by which the host got the account; nil: by none.
	Move *Move `json:"move,omitempty"`

	revision uint64
	// Heard is when the host last renewed it, by the bus's clock.
	Heard time.Time `json:"-"`
}

// HeldError says that an account is another host's.
type HeldError struct {
	UIN   onebot.UserID
	Owner Owner
	Ago   time.Duration // since the host was heard, where that was asked
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("account %d belongs to host %s", e.UIN, e.Owner.Host)
}

// ErrTaken ends a lease that is no longer this host's.
var ErrTaken = errors.New("the account's lease was taken by another host")

// errUnheard ends a lease that could not be renewed in time.
var errUnheard = errors.New("the account's lease could not be renewed in time: the bus is away")

// A record never expires by itself: a host that is silent may be dead with its
// NapCat alive, and only a person can know that. What expires is the host's right
// to run the account, two thirds of bus.AccountLease after it was last heard; only
// later than that may another host take it by force.
const (
	leaseRenew = bus.AccountLease / 18
	leaseHold  = bus.AccountLease * 2 / 3
	restTime   = 2 * time.Second // to say that an account is stopped
)

// leases keeps the accounts of this host.
type leases struct {
	bus   *bus.Bus
	me    Owner // Host, Home and Boot
	log   *slog.Logger
	known *known
	ctx   context.Context // of what ends after whatever asked for it

	mu   sync.Mutex // guards the field below
	held map[onebot.UserID]*lease
}

// lease is one account that this host holds.
type lease struct {
	owner  Owner // of keep
	trial  *Move // by which it was given, while it has to be shown that it comes online
	cancel context.CancelFunc
	ended  chan struct{} // closed once nothing renews it any more
}

// owner reads which host has an account; jetstream.ErrKeyNotFound: none. A question that
// was on its way when a server died is never answered: it does not wait as long as ctx may
// last.
func (l *leases) owner(ctx context.Context, uin onebot.UserID) (Owner, error) {
	ctx, cancel := context.WithTimeout(ctx, leaseRenew)
	defer cancel()
	kv, err := l.bus.JS.KeyValue(ctx, bus.Accounts)
	if err != nil {
		return Owner{}, err
	}
	e, err := kv.Get(ctx, key(uin))
	if err != nil {
		return Owner{}, err
	}
	return decodeOwner(e)
}

func decodeOwner(e jetstream.KeyValueEntry) (Owner, error) {
	var o Owner
	if err := json.Unmarshal(e.Value(), &o); err != nil {
		return Owner{}, fmt.Errorf("account %s on the bus: %w", e.Key(), err)
	}
	o.revision, o.Heard = e.Revision(), e.Created()
	return o, nil
}

func key(uin onebot.UserID) string { return strconv.FormatInt(int64(uin), 10) }

// take makes an account this host's, and keeps it so until it is dropped. lost is
// called once, on a goroutine of its own, if the host must stop the account. The
// error is a [*HeldError] if another host has it, unless force is set and that one
// was not heard for the length of a lease.
func (l *leases) take(ctx context.Context, uin onebot.UserID, account string, force bool, lost func(error)) error {
	l.drop(uin)
	kv, err := l.bus.JS.KeyValue(ctx, bus.Accounts)
	if err != nil {
		return fmt.Errorf("account's lease: %w", err)
	}
	began := time.Now()
	is, err := l.claim(ctx, kv, uin, account, force)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	le := &lease{owner: is, cancel: cancel, ended: make(chan struct{})}
	if is.Trial() {
		le.trial = is.Move
	}
	l.mu.Lock()
	l.held[uin] = le
	l.mu.Unlock()
	go func() { // drop waits for it
		defer close(le.ended)
		if err := le.keep(ctx, kv, uin, began); err != nil {
			l.log.Error("account must stop", "uin", int64(uin), "err", err)
			go lost(err) // it may drop the lease
		}
	}()
	return nil
}

// claim writes that an account is this host's, if it may.
func (l *leases) claim(ctx context.Context, kv jetstream.KeyValue, uin onebot.UserID, account string, force bool) (Owner, error) {
	is := l.me
	is.Account, is.Generation = account, 1
	was, err := l.owner(ctx, uin)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		if was, known := l.known.of(uin); known {
			if !was.Given && !l.mine(was) {
				return Owner{}, l.restore(ctx, kv, uin, was)
			}
			is.Generation, is.Move = was.Generation, was.Move
		}
		is.revision, err = kv.Create(ctx, key(uin), is.encode())
	case err != nil:
	case l.mine(was):
		if was.Boot != is.Boot && !was.Given && !was.Rested {
			// It may be a copy of this home on another machine.
			if age, err := l.age(ctx, was); err != nil || age <= leaseHold {
				return Owner{}, errors.Join(err, &HeldError{uin, was, age})
			}
		}
		is.Generation, is.Move = was.Generation, was.Move
		is.revision, err = kv.Update(ctx, key(uin), is.encode(), was.revision)
	default:
		age := time.Duration(0)
		renamed := l.renamed(was)
		if force || renamed {
			age, err = l.age(ctx, was)
		}
		renamed = renamed && (was.Rested || age > leaseHold)
		if !was.Given && (err != nil || age <= bus.AccountLease && !renamed) {
			l.known.note(uin, was)
			return Owner{}, errors.Join(err, &HeldError{uin, was, age})
		}
		is.Generation = was.Generation + 1
		is.revision, err = kv.Update(ctx, key(uin), is.encode(), was.revision)
	}
	if err != nil {
		return Owner{}, fmt.Errorf("account's lease: %w", err)
	}
	l.known.note(uin, is)
	return is, nil
}

func (l *leases) mine(o Owner) bool { return o.Host == l.me.Host && o.Home == l.me.Home }

// renamed reports whether an account is this home's, of the time when the host had
// another name. Either it was stopped then, or this is the same machine: a copy of the
// home on another one is no host that was renamed.
func (l *leases) renamed(o Owner) bool {
	return o.Home == l.me.Home && o.Home != "" && !o.Trial() && (o.Rested || o.Boot == l.me.Boot)
}

// age returns how long ago an account's host was heard.
func (l *leases) age(ctx context.Context, o Owner) (time.Duration, error) {
	return l.bus.Age(ctx, bus.Accounts, o.Heard)
}

// restore brings back what the bus has lost: that an account is another host's. That
// one does so itself if it lives, for as long as it may run the account.
func (l *leases) restore(ctx context.Context, kv jetstream.KeyValue, uin onebot.UserID, was Owner) error {
	since, err := l.bus.Since(ctx, bus.Accounts)
	if err != nil {
		return fmt.Errorf("account's lease: %w", err)
	}
	if since > bus.AccountLease {
		if _, err := kv.Create(ctx, key(uin), was.encode()); err != nil && !errors.Is(err, jetstream.ErrKeyExists) {
			return fmt.Errorf("account's lease: %w", err)
		}
	}
	return &HeldError{uin, was, 0}
}

func (o Owner) encode() []byte {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return b
}

// keep renews the lease until ctx ends, and returns nil then. heard is when it was
// last asked for with success, by this machine's clock.
func (le *lease) keep(ctx context.Context, kv jetstream.KeyValue, uin onebot.UserID, heard time.Time) error {
	t := time.NewTicker(leaseRenew)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		at := time.Now()
		uctx, cancel := context.WithTimeout(ctx, leaseRenew)
		rev, err := kv.Update(uctx, key(uin), le.owner.encode(), le.owner.revision)
		cancel()
		switch {
		case err == nil:
			le.owner.revision, heard = rev, at
		case bus.Conflict(err):
			// Our own write may have been taken in although its answer was lost.
			e, err := kv.Get(ctx, key(uin))
			if errors.Is(err, jetstream.ErrKeyNotFound) { // the bus has lost it
				if rev, err := kv.Create(ctx, key(uin), le.owner.encode()); err == nil {
					le.owner.revision, heard = rev, at
				}
			}
			if err != nil {
				break
			}
			is, err := decodeOwner(e)
			if err != nil || is.Host != le.owner.Host || is.Home != le.owner.Home || is.Boot != le.owner.Boot || is.Generation != le.owner.Generation {
				return ErrTaken
			}
			le.owner = is // with what became of a move
		}
		if ctx.Err() == nil && time.Since(heard) > leaseHold {
			return errUnheard
		}
	}
}

// drop stops renewing an account's lease. The account stays this host's.
func (l *leases) drop(uin onebot.UserID) {
	l.mu.Lock()
	le := l.held[uin]
	delete(l.held, uin)
	l.mu.Unlock()
	if le != nil {
		le.cancel()
		<-le.ended
	}
}

// rest is drop for an account that is stopped, and says so, for the case that the
// machine is started anew before long. It may fail: then the account waits for that
// long.
func (l *leases) rest(uin onebot.UserID) {
	l.mu.Lock()
	le := l.held[uin]
	l.mu.Unlock()
	l.drop(uin)
	if le == nil || !l.bus.NC.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(l.ctx, restTime)
	defer cancel()
	if kv, err := l.bus.JS.KeyValue(ctx, bus.Accounts); err == nil {
		o := le.owner
		o.Rested = true
		_, _ = kv.Update(ctx, key(uin), o.encode(), o.revision)
	}
}

// give lets any host take an account that this one has stopped.
func (l *leases) give(ctx context.Context, uin onebot.UserID) error {
	l.drop(uin)
	was, err := l.owner(ctx, uin)
	if errors.Is(err, jetstream.ErrKeyNotFound) || err == nil && (was.Host != l.me.Host || was.Home != l.me.Home || was.Given) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("account's lease: %w", err)
	}
	kv, err := l.bus.JS.KeyValue(ctx, bus.Accounts)
	if err != nil {
		return fmt.Errorf("account's lease: %w", err)
	}
	was.Given = true
	if _, err := kv.Update(ctx, key(uin), was.encode(), was.revision); err != nil {
		return fmt.Errorf("account's lease: %w", err)
	}
	l.known.note(uin, was)
	return nil
}
