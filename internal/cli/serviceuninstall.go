package cli

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/napcat/install"
)

func newServiceUninstall(a *app) *cobra.Command {
	var userUnit, purge, yes bool
	c := a.command("service_uninstall", "uninstall", noArgs, func(c *cobra.Command, _ []string) error {
		ctx := c.Context()
		s, err := a.newServiceOf(userUnit, "", nil)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(s.unit)
		if errors.Is(err, os.ErrNotExist) {
			return failf(a, exitFailure, "err.service_missing")
		}
		if err != nil {
			return err
		}
		old := string(b)
		if !strings.Contains(old, unitMark) {
			return failf(a, exitFailure, "err.service_other", s.unit)
		}
		if err := a.mayManage(s); err != nil {
			return err
		}
		s.home = s.homeOf(old)
		if err := a.confirmPurge(ctx, s.home, purge, yes); err != nil {
			return err
		}
		if err := a.systemctl(ctx, s, "disable", "--now", unitName); err != nil {
			return err
		}
		if exe := marked(old, exeMark); exe != "" {
			if err := a.removeFile(exe); err != nil {
				return err
			}
		}
		if err := a.removeHome(ctx, s.home, purge); err != nil {
			return err
		}
		// The user goes last but for the unit, which names it: what fails can be
		// tried again.
		if name := marked(old, userMark); name != "" && !s.user {
			if err := a.removeUser(ctx, name, s.home); err != nil {
				return err
			}
		}
		if err := a.removeFile(s.unit); err != nil {
			return err
		}
		if err := a.systemctl(ctx, s, "daemon-reload"); err != nil {
			return err
		}
		_ = a.systemctl(ctx, s, "reset-failed", unitName) // it mostly did not fail
		return nil
	})
	f := c.Flags()
	f.BoolVar(&userUnit, "user", false, a.t("flag.user_svc"))
	f.BoolVar(&purge, "purge", false, a.t("flag.purge_svc"))
	f.BoolVarP(&yes, "yes", "y", false, a.t("flag.yes_all"))
	return c
}

// confirmPurge asks before a home is removed.
func (a *app) confirmPurge(ctx context.Context, home string, purge, yes bool) error {
	switch {
	case !purge || yes:
		return nil
	case !isTerminal(a.Stdin) || !a.out.errTTY:
		return fail(exitUsage, errString(a.t("err.purge_asks")), a.t("hint.purge"))
	}
	ok, err := a.ask(ctx, "uninstall.confirm_all", home)
	if err == nil && !ok {
		err = quiet(exitFailure)
	}
	return err
}

func (a *app) removeFile(p string) error {
	if err := os.Remove(p); errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	a.out.say("%s", a.t("service.removed", p))
	return nil
}

// removeHome removes what ncatd keeps in a home if purge says so, else says
// that it stays: the logins in it are worth more than its bytes.
func (a *app) removeHome(ctx context.Context, dir string, purge bool) error {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if !purge {
		a.out.say("%s", a.t("service.home_stays", dir))
		return nil
	}
	g, err := home.Dir(dir).Guard()
	if err != nil {
		return err
	}
	if a.priv.euid() == 0 && g.UID != 0 {
		// Whatever the owner put there, it is removed with the owner's rights.
		if err := a.uninstallAs(ctx, accountOf(g.UID, g.GID, g.Path), home.Dir(g.Path)); err != nil {
			return err
		}
		_ = os.Remove(g.Path) // not empty: it holds what is not ours, and stays
	} else {
		store, err := install.Open(dir)
		if err != nil {
			return err
		}
		if err := store.Uninstall(true); err != nil {
			return err
		}
	}
	a.out.say("%s", a.t("service.removed", dir))
	return nil
}

// removeUser removes the user that install made. A home that stays becomes
// root's: the next user with this number must not find it his, and the next
// install gives it to the service's user again.
func (a *app) removeUser(ctx context.Context, name, dir string) error {
	uid, _, err := ids(name)
	if err != nil {
		return nil // somebody was here before
	}
	if _, err := os.Stat(dir); err == nil {
		if err := giveAway(dir, uid, 0, 0); err != nil {
			return err
		}
	}
	if err := a.command1(ctx, "userdel", name); err != nil {
		return err
	}
	a.out.say("%s", a.t("service.user_gone", name))
	return nil
}

// marked reads what a mark in a unit file names, "" if it is not there.
func marked(unit, mark string) string {
	for line := range strings.Lines(unit) {
		if v, ok := strings.CutPrefix(line, mark); ok {
			return strings.TrimSuffix(v, "\n")
		}
	}
	return ""
}

// homeOf reads the home from a unit file.
func (s *service) homeOf(unit string) string {
	for line := range strings.Lines(unit) {
		v, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "Environment=")
		if !ok {
			continue
		}
		if h, ok := strings.CutPrefix(unitUnquote(v), "NCATD_HOME="); ok {
			return h
		}
	}
	return s.home
}

// unitUnquote reads one word that unitQuote wrote.
func unitUnquote(s string) string {
	if in, ok := strings.CutPrefix(s, `"`); ok {
		s = strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(strings.TrimSuffix(in, `"`))
	}
	return strings.NewReplacer("%%", "%", "$$", "$").Replace(s)
}
