package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/home"
)

// loginAlone runs one account in this process, does work with it, and stops it
// in order. What the daemon logs goes to its log file only: the terminal is for
// the code.
func (a *app) loginAlone(ctx context.Context, h home.Dir, name string, o loginOptions, work func(context.Context, *client.Client, string, bool) error) error {
	cfg, err := a.loadConfig(a.configPath(h), nil)
	if err != nil {
		return err
	}
	if name, err = a.configAccount(cfg, name); err != nil {
		return err
	}
	var done error
	err = a.runDaemon(ctx, daemonRun{
		home: h,
		load: func() (*config.Config, error) {
			cfg, err := a.loadConfig(a.configPath(h), nil)
			if err == nil && (o.list || o.quick != 0 || o.password) {
				// What was asked for comes first; the config's own order would
				// get in before it.
				cfg = withOrder(cfg, name, "qr")
			}
			return cfg, err
		},
		prepare: func(cfg *config.Config) error {
			if err := a.consent(ctx, h, cfg, startOptions{}); err != nil {
				return err
			}
			if !o.json {
				a.out.say("%s", a.t("login.alone", name))
			}
			return nil
		},
		only: name, quiet: true, once: true,
		body: func(ctx context.Context, cl *client.Client) error {
			done = work(ctx, cl, name, true)
			return done
		},
	})
	if err == nil {
		err = done // the end of ctx counts as an orderly stop
	}
	return err
}

// configAccount returns the account of the config that name means.
func (a *app) configAccount(cfg *config.Config, name string) (string, error) {
	names := make([]string, len(cfg.Accounts))
	for i, acc := range cfg.Accounts {
		if acc.Name == name || name == "" && len(cfg.Accounts) == 1 {
			return acc.Name, nil
		}
		names[i] = acc.Name
	}
	list := strings.Join(names, ", ")
	if name == "" {
		return "", a.severalAccounts(list)
	}
	return "", fail(exitUsage, errString(a.t("err.no_account", name)), a.t("hint.accounts", list))
}

// withOrder returns a copy of cfg in which the account logs in by order.
func withOrder(cfg *config.Config, name string, order ...string) *config.Config {
	c := *cfg
	c.Accounts = slices.Clone(cfg.Accounts)
	for i := range c.Accounts {
		if c.Accounts[i].Name == name {
			c.Accounts[i].Login.Order = order
		}
	}
	return &c
}
