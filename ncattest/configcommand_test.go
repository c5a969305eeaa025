package ncattest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// editor is a configuration in memory.
type editor map[string]string

func (e editor) PluginValue(_ context.Context, plugin, key string) (string, error) {
	if v, ok := e[plugin+"."+key]; ok {
		return v, nil
	}
	return "", errors.New("没有键 " + key)
}

func (e editor) SetPluginValue(ctx context.Context, plugin, key, value string) (string, error) {
	e[plugin+"."+key] = value
	return e.PluginValue(ctx, plugin, key)
}

// TestConfigCommand: admins see and set, others do not even find it, and a command
// or alias of the bot's own comes first.
func TestConfigCommand(t *testing.T) {
	e := editor{"points.every": "30s"}
	b := ncat.New(ncat.WithConfigEditor(e), ncat.WithAdmins(9))
	b.AddPlugin(&plugin{id: "points", setup: func(context.Context, *ncat.Host) error { return nil }})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Friend(8).Says("/cfg points every 1m")
		h.WantNothing()
		for _, tt := range [][2]string{
			{"/cfg", "points"}, {"/cfg points every", "30s"}, {"/设置 points every 两 分钟", "已设置：every = 两 分钟"}, {"/cfg points every", "两 分钟"},
			{"/cfg points x", "没有键 x"}, {"/cfg nobody x 1", "没有插件 nobody"},
		} {
			h.Friend(9).Says(tt[0])
			h.Want(tt[1])
		}
	})
	if e["points.every"] != "两 分钟" {
		t.Errorf("set: %v", e)
	}
	own := ncat.New(ncat.WithConfigEditor(e), ncat.WithAdmins(9))
	own.OnCommand("cfg", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error { return b.Reply(ctx, m, "mine") })
	own.OnCommand("set", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return b.Reply(ctx, m, "mine too")
	}, ncat.Alias("设置"))
	ncattest.Run(t, own, func(h *ncattest.Harness) {
		h.Friend(9).Says("/cfg")
		h.Friend(9).Says("/设置")
		h.Want("mine", "mine too")
	})
	none := ncat.New(ncat.WithConfigEditor(e), ncat.WithAdmins(9), ncat.WithoutPermissionCommands())
	ncattest.Run(t, none, func(h *ncattest.Harness) {
		h.Friend(9).Says("/cfg")
		h.WantNothing()
	})
}
