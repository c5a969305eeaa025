package main

import (
	"testing"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
)

func TestPong(t *testing.T) {
	b := ncat.New()
	b.OnGroup(pong)
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		alice := h.Group(100).From(1)
		alice.Says("ping 7")
		h.Want("pong 7")
		alice.Says("pinging")
		h.WantNothing()
	})
}
