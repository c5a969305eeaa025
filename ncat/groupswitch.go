package ncat

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ncatd/ncatd/onebot"
)

// switchArgs are the arguments of enable and disable.
type switchArgs struct {
	Plugin string `arg:"plugin,optional" help:"cfg.arg.plugin"`
}

// AddGroupSwitches adds the commands enable and disable (in Chinese 启用 and 停用), by
// which the owner and the admins of a group switch plugins on and off in that group:
//
//	/disable            which plugins there are, and which are off here
//	/disable points
//	/enable points
//
// plugins names those that may be switched; without any it is all of them. A plugin
// that is off in a group hears nothing from it, and goes on elsewhere. It is the same
// as /perm deny plugin:points by an admin of the bot: the store remembers it.
func (b *Bot) AddGroupSwitches(plugins ...string) {
	add := func(name, chinese string, on bool) {
		Command(b, name, func(ctx context.Context, b *Bot, m onebot.MessageEvent, a switchArgs) error {
			return b.switchInGroup(ctx, m, a.Plugin, on, plugins)
		}, Alias(chinese), Need(RoleGroupAdmin), Where(func(_ *Bot, e onebot.Event) bool { return ChatOf(e).IsGroup() }), Help(b.text("switch."+name)))
	}
	add("enable", "启用", true)
	add("disable", "停用", false)
}

func (b *Bot) switchInGroup(ctx context.Context, m onebot.MessageEvent, id string, on bool, allowed []string) error {
	here := Scope{Group: ChatOf(m).Group}
	var known []string
	for _, p := range b.core.bot.Plugins() {
		if len(allowed) == 0 || slices.Contains(allowed, p.ID) {
			known = append(known, p.ID)
		}
	}
	if id == "" {
		var lines []string
		for _, p := range known {
			state := "switch.on"
			if b.core.perms.matches("deny", pluginTarget(p), here.Group, 0) {
				state = "switch.off"
			}
			lines = append(lines, fmt.Sprintf(b.text(state), p))
		}
		if len(lines) == 0 {
			lines = append(lines, b.text("cfg.none"))
		}
		return b.Reply(ctx, m, strings.Join(lines, "\n"))
	}
	if !slices.Contains(known, id) {
		return b.Reply(ctx, m, fmt.Sprintf(b.text("perm.noplugin"), short(id)))
	}
	change, done := b.Permissions().DenyPlugin, "switch.off"
	if on {
		change, done = b.Permissions().AllowPlugin, "switch.on"
	}
	if err := change(ctx, id, here); err != nil {
		return err
	}
	b.Logger().Info("plugin switched in a group", "by", int64(m.Msg().UserID), "plugin", id, "group_id", int64(here.Group), "on", on)
	return b.Reply(ctx, m, fmt.Sprintf(b.text(done), id))
}
