package ncat

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ncatd/ncatd/onebot"
)

// ConfigEditor reads and changes the configuration of plugins while they run, for
// the command cfg. Errors are told to the admin who asked.
type ConfigEditor interface {
	// PluginValue returns a key's value as a person writes it, or with an empty key
	// all of them, a line each.
	PluginValue(ctx context.Context, plugin, key string) (string, error)
	// SetPluginValue changes a key for good, brings it to the plugin, and returns the
	// new value.
	SetPluginValue(ctx context.Context, plugin, key, value string) (string, error)
}

// WithConfigEditor gives the bot's admins the command cfg (in Chinese 设置), by which
// they see and change in the chat what is configured of plugins. ncatd sets an editor
// that changes its config file.
//
//	/cfg                      the plugins
//	/cfg points               its keys and their values
//	/cfg points every         one value
//	/cfg points every 30s     another value, which counts at once
//
// To all others the command is as good as absent, and [WithoutPermissionCommands]
// takes it out too. A command of the same name that the bot or a plugin registers
// takes its place.
func WithConfigEditor(e ConfigEditor) Option { return func(c *core) { c.commands.editor = e } }

// configArgs are the arguments of cfg.
type configArgs struct {
	Plugin string `arg:"plugin,optional" help:"cfg.arg.plugin"`
	Key    string `arg:"key,optional" help:"cfg.arg.key"`
	Value  string `arg:"value,rest,optional" help:"cfg.arg.value"`
}

// configCommands returns the built-in command cfg.
func configCommands(o *owner) []*registration {
	return []*registration{builtin(o, "cfg", "", configCommand)}
}

func configCommand(ctx context.Context, b *Bot, m onebot.MessageEvent, a configArgs) error {
	edit := b.core.commands.editor
	say := func(text string, err error) error {
		if err != nil {
			text = err.Error()
		}
		return b.Reply(ctx, m, text)
	}
	plugins := b.Plugins()
	if a.Plugin == "" {
		lines := []string{}
		for _, p := range plugins {
			lines = append(lines, p.ID)
		}
		if len(lines) == 0 {
			lines = append(lines, b.text("cfg.none"))
		}
		return say(strings.Join(lines, "\n"), nil)
	}
	if !slices.ContainsFunc(plugins, func(p PluginStatus) bool { return p.ID == a.Plugin }) {
		return say(fmt.Sprintf(b.text("perm.noplugin"), short(a.Plugin)), nil)
	}
	if a.Value == "" {
		return say(edit.PluginValue(ctx, a.Plugin, a.Key))
	}
	value, err := edit.SetPluginValue(ctx, a.Plugin, a.Key, a.Value)
	if err != nil {
		return say("", err)
	}
	b.Logger().Info("configuration changed", "by", int64(m.Msg().UserID), "plugin", a.Plugin, "key", a.Key)
	return say(fmt.Sprintf(b.text("cfg.set"), a.Key, value), nil)
}
