package cli

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/logfile"
)

// errWorkDone ends a daemon that was run only for one piece of work.
var errWorkDone = errors.New("work done")

// loginAlone runs one account in this process, does work with it, and stops it
// in order. What the daemon logs goes to its log file only: the terminal is for
// the code.
func (a *app) loginAlone(ctx context.Context, h home.Dir, name string, o loginOptions, work func(context.Context, *client.Client, string, bool) error) error {
	if a.StartDaemon == nil {
		return failf(a, exitFailure, "err.no_daemon")
	}
	load := func() (*config.Config, error) { return a.loadConfig(a.configPath(h), nil) }
	cfg, err := load()
	if err != nil {
		return err
	}
	if name, err = a.configAccount(cfg, name); err != nil {
		return err
	}
	if o.list || o.quick != 0 || o.password {
		// What was asked for comes first; the config's own order would get in
		// before it.
		cfg = withOrder(cfg, name, "qr")
	}
	lock, err := h.Acquire()
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := h.Make(); err != nil {
		return err
	}
	if err := a.consent(h, cfg, startOptions{}); err != nil {
		return err
	}
	secrets, err := config.EnsureSecrets(h.Secrets(), cfg, a.getenv("CREDENTIALS_DIRECTORY"))
	if err != nil {
		return err
	}
	level := new(slog.LevelVar)
	level.Set(logfile.Level(cfg.Log.Level))
	w := logfile.NewWriter(h.Join("logs", "ncatd.log"), int64(cfg.Log.MaxSize), int64(cfg.Log.MaxTotal), logfile.Lost(cfg.Log.Format))
	defer w.Close()

	if !o.json {
		a.out.say("%s", a.t("login.alone", name))
	}
	cl := client.New(h.Socket())
	defer cl.Close()
	ready := make(chan struct{})
	// The daemon's end is ours to order: it must outlive ctx for as long as it
	// takes to end NapCat.
	dctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	g, gctx := errgroup.WithContext(dctx)
	g.Go(func() error {
		err := a.StartDaemon(dctx, DaemonOptions{
			Home: h, ConfigPath: a.configPath(h), Config: cfg, LoadConfig: load, Secrets: secrets,
			Version: a.Version, Log: slog.New(logfile.Handler(w, cfg.Log.Format, level)), LogLevel: level,
			Only: name, Ready: func() { close(ready) },
		})
		if err != nil && !errors.Is(err, errWorkDone) {
			return err
		}
		return errDaemonEnded
	})
	var done error
	g.Go(func() error {
		defer cancel(errWorkDone)
		select {
		case <-ready:
		case <-gctx.Done():
			return nil
		case <-ctx.Done():
			done = context.Cause(ctx)
			return nil
		}
		wctx, stop := context.WithCancelCause(ctx)
		defer stop(nil)
		defer context.AfterFunc(gctx, func() { stop(errDaemonEnded) })()
		done = work(wctx, cl, name, true)
		return nil
	})
	if err := g.Wait(); !errors.Is(err, errDaemonEnded) {
		return err
	}
	return done
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
		return "", usagef(a, "err.several_accounts", list)
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
