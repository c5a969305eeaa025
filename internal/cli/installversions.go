package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/napcat/install"
	"github.com/ncatd/ncatd/internal/napcat/install/catalogue"
)

// versionsLine is what `versions --json` prints.
type versionsLine struct {
	install.Versions
	Known []catalogue.NapCat `json:"known_napcat"`
	QQ    []string           `json:"known_qq"`
	// Catalogue is what the known ones stand in.
	Catalogue catalogueLine `json:"catalogue"`
}

// catalogueLine says where a catalogue comes from: built_in, the copy in the
// home that was fetched and verified, or the user's own address.
type catalogueLine struct {
	Updated string `json:"updated"`
	From    string `json:"from"`
}

const builtIn = "built_in"

// refreshCatalogue fetches a newer catalogue: from the user's own source, or the
// signed one beside the releases.
func (a *app) refreshCatalogue(ctx context.Context, s *install.Store, source string) (*catalogue.Catalogue, error) {
	if source != "" {
		return s.RefreshCatalogue(ctx, source, nil)
	}
	p, err := publisher("")
	if err != nil {
		return nil, err
	}
	b, via, err := p.Catalogue(ctx)
	if err != nil {
		return nil, &install.CatalogueError{Source: p.Base, Err: err}
	}
	c, _, err := s.TakeCatalogue(b)
	if err != nil {
		return nil, &install.CatalogueError{Source: via, Err: err}
	}
	return c, nil
}

func newVersions(a *app) *cobra.Command {
	var json, refresh bool
	var source string
	c := a.command("versions", "versions", noArgs, func(c *cobra.Command, _ []string) error {
		in, err := a.openInstall()
		if err != nil {
			return err
		}
		defer in.close()
		if source == "" {
			source = in.cfg.NapCat.Catalogue
		}
		if refresh {
			got, err := a.refreshCatalogue(c.Context(), in.store, source)
			if err != nil {
				return err
			}
			if used, err := in.store.Catalogue(); err == nil && used.Updated > got.Updated {
				a.out.say("%s", a.t("versions.older", got.Updated, used.Updated))
			}
		}
		v, err := in.store.Versions()
		if err != nil {
			return err
		}
		var cat *catalogue.Catalogue
		from := builtIn
		if source != "" && !refresh {
			from = source
			cat, err = install.LoadCatalogue(c.Context(), source, nil)
		} else {
			cat, err = in.store.Catalogue()
			if path, copied := in.store.CatalogueFrom(); copied {
				from = path
			}
		}
		if err != nil {
			return err
		}
		if json {
			line := versionsLine{Versions: v, Known: cat.NapCat, Catalogue: catalogueLine{cat.Updated, from}}
			for _, q := range cat.QQ {
				line.QQ = append(line.QQ, q.Version)
			}
			return a.out.json(line, false)
		}
		a.versionsTable(v, cat)
		if from == builtIn {
			from = a.t("versions.built_in")
		}
		a.out.say("%s", a.t("versions.catalogue", cat.Updated, from))
		return nil
	})
	f := c.Flags()
	f.BoolVar(&json, "json", false, a.t("flag.json"))
	f.BoolVar(&refresh, "refresh", false, a.t("flag.refresh"))
	f.StringVar(&source, "catalogue", "", a.t("flag.catalogue"))
	return c
}

func (a *app) versionsTable(v install.Versions, cat *catalogue.Catalogue) {
	rows := [][]string{{"", "NAPCAT", "QQ", a.t("versions.head_state"), a.t("versions.head_since")}}
	row := func(mark string, p install.Pair) {
		rows = append(rows, []string{mark, p.NapCat.Version, p.QQ.Version, a.t("versions.state_" + string(p.State)), p.Since.Local().Format(time.DateTime)})
	}
	if v.Current != nil {
		row("*", *v.Current)
	} else {
		a.out.say("%s", a.t("versions.none"))
	}
	for _, p := range v.Previous {
		row("", p)
	}
	for _, n := range cat.NapCat {
		if v.Current != nil && v.Current.NapCat.Version == n.Version {
			continue
		}
		rows = append(rows, []string{"", n.Version, strings.Join(n.QQ, ", "), a.t("versions.known"), ""})
	}
	a.out.table(rows, nil)
	if r := v.RolledBack; r != nil {
		a.out.say("%s", a.t("versions.rolled_back", r.NapCat, r.QQ, r.Time.Local().Format(time.DateTime), a.rollbackReason(r.Reason, r.Fault)))
	}
}

// rollbackReason words why a pair was left: by a word, or as the daemon said it.
func (a *app) rollbackReason(reason string, why api.Fault) string {
	if text.Has("fault." + string(why.Code)) {
		return printable(text.Fault(a.lang, why))
	}
	if code := "reason." + reason; text.Has(code) {
		return a.t(code)
	}
	return printable(reason)
}

func newUninstall(a *app) *cobra.Command {
	var purge, yes bool
	c := a.command("uninstall", "uninstall", noArgs, func(c *cobra.Command, _ []string) error {
		h, err := a.daemonHome()
		if err != nil {
			return err
		}
		if pid, err := h.Holder(); err != nil {
			return err
		} else if pid != 0 {
			return fail(exitFailure, errString(a.t("err.daemon_runs", pid)), a.t("hint.stop_first"))
		}
		store, err := install.Open(string(h))
		if err != nil {
			return err
		}
		if !yes && isTerminal(a.Stdin) && a.out.errTTY {
			ask, code := a.ask, "uninstall.confirm"
			if purge {
				ask, code = a.askTwice, "uninstall.confirm_all"
			}
			ok, err := ask(c.Context(), code, string(h))
			if err != nil {
				return err
			}
			if !ok {
				return quiet(exitFailure)
			}
		} else if purge && !yes {
			return fail(exitUsage, errString(a.t("err.purge_asks")), a.t("hint.purge"))
		}
		if err := store.Uninstall(purge); err != nil {
			return err
		}
		a.out.print("%s", a.t("uninstall.done"))
		return nil
	})
	c.Flags().BoolVar(&purge, "purge", false, a.t("flag.purge"))
	c.Flags().BoolVarP(&yes, "yes", "y", false, a.t("flag.yes_all"))
	return c
}
