package daemon

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
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

// updates looks for newer releases once a day, if the config asks for it: notify
// tells of them in the log, the status and by alerts, of ncatd's own too, auto installs the newest pair that the
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
	// own returns the newest published version of ncatd.
	own   func(ctx context.Context) (string, error)
	newer *newer
}

// The names of what a newer release may be of.
const (
	ofNapCat = "napcat"
	ofNcatd  = "ncatd"
)

func newUpdates(d *Daemon) *updates {
	return &updates{
		d:       d,
		newer:   &d.releases.newer,
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
		own: func(ctx context.Context) (string, error) {
			p, err := ownPublisher(d.store, d.log)
			if err != nil {
				return "", err
			}
			r, err := p.Find(ctx, selfupgrade.Wish{Channel: selfupgrade.Stable})
			return r.Version, err
		},
	}
}

// refreshCatalogue takes the catalogue that travels beside the releases, if it is
// not older than the one at hand.
func refreshCatalogue(ctx context.Context, s *install.Store, log *slog.Logger) error {
	at, err := s.Catalogue()
	if err != nil {
		return err
	}
	p, err := ownPublisher(s, log)
	if err != nil {
		return err
	}
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

// ownPublisher is where ncatd itself is published.
func ownPublisher(s *install.Store, log *slog.Logger) (*selfupgrade.Publisher, error) {
	at, err := s.Catalogue()
	if err != nil {
		return nil, err
	}
	roots, err := signed.Roots()
	if err != nil {
		return nil, err
	}
	return &selfupgrade.Publisher{Base: selfupgrade.Base, Mirrors: at.Mirrors, Roots: roots, Log: log}, nil
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
		if err := u.lookOwn(ctx); err != nil && ctx.Err() == nil {
			u.d.log.Info("no look for a newer ncatd", "err", err)
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
	case catalogue.Compare(newest, pair.NapCat.Version) > 0 && u.newer.found(ofNapCat, newest, pair.NapCat.Version):
		hint := "ncatd upgrade"
		if !known {
			hint = "ncatd upgrade --to " + newest
		}
		u.d.log.Info("a newer NapCat is published", "version", newest, "installed", pair.NapCat.Version, "hint", hint)
	}
	return nil
}

// lookOwn looks once for a newer ncatd. One that was built without a version has
// none to compare.
func (u *updates) lookOwn(ctx context.Context) error {
	mode, runs := u.d.config().NapCat.Update, strings.TrimPrefix(u.d.o.Version, "v")
	if mode != updateNotify && mode != updateAuto || !signed.ValidVersion(runs) {
		return nil
	}
	newest, err := u.own(ctx)
	if err != nil {
		return err
	}
	if signed.Older(runs, newest) && u.newer.found(ofNcatd, newest, runs) {
		u.d.log.Info("a newer ncatd is published", "version", newest, "running", runs, "hint", "ncatd self upgrade")
	}
	return nil
}

// newer are the published releases that are newer than what runs. It is safe for
// concurrent use.
type newer struct {
	mu   sync.Mutex
	list []api.NewerRelease
}

// found notes a release and reports whether it was not known.
func (n *newer) found(name, version, runs string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, r := range n.list {
		if r.Name != name {
			continue
		}
		if r.Version == version {
			return false
		}
		n.list = slices.Delete(n.list, i, i+1)
		break
	}
	n.list = append(n.list, api.NewerRelease{Name: name, Version: version, Runs: runs, Since: time.Now()})
	return true
}

// than returns those that are newer than the NapCat that is installed now.
func (n *newer) than(current func() (install.Pair, error)) []api.NewerRelease {
	n.mu.Lock()
	list := slices.Clone(n.list)
	n.mu.Unlock()
	return slices.DeleteFunc(list, func(r api.NewerRelease) bool {
		if r.Name != ofNapCat {
			return false
		}
		pair, err := current()
		return err != nil || catalogue.Compare(r.Version, pair.NapCat.Version) <= 0
	})
}
