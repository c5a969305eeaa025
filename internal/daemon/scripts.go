package daemon

import (
	"context"
	"errors"
	"slices"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/control"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/script"
	"github.com/ncatd/ncatd/internal/script/kit"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// newScripts returns the manager of the plugins that lie in the home as scripts.
func (b *bots) newScripts(ctx context.Context) *script.Manager {
	d, l := b.d, b.d.o.Config.Scripts.Limits
	if err := kit.Restore(b.scriptDir()); err != nil {
		d.log.Warn("what an install left that was cut short stays", "err", err)
	}
	return script.New(b.scriptDir(), b.bot, script.Environment{
		Log: d.log,
		Limits: script.Limits{Memory: int64(l.Memory), CPU: l.CPU.D(), Queue: l.Queue, Calls: l.Calls, Timers: l.Timers,
			Setup: l.Setup.D(), Unload: l.Unload.D()},
		Grants: func(id string) script.Grants {
			g := d.config().Scripts.Grant(id)
			out := script.Grants{Fetch: g.Fetch, Files: g.Files}
			if l, ok := b.lock()[id]; ok {
				out.Fetch, out.Files = slices.Concat(out.Fetch, l.Granted.Fetch), out.Files || l.Granted.Files
			}
			return out
		},
		Section: func(id string) map[string]any {
			s, _ := d.config().Bot.PluginConfig[id].(map[string]any)
			return s
		},
		Report:   b.scriptFailed,
		Rehearse: kit.Rehearse(ctx),
	})
}

// scriptDir is where the scripts lie.
func (b *bots) scriptDir() string {
	if dir := b.d.o.Scripts; dir != "" {
		return dir
	}
	return b.d.o.Home.Join("plugins")
}

// lock returns what installed scripts were granted, and shows if that cannot be read:
// then none has any of it.
func (b *bots) lock() map[string]script.Locked {
	all, err := script.ReadLock(b.scriptDir())
	if err != nil {
		b.d.health.Set("", api.CodeScriptGrants, errors.Unwrap(err).Error())
	} else {
		b.d.health.Clear("", api.CodeScriptGrants)
	}
	return all
}

// runScripts takes over what changes in the scripts' folder until ctx ends.
func (b *bots) runScripts(ctx context.Context) {
	if err := b.scripts.Run(ctx); err != nil {
		b.d.log.Error("changes of scripts are not seen; ncatd plugin reload takes them over", "err", err)
	}
}

// scriptFailed shows that a script's newest version does not run, or with nil
// that it does.
func (b *bots) scriptFailed(id string, err error) {
	if err == nil {
		b.d.health.Clear("", api.CodePluginFailed, id)
		return
	}
	b.d.health.Report("", pluginFailed(id, err.Error(), script.Fault(err)))
	if b.d.config().Scripts.TellAdmins && b.d.run != nil && b.d.run.Err() == nil {
		b.d.wg.Go(func() {
			b.tellAdmins(b.d.run, text.Fault(text.Chinese, api.Because(api.CodePluginFailed, id).With(script.Fault(err))))
		})
	}
}

// pluginFailed says that a plugin does not run, and why. The English sentence of
// that is for those who read args.
func pluginFailed(id, english string, why api.Fault) api.Fault {
	return api.Fault{Code: api.CodePluginFailed, Args: []string{id, english}}.With(why)
}

// why says without a language why plugin id does not do what it was asked for; err
// is what package ncat says.
func (b *bots) why(id string, err error) api.Fault {
	if f, ok := script.Told(err); ok {
		return f
	}
	if own := b.scripts.Problems()[id]; own != nil {
		return script.Fault(own)
	}
	return api.Because(api.CodePluginError, err)
}

// tellAdmins writes to the bot's admins, from the first account that can.
func (b *bots) tellAdmins(ctx context.Context, words string) {
	for _, admin := range b.d.config().Bot.Admins {
		err := errors.New("no account runs")
		for _, acc := range b.bot.Accounts() {
			if _, err = acc.SendPrivate(ctx, onebot.UserID(admin), words); err == nil {
				break
			}
		}
		if err != nil {
			b.d.log.Warn("an admin could not be told", "admin", admin, "err", err)
		}
	}
}

// plugin returns what is known of one plugin.
func (b *bots) plugin(id string) (api.PluginInfo, error) {
	all := b.plugins()
	i := slices.IndexFunc(all, func(p api.Plugin) bool { return p.ID == id })
	if i < 0 {
		return api.PluginInfo{}, noPlugin(id)
	}
	out := api.PluginInfo{Plugin: all[i], Needs: []string{}, Wants: api.PluginRights{Fetch: []string{}}, Granted: api.PluginRights{Fetch: []string{}}}
	info, ok := b.scripts.Info(id)
	if !ok {
		return out, nil
	}
	m := info.Manifest
	out.Description, out.Path, out.Loads = m.Description, info.Path, info.Loads
	out.Needs = append(out.Needs, m.Needs...)
	out.Wants = api.PluginRights{Fetch: append([]string{}, m.Permissions.Fetch...), Files: m.Permissions.Files}
	out.Granted = api.PluginRights{Fetch: append([]string{}, info.Grants.Fetch...), Files: info.Grants.Files}
	return out, nil
}

func noPlugin(id string) error {
	return control.Refuse(control.CodeNoPlugin, api.Because(api.CodeNoPlugin, id))
}

// reloadPlugin puts the version of a script that lies on the disk in the place of
// the one that runs.
func (b *bots) reloadPlugin(ctx context.Context, id string) error {
	err := b.scripts.Reload(ctx, id)
	switch {
	case errors.Is(err, ncat.ErrNoPlugin):
		if slices.ContainsFunc(b.bot.Plugins(), func(p ncat.PluginStatus) bool { return p.ID == id }) {
			return control.Refuse(control.CodeConflict, api.Because(api.CodePluginBuiltIn, id))
		}
		return noPlugin(id)
	case err != nil:
		return control.Refuse(control.CodeConflict, api.Because(api.CodePluginNotLoaded, id).With(b.why(id, err)))
	}
	return nil
}

// Plugin implements [control.Backend].
func (d *Daemon) Plugin(_ context.Context, id string) (api.PluginInfo, error) {
	return d.bots.plugin(id)
}

// ReloadPlugin implements [control.Backend].
func (d *Daemon) ReloadPlugin(ctx context.Context, id string) error {
	return d.bots.reloadPlugin(ctx, id)
}
