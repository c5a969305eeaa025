//go:build e2e_fleet

package fleet

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/ncatd/ncatd/internal/fleet/bus"
	"github.com/ncatd/ncatd/internal/fleet/natstest"
)

// An answer that is long in coming is waited for while its host tells that it is there,
// and one whose host falls silent in the middle ends.
func TestTunnelOfASilentHost(t *testing.T) {
	n := natstest.Start(t, 1)
	a := host(t, n.URL(), "a", nil)
	if _, err := a.bus.NC.Subscribe(bus.HostSubject("b"), func(m *nats.Msg) {
		for _, h := range []nats.Header{
			{headStill: {"1"}}, // it is still at it
			{bus.HeaderStatus: {"200"}, headAlive: {"1"}, bus.HeaderMore: {"1"}},
		} {
			if err := m.RespondMsg(&nats.Msg{Header: h}); err != nil {
				t.Error(err)
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	r, err := (&http.Client{Transport: a.Remote("b")}).Get("http://b/v0/watch")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b := r.Body.(*tunnelBody)
	if b.patience != goneAfter {
		t.Errorf("waits for %s", b.patience)
	}
	b.patience = 50 * time.Millisecond
	if _, err := b.Read(make([]byte, 1)); !errors.Is(err, errStill) {
		t.Errorf("of a host that is gone: %v", err)
	}
}

// A host tells that it is there while it is at an answer, if it is asked to.
func TestTunnelTellsStill(t *testing.T) {
	n := natstest.Start(t, 1)
	release := make(chan struct{})
	f := host(t, n.URL(), "b", func(o *Options) {
		o.API = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release })
	})
	eventually(t, func() error {
		if !f.record.told.Load() {
			return errors.New("not told")
		}
		return nil
	})
	inbox := f.bus.NC.NewInbox()
	sub, err := f.bus.NC.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	m := &nats.Msg{Subject: bus.HostSubject("b"), Reply: inbox, Header: nats.Header{headMethod: {"GET"}, headPath: {"/"}, headStill: {"1"}}}
	if err := f.bus.NC.PublishMsg(m); err != nil {
		t.Fatal(err)
	}
	for i, header := range []string{headStill, bus.HeaderStatus} {
		got, err := sub.NextMsg(time.Minute)
		if err != nil || got.Header.Get(header) == "" {
			t.Fatalf("message %d: %+v, %v", i, got, err)
		}
		if i == 0 {
			close(release)
		}
	}
}
