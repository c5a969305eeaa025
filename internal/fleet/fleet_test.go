//go:build e2e_fleet

package fleet

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/fleet/bus"
	"github.com/ncatd/ncatd/internal/fleet/natstest"
	"github.com/ncatd/ncatd/onebot"
)

// host runs a host of a fleet until the test ends.
func host(t *testing.T, url, name string, change func(*Options)) *Fleet {
	t.Helper()
	f, _ := running(t, url, name, change)
	return f
}

// running is host, for one that ends sooner.
func running(t *testing.T, url, name string, change func(*Options)) (f *Fleet, stop func()) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	o := Options{
		Bus:  bus.Options{URL: url, Name: name, Logger: log},
		Host: name, Home: name + "-home", Boot: "boot", Spool: filepath.Join(t.TempDir(), "spool.db"), Known: filepath.Join(t.TempDir(), "fleet.json"),
		Status: func() api.Status { return api.Status{Version: "1", Home: name} },
		API:    http.NotFoundHandler(),
		Link:   func(onebot.UserID) onebot.Caller { return nil },
		Logger: log,
	}
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithCancel(t.Context())
	f, err := Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	eventually(t, func() error { _, err := f.bus.JS.ObjectStore(ctx, bus.Files); return err })
	return f, stop
}

// isUnknown reports whether an error says that the fleet has no such host.
func isUnknown(err error, host string) bool {
	var silent *SilentError
	return errors.As(err, &silent) && silent.Host == host && !silent.Known && len(silent.Others) > 0
}

// eventually waits until f returns nil.
func eventually(t *testing.T, f func() error) {
	t.Helper()
	end := time.Now().Add(30 * time.Second)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func TestLease(t *testing.T) {
	n := natstest.Start(t, 1)
	a, b := host(t, n.URL(), "a", nil), host(t, n.URL(), "b", nil)
	ctx := t.Context()
	if err := a.Take(ctx, 1, "main", func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	var held *HeldError
	if err := b.Take(ctx, 1, "main", nil); !errors.As(err, &held) || held.Owner.Host != "a" {
		t.Fatalf("b took a's account: %v", err)
	}
	if err := b.Seize(ctx, 1, "main"); !errors.As(err, &held) {
		t.Fatalf("b seized the account of a host that is alive: %v", err)
	}
	if err := a.Take(ctx, 1, "main", func(err error) { t.Error(err) }); err != nil {
		t.Fatalf("a does not take its own account again: %v", err)
	}
	a.Rest(1) // as when ncatd ends and NapCat stays
	if err := b.Take(ctx, 1, "main", nil); !errors.As(err, &held) {
		t.Fatalf("b took an account whose NapCat may live: %v", err)
	}
	if err := a.Give(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if err := b.Take(ctx, 1, "main", func(err error) { t.Error(err) }); err != nil {
		t.Fatalf("a gave it and b cannot take it: %v", err)
	}
	if o, err := a.Owner(ctx, 1); err != nil || o.Host != "b" || o.Generation != 2 {
		t.Fatal(o, err)
	}
	if err := a.Take(ctx, 1, "main", nil); !errors.As(err, &held) || held.Owner.Host != "b" {
		t.Fatalf("a took it back: %v", err)
	}
}

func TestLeaseOfATwin(t *testing.T) {
	n := natstest.Start(t, 1)
	a, b := host(t, n.URL(), "a", nil), host(t, n.URL(), "a", func(o *Options) { o.Home = "elsewhere" })
	if err := a.Take(t.Context(), 1, "main", func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	var held *HeldError
	if err := b.Take(t.Context(), 1, "main", nil); !errors.As(err, &held) {
		t.Fatalf("another host of the same name took the account: %v", err)
	}
}

// A host that gets another name keeps the accounts that it has stopped in order; a copy
// of it on another machine, and one beside a host that lives, get none.
func TestLeaseOfARenamedHost(t *testing.T) {
	n := natstest.Start(t, 1)
	home := func(boot string) func(*Options) {
		return func(o *Options) { o.Home, o.Boot = "a-home", boot }
	}
	a, stop := running(t, n.URL(), "a", home("boot"))
	for uin := range onebot.UserID(2) {
		if err := a.Take(t.Context(), uin+1, "main", func(err error) { t.Error(err) }); err != nil {
			t.Fatal(err)
		}
	}
	var held *HeldError
	beside := host(t, n.URL(), "beside", home("boot"))
	if err := beside.Take(t.Context(), 1, "main", nil); !errors.As(err, &held) || held.Owner.Host != "a" {
		t.Fatalf("an account that runs was taken: %v", err)
	}
	a.leases.rest(1)
	a.leases.drop(2) // as if it had been killed
	stop()
	b := host(t, n.URL(), "b", home("boot"))
	if err := b.Take(t.Context(), 1, "main", func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	if o, err := b.Owner(t.Context(), 1); err != nil || o.Host != "b" || o.Generation != 2 || o.Rested {
		t.Fatal(o, err)
	}
	if err := b.Take(t.Context(), 2, "main", nil); !errors.As(err, &held) {
		t.Fatalf("an account was taken that may still run: %v", err)
	}
	if l := (&leases{me: Owner{Host: "c", Home: "a-home", Boot: "another"}}); l.renamed(Owner{Host: "b", Home: "a-home", Boot: "boot"}) {
		t.Error("a copy on another machine counts as renamed")
	}
}

// consume reads n events of the stream.
func consume(t *testing.T, f *Fleet, n int) []jetstream.Msg {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var out []jetstream.Msg
	var c jetstream.Consumer
	eventually(t, func() (err error) {
		c, err = f.bus.JS.OrderedConsumer(ctx, bus.Events, jetstream.OrderedConsumerConfig{})
		return err
	})
	for len(out) < n {
		m, err := c.Next(jetstream.FetchMaxWait(2 * time.Second))
		if err != nil {
			if ctx.Err() != nil {
				t.Fatalf("%d of %d events came: %v", len(out), n, err)
			}
			continue
		}
		out = append(out, m)
	}
	return out
}

func TestEventsSurviveTheBus(t *testing.T) {
	n := natstest.Start(t, 1)
	a := host(t, n.URL(), "a", nil)
	eventually(t, a.Trouble)
	const chats, rounds = 7, 90
	publish := func(from, to int) {
		for i := from; i < to; i++ {
			for c := range chats {
				a.Publish(Event{Account: "main", Kind: "message", Self: 3889001001, Chat: bus.Chat(onebot.GroupID(c+1), 0), ID: fmt.Sprintf("%d-%d", c, i), Raw: fmt.Appendf(nil, `{"n":%d}`, i)})
			}
		}
	}
	publish(0, 30)
	n.Kill(0)
	publish(30, 60)
	eventually(t, func() error {
		if s := a.Stats(); bus.TroubleOf(a.Trouble()) != bus.Away || s.Waiting == 0 {
			return fmt.Errorf("nothing waits on disk: %+v, %w", s, a.Trouble())
		}
		return nil
	})
	n.Start(0)
	publish(60, rounds)
	next := map[string]int{}
	for _, m := range consume(t, a, chats*rounds) {
		var e struct{ N int }
		if err := json.Unmarshal(m.Data(), &e); err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(m.Subject(), ".")
		chat := parts[len(parts)-1]
		if e.N != next[chat] {
			t.Fatalf("chat %s: event %d came when %d was due", chat, e.N, next[chat])
		}
		next[chat]++
		if want := bus.EventSubject(bus.Partition(bus.ChatKey(3889001001, chat), 32), 3889001001, "message", chat); m.Subject() != want {
			t.Fatalf("published on %s, not on %s", m.Subject(), want)
		}
	}
	publish(rounds-1, rounds) // once more, as after a restart
	for _, e := range []Event{{Kind: "notice", Chat: "g1"}, {Kind: "notice", Chat: "g1"}, {Kind: "meta_event", Chat: "-"}, {Kind: "request", Chat: "-", ID: "last"}} {
		e.Account, e.Self, e.Raw = "main", 3889001001, []byte(`{}`)
		a.Publish(e)
	}
	kinds := map[string]int{}
	for _, m := range consume(t, a, chats*rounds+3) {
		kinds[strings.Split(m.Subject(), ".")[4]]++
	}
	if kinds["message"] != chats*rounds || kinds["notice"] != 2 || kinds["request"] != 1 {
		t.Fatalf("a message was stored twice, or a notice not twice: %v", kinds)
	}
	if s := a.Stats(); s.Lost != 0 || s.Waiting != 0 {
		t.Fatalf("%+v", s)
	}
}

func TestHostsAndTunnel(t *testing.T) {
	n := natstest.Start(t, 1)
	big := strings.Repeat("x", 1<<20)
	gone := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v0/echo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/x")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.Copy(w, io.MultiReader(strings.NewReader(r.URL.Query().Get("q")), r.Body))
	})
	mux.HandleFunc("GET /v0/big", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, big) })
	mux.HandleFunc("GET /v0/watch", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "first")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(gone)
	})
	a := host(t, n.URL(), "a", nil)
	host(t, n.URL(), "b", func(o *Options) { o.API = mux })
	eventually(t, func() error {
		hosts, err := a.Hosts(t.Context())
		if err == nil && (len(hosts) != 2 || hosts[1].Status.Home != "b" || !hosts[0].Here || hosts[1].Silent) {
			err = fmt.Errorf("%+v", hosts)
		}
		return err
	})
	c := &http.Client{Transport: a.Remote("b")}
	r, err := c.Post("http://b/v0/echo?q=a%20b", "text/plain", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(r.Body); err != nil || string(body) != "a bbody" || r.StatusCode != http.StatusTeapot || r.Header.Get("Content-Type") != "text/x" {
		t.Fatal(r.Status, string(body), err)
	}
	if r, err = c.Get("http://b/v0/big"); err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(r.Body); err != nil || string(body) != big {
		t.Fatal(len(body), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", "http://b/v0/watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	if r, err = c.Do(req); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(r.Body).ReadString('\n'); err != nil || line != "first\n" {
		t.Fatal(line, err)
	}
	cancel()
	r.Body.Close()
	<-gone // else the test times out
	if _, err := (&http.Client{Transport: a.Remote("nobody")}).Get("http://nobody/v0/status"); !isUnknown(err, "nobody") {
		t.Fatalf("a host that is not there: %v", err)
	}
}

// echo answers calls by what they ask.
type echo struct{}

func (echo) Call(_ context.Context, action string, params, result any) error {
	switch action {
	case "refused":
		return &onebot.Error{Action: action, RetCode: 1200, Message: "no"}
	case "lost":
		return onebot.ErrUnknownOutcome
	}
	b, err := json.Marshal(params)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, result)
}

func TestCallsOfWorkers(t *testing.T) {
	n := natstest.Start(t, 1)
	a := host(t, n.URL(), "a", func(o *Options) {
		o.Link = func(id onebot.UserID) onebot.Caller {
			if id == 1 {
				return echo{}
			}
			return nil
		}
	})
	if err := a.Take(t.Context(), 1, "main", func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	b, err := bus.Connect(bus.Options{URL: n.URL(), Name: "w", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	eventually(t, func() error {
		kv, err := b.JS.KeyValue(t.Context(), bus.Workers)
		if err == nil {
			_, err = kv.Put(t.Context(), "shop.w1", nil)
		}
		return err
	})
	call := func(worker, action string, params any) (json.RawMessage, error) {
		c := bus.Caller{Bus: b, Self: 1, Worker: worker}
		var out json.RawMessage
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		return out, c.Call(ctx, action, params, &out)
	}
	eventually(t, func() error {
		out, err := call("shop.w1", "x", map[string]int{"a": 1})
		if err == nil && string(out) != `{"a":1}` {
			err = errors.New(string(out))
		}
		return err
	})
	large := map[string]string{"file": strings.Repeat("y", 3<<20)}
	if out, err := call("shop.w1", "x", large); err != nil || len(out) < 3<<20 {
		t.Fatal(len(out), err)
	}
	var refused *onebot.Error
	if _, err := call("shop.w1", "refused", nil); !errors.As(err, &refused) || refused.RetCode != 1200 {
		t.Fatal(err)
	}
	if _, err := call("shop.w1", "lost", nil); !errors.Is(err, onebot.ErrUnknownOutcome) {
		t.Fatal(err)
	}
	eventually(t, func() error { // its lease may have begun just before the host looked
		if _, err := call("shop.dead", "x", nil); !errors.Is(err, onebot.ErrNotSent) {
			return fmt.Errorf("a worker without a lease: %v", err)
		}
		return nil
	})
	a.Rest(1)
	if _, err := call("shop.w1", "x", nil); !errors.Is(err, onebot.ErrNotSent) {
		t.Fatalf("an account that nobody runs: %v", err)
	}
}

// What an earlier process had not published any more goes before all that came since, also
// before what was missed meanwhile and fetched; other accounts do not wait for it.
func TestEarlierGoesFirst(t *testing.T) {
	f := &Fleet{pub: newPublisher(nil, nil, nil, nil)}
	put := func(self onebot.UserID, id string, backfilled bool) {
		f.Publish(Event{Self: self, Kind: "message", ID: id, Backfilled: backfilled})
	}
	f.Hold(1)
	put(1, "missed", true)
	put(2, "other", false)
	put(1, "live", false)
	f.Release(1, []Event{{Self: 1, ID: "earlier"}})
	put(1, "later", false)
	var got []string
	for _, e := range f.pub.take(maxInbox) {
		got = append(got, e.ID)
	}
	if want := []string{"other", "earlier", "missed", "live", "later"}; !slices.Equal(got, want) {
		t.Fatalf("%v, not %v", got, want)
	}
}
