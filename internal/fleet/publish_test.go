//go:build e2e_fleet

package fleet

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/ncatd/ncatd/internal/fleet/bus"
	"github.com/ncatd/ncatd/internal/fleet/natstest"
	"github.com/ncatd/ncatd/onebot"
)

// Events that wait go to the bus as one. If it has some of them already, or does not
// take them as one, they come all the same, in order and once.
func TestEventsGoAsOne(t *testing.T) {
	const chats = 3
	n := natstest.Start(t, 3)
	f := host(t, n.URL(), "a", func(o *Options) { o.Settings.Replicas = 3 })
	eventually(t, f.Trouble)
	publish := func(from, to int) {
		f.Hold(7)
		for i := from; i < to; i++ {
			f.Publish(Event{Account: "main", Self: 7, Kind: "message", Chat: bus.Chat(onebot.GroupID(i%chats+1), 0), ID: fmt.Sprint(i), Raw: fmt.Appendf(nil, "%d %s", i, strings.Repeat("x", 2000))})
		}
		f.Release(7, nil)
	}
	batches := func(msgs []jetstream.Msg) map[string]int {
		of := map[string]int{}
		next := map[string]int{}
		for _, m := range msgs {
			var i int
			if _, err := fmt.Sscan(string(m.Data()), &i); err != nil {
				t.Fatal(err)
			}
			if i/chats != next[m.Subject()] {
				t.Fatalf("%s: event %d came when the chat's %d was due", m.Subject(), i, next[m.Subject()])
			}
			next[m.Subject()]++
			of[m.Headers().Get("Nats-Batch-Id")]++
		}
		return of
	}
	// Of 2 KB each, so that one batch does not hold them all.
	publish(0, 1500)
	if of := batches(consume(t, f, 1500)); len(of) < 3 || of[""] > 0 {
		t.Fatalf("events of each batch: %v", of)
	}
	publish(1490, 1510)
	if of := batches(consume(t, f, 1510)); of[""] != 10 {
		t.Fatalf("events of each batch, when it has some: %v", of)
	}
	st, err := f.bus.JS.Stream(t.Context(), bus.Events)
	if err != nil {
		t.Fatal(err)
	}
	c := st.CachedInfo().Config
	c.AllowAtomicPublish = false
	if _, err := f.bus.JS.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	publish(1510, 1600)
	if of := batches(consume(t, f, 1600)); of[""] != 100 {
		t.Fatalf("events of each batch, when it takes none: %v", of)
	}
	if err := f.bus.Ensure(t.Context(), bus.Settings{Replicas: 3}); err != nil {
		t.Fatal(err)
	}
	if st, err = f.bus.JS.Stream(t.Context(), bus.Events); err != nil || !st.CachedInfo().Config.AllowAtomicPublish {
		t.Fatalf("the stream of an older host takes no batches: %v", err)
	}
	if s := f.Stats(); s.Lost != 0 || s.Spooled != 0 || s.Published != 1610 {
		t.Fatalf("%+v", s)
	}
}

// What is larger than servers take in a message reaches them all the same, and does not
// keep back what comes after it; so do answers of the control API and files.
func TestServersTakeLittle(t *testing.T) {
	url := "nats://" + natstest.Bare(t, "max_payload: 65536\njetstream: STORE")
	big := strings.Repeat("x", 200<<10)
	f := host(t, url, "a", nil)
	host(t, url, "b", func(o *Options) {
		o.API = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, big) })
	})
	eventually(t, f.Trouble)
	for i, raw := range []string{big, "small"} {
		f.Publish(Event{Account: "main", Self: 7, Kind: "message", Chat: "g1", ID: fmt.Sprint(i), Raw: []byte(raw)})
	}
	got := consume(t, f, 2)
	if b, err := f.bus.Fetch(t.Context(), got[0].Headers().Get(bus.HeaderObject), got[0].Data()); err != nil || string(b) != big || string(got[1].Data()) != "small" {
		t.Errorf("%d bytes, %v, then %q", len(b), err, got[1].Data())
	}
	eventually(t, func() error {
		r, err := (&http.Client{Transport: f.Remote("b")}).Get("http://b/v0/big")
		if err != nil {
			return err
		}
		defer r.Body.Close()
		if b, err := io.ReadAll(r.Body); err != nil || string(b) != big {
			t.Errorf("%d bytes, %v", len(b), err)
		}
		return nil
	})
	if err := f.SendParcel(t.Context(), "m", strings.NewReader(big)); err != nil {
		t.Error(err)
	}
}
