package cli

import (
	"context"
	"log/slog"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/logfile"
	"github.com/ncatd/ncatd/internal/napcat/install"
)

// installFlags are what install and upgrade have in common.
type installFlags struct {
	napcatPackage, qqPackage string
	napcatVersion, qqVersion string
	mirrors                  []string
	catalogue                string
	insecure, json, yes      bool
}

func (o *installFlags) add(a *app, c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.napcatPackage, "napcat-package", "", a.t("flag.napcat_package"))
	f.StringVar(&o.qqPackage, "qq-package", "", a.t("flag.qq_package"))
	f.StringVar(&o.qqVersion, "qq-version", "", a.t("flag.qq_version"))
	f.StringArrayVar(&o.mirrors, "mirror", nil, a.t("flag.mirror"))
	f.StringVar(&o.catalogue, "catalogue", "", a.t("flag.catalogue"))
	f.BoolVar(&o.insecure, "insecure-no-checksum", false, a.t("flag.insecure"))
	f.BoolVar(&o.json, "json", false, a.t("flag.json_lines"))
	f.BoolVarP(&o.yes, "yes", "y", false, a.t("flag.yes_all"))
	a.completeVersions(c, "qq-version", qqVersions)
}

// asksFor reports whether the command line names something to install.
func (o *installFlags) asksFor() bool {
	return o.napcatPackage != "" || o.qqPackage != "" || o.napcatVersion != "" || o.qqVersion != ""
}

func newInstall(a *app) *cobra.Command {
	var o installFlags
	c := a.command("install", "install", noArgs, func(c *cobra.Command, _ []string) error {
		ctx := c.Context()
		in, err := a.openInstall()
		if err != nil {
			return err
		}
		defer in.close()
		current, err := in.store.Current()
		if err == nil && !o.asksFor() {
			if o.json {
				return a.out.json(current, true)
			}
			a.out.print("%s", a.t("install.have", current.NapCat.Version, current.QQ.Version))
			return nil
		}
		req := in.request(o)
		// What is not asked for stays as it is.
		if current.NapCat.Dir != "" {
			if o.napcatPackage == "" && o.napcatVersion == "" {
				req.NapCat = install.Package{Use: &current.NapCat}
			}
			if o.qqPackage == "" && o.qqVersion == "" {
				req.QQ = install.Package{Use: &current.QQ}
			}
		}
		return in.run(ctx, req, o, current)
	})
	o.add(a, c)
	c.Flags().StringVar(&o.napcatVersion, "napcat-version", "", a.t("flag.napcat_version"))
	a.completeVersions(c, "napcat-version", napcatVersions)
	return c
}

// installing is one command that works on the releases of a home.
type installing struct {
	a     *app
	home  home.Dir
	cfg   *config.Config
	store *install.Store
	log   *slog.Logger
	close func()
}

// openInstall opens the releases of this command line's home.
func (a *app) openInstall() (*installing, error) {
	h, err := a.daemonHome()
	if err != nil {
		return nil, err
	}
	cfg, err := a.loadConfig(a.configPath(h), nil)
	if err != nil {
		return nil, err
	}
	store, err := install.Open(string(h))
	if err != nil {
		return nil, err
	}
	if err := h.Make(); err != nil {
		return nil, err
	}
	// A log of its own: the daemon may be writing ncatd.log.
	w := logfile.NewWriter(h.Join("logs", "install.log"), int64(cfg.Log.MaxSize), int64(cfg.Log.MaxTotal), logfile.Lost(cfg.Log.Format))
	log := slog.New(logfile.Handler(w, cfg.Log.Format, slog.LevelInfo))
	return &installing{a: a, home: h, cfg: cfg, store: store, log: log, close: func() { w.Close() }}, nil
}

// request puts together what the config and the flags ask for.
func (in *installing) request(o installFlags) install.Request {
	n := in.cfg.NapCat
	req := install.Request{
		NapCat:   install.Package{Source: n.Source, SHA256: n.SHA256},
		QQ:       install.Package{Version: n.QQVersion, Source: n.QQSource, SHA256: n.QQSHA256},
		Mirrors:  n.Mirrors,
		Insecure: o.insecure,
		Keep:     n.Keep,
		Log:      in.log,
	}
	// A package of the user's own says itself which version it is.
	if n.Source == "" || placeholderSource(n.Source) != "" {
		req.NapCat.Version = n.Version
	}
	// The config's digests and addresses are those of the config's versions.
	if o.napcatVersion != "" && o.napcatVersion != n.Version {
		req.NapCat = install.Package{Version: o.napcatVersion, Source: placeholderSource(n.Source)}
	}
	if o.qqVersion != "" && o.qqVersion != n.QQVersion {
		req.QQ = install.Package{Version: o.qqVersion, Source: placeholderSource(n.QQSource)}
	}
	// A digest in the config holds for a package on this machine too, unless
	// another version is named, which the lines above left without one.
	if o.napcatPackage != "" {
		req.NapCat = install.Package{Version: o.napcatVersion, File: o.napcatPackage, SHA256: req.NapCat.SHA256}
	}
	if o.qqPackage != "" {
		req.QQ = install.Package{Version: o.qqVersion, File: o.qqPackage, SHA256: req.QQ.SHA256}
	}
	if len(o.mirrors) > 0 {
		req.Mirrors = append(append([]string{}, o.mirrors...), n.Mirrors...)
	}
	req.CatalogueSource = n.Catalogue
	if o.catalogue != "" {
		req.CatalogueSource = o.catalogue
	}
	return req
}

// run installs req after showing what it will do, and restarts what runs.
func (in *installing) run(ctx context.Context, req install.Request, o installFlags, before install.Pair) error {
	a := in.a
	plan, err := in.store.Plan(ctx, req)
	if err != nil {
		return err
	}
	in.showPlan(plan, o.json)
	if !o.yes && !o.json && isTerminal(a.Stdin) && a.out.errTTY && !(plan.NapCat.Present && plan.QQ.Present) {
		yes, err := a.ask(ctx, "ask.go_on")
		if err != nil {
			return err
		}
		if !yes {
			return quiet(exitFailure)
		}
	}
	p := in.progress(o.json)
	pair, err := in.store.Install(ctx, req, p.show)
	p.end()
	if err != nil {
		return err
	}
	if before.NapCat.Dir != "" && !before.Same(pair) {
		if err := in.restart(ctx, pair, o.json); err != nil {
			return err
		}
	}
	return in.result(pair, o.json)
}

// result prints the pair that is installed.
func (in *installing) result(pair install.Pair, json bool) error {
	if json {
		return in.a.out.json(pairLine{"done", pair, pair.QQExe, pair.NapCatMain}, true)
	}
	in.a.out.print("%s", in.a.t("install.have", pair.NapCat.Version, pair.QQ.Version))
	return nil
}

// pairLine is the last line of `install --json`.
type pairLine struct {
	Event string `json:"event"`
	install.Pair
	QQExe      string `json:"qq_exe"`
	NapCatMain string `json:"napcat_main"`
}

func (in *installing) showPlan(p install.Plan, json bool) {
	if json {
		return
	}
	a := in.a
	for _, it := range []struct {
		product install.Product
		item    install.PlanItem
	}{{install.NapCat, p.NapCat}, {install.QQ, p.QQ}} {
		name := it.product.Name()
		if it.item.Present {
			version := it.item.Version
			if version == "" {
				version = filepath.Base(it.item.URL)
			}
			a.out.say("%s", a.t("install.plan_have", name, version))
			continue
		}
		size := ""
		if it.item.Size > 0 {
			size = a.t("install.plan_size", bytesText(uint64(it.item.Size)))
		}
		a.out.say("%s", a.t("install.plan", name, it.item.Version, it.item.URL, size))
	}
	for _, n := range p.Notes {
		a.out.say("%s", a.t("install.note", a.note(n.EN, n.ZH)))
	}
}
