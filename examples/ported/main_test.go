package main

import (
	"strings"
	"testing"

	"github.com/ncatd/ncatd/ncattest"
)

func TestEat(t *testing.T) {
	ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
		g := h.Group(700000001)
		last := ""
		for range 20 {
			g.From(1).Says("吃什么")
			dish := strings.TrimSpace(h.One().Text())
			if dish == last || !strings.Contains("吃米饭 吃面条 吃饺子", dish) {
				t.Fatalf("%q after %q", dish, last)
			}
			last = dish
		}
		g.From(1).Says("/减菜 米饭")
		h.Want("菜单：面条、饺子")
		g.From(1).Says("/减菜 面条")
		h.Want("菜单：饺子")
		h.Stop()
		h.Start(newBot())
		g.From(1).Says("/加菜 火锅")
		h.Want("菜单：饺子、火锅")
		h.PassUntil("11:30")
		h.Want("该吃饭了，发「吃什么」")
	})
}
