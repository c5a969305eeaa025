package p

import (
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
)

func TestSchedules(t *testing.T) {
	b := bot(t, block1)
	if err := addReminders(b); err != nil {
		t.Fatal(err)
	}
	b.OnGroup(block2, ncat.Where(ncat.TextIs("next")))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Group(700000001).From(1).Says("/remind 1h tea")
		h.WantLike("I will")
		h.Pass(59 * time.Minute)
		h.WantNothing()
		h.Pass(2 * time.Minute)
		h.Want("tea")
		h.Pass(90 * time.Minute)
		h.Want("drink some water")
		h.Group(700000001).From(1).Says("next")
		h.WantLike("next: 2000-01-03 09:00:00") // the first was a Saturday
	})
}
