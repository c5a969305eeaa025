package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/ncatd/ncatd/internal/fleet/bus"
	"github.com/ncatd/ncatd/onebot"
)

// Move is an account's way from one host to another. It stands in the account's
// lease, so that at every instant one host may start the account: the lease is the
// old host's until the new one has the files on its disk, the new one's from then
// on, and the old one's again if the account does not come online there. What a
// crash interrupts, the lease's host goes on with.
type Move struct {
	ID string `json:"id"`
	// From has the account's files until the move is settled.
	From Place `json:"from"`
	// Settled says that the account was online at its new host.
	Settled bool `json:"settled,omitempty"`
}

// Place is an account on a host.
type Place struct {
	Host    string `json:"host"`
	Home    string `json:"home"`
	Boot    string `json:"boot,omitempty"`
	Account string `json:"account"` // its name there
}

// Trial reports whether the account must yet show that it comes online.
func (o Owner) Trial() bool { return o.Move != nil && !o.Move.Settled }

// is reports whether the account is at that place.
func (o Owner) is(p Place) bool { return o.Host == p.Host && o.Home == p.Home }

// ErrMoved says that a lease is not as a step of a move needs it.
var ErrMoved = errors.New("the account's lease has changed meanwhile")

// Here is an account of that name on this host.
func (f *Fleet) Here(account string) Place {
	return Place{Host: f.o.Host, Home: f.o.Home, Boot: f.o.Boot, Account: account}
}

// ErrNobodys says that no host ever had an account.
var ErrNobodys = errors.New("no host of the fleet ever had the account")

// Owner returns whose an account is.
func (f *Fleet) Owner(ctx context.Context, uin onebot.UserID) (Owner, error) {
	o, err := f.leases.owner(ctx, uin)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		err = ErrNobodys
	}
	return o, err
}

// Mine reports whether an account is this host's.
func (f *Fleet) Mine(o Owner) bool { return o.is(f.Here("")) }

// Trial returns the move that brought an account which this host holds and which has
// yet to come online here; nil if none did.
func (f *Fleet) Trial(uin onebot.UserID) *Move {
	f.leases.mu.Lock()
	defer f.leases.mu.Unlock()
	if le := f.leases.held[uin]; le != nil {
		return le.trial
	}
	return nil
}

// Depart makes an account of this host that is stopped another's, for a trial.
func (f *Fleet) Depart(ctx context.Context, uin onebot.UserID, id string, to Place) error {
	f.Rest(uin)
	return f.leases.change(ctx, uin, func(o *Owner) error {
		switch {
		case o.is(to) && o.Move != nil && o.Move.ID == id:
			return nil // an earlier try of ours, whose answer was lost
		case !f.Mine(*o):
			return &HeldError{uin, *o, 0}
		}
		m := &Move{ID: id, From: Place{o.Host, o.Home, o.Boot, o.Account}}
		*o = Owner{Host: to.Host, Home: to.Home, Boot: to.Boot, Account: to.Account, Generation: o.Generation + 1, Move: m, revision: o.revision}
		return nil
	})
}

// SettleMove ends the trial of an account that is online here.
func (f *Fleet) SettleMove(ctx context.Context, uin onebot.UserID, id string) error {
	return f.leases.change(ctx, uin, func(o *Owner) error {
		if !f.Mine(*o) || o.Move == nil || o.Move.ID != id {
			return ErrMoved
		}
		o.Move = &Move{ID: id, From: o.Move.From, Settled: true}
		return nil
	})
}

// Return gives an account on trial, which is stopped, back to the host that it came
// from.
func (f *Fleet) Return(ctx context.Context, uin onebot.UserID, id string) error {
	f.Rest(uin)
	return f.leases.change(ctx, uin, func(o *Owner) error {
		if !f.Mine(*o) || !o.Trial() || o.Move.ID != id {
			return ErrMoved
		}
		p := o.Move.From
		*o = Owner{Host: p.Host, Home: p.Home, Boot: p.Boot, Account: p.Account, Generation: o.Generation + 1, revision: o.revision}
		return nil
	})
}

// change rewrites a lease by compare-and-set until that succeeds, f refuses, or ctx
// ends. After an error that is not f's the lease may be either way: whoever would
// start the account asks for it first.
func (l *leases) change(ctx context.Context, uin onebot.UserID, f func(*Owner) error) error {
	for {
		err := l.changeOnce(ctx, uin, f)
		var refused refusal
		switch {
		case errors.As(err, &refused):
			return refused.error
		case err == nil:
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("account's lease: %w", err)
		case <-time.After(retryBus):
		}
	}
}

// refusal is what f of change returned.
type refusal struct{ error }

func (l *leases) changeOnce(ctx context.Context, uin onebot.UserID, f func(*Owner) error) error {
	ctx, cancel := context.WithTimeout(ctx, leaseRenew)
	defer cancel()
	o, err := l.owner(ctx, uin)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return refusal{ErrMoved}
	}
	if err != nil {
		return err
	}
	if err := f(&o); err != nil {
		return refusal{err}
	}
	kv, err := l.bus.JS.KeyValue(ctx, bus.Accounts)
	if err != nil {
		return err
	}
	if _, err = kv.Update(ctx, key(uin), o.encode(), o.revision); err == nil {
		l.known.note(uin, o)
	}
	return err
}

// parcel is the name of what a move carries, on the bus's object store.
func parcel(id string) string { return "move-" + id }

// SendParcel puts what r reads on the bus for the move.
func (f *Fleet) SendParcel(ctx context.Context, id string, r io.Reader) error {
	return f.bus.Put(ctx, parcel(id), r)
}

// OpenParcel reads what SendParcel put there.
func (f *Fleet) OpenParcel(ctx context.Context, id string) (io.ReadCloser, error) {
	s, err := f.bus.JS.ObjectStore(ctx, bus.Files)
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	r, err := s.Get(ctx, parcel(id))
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	return r, nil
}

// DropParcel removes what SendParcel put there; it expires by itself.
func (f *Fleet) DropParcel(ctx context.Context, id string) { f.bus.Discard(ctx, parcel(id)) }
