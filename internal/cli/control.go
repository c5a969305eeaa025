package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/home"
)

// stopLimit is how long stop waits for the daemon beyond what the accounts may
// take by the config.
const stopLimit = 60 * time.Second

func newStop(a *app) *cobra.Command {
	var keep bool
	c := a.command("stop", "stop", noArgs, func(c *cobra.Command, _ []string) error {
		cl, h, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		st, err := cl.Status(c.Context())
		if err != nil {
			return err
		}
		a.out.say("%s", a.t("stop.stopping", st.PID))
		if err := cl.Stop(c.Context(), keep); err != nil {
			return err
		}
		if err := waitGone(c.Context(), h, stopLimit); err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				return failf(a, exitFailure, "err.stop_timeout", st.PID, stopLimit)
			}
			return err
		}
		if keep {
			a.out.say("%s", a.t("stop.kept"))
		} else {
			a.out.say("%s", a.t("stop.stopped"))
		}
		return nil
	})
	c.Flags().BoolVar(&keep, "keep-napcat", false, a.t("flag.keep"))
	return c
}

// waitGone waits until no process holds the home's lock. A lock does not tell that
// it was given up, so it is looked at.
func waitGone(ctx context.Context, h home.Dir, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		pid, err := h.Holder()
		if err != nil {
			return err
		}
		if pid == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func newRestart(a *app) *cobra.Command {
	c := a.command("restart", "restart [ACCOUNT]", atMost(1), func(c *cobra.Command, args []string) error {
		cl, _, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		name := ""
		if len(args) == 1 {
			acc, err := a.accountAnywhere(c.Context(), cl, args[0])
			if err != nil {
				return err
			}
			name = acc.Name
		}
		if err := cl.Restart(c.Context(), name); err != nil {
			return err
		}
		if name == "" {
			a.out.say("%s", a.t("restart.all"))
		} else {
			a.out.say("%s", a.t("restart.asked", name))
		}
		return nil
	})
	c.ValidArgsFunction = a.completeAccounts
	a.hostFlag(c)
	return c
}

func newReload(a *app) *cobra.Command {
	var asJSON bool
	c := a.command("reload", "reload", noArgs, func(c *cobra.Command, _ []string) error {
		cl, _, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		r, err := cl.Reload(c.Context())
		if err != nil {
			return a.badConfig(err)
		}
		if asJSON {
			return a.out.json(r, false)
		}
		if len(r.Applied)+len(r.Restart) == 0 {
			a.out.say("%s", a.t("reload.nothing"))
		}
		if len(r.Applied) > 0 {
			a.out.say("%s", a.t("reload.applied", strings.Join(r.Applied, ", ")))
		}
		if len(r.Restart) > 0 {
			a.out.say("%s", a.t("reload.restart", strings.Join(r.Restart, ", ")))
		}
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	return c
}

// badConfig returns, for a daemon that refused its config, what is wrong with the
// file in the user's language, as far as it is seen from here too; else err.
func (a *app) badConfig(err error) error {
	var ae *api.Error
	var ce *config.Error
	if !errors.As(err, &ae) || ae.Code != "bad_config" {
		return err
	}
	path, ferr := a.configFile()
	if ferr != nil {
		return err
	}
	if _, lerr := a.loadConfig(path, nil); errors.As(lerr, &ce) {
		return ce
	}
	return err
}
