package ncattest_test

import (
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// TestStanding sends into groups in which the account may not speak.
func TestStanding(t *testing.T) {
	ncattest.Run(t, ncat.New(), func(h *ncattest.Harness) {
		send := func() error {
			_, err := h.Bot().SendGroup(h.Context(), 100, "x")
			return err
		}
		h.Event(ncattest.Muted(100, h.Self, 9, 60))
		if err := send(); !onebot.IsMuted(err) {
			t.Errorf("a muted account spoke: %v", err)
		}
		h.Event(ncattest.Muted(100, h.Self, 9, 0))
		if err := send(); err != nil {
			t.Error(err)
		}
		h.Event(ncattest.Muted(100, h.Self, 9, 60))
		h.Pass(61 * time.Second)
		if err := send(); err != nil {
			t.Error(err)
		}
		h.Event(ncattest.Kicked(100, h.Self, 9))
		if err := send(); !onebot.IsRefused(err) || onebot.IsMuted(err) {
			t.Errorf("an account that was removed spoke: %v", err)
		}
		h.Event(ncattest.Joined(100, h.Self))
		if err := send(); err != nil {
			t.Error(err)
		}
		h.Want("x", "x", "x")
	})
}

// TestRecalledHasNoContent asks for a message that was taken back.
func TestRecalledHasNoContent(t *testing.T) {
	ncattest.Run(t, ncat.New(), func(h *ncattest.Harness) {
		p := h.Group(100).From(1)
		id := p.Says("secret")
		p.Recalls(id)
		m, err := h.Bot().API().GetMsg(h.Context(), onebot.GetMsgParams{MessageID: id})
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Message) > 0 {
			t.Errorf("it still says %v", m.Message)
		}
	})
}
