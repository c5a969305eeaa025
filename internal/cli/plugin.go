package cli

import (
	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/control/api"
)

func newPlugin(a *app) *cobra.Command {
	return a.group("plugin", "plugin", newPluginList(a), newPluginInfo(a), newPluginSwitch(a, true), newPluginSwitch(a, false),
		newPluginNew(a), newPluginCheck(a), newPluginTest(a), newPluginReload(a), newPluginLog(a), newPluginInstall(a))
}

func newPluginList(a *app) *cobra.Command {
	var asJSON bool
	c := a.command("plugin_list", "list", noArgs, func(c *cobra.Command, _ []string) error {
		cl, _, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		list, err := cl.Plugins(c.Context())
		if err != nil {
			return err
		}
		if asJSON {
			return a.out.json(list, false)
		}
		if len(list) == 0 {
			a.out.say("%s", a.t("plugin.none"))
			return nil
		}
		rows := [][]string{{a.t("plugin.head.id"), a.t("plugin.head.version"), a.t("plugin.head.state"), a.t("plugin.head.error")}}
		for _, p := range list {
			state := p.State
			if text.Has("plugin." + state) {
				state = a.t("plugin." + state)
			}
			rows = append(rows, []string{p.ID, p.Version, state, a.pluginError(p)})
		}
		a.out.table(rows, nil)
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	return c
}

// pluginError says why a plugin, or its newest version, does not run.
func (a *app) pluginError(p api.Plugin) string {
	if text.Has("fault." + string(p.Fault.Code)) {
		return printable(text.Fault(a.lang, p.Fault))
	}
	return p.Error
}

func newPluginSwitch(a *app, on bool) *cobra.Command {
	word, done := "disable", "plugin.off"
	if on {
		word, done = "enable", "plugin.on"
	}
	c := a.command("plugin_"+word, word+" PLUGIN...", between(1, -1, "PLUGIN"), func(c *cobra.Command, args []string) error {
		cl, _, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		for _, id := range args {
			if err := cl.SetPlugin(c.Context(), id, on); err != nil {
				return err
			}
			a.out.say("%s", a.t(done, id))
		}
		return nil
	})
	c.ValidArgsFunction = func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		cl, _, err := a.connect()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer cl.Close()
		list, err := cl.Plugins(c.Context())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var ids []string
		for _, p := range list {
			if p.Enabled != on {
				ids = append(ids, p.ID)
			}
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
	return c
}
