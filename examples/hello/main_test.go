package main

import (
	"slices"
	"testing"

	"github.com/ncatd/ncatd/ncattest"
)

func TestHello(t *testing.T) {
	ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
		h.Friend(1).Says("测试")
		var got []string
		for _, s := range h.Sent() {
			got = append(got, s.Text())
		}
		slices.Sort(got) // the two goroutines may be either way round
		want := []string{"NcatBot 测试成功喵~", "NcatBot 测试成功喵~ (goroutine)"}
		if !slices.Equal(got, want) {
			t.Errorf("the bot sent %q, want %q", got, want)
		}
		h.Friend(1).Says("你好")
		h.InGroup(100, 1).Says("测试")
		h.WantNothing()
	})
}
