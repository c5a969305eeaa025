package cli

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
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
	silent := slices.ContainsFunc(hosts, func(h api.FleetHost) bool { return h.Silent })
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
	return statusExit(api.Status{Accounts: ownAccounts(hosts)}, strict)
}

// ownAccounts returns the accounts of all hosts, but for those that run on another.
func ownAccounts(hosts []api.FleetHost) (all []api.Account) {
	online := map[int64]bool{}
	for _, h := range hosts {
		for _, acc := range h.Status.Accounts {
			online[acc.UIN] = online[acc.UIN] || acc.State == api.StateOnline && !h.Silent
		}
	}
	for _, h := range hosts {
		for _, acc := range h.Status.Accounts {
			if acc.Reason != "leased" || !online[acc.UIN] {
				all = append(all, acc)
			}
		}
	}
	return all
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

func newAccount(a *app) *cobra.Command {
	return a.group("account", "account", newAccountMove(a), newAccountTake(a))
}

// phasePause is how often a move is looked at, and phaseErrors how often that may
// fail in a row.
const (
	phasePause  = 300 * time.Millisecond
	phaseErrors = 100
)

func newAccountMove(a *app) *cobra.Command {
	var r api.MoveRequest
	c := a.command("account_move", "move ACCOUNT --to HOST", between(1, 1, "ACCOUNT"), func(c *cobra.Command, args []string) error {
		if r.To == "" {
			return failf(a, exitUsage, "err.move_where")
		}
		cl, _, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		acc, err := a.accountAnywhere(c.Context(), cl, args[0])
		if err != nil {
			return err
		}
		m, err := cl.FleetMove(c.Context(), acc.Name, r)
		if err != nil {
			return err
		}
		return a.followMove(c.Context(), cl, acc.Name, m)
	})
	c.Flags().StringVar(&r.To, "to", "", a.t("flag.move_to"))
	c.Flags().StringVar(&r.As, "as", "", a.t("flag.move_as"))
	_ = c.RegisterFlagCompletionFunc("to", func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.hostNames(c.Context()), cobra.ShellCompDirectiveNoFileComp
	}) // fails only for a flag that is not there
	a.hostFlag(c)
	c.ValidArgsFunction = a.completeAccounts
	return c
}

// followMove tells the phases of a move until it has ended. The move goes on if the
// command is interrupted.
func (a *app) followMove(ctx context.Context, cl *client.Client, account string, m api.Move) error {
	told, failures := "", 0
	for {
		if m.Phase != told {
			told = m.Phase
			switch m.Phase {
			case api.MoveDone:
				a.out.say("%s", a.t("move.done", account, m.To, m.As))
				return nil
			case api.MoveReturned:
				return failf(a, exitFailure, "move.returned", account, m.To)
			case api.MoveFailed:
				why := m.Error
				if m.Fault.Code != "" {
					why = text.Fault(a.lang, m.Fault)
				}
				return fail(exitFailure, errString(a.t("move.failed", account, printable(why))), text.FaultHint(a.lang, m.Fault))
			}
			a.out.say("%s", a.t("move."+m.Phase, account, m.To))
		}
		t := time.NewTimer(phasePause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		}
		is, err := cl.FleetMoved(ctx, account)
		if err != nil {
			if failures++; failures > phaseErrors || errors.Is(err, client.ErrNotRunning) {
				return err
			}
			continue
		}
		if failures = 0; is.ID == m.ID {
			m = is
		}
	}
}

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
