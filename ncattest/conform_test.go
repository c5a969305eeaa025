package ncattest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/cqcode"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
	"github.com/ncatd/ncatd/ncattest/conform"
)

// TestServerConforms holds the Server to what is expected of any host.
func TestServerConforms(t *testing.T) {
	s := NewServer(t, ServerOptions{Token: "sec", Heartbeat: 1500 * time.Millisecond})
	s.Group(100).From(5)
	s.Group(100).From(6)
	s.Friend(7)
	s.at.strict = true
	conform.Run(t, conform.Host{
		URL: s.URL(), HTTP: s.HTTP(), Token: "sec", Heartbeat: 1500 * time.Millisecond, Complete: true,
		Act: func(_ context.Context, d conform.Deed) error { return deed(s.at.world, d) },
	})
}

// TestHarnessConforms holds the QQ behind a Harness to the same, but for what
// takes a wire.
func TestHarnessConforms(t *testing.T) {
	h := &Harness{Caller: &Caller{}, Self: Self, T: t, inlet: newInlet()}
	h.Group(100).From(5)
	h.Group(100).From(6)
	h.Friend(7)
	h.at.strict = true
	t.Cleanup(func() { _ = h.Close() })
	host := conform.Host{
		Caller: h.Caller,
		Hear:   func(take func([]byte)) func() { return h.at.world.Subscribe(frames(h, take)) },
		Act:    func(_ context.Context, d conform.Deed) error { return deed(h.at.world, d) },
	}
	if n := len(slices.DeleteFunc(conform.Expectations(), func(e conform.Expectation) bool { return !host.Tries(e) })); n < 150 {
		t.Errorf("only %d expectations can be tried", n)
	}
	conform.Run(t, host)
}

// frames lets take have what a Harness feeds its bot.
func frames(h *Harness, take func([]byte)) func(world.Event) {
	return func(e world.Event) {
		h.hear(e)
		for _, f := range h.inlet.take() {
			take(f)
		}
	}
}

// deed lets somebody in w do what a Deed says.
func deed(w *world.World, d conform.Deed) error {
	if d.Deed == "say" {
		_, err := w.Say(world.Say{Group: d.Group, User: d.User, Segments: cqcode.Parse(d.Text)})
		return err
	}
	return w.Act(world.Deed{Deed: d.Deed, Group: d.Group, User: d.User, Operator: d.By, Message: d.Message, Text: d.Text, Seconds: d.Seconds, Off: d.Off})
}

// TestManyExpectations holds how much is expected, and that each says where it
// stands.
func TestManyExpectations(t *testing.T) {
	all := conform.Expectations()
	if len(all) < 150 {
		t.Errorf("%d expectations", len(all))
	}
	seen := map[string]bool{}
	for _, e := range all {
		key := fmt.Sprintf("%s/%s", e.Place, e.Title)
		if e.Place == "" || e.Title == "" || seen[key] {
			t.Errorf("%q is not said once", key)
		}
		seen[key] = true
	}
}

// TestLiveHostConforms tries the host that NCATD_TEST_URL names.
func TestLiveHostConforms(t *testing.T) {
	h, ok := conform.FromEnv()
	if !ok {
		t.Skip("NCATD_TEST_URL names no host")
	}
	conform.Run(t, h)
}
