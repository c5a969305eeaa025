package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/home"
)

// simHome is the default home of a simulation.
const simHome = ".ncatd-sim"

// daemonHome returns the home whose daemon a command means: the one named by
// --home or NCATD_HOME, else the default one, else, if no daemon runs there but
// one of a simulation does, that one's.
func (a *app) daemonHome() (home.Dir, error) {
	h, err := a.home()
	if err != nil || a.homeFlag != "" || a.getenv("NCATD_HOME") != "" {
		return h, err
	}
	if pid, err := h.Holder(); err != nil || pid != 0 {
		return h, nil
	}
	sim, err := a.unnamed(simHome)
	if err != nil {
		return h, nil
	}
	if pid, err := sim.Holder(); err == nil && pid != 0 {
		return sim, nil
	}
	return h, nil
}

// connect returns a client of the running daemon. Nothing was asked yet: that
// the daemon does not run shows with the first request.
func (a *app) connect() (*client.Client, home.Dir, error) {
	h, err := a.daemonHome()
	if err != nil {
		return nil, "", err
	}
	cl := client.New(h.Socket())
	if a.host != "" {
		cl = cl.At(a.host)
	}
	return cl, h, nil
}

// pickAccount returns the account that name means, or the only one if it is
// empty.
func (a *app) pickAccount(st api.Status, name string) (api.Account, error) {
	names := make([]string, len(st.Accounts))
	for i, acc := range st.Accounts {
		if acc.Name == name || name == "" && len(st.Accounts) == 1 {
			return acc, nil
		}
		names[i] = acc.Name
	}
	list := strings.Join(names, ", ")
	if name == "" {
		return api.Account{}, a.severalAccounts(list)
	}
	return api.Account{}, fail(exitUsage, errors.New(a.t("err.no_account", name)), a.t("hint.accounts", list))
}

// severalAccounts is the error for a command that does not say which of the
// accounts it means, with the way in which that command takes one.
func (a *app) severalAccounts(list string) error {
	hint := ""
	if c := a.running; c != nil {
		hint = c.CommandPath() + " ACCOUNT"
		if c.Flags().Lookup("account") != nil {
			hint = c.CommandPath() + " --account ACCOUNT"
		}
	}
	return fail(exitUsage, errString(a.t("err.several_accounts", list)), hint)
}

// account asks the daemon for the account that name means.
func (a *app) account(ctx context.Context, c *client.Client, name string) (api.Account, error) {
	st, err := c.Status(ctx)
	if err != nil {
		return api.Account{}, err
	}
	return a.pickAccount(st, name)
}

// accountAnywhere is account, but for an account that another host of the fleet runs:
// then c leads there from then on, and so does connect.
func (a *app) accountAnywhere(ctx context.Context, c *client.Client, name string) (api.Account, error) {
	acc, err := a.account(ctx, c, name)
	if a.host != "" || name == "" || errors.Is(err, client.ErrNotRunning) || err == nil && acc.Reason != "leased" {
		return acc, err
	}
	hosts, ferr := c.Fleet(ctx)
	if ferr != nil {
		return acc, err // there is no fleet, or it cannot be asked
	}
	host, found := runsOn(hosts, name, acc.UIN)
	if host == "" {
		return acc, err
	}
	a.out.say("%s", a.t("fleet.found", found.Name, host))
	*c, a.host = *c.At(host), host
	return found, nil
}

// runsOn returns which other host runs an account: the one of that number, or if that is
// 0 the only one of that name.
func runsOn(hosts []api.FleetHost, name string, uin int64) (host string, found api.Account) {
	for _, h := range hosts {
		for _, acc := range h.Status.Accounts {
			if h.Here || acc.Reason == "leased" || uin != 0 && acc.UIN != uin || uin == 0 && acc.Name != name {
				continue
			}
			if host != "" {
				return "", api.Account{}
			}
			host, found = h.Name, acc
		}
	}
	return host, found
}

// completeAccounts completes the names of the daemon's accounts, or of the
// config's if it does not run.
func (a *app) completeAccounts(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.accountNames(c.Context()), cobra.ShellCompDirectiveNoFileComp
}

func (a *app) accountNames(ctx context.Context) []string {
	cl, h, err := a.connect()
	if err != nil {
		return nil
	}
	defer cl.Close()
	var names []string
	if st, err := cl.Status(ctx); err == nil {
		for _, acc := range st.Accounts {
			names = append(names, acc.Name)
		}
		return names
	}
	if cfg, err := a.loadConfig(a.configPath(h), nil); err == nil {
		for _, acc := range cfg.Accounts {
			names = append(names, acc.Name)
		}
	}
	return names
}

// accountFlag adds --account with completion, and --host.
func (a *app) accountFlag(c *cobra.Command, name *string) {
	c.Flags().StringVarP(name, "account", "a", "", a.t("flag.account"))
	_ = c.RegisterFlagCompletionFunc("account", func(c *cobra.Command, _ []string, p string) ([]string, cobra.ShellCompDirective) {
		return a.completeAccounts(c, nil, p)
	}) // fails only for a flag that is not there
	a.hostFlag(c)
}
