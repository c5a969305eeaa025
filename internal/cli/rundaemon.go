package cli

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/logfile"
)

// gcPercent is how much a daemon's heap may grow between collections. It is
// half of Go's own: the heap is small, so that a collection costs little, and a
// daemon for small servers should not hold as much again as it needs.
const gcPercent = 50

// daemonRun says how to run a daemon inside this process.
type daemonRun struct {
	home    home.Dir
	scripts string // the folder of scripts; "" for that of the home
	// load resolves the config; it is called before anything is made.
	load func() (*config.Config, error)
	// prepare, if set, runs when the lock is held and the home is there.
	prepare func(cfg *config.Config) error
	// only, if not empty, is the one account to run.
	only string
	// quiet keeps the log off stderr.
	quiet bool
	// body, if set, runs when the daemon is ready. If it returns an error the
	// daemon is stopped; with once it is stopped in any case.
	body func(ctx context.Context, cl *client.Client) error
	once bool
	// again lets the daemon ask that this process begins anew: [errAgain].
	again bool
}

var (
	errDaemonEnded = errors.New("daemon ended")
	errBodyDone    = errors.New("body done")
	errAgain       = errors.New("begin anew")
)

// runDaemon runs a daemon in this process until ctx ends, it is told to stop,
// or body says so, and returns when it has stopped and given up the lock. The
// error is the daemon's or body's; an orderly stop is nil.
func (a *app) runDaemon(ctx context.Context, r daemonRun) error {
	if a.StartDaemon == nil {
		return failf(a, exitFailure, "err.no_daemon")
	}
	cfg, err := r.load()
	if err != nil {
		return err
	}
	lock, err := r.home.Acquire()
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := a.claim(r.home); err != nil {
		return err
	}
	if r.prepare != nil {
		if err := r.prepare(cfg); err != nil {
			return err
		}
	}
	secrets, err := config.EnsureSecrets(r.home.Secrets(), cfg, a.getenv("CREDENTIALS_DIRECTORY"))
	if err != nil {
		return err
	}
	if a.getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	level := new(slog.LevelVar)
	level.Set(logfile.Level(cfg.Log.Level))
	log, lost, closeLog := a.logger(r.home, cfg, level, r.quiet)
	defer closeLog()
	reload, dump, stopSignals := hangups()
	defer stopSignals()

	dctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ready := make(chan struct{})
	g, gctx := errgroup.WithContext(dctx)
	again, beginAgain := r.beginAgain()
	g.Go(func() error {
		err := a.StartDaemon(dctx, DaemonOptions{
			Home: r.home, Scripts: r.scripts, ConfigPath: a.configPath(r.home), Config: cfg, LoadConfig: r.load, Secrets: secrets,
			Version: a.Version, Log: log, LogLevel: level, LogLost: lost, Only: r.only,
			Ready: func() { close(ready) }, Again: beginAgain, Left: a.leftVersion, Reload: reload, Dump: dump,
		})
		if err == nil {
			err = errDaemonEnded // ends body
		}
		return err
	})
	var bodyErr error
	if r.body != nil {
		g.Go(func() error {
			bodyErr = r.whenReady(gctx, ready)
			if bodyErr != nil || r.once && gctx.Err() == nil {
				cancel(errBodyDone)
			}
			return nil
		})
	}
	err = g.Wait()
	switch {
	case context.Cause(dctx) == errBodyDone:
		return bodyErr
	case errors.Is(err, errDaemonEnded):
		return again()
	}
	return err
}

// claim makes the folders of a home and takes it over if it is another's copy.
func (a *app) claim(h home.Dir) error {
	if err := h.Make(); err != nil {
		return err
	}
	copied, err := h.Claim()
	if err != nil || !copied {
		return err
	}
	a.out.say("%s", a.t("home.copied", h))
	return config.ForgetControlToken(h.Secrets())
}

// whenReady runs body with a client of the daemon once that is ready, or
// nothing if ctx ends before.
func (r daemonRun) whenReady(ctx context.Context, ready <-chan struct{}) error {
	select {
	case <-ready:
	case <-ctx.Done():
		return nil
	}
	cl := client.New(r.home.Socket())
	defer cl.Close()
	return r.body(ctx, cl)
}

// beginAgain returns what a daemon calls to begin anew, nil if it cannot, and what
// an orderly end means: [errAgain] if that was called.
func (r daemonRun) beginAgain() (ended func() error, call func()) {
	var again atomic.Bool
	if r.again && canExec {
		call = func() { again.Store(true) }
	}
	return func() error {
		if again.Load() {
			return errAgain
		}
		return nil
	}, call
}
