package cli

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/control/api"
)

// hostFlag adds --host: the command goes to another host of the fleet.
func (a *app) hostFlag(c *cobra.Command) {
	c.Flags().StringVar(&a.host, "host", "", a.t("flag.host"))
	_ = c.RegisterFlagCompletionFunc("host", func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.hostNames(c.Context()), cobra.ShellCompDirectiveNoFileComp
	}) // fails only for a flag that is not there
}

func (a *app) hostNames(ctx context.Context) []string {
	cl, _, err := a.connect()
	if err != nil {
		return nil
	}
	defer cl.Close()
	hosts, err := cl.Fleet(ctx)
	if err != nil {
		return nil
	}
	var names []string
	for _, h := range hosts {
		names = append(names, h.Name)
	}
	return names
}

// fleetStatus prints how the hosts of the fleet are.
func (a *app) fleetStatus(ctx context.Context, asJSON, strict bool) error {
	cl, _, err := a.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	hosts, err := cl.Fleet(ctx)
	if err != nil {
		return err
	}
	all := api.Status{}
	silent := false
	for _, h := range hosts {
		all.Accounts = append(all.Accounts, h.Status.Accounts...)
		silent = silent || h.Silent
	}
	if asJSON {
		if err := a.out.json(hosts, false); err != nil {
			return err
		}
	} else {
		for i, h := range hosts {
			if i > 0 {
				a.out.print("")
			}
			state := a.t("fleet.heard", age(time.Since(h.Heard)))
			if h.Silent {
				state = a.t("fleet.silent", age(time.Since(h.Heard)))
			}
			a.out.print("%s", a.t("fleet.host", h.Name, state))
			a.printStatus(h.Status)
		}
	}
	if silent {
		return quiet(exitFailure)
	}
	return statusExit(all, strict)
}

func newFleet(a *app) *cobra.Command {
	return a.group("fleet", "fleet", a.group("fleet_dead", "dead", newDeadList(a), newDeadSettle(a, true), newDeadSettle(a, false)))
}

func newDeadList(a *app) *cobra.Command {
	var asJSON bool
	c := a.command("fleet_dead_list", "list", noArgs, func(c *cobra.Command, _ []string) error {
		cl, _, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		dead, err := cl.FleetDead(c.Context())
		if err != nil {
			return err
		}
		if asJSON {
			return a.out.json(dead, false)
		}
		if len(dead) == 0 {
			a.out.say("%s", a.t("fleet.no_dead"))
			return nil
		}
		rows := [][]string{{a.t("fleet.head.id"), a.t("fleet.head.time"), a.t("fleet.head.group"), a.t("fleet.head.account"), a.t("fleet.head.error"), a.t("fleet.head.event")}}
		for _, d := range dead {
			rows = append(rows, []string{strconv.FormatUint(d.ID, 10), d.Time.Local().Format(time.DateTime), d.Group, d.Account, d.Error, string(d.Event)})
		}
		a.out.table(rows, nil)
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	return c
}

func newDeadSettle(a *app, retry bool) *cobra.Command {
	word, done := "drop", "fleet.dropped"
	if retry {
		word, done = "retry", "fleet.retried"
	}
	return a.command("fleet_dead_"+word, word+" ID...", between(1, -1, "ID"), func(c *cobra.Command, args []string) error {
		r := api.SettleRequest{Retry: retry}
		for _, arg := range args {
			id, err := strconv.ParseUint(arg, 10, 64)
			if err != nil {
				return failf(a, exitUsage, "err.no_number", arg)
			}
			r.IDs = append(r.IDs, id)
		}
		cl, _, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		if err := cl.FleetSettle(c.Context(), r); err != nil {
			return err
		}
		a.out.say("%s", a.t(done, len(r.IDs)))
		return nil
	})
}

func newAccount(a *app) *cobra.Command { return a.group("account", "account", newAccountTake(a)) }

func newAccountTake(a *app) *cobra.Command {
	var yes bool
	c := a.command("account_take", "take ACCOUNT", between(1, 1, "ACCOUNT"), func(c *cobra.Command, args []string) error {
		if !yes {
			return fail(exitUsage, errString(a.t("err.take_unsure", args[0])), a.t("hint.take_unsure"))
		}
		cl, _, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		acc, err := a.account(c.Context(), cl, args[0])
		if err != nil {
			return err
		}
		if err := cl.FleetTake(c.Context(), acc.Name); err != nil {
			return err
		}
		a.out.say("%s", a.t("fleet.taken", acc.Name))
		return nil
	})
	c.Flags().BoolVar(&yes, "host-is-gone", false, a.t("flag.host_gone"))
	c.ValidArgsFunction = a.completeAccounts
	return c
}
