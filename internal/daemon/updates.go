package daemon

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/ncatd/ncatd/internal/napcat/install"
	"github.com/ncatd/ncatd/internal/napcat/install/catalogue"
	"github.com/ncatd/ncatd/internal/selfupgrade"
	"github.com/ncatd/ncatd/internal/selfupgrade/signed"
)

const (
	// updateFirst is when the first look for a newer NapCat is made: not while
	// a start is under way.
	updateFirst = 10 * time.Minute
	// updateEvery is the time between two looks, to which chance adds up to a
	// quarter, so that not all daemons of the world ask at the same time.
	updateEvery = 24 * time.Hour
)

// The words of napcat.update.
const (
	updateNotify = "notify"
	updateAuto   = "auto"
)

// updates looks for newer releases once a day, if the config asks for it:
// notify tells of them in the log, auto installs the newest pair that the
// catalogue knows to run together and starts the accounts again with it. A pair
// that does not come online is left again by itself.
type updates struct {
	d *Daemon
	// current, newest, plan and install are the store's.
	current func() (install.Pair, error)
	newest  func(ctx context.Context) (string, error)
	plan    func(ctx context.Context, req install.Request) (install.Plan, error)
	install func(ctx context.Context, req install.Request) (install.Pair, error)
	restart func(ctx context.Context) error

	told string // the newest version that was told of
}

func newUpdates(d *Daemon) *updates {
	return &updates{
		d:       d,
		current: d.store.Current,
		newest: func(ctx context.Context) (string, error) {
			// A newer catalogue is welcome; the one at hand does without.
			if err := refreshCatalogue(ctx, d.store, d.log); err != nil {
				d.log.Debug("catalogue not refreshed", "err", err)
			}
			return d.store.Newest(ctx, nil)
		},
		plan: d.store.Plan,
		install: func(ctx context.Context, req install.Request) (install.Pair, error) {
			return d.store.Install(ctx, req, func(e install.Event) { d.installed("", e) })
		},
		restart: func(ctx context.Context) error { return d.Restart(ctx, "") },
	}
}

// refreshCatalogue takes the catalogue that travels beside the releases, if it is
// not older than the one at hand.
func refreshCatalogue(ctx context.Context, s *install.Store, log *slog.Logger) error {
	at, err := s.Catalogue()
	if err != nil {
		return err
	}
	roots, err := signed.Roots()
	if err != nil {
		return err
	}
	p := &selfupgrade.Publisher{Base: selfupgrade.Base, Mirrors: at.Mirrors, Roots: roots, Log: log}
	text, via, err := p.Catalogue(ctx)
	if err != nil {
		return err
	}
	c, took, err := s.TakeCatalogue(text)
	if err == nil && took && c.Updated > at.Updated {
		log.Info("a newer catalogue of NapCat and QQ", "updated", c.Updated, "source", via)
	}
	return err
}

// run looks now and then until ctx ends.
func (u *updates) run(ctx context.Context) {
	t := time.NewTimer(updateFirst)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if err := u.look(ctx); err != nil && ctx.Err() == nil {
			u.d.log.Info("no look for a newer NapCat", "err", err)
		}
		t.Reset(updateEvery + rand.N(updateEvery/4))
	}
}

// look looks once.
func (u *updates) look(ctx context.Context) error {
	c := u.d.config().NapCat
	if c.Update != updateNotify && c.Update != updateAuto || c.Source != "" {
		return nil // a package of the user's own has no publisher to ask
	}
	pair, err := u.current()
	if errors.Is(err, install.ErrNotInstalled) {
		return nil
	}
	if err != nil {
		return err
	}
	newest, err := u.newest(ctx)
	if err != nil {
		return err
	}
	req := installRequest(c, u.d.log)
	req.NapCat, req.QQ = install.Package{}, install.Package{}
	plan, err := u.plan(ctx, req)
	if err != nil {
		return err
	}
	known := catalogue.Compare(plan.NapCat.Version, pair.NapCat.Version) > 0
	switch {
	case known && c.Update == updateAuto:
		next, err := u.install(ctx, req)
		if err != nil {
			return err
		}
		u.d.log.Info("updated by itself", "from", pair.String(), "to", next.String())
		return u.restart(ctx)
	case catalogue.Compare(newest, pair.NapCat.Version) > 0 && newest != u.told:
		u.told = newest
		hint := "ncatd upgrade"
		if !known {
			hint = "ncatd upgrade --to " + newest
		}
		u.d.log.Info("a newer NapCat is published", "version", newest, "installed", pair.NapCat.Version, "hint", hint)
	}
	return nil
}
