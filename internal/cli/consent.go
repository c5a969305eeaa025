package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/napcat/install"
)

// consent says what will be downloaded, from where and how large, if NapCat and
// QQ are not there, and on a terminal asks whether it shall be. They come from
// their publishers under their own licences, so it takes a wish: without a
// terminal, and with --yes, the command itself is that wish.
func (a *app) consent(ctx context.Context, h home.Dir, cfg *config.Config, o startOptions) error {
	store, err := install.Open(string(h))
	if err != nil {
		return err
	}
	if _, err := store.Current(); err == nil {
		return nil
	}
	in := &installing{a: a, home: h, cfg: cfg, store: store, log: slog.New(slog.DiscardHandler)}
	plan, err := store.Plan(ctx, in.request(installFlags{}))
	if err != nil {
		return err
	}
	for _, it := range []struct {
		key  string
		item install.PlanItem
	}{{"napcat.source", plan.NapCat}, {"napcat.qq_source", plan.QQ}} {
		// Trying again and again would not bring a file of the user's own.
		if it.item.Present && !strings.Contains(it.item.URL, "://") && placeholderSource(it.item.URL) == "" {
			if _, err := os.Stat(it.item.URL); err != nil {
				return fail(exitUsage, fmt.Errorf("%s: %w", it.key, err), a.t("hint.config"))
			}
		}
	}
	in.showPlan(plan, false)
	if o.yes || plan.NapCat.Present && plan.QQ.Present || !isTerminal(a.Stdin) || !a.out.errTTY {
		return nil
	}
	yes, err := a.ask(ctx, "ask.install", plan.NapCat.Version)
	if err != nil {
		return err
	}
	if !yes {
		return fail(exitFailure, errString(a.t("err.not_installed")), a.t("hint.install"))
	}
	return nil
}
