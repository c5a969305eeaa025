// Command ported is a plugin for NcatBot, rewritten line by line: what to eat
// today. 吃什么 picks a dish that this chat has not had lately, /加菜 and /减菜
// change the list, at half past eleven the groups that asked for it are reminded.
// docs/guide/recipes-ported.md has the original beside it.
//
//	go run ./examples/ported start --sim
//	go run ./examples/ported sim say --group 700000001 吃什么
package main

import (
	"context"
	"log"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/ncatd/ncatd"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func main() { log.Fatal(ncatd.Main(newBot())) }

func newBot() *ncat.Bot {
	b := ncat.New()
	b.AddPlugin(&eat{Dishes: []string{"米饭", "面条", "饺子"}, Groups: []onebot.GroupID{700000001}})
	return b
}

// eat is the plugin; its exported fields are its configuration.
type eat struct {
	Dishes []string         `json:"dishes"`
	Groups []onebot.GroupID `json:"groups"` // reminded at noon
}

func (e *eat) ID() string      { return "eat" }
func (e *eat) Version() string { return "1.0.0" }

// Setup implements ncat.Plugin.
func (e *eat) Setup(_ context.Context, h *ncat.Host) error {
	if err := h.Config(e); err != nil {
		return err
	}
	h.OnText("吃什么", e.pick, ncat.Help("今天吃什么"))
	ncat.Command(h.Bot, "加菜", e.add, ncat.Help("加一道菜"))
	ncat.Command(h.Bot, "减菜", e.remove, ncat.Help("去掉一道菜"))
	_, err := h.Schedule("noon", "每天 11:30", e.noon)
	return err
}

// menu is the list of a bot's dishes, the configured ones to begin with.
func (e *eat) menu(ctx context.Context, b *ncat.Bot) ([]string, error) {
	list, ok, err := ncat.Get[[]string](ctx, b.Store(), "menu")
	if !ok {
		list = e.Dishes
	}
	return list, err
}

func (e *eat) pick(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
	list, err := e.menu(ctx, b)
	if err != nil {
		return err
	}
	key := "last/" + ncat.ChatOf(m).Group.String()
	last, _, err := ncat.Get[string](ctx, b.Store(), key)
	if err != nil {
		return err
	}
	if left := slices.DeleteFunc(slices.Clone(list), func(d string) bool { return d == last }); len(left) > 0 {
		list = left
	}
	if len(list) == 0 {
		return b.Reply(ctx, m, "什么都没有，先 /加菜")
	}
	dish := list[rand.IntN(len(list))]
	if err := ncat.Put(ctx, b.Store(), key, dish); err != nil {
		return err
	}
	return b.Mention(ctx, m, "吃", dish)
}

type dish struct {
	Name string `arg:"name,rest" help:"菜名"`
}

func (e *eat) change(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, f func([]string) []string) error {
	list, err := ncat.Update(ctx, b.Store(), "menu", func(l []string, ok bool) ([]string, error) {
		if !ok {
			l = slices.Clone(e.Dishes)
		}
		return f(l), nil
	})
	if err != nil {
		return err
	}
	return b.Reply(ctx, m, "菜单：", strings.Join(list, "、"))
}

func (e *eat) add(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, d dish) error {
	return e.change(ctx, b, m, func(l []string) []string { return append(l, d.Name) })
}

func (e *eat) remove(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, d dish) error {
	return e.change(ctx, b, m, func(l []string) []string {
		return slices.DeleteFunc(l, func(s string) bool { return s == d.Name })
	})
}

func (e *eat) noon(ctx context.Context, b *ncat.Bot) error {
	for _, g := range e.Groups {
		if _, err := b.SendGroup(ctx, g, "该吃饭了，发「吃什么」"); err != nil {
			return err
		}
	}
	return nil
}
