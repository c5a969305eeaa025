//go:build e2e_fleet

package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/fleet/bus"
	"github.com/ncatd/ncatd/internal/fleet/natstest"
)

// Servers that lose their disk are given anew what a fleet needs there; events that
// came meanwhile arrive, and an account stays with its host.
func TestBusLosesItsDisk(t *testing.T) {
	n := natstest.Start(t, 1)
	a, b := host(t, n.URL(), "a", nil), host(t, n.URL(), "b", nil)
	if err := a.Take(t.Context(), 1, "main", func(err error) { t.Errorf("the account must stop: %v", err) }); err != nil {
		t.Fatal(err)
	}
	var held *HeldError
	if err := b.Take(t.Context(), 1, "main", nil); !errors.As(err, &held) {
		t.Fatalf("b took a's account: %v", err)
	}
	publish := func(from, to int) {
		for i := from; i < to; i++ {
			a.Publish(Event{Account: "main", Kind: "message", Self: 1, Chat: "g1", ID: fmt.Sprint(i), Raw: fmt.Appendf(nil, `{"n":%d}`, i)})
		}
	}
	publish(0, 5)
	consume(t, a, 5)
	n.Wipe(0)
	publish(5, 10)
	n.Start(0)
	for i, m := range consume(t, a, 5) {
		if want := fmt.Sprintf(`{"n":%d}`, 5+i); string(m.Data()) != want {
			t.Fatalf("event %d is %s, not %s", i, m.Data(), want)
		}
	}
	eventually(t, a.Trouble)
	if err := b.Take(t.Context(), 1, "main", nil); !errors.As(err, &held) || held.Owner.Host != "a" {
		t.Fatalf("b took a's account, which the bus had lost: %v", err)
	}
	eventually(t, func() error {
		o, err := b.Owner(t.Context(), 1)
		if err == nil && (o.Host != "a" || o.Generation != 1) {
			err = fmt.Errorf("%+v", o)
		}
		return err
	})
	eventually(t, func() error {
		hosts, err := b.Hosts(t.Context())
		if err == nil && len(hosts) != 2 {
			err = fmt.Errorf("%+v", hosts)
		}
		return err
	})
}

// What a host knows of an account outlives it and the servers' disks.
func TestKnownOwnerOutlivesTheBus(t *testing.T) {
	n := natstest.Start(t, 1)
	a, stopA := running(t, n.URL(), "a", nil)
	if err := a.Take(t.Context(), 1, "main", func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "fleet.json")
	b, stopB := running(t, n.URL(), "b", func(o *Options) { o.Known = file })
	var held *HeldError
	if err := b.Take(t.Context(), 1, "main", nil); !errors.As(err, &held) {
		t.Fatalf("b took a's account: %v", err)
	}
	stopA() // its NapCat may live
	stopB()
	n.Wipe(0)
	n.Start(0)
	n.Wait()
	b, stopB = running(t, n.URL(), "b", func(o *Options) { o.Known = file })
	if err := b.Take(t.Context(), 1, "main", nil); !errors.As(err, &held) || held.Owner.Host != "a" {
		t.Fatalf("b took an account that may run on a: %v", err)
	}
	stopB()
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	b = host(t, n.URL(), "b", func(o *Options) { o.Known = file })
	if err := b.Take(t.Context(), 1, "main", func(err error) { t.Error(err) }); err != nil {
		t.Fatalf("a damaged file of what is known keeps the account from running: %v", err)
	}
}

// Of two hosts with one name the first keeps it: the other one knows, is not shown, and
// answers nothing. Once the first is gone it has the name.
func TestTwoHostsOfOneName(t *testing.T) {
	n := natstest.Start(t, 1)
	home := func(name string) func(*Options) {
		return func(o *Options) {
			o.Home = name
			o.Status = func() api.Status { return api.Status{Home: name} }
			o.API = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) })
		}
	}
	shown := func(f *Fleet, want string) func() error {
		return func() error {
			hosts, err := f.Hosts(t.Context())
			if err == nil && (len(hosts) != 1 || hosts[0].Status.Home != want) {
				err = fmt.Errorf("%s is not shown: %+v", want, hosts)
			}
			return err
		}
	}
	first, stop := running(t, n.URL(), "a", home("first"))
	eventually(t, shown(first, "first"))
	second := host(t, n.URL(), "a", home("second"))
	eventually(t, func() error {
		if !second.Twin() || first.Twin() {
			return errors.New("the second does not know that its name is another's")
		}
		return nil
	})
	for range 20 {
		r, err := (&http.Client{Transport: second.Remote("a")}).Get("http://a/v0/status")
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(r.Body); err != nil || string(body) != "first" {
			t.Fatalf("%q answers, %v", body, err)
		}
	}
	if err := shown(second, "first")(); err != nil {
		t.Fatal(err)
	}
	stop()
	second.Changed()
	eventually(t, shown(second, "second"))
	if second.Twin() {
		t.Error("the name is still another's")
	}
}

// A copy of a home on another machine does not run its account beside it, also where
// both have the same name.
func TestCopyOfAHome(t *testing.T) {
	n := natstest.Start(t, 1)
	copied := func(boot string) func(*Options) {
		return func(o *Options) { o.Home, o.Boot = "same", boot }
	}
	a, b := host(t, n.URL(), "a", copied("one")), host(t, n.URL(), "a", copied("two"))
	if err := a.Take(t.Context(), 1, "main", func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	var held *HeldError
	if err := b.Take(t.Context(), 1, "main", nil); !errors.As(err, &held) || !b.Mine(held.Owner) {
		t.Fatalf("the copy took the account: %v", err)
	}
	a.Rest(1) // it is stopped, as before its machine is started anew
	if err := b.Take(t.Context(), 1, "main", func(err error) { t.Error(err) }); err != nil {
		t.Fatalf("an account that is stopped is not taken after a restart of the machine: %v", err)
	}
}

// A host that ends in order is not silent; one that ends otherwise is told by one of
// the others.
func TestHostEndsInOrder(t *testing.T) {
	n := natstest.Start(t, 1)
	a, stop := running(t, n.URL(), "a", nil)
	b := host(t, n.URL(), "b", nil)
	hosts := func(want int) func() error {
		return func() error {
			all, err := b.Hosts(t.Context())
			if err == nil && len(all) != want {
				err = fmt.Errorf("%d hosts: %+v", len(all), all)
			}
			return err
		}
	}
	eventually(t, hosts(2))
	if silent, err := a.SilentHosts(t.Context()); err != nil || len(silent) > 0 {
		t.Fatal(silent, err)
	}
	stop()
	eventually(t, hosts(1))
	if silent, err := b.SilentHosts(t.Context()); err != nil || len(silent) > 0 {
		t.Fatal(silent, err)
	}
	kv, err := b.bus.JS.KeyValue(t.Context(), bus.Hosts)
	if err != nil {
		t.Fatal(err)
	}
	if err := kv.Delete(t.Context(), "b"); err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
		t.Fatal(err)
	}
	b.Changed()
	eventually(t, hosts(1)) // it is told again
}

// Who has an account is asked again if the answer does not come, however long whoever
// asks would wait: a server that dies with the question never answers it.
func TestOwnerIsNotWaitedFor(t *testing.T) {
	n := natstest.Start(t, 1)
	a := host(t, n.URL(), "a", nil)
	if err := a.Take(t.Context(), 1, "main", func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	resume := n.Pause(0)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for answered := true; answered; { // the stop takes its time
		began := time.Now()
		_, err := a.Owner(ctx, 1)
		answered = err == nil
		if took := time.Since(began); took > 2*leaseRenew {
			t.Errorf("it took %s: %v", took, err)
		}
	}
	resume()
	eventually(t, func() error { _, err := a.Owner(ctx, 1); return err })
}
