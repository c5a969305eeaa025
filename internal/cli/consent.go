package cli

import (
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/napcat/install"
)

// consent asks whether NapCat and QQ shall be downloaded if they are not there.
// They come from their publishers under their own licences, so it takes a wish.
func (a *app) consent(h home.Dir, cfg *config.Config, o startOptions) error {
	store, err := install.Open(string(h))
	if err != nil {
		return err
	}
	if _, err := store.Current(); err == nil || o.yes || cfg.NapCat.Source != "" && cfg.NapCat.QQSource != "" {
		return nil
	}
	if !isTerminal(a.Stdin) || !a.out.errTTY {
		return fail(exitNapCatFailed, errString(a.t("err.not_installed")), a.t("hint.install"))
	}
	yes, err := a.ask("ask.install", cfg.NapCat.Version)
	if err != nil {
		return err
	}
	if !yes {
		return fail(exitFailure, errString(a.t("err.not_installed")), a.t("hint.install"))
	}
	return nil
}
