package cli

import (
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/qrterm"
)

func newConsole(a *app) *cobra.Command {
	var viewer, asJSON bool
	c := a.command("console", "console", noArgs, func(c *cobra.Command, _ []string) error {
		cl, _, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		role := api.RoleOwner
		if viewer {
			role = api.RoleViewer
		}
		l, err := cl.ConsoleLink(c.Context(), role)
		if err != nil {
			return err
		}
		if asJSON {
			return a.out.json(l, false)
		}
		a.printLink(l)
		return nil
	})
	c.Flags().BoolVar(&viewer, "viewer", false, a.t("flag.viewer"))
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	c.AddCommand(newConsoleSessions(a), newConsoleRevoke(a), newConsolePassword(a))
	return c
}

// printLink prints a link and, on a terminal, its code for a phone that can
// reach it.
func (a *app) printLink(l api.ConsoleLink) {
	if code, err := qrterm.New(l.URL); err == nil && a.out.outTTY && !l.Loopback {
		cols, rows := terminalSize(a.Stdout)
		if style, fits := a.fit(code, qrterm.Style{Plain: a.getenv("TERM") == "dumb", Quiet: 2}, cols-1, rows); fits {
			for _, line := range code.Lines(style) {
				a.out.print("%s", painted(line))
			}
		}
	}
	a.out.print("%s", printable(l.URL))
	a.out.say("%s", a.t("door.once", int(time.Until(l.Expires).Round(time.Minute).Minutes())))
	if l.Fingerprint != "" {
		a.out.say("%s", a.t("door.fingerprint", l.Fingerprint))
	}
	if l.Loopback {
		if u, err := url.Parse(l.URL); err == nil {
			a.out.hint(a.t("hint.door_loopback", printable(u.Port()), printable(u.Host)))
		}
	}
}

func newConsoleSessions(a *app) *cobra.Command {
	var asJSON bool
	c := a.command("console_sessions", "sessions", noArgs, func(c *cobra.Command, _ []string) error {
		cl, _, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		list, err := cl.ConsoleSessions(c.Context())
		if err != nil {
			return err
		}
		if asJSON {
			return a.out.json(list, false)
		}
		if len(list) == 0 {
			a.out.say("%s", a.t("door.nobody"))
			return nil
		}
		rows := [][]string{{a.t("door.head.id"), a.t("door.head.role"), a.t("door.head.used"), a.t("door.head.from"), a.t("door.head.agent")}}
		for _, s := range list {
			rows = append(rows, []string{s.ID, string(s.Role), s.Used.Local().Format(time.DateTime), s.From, s.Agent})
		}
		a.out.table(rows, nil)
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	return c
}

func newConsoleRevoke(a *app) *cobra.Command {
	return a.command("console_revoke", "revoke ID...", between(1, -1, "ID"), func(c *cobra.Command, args []string) error {
		cl, _, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		for _, id := range args {
			if err := cl.ConsoleRevoke(c.Context(), id); err != nil {
				return err
			}
			a.out.say("%s", a.t("door.revoked", id))
		}
		return nil
	})
}

func newConsolePassword(a *app) *cobra.Command {
	var off bool
	c := a.command("console_password", "password", noArgs, func(c *cobra.Command, _ []string) error {
		cl, _, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		password := ""
		if !off {
			line, err := a.readSecret(c.Context(), "door.password_prompt")
			if err != nil {
				return err
			}
			if len(line) == 0 {
				return usagef(a, "err.password_empty")
			}
			password = string(line)
		}
		if err := cl.ConsolePassword(c.Context(), password); err != nil {
			return err
		}
		if off {
			a.out.say("%s", a.t("door.password_off"))
		} else {
			a.out.say("%s", a.t("door.password_set"))
		}
		return nil
	})
	c.Flags().BoolVar(&off, "off", false, a.t("flag.password_off"))
	return c
}
