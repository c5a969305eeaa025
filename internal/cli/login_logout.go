package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/proc"
)

// stopWait is how long logout waits for an account to stop, beyond which
// something is wrong with it.
const stopWait = 60 * time.Second

func newLogout(a *app) *cobra.Command {
	var yes bool
	c := a.command("logout", "logout [ACCOUNT]", atMost(1), func(c *cobra.Command, args []string) error {
		name := ""
		if len(args) == 1 {
			name = args[0]
		}
		return a.logout(c.Context(), name, yes)
	})
	c.ValidArgsFunction = a.completeAccounts
	c.Flags().BoolVarP(&yes, "yes", "y", false, a.t("flag.logout_yes"))
	return c
}

// logout stops an account and removes what QQ keeps of its logins. ncatd.yaml,
// NapCat's settings and the bot's data stay.
func (a *app) logout(ctx context.Context, name string, yes bool) error {
	h, err := a.daemonHome()
	if err != nil {
		return err
	}
	pid, err := h.Holder()
	if err != nil {
		return err
	}
	if pid != 0 {
		cl := client.New(h.Socket())
		defer cl.Close()
		acc, err := a.account(ctx, cl, name)
		if err != nil {
			return err
		}
		if err := a.confirmLogout(ctx, acc.Name, yes); err != nil {
			return err
		}
		if err := a.stopAccount(ctx, cl, acc.Name); err != nil {
			return err
		}
		return a.removeTickets(h, acc.Name)
	}
	cfg, err := a.loadConfig(a.configPath(h), nil)
	if err != nil {
		return err
	}
	if name, err = a.configAccount(cfg, name); err != nil {
		return err
	}
	if err := a.confirmLogout(ctx, name, yes); err != nil {
		return err
	}
	if _, err := os.Stat(string(h)); errors.Is(err, fs.ErrNotExist) {
		return a.removeTickets(h, name)
	}
	lock, err := h.Acquire() // no daemon may start under our hands
	if err != nil {
		return err
	}
	defer lock.Release()
	if pid := survivor(h, name); pid != 0 {
		return fail(exitFailure, errString(a.t("err.logout_survivor", name, pid)), a.t("hint.not_running"))
	}
	return a.removeTickets(h, name)
}

func (a *app) confirmLogout(ctx context.Context, name string, yes bool) error {
	if yes {
		return nil
	}
	if !isTerminal(a.Stdin) || !a.out.errTTY {
		return fail(exitUsage, errString(a.t("err.logout_yes")), "ncatd logout --yes "+name)
	}
	if ok, err := a.askTwice(ctx, "login.logout_ask", name); ok || err != nil {
		return err
	}
	return fail(exitFailure, errString(a.t("err.logout_kept")), "")
}

// stopAccount stops an account and waits until its processes are gone.
func (a *app) stopAccount(ctx context.Context, cl *client.Client, name string) error {
	if err := cl.Want(ctx, name, "stopped"); err != nil {
		return err
	}
	wctx, cancel := context.WithTimeout(ctx, stopWait)
	defer cancel()
	err := cl.Watch(wctx, name, []string{"state"}, func(it api.WatchItem) error {
		if it.Status == nil && it.State == nil {
			return nil
		}
		acc, err := a.account(wctx, cl, name)
		if err != nil {
			return err
		}
		if acc.State == api.StateStopped && acc.PIDs.NapCat == 0 {
			return errSettled
		}
		return nil
	})
	switch {
	case errors.Is(err, errSettled):
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, context.DeadlineExceeded):
		return failf(a, exitFailure, "err.logout_stop", name)
	case errors.Is(err, io.EOF):
		return client.ErrNotRunning
	}
	return err
}

// removeTickets removes the account's QQ data. A rename comes first: it is done
// or not done, also when the disk is full or the program is killed meanwhile.
func (a *app) removeTickets(h home.Dir, name string) error {
	qq := filepath.Join(h.Account(name), "home", ".config", "QQ")
	gone := qq + ".logout"
	if err := os.RemoveAll(gone); err != nil {
		return fmt.Errorf("remove the tickets: %w", err)
	}
	err := os.Rename(qq, gone)
	if errors.Is(err, fs.ErrNotExist) {
		a.out.print("%s", a.t("login.logout_none", name))
		return nil
	}
	if err == nil {
		err = os.RemoveAll(gone)
	}
	if err != nil {
		return fmt.Errorf("remove the tickets: %w", err)
	}
	a.out.print("%s", a.t("login.logged_out", name))
	a.out.hint(a.t("hint.login", name))
	return nil
}

// survivor returns the pid of the account's NapCat if it outlived its daemon.
func survivor(h home.Dir, name string) int {
	b, err := os.ReadFile(filepath.Join(h.Account(name), "state.json"))
	if err != nil {
		return 0
	}
	var st struct {
		Process proc.Identity `json:"process"`
	}
	// The pid alone says nothing: after a boot it belongs to some other program.
	if json.Unmarshal(b, &st) != nil || !proc.Alive(st.Process) {
		return 0
	}
	return st.Process.PID
}
