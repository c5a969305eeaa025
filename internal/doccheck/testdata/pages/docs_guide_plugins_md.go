package p

import (
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
)

func TestGreeter(t *testing.T) {
	b := ncat.New()
	g := &greeter{}
	b.AddPlugin(g)
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Group(100).From(7).Joins()
		h.WantLike("welcome")
		h.Pass(24 * time.Hour)
		n, _, err := ncat.Get[int](h.Context(), h.Bot().Store(), "joined")
		if n != 0 || err != nil {
			t.Errorf("the bot's own store has %d, %v", n, err)
		}
	})
}
