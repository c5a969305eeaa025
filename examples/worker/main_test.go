package main

import (
	"testing"

	"github.com/ncatd/ncatd/ncattest"
)

func TestTake(t *testing.T) {
	ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
		h.Group(100).From(1).Says("/take 苹果")
		h.Want("苹果：第 1 份")
		h.Group(200).From(2).Says("/领 苹果")
		h.Want("苹果：第 2 份")
	})
}
