package cli

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/napcat/install"
	"github.com/ncatd/ncatd/internal/napcat/install/catalogue"
)

func newUpgrade(a *app) *cobra.Command {
	var o installFlags
	var to string
	var check bool
	c := a.command("upgrade", "upgrade", noArgs, func(c *cobra.Command, _ []string) error {
		ctx := c.Context()
		in, err := a.openInstall()
		if err != nil {
			return err
		}
		defer in.close()
		current, err := in.store.Current()
		if err != nil {
			return err
		}
		o.napcatVersion = strings.TrimPrefix(to, "v")
		req := in.request(o)
		if err := in.target(ctx, &req, o, current); err != nil {
			return err
		}
		plan, err := in.store.Plan(ctx, req)
		if err != nil {
			return err
		}
		if check {
			return in.check(ctx, plan, current, o.json)
		}
		if plan.NapCat.Version == current.NapCat.Version && plan.QQ.Version == current.QQ.Version {
			if o.json {
				return in.result(current, true)
			}
			a.out.print("%s", a.t("upgrade.newest", current.NapCat.Version, current.QQ.Version))
			return nil
		}
		return in.run(ctx, req, o, current)
	})
	o.add(a, c)
	c.Flags().StringVar(&to, "to", "", a.t("flag.upgrade_to"))
	a.completeVersions(c, "to", napcatVersions)
	c.Flags().BoolVar(&check, "check", false, a.t("flag.upgrade_check"))
	return c
}

// target decides what an upgrade goes to. Packages and versions that were named
// are taken; otherwise NapCat comes from where the config says or is the newest
// of the catalogue, and QQ stays as it is unless that NapCat does not know it.
func (in *installing) target(ctx context.Context, req *install.Request, o installFlags, current install.Pair) error {
	n := in.cfg.NapCat
	if o.napcatPackage == "" && o.napcatVersion == "" && n.Source == "" {
		req.NapCat = install.Package{}
		if o.qqPackage != "" || o.qqVersion != "" {
			req.NapCat.Use = &current.NapCat
		}
	}
	if o.qqPackage != "" || o.qqVersion != "" || n.QQSource != "" && !strings.Contains(n.QQSource, "{version}") {
		return nil
	}
	if req.NapCat.File != "" || req.NapCat.Source != "" {
		req.QQ = install.Package{Use: &current.QQ}
		return nil
	}
	var cat *catalogue.Catalogue
	var err error
	if req.CatalogueSource != "" {
		cat, err = install.LoadCatalogue(ctx, req.CatalogueSource, nil)
	} else {
		cat, err = in.store.Catalogue()
	}
	if err != nil {
		return err
	}
	req.Catalogue = cat
	req.QQ.Version = ""
	ch, err := cat.Choose(catalogue.Wish{NapCat: req.NapCat.Version, Arch: install.Arch()})
	if err != nil {
		return err
	}
	if o.napcatVersion == "" && req.NapCat.Use == nil && catalogue.Compare(ch.NapCat.Version, current.NapCat.Version) <= 0 {
		// Never back by itself: what is newer than the catalogue stays.
		req.NapCat = install.Package{Use: &current.NapCat}
	} else if req.NapCat.Use == nil {
		req.NapCat.Version = ch.NapCat.Version
	}
	napcat := req.NapCat.Version
	if req.NapCat.Use != nil {
		napcat = current.NapCat.Version
	}
	if keepsQQ(cat, napcat, current.QQ.Version) {
		req.QQ = install.Package{Use: &current.QQ}
	} else {
		req.QQ = install.Package{Version: ch.QQ.Version}
	}
	return nil
}

// keepsQQ reports whether a NapCat may run with the QQ that is installed.
func keepsQQ(cat *catalogue.Catalogue, napcat, qq string) bool {
	i := slices.IndexFunc(cat.NapCat, func(n catalogue.NapCat) bool { return n.Version == napcat })
	if i >= 0 && !slices.Contains(cat.NapCat[i].QQ, qq) {
		return false
	}
	return !slices.ContainsFunc(cat.NotesFor(napcat, qq, install.Arch()), func(n catalogue.Note) bool { return n.Severity == catalogue.Broken })
}

// placeholderSource keeps a configured address only if it serves any version.
func placeholderSource(s string) string {
	if strings.Contains(s, "{version}") {
		return s
	}
	return ""
}

// checkLine is what `upgrade --check --json` prints.
type checkLine struct {
	Current   versionPair `json:"current"`
	Available versionPair `json:"available"`
	Newer     bool        `json:"newer"`
	Published string      `json:"published_napcat_version,omitempty"`
}

type versionPair struct {
	NapCat string `json:"napcat_version"`
	QQ     string `json:"qq_version"`
}

func (in *installing) check(ctx context.Context, plan install.Plan, current install.Pair, json bool) error {
	a := in.a
	line := checkLine{
		Current:   versionPair{current.NapCat.Version, current.QQ.Version},
		Available: versionPair{plan.NapCat.Version, plan.QQ.Version},
	}
	line.Newer = line.Current != line.Available
	newest, err := in.store.Newest(ctx, nil)
	if err != nil {
		in.log.Info("publisher not asked", "error", err)
	} else {
		line.Published = newest
	}
	if json {
		return a.out.json(line, false)
	}
	if line.Newer {
		a.out.print("%s", a.t("upgrade.available", line.Available.NapCat, line.Available.QQ, line.Current.NapCat, line.Current.QQ))
	} else {
		a.out.print("%s", a.t("upgrade.newest", line.Current.NapCat, line.Current.QQ))
	}
	if newest != "" && catalogue.Compare(newest, line.Available.NapCat) > 0 {
		a.out.say("%s", a.t("upgrade.unlisted", newest))
	}
	return nil
}

func newRollback(a *app) *cobra.Command {
	var json bool
	c := a.command("rollback", "rollback", noArgs, func(c *cobra.Command, _ []string) error {
		in, err := a.openInstall()
		if err != nil {
			return err
		}
		defer in.close()
		current, err := in.store.Current()
		if err != nil {
			return err
		}
		pair, err := in.store.RollBack(current, install.Left{Reason: "asked_for"})
		if err != nil {
			return err
		}
		in.log.Info("rolled back", "napcat_version", pair.NapCat.Version, "qq_version", pair.QQ.Version)
		if err := in.restart(c.Context(), pair, json); err != nil {
			return err
		}
		if json {
			return in.result(pair, true)
		}
		a.out.print("%s", a.t("rollback.done", pair.NapCat.Version, pair.QQ.Version))
		return nil
	})
	c.Flags().BoolVar(&json, "json", false, a.t("flag.json"))
	return c
}

// backOnline is how long a restarted account may take to be online again before
// the command stops waiting; the daemon goes on. It is longer than the start
// timeout of the new pair and that of the old one after it.
const backOnline = 5 * time.Minute

// restart restarts the accounts that run, if a daemon runs in this home, and
// waits until those that were online are so again. A pair that the daemon left
// meanwhile is an error.
func (in *installing) restart(ctx context.Context, pair install.Pair, json bool) error {
	a := in.a
	cl := client.New(in.home.Socket())
	defer cl.Close()
	st, err := cl.Status(ctx)
	if errors.Is(err, client.ErrNotRunning) {
		return nil
	}
	if err != nil {
		return err
	}
	waiting := map[string]time.Time{} // since when it had been online
	for _, acc := range st.Accounts {
		if acc.State == api.StateStopped || acc.State == api.StateStopping {
			continue
		}
		if !json {
			a.out.say("%s", a.t("install.restarting", acc.Name))
		}
		if err := cl.Restart(ctx, acc.Name); err != nil {
			return err
		}
		if acc.State == api.StateOnline {
			waiting[acc.Name] = acc.Since
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	if err := in.awaitOnline(ctx, cl, waiting); err != nil {
		return err
	}
	now, err := in.store.Current()
	if err == nil && !now.Same(pair) {
		reason := a.t("install.switched", now.NapCat.Version, now.QQ.Version)
		if r, ok := in.store.LastRollBack(); ok {
			reason = a.rollbackReason(r.Reason, r.Fault)
		}
		return fail(exitFailure, errString(a.t("err.rolled_back", pair.NapCat.Version, pair.QQ.Version, reason)), a.t("hint.rolled_back"))
	}
	for name := range waiting {
		a.out.say("%s", a.t("install.not_back", name))
	}
	return nil
}

var errBack = errors.New("all back")

// awaitOnline follows the accounts until each of waiting left the state online
// and came back to it, or needs a person. Those that did are taken out.
func (in *installing) awaitOnline(ctx context.Context, cl *client.Client, waiting map[string]time.Time) error {
	wctx, cancel := context.WithTimeout(ctx, backOnline)
	defer cancel()
	seen := func(acc api.Account) {
		switch acc.State {
		case api.StateOnline:
			if acc.Since.After(waiting[acc.Name]) {
				delete(waiting, acc.Name)
			}
		case api.StateStopped, api.StateFailed:
			delete(waiting, acc.Name)
		case api.StateLoginRequired:
			if acc.Login.Waits() {
				delete(waiting, acc.Name)
			}
		}
	}
	err := cl.Watch(wctx, "", nil, func(it api.WatchItem) error {
		if it.Status != nil {
			for _, acc := range it.Status.Accounts {
				seen(acc)
			}
		}
		if it.State != nil {
			seen(*it.State)
		}
		if len(waiting) == 0 {
			return errBack
		}
		return nil
	})
	switch {
	case errors.Is(err, errBack), errors.Is(err, io.EOF), errors.Is(err, client.ErrNotRunning):
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, context.DeadlineExceeded):
		return nil
	}
	return err
}
