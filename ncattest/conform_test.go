package ncattest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/cqcode"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
	"github.com/ncatd/ncatd/ncattest/conform"
)

// TestServerConforms holds the Server to what is expected of any host.
func TestServerConforms(t *testing.T) {
	s := NewServer(t, ServerOptions{Token: "sec", Heartbeat: 1500 * time.Millisecond})
	s.strict = true
	s.present(s.Group(100).From(5))
	s.present(s.Group(100).From(6))
	s.present(s.Friend(7))
	conform.Run(t, conform.Host{
		URL: s.URL(), HTTP: s.HTTP(), Token: "sec", Heartbeat: 1500 * time.Millisecond, Complete: true,
		Act: func(_ context.Context, d conform.Deed) error { return deed(s.world, d) },
	})
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
