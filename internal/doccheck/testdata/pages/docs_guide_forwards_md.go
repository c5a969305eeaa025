package p

import (
	"os"
	"testing"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

func TestForwarded(t *testing.T) {
	ncattest.Run(t, within(block1), func(h *ncattest.Harness) {
		h.Group(700000002) // the bot is in both
		g := h.Group(700000001)
		g.From(1).Named("Ann").Quotes(g.From(2).Named("Bob").Says("first"), "go")
		nodes := onebot.All[*onebot.NodeSegment](h.One().Message)
		if len(nodes) != 2 {
			t.Errorf("%d nodes", len(nodes))
		}
	})
}

func TestMade(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("cat.png", []byte("\x89PNG\r\n\x1a\n a cat"), 0o600); err != nil {
		t.Fatal(err)
	}
	ncattest.Run(t, within(block2), func(h *ncattest.Harness) {
		h.Group(700000001).From(1).Named("Ann").Says("go")
		sent := h.One()
		nodes := onebot.All[*onebot.NodeSegment](sent.Message)
		if sent.Chat != ncat.Group(700000001) || len(nodes) != 5 || nodes[0].Nickname != "Ann" || nodes[1].UserID != h.Self {
			t.Fatalf("%v", sent)
		}
	})
}

func TestReading(t *testing.T) {
	b := ncat.New()
	b.OnGroup(block3)
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		inner := func(name, text string) map[string]any {
			return map[string]any{"sender": map[string]any{"nickname": name}, "message": onebot.Message{onebot.Text(text)}}
		}
		h.On("get_forward_msg", ncattest.Result(map[string]any{"messages": []any{inner("Ann", "what was said"), inner("Bob", "what was answered")}}))
		h.Group(700000001).From(1).Says(&onebot.ForwardSegment{ID: "7561"})
		h.WantCall("get_forward_msg", "message_id", "7561")
	})
}
