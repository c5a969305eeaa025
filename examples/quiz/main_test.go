package main

import (
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncattest"
)

func TestQuiz(t *testing.T) {
	ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
		alice, bob := h.InGroup(100, 1), h.InGroup(100, 2)
		ask := func(part string) {
			t.Helper()
			if got := h.One().Text(); !strings.Contains(got, part) {
				t.Errorf("asked %q, want %q", got, part)
			}
		}
		alice.Says("/quiz")
		ask("吉祥物")
		bob.Says("1") // nobody asked Bob
		h.WantNothing()
		alice.Says("地鼠")
		ask("字节")
		alice.Says("1")
		ask("404")
		alice.Says("1")
		h.Want(" 答对 2/3 题")
		alice.Says("/问答")
		ask("吉祥物")
		alice.Says("取消")
		h.Want(" 问答结束")
		alice.Says("/quiz")
		ask("吉祥物")
		h.Pass(30 * time.Second)
		h.Want(" 问答结束")
	})
}
