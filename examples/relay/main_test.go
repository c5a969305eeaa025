package main

import (
	"testing"

	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

func TestRelay(t *testing.T) {
	ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
		here, there := h.Group(700000001), h.Group(700000002)
		alice := here.From(1).Named("Alice")
		id := alice.Says("大家好")
		s := h.One()
		if s.Chat.Group != there.ID || s.Text() != "[group 700000001] Alice：大家好" {
			t.Fatalf("relayed as %v", s)
		}

		// An answer there quotes the original here, and the other way round.
		answer := there.From(2).Named("Bob").Quotes(s.ID, "你好呀")
		back := h.One()
		if back.Chat.Group != here.ID || back.Message.ReplyTo() != id || back.Text() != "[group 700000002] Bob：你好呀" {
			t.Errorf("the answer is %v", back)
		}
		alice.Quotes(back.ID, "在")
		if again := h.One(); again.Message.ReplyTo() != answer {
			t.Errorf("quotes %d, want %d", again.Message.ReplyTo(), answer)
		}

		alice.Says("看 ", &onebot.ImageSegment{File: onebot.Base64([]byte("\x89PNG\r\n\x1a\nx"))})
		if pics := onebot.All[*onebot.ImageSegment](h.One().Message); len(pics) != 1 {
			t.Errorf("%d pictures", len(pics))
		}

		alice.Recalls(id)
		h.WantCall("delete_msg", "message_id", s.ID)
		h.Group(300).From(1).Says("别处的话")
		h.WantNothing()
	})
}
