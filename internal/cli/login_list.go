package cli

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
)

// listTickets prints the accounts that can log in without a hand.
func (a *app) listTickets(ctx context.Context, cl *client.Client, name string, asJSON bool) error {
	acc, err := a.account(ctx, cl, name)
	if err != nil {
		return err
	}
	list, err := a.quickAccounts(ctx, cl, acc.Name)
	if err != nil {
		return err
	}
	if asJSON {
		return a.out.json(append([]api.QuickAccount{}, list...), false)
	}
	if len(list) == 0 {
		a.out.say("%s", a.t("login.no_tickets", acc.Name))
		return nil
	}
	rows := [][]string{{a.t("login.head.qq"), a.t("login.head.nick"), a.t("login.head.quick")}}
	for _, q := range list {
		yes := a.t("word.no")
		if q.Quick {
			yes = a.t("word.yes")
		}
		rows = append(rows, []string{strconv.FormatInt(q.UIN, 10), printable(q.Nickname), yes})
	}
	a.out.table(rows, nil)
	return nil
}

// quickAccounts asks for the tickets, waiting for NapCat if it is starting: its
// own list is empty until QQ's login service is up.
func (a *app) quickAccounts(ctx context.Context, cl *client.Client, name string) ([]api.QuickAccount, error) {
	began := time.Now()
	for {
		list, err := cl.QuickAccounts(ctx, name)
		var e *api.Error
		notYet := errors.As(err, &e) && slices.Contains(notYetCodes, e.Code)
		if err != nil && !notYet {
			return nil, err
		}
		acc, serr := a.account(ctx, cl, name)
		switch {
		case serr != nil:
			return nil, serr
		case err == nil && (len(list) > 0 || acc.State != api.StateStarting):
			return list, nil
		case acc.State == api.StateStopped, acc.State == api.StateFailed, time.Since(began) > awayLimit:
			return nil, fail(exitFailure, errString(a.t("err.list_stopped", name)), a.t("hint.login", name))
		}
		t := time.NewTimer(rewatch)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, context.Cause(ctx)
		}
	}
}
