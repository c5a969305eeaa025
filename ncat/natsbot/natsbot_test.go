//go:build e2e_fleet

package natsbot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/fleet"
	"github.com/ncatd/ncatd/internal/fleet/bus"
	"github.com/ncatd/ncatd/internal/fleet/natstest"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

const self = 3889001001

func logger(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !f(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// group is an account's host that counts what is sent into which chat.
type group struct {
	mu   sync.Mutex
	sent map[string]int
}

func (g *group) Call(_ context.Context, action string, params, result any) error {
	b, err := json.Marshal(params)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sent[string(b)]++
	if result == nil {
		return nil
	}
	return json.Unmarshal([]byte(`{"message_id":1}`), result)
}

func (g *group) count() (n, most int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for text, k := range g.sent {
		if !strings.Contains(text, ":999") {
			n += k
		}
		most = max(most, k)
	}
	return n, most
}

func host(t *testing.T, url string, link onebot.Caller) *fleet.Fleet {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f, err := fleet.Open(ctx, fleet.Options{
		Bus: bus.Options{URL: url, Name: "host", Logger: logger(t)}, Host: "host", Home: "home", Boot: "boot",
		Spool: filepath.Join(t.TempDir(), "spool.db"), Known: filepath.Join(t.TempDir(), "fleet.json"), Status: func() api.Status { return api.Status{} }, API: http.NotFoundHandler(),
		Link: func(onebot.UserID) onebot.Caller { return link }, Logger: logger(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the account is not taken", func() bool { return f.Take(ctx, self, "main", func(err error) { t.Error(err) }) == nil })
	return f
}

// run has a bot join until the test ends, or the function it returns is called.
func run(t *testing.T, url, name string, b *ncat.Bot) (leave func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Join(ctx, b, Options{URL: url, Group: "shop", Name: name, Logger: logger(t)}) }()
	leave = sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Cleanup(leave)
	return leave
}

func say(f *fleet.Fleet, group, n int) {
	raw := fmt.Sprintf(`{"time":1,"self_id":%d,"post_type":"message","message_type":"group","sub_type":"normal","message_id":%d,"user_id":10001,"group_id":%d,"message":[{"type":"text","data":{"text":"/count %d"}}],"raw_message":"","sender":{"user_id":10001}}`, self, group*1000+n, group, n)
	f.Publish(fleet.Event{Account: "main", Kind: "message", Self: self, Chat: bus.Chat(onebot.GroupID(group), 0), ID: fmt.Sprint(group*1000 + n), Raw: []byte(raw)})
}

func TestWorkersAnswerForAHost(t *testing.T) {
	s := natstest.Start(t, 1)
	g := &group{sent: map[string]int{}}
	f := host(t, s.URL(), g)
	var mu sync.Mutex
	joined := map[string]int{}
	bot := func(name string) *ncat.Bot {
		b := ncat.New(ncat.WithLogger(logger(t)))
		ncat.Command(b, "count", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, in struct {
			N int `arg:"n"`
		}) error {
			mu.Lock()
			joined[name]++
			mu.Unlock()
			total, err := ncat.Update(ctx, b.Store(), "total", func(n int, _ bool) (int, error) { return n + 1, nil })
			if err != nil {
				return err
			}
			return b.Reply(ctx, m, fmt.Sprintf("%d of %d", in.N, total))
		})
		return b
	}
	leave := run(t, s.URL(), "a", bot("a"))
	run(t, s.URL(), "b", bot("b"))
	// What is said before the group's first worker joined is not for it.
	probe := 0
	eventually(t, "nobody answers", func() bool {
		probe++
		say(f, 999, probe)
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.sent) > 0
	})
	const chats, rounds = 12, 10
	for i := range rounds {
		if i == rounds/2 {
			eventually(t, "not shared", func() bool { // the first worker may have had all so far
				probe++
				say(f, 9990+probe%10, probe)
				mu.Lock()
				defer mu.Unlock()
				return joined["a"] > 0 && joined["b"] > 0
			})
			leave()
		}
		for c := range chats {
			say(f, 1+c, i)
		}
	}
	eventually(t, "answers missing", func() bool { n, _ := g.count(); return n >= chats*rounds })
	if n, most := g.count(); n != chats*rounds || most != 1 {
		t.Errorf("%d answers, at most %d the same: not each number once", n, most)
	}
}

func TestScheduleRunsOnceInTheGroup(t *testing.T) {
	s := natstest.Start(t, 1)
	f := host(t, s.URL(), &group{sent: map[string]int{}})
	var mu sync.Mutex
	runs, began := 0, time.Now()
	for _, name := range []string{"a", "b", "c"} {
		b := ncat.New(ncat.WithLogger(logger(t)))
		ncat.On(b, func(context.Context, *ncat.Bot, *onebot.GroupMessage) error { return nil })
		if _, err := b.Schedule("tick", "every 1s", func(context.Context, *ncat.Bot) error {
			mu.Lock()
			defer mu.Unlock()
			runs++
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		run(t, s.URL(), name, b)
	}
	n := 0
	eventually(t, "too few runs", func() bool {
		n++
		say(f, n%50, n) // sessions begin with an account's first event
		mu.Lock()
		defer mu.Unlock()
		return runs >= 4
	})
	mu.Lock()
	defer mu.Unlock()
	if most := int(time.Since(began)/time.Second) + 1; runs > most {
		t.Errorf("%d runs, %d were due", runs, most)
	}
}

func TestStore(t *testing.T) {
	for _, servers := range []int{1, 3} { // lost races are told differently
		t.Run(fmt.Sprintf("%d servers", servers), func(t *testing.T) { testStore(t, servers) })
	}
}

func testStore(t *testing.T, servers int) {
	srv := natstest.Start(t, servers)
	open := func() *store {
		c, err := bus.Connect(bus.Options{URL: srv.URL(), Name: "store", Logger: logger(t)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		eventually(t, "bus not prepared", func() bool { return c.Ensure(t.Context(), bus.Settings{Replicas: servers}) == nil })
		return newStore(c, "g/bot.x y*>")
	}
	a, b := open(), open()
	ctx := t.Context()
	var wg sync.WaitGroup
	for _, s := range []*store{a, b} {
		for range 3 {
			wg.Go(func() {
				for range 10 {
					if _, err := ncat.Update(ctx, s, "n", func(n int, _ bool) (int, error) { return n + 1, nil }); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	if n, _, err := ncat.Get[int](ctx, a, "n"); err != nil || n != 60 {
		t.Fatalf("60 increments make %d, %v", n, err)
	}
	apart(t, a, b)
	skew(t, a, b)
	errStop := errors.New("stop")
	err := a.Update(ctx, func(tx ncat.Tx) error {
		if err := tx.Put("群/1 *", []byte("x"), 0); err != nil {
			return err
		}
		return errStop
	})
	if _, ok, gerr := ncat.Get[string](ctx, b, "群/1 *"); !errors.Is(err, errStop) || ok || gerr != nil {
		t.Fatal("an update that failed left a trace", err, gerr)
	}
	for _, k := range []string{"u/2", "u/1", "v/1", "version"} {
		if err := ncat.Put(ctx, a, k, k); err != nil {
			t.Fatal(err)
		}
	}
	if err := ncat.Delete(ctx, b, "u/2", "none"); err != nil {
		t.Fatal(err)
	}
	got, err := ncat.Scan[string](ctx, a, "u/")
	if err != nil || len(got) != 1 || got[0].Key != "u/1" || got[0].Value != "u/1" {
		t.Fatal(got, err)
	}
	if err := ncat.PutFor(ctx, a, "soon", 1, time.Second); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := ncat.Get[int](ctx, b, "soon"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	eventually(t, "what should expire does not", func() bool { _, ok, err := ncat.Get[int](ctx, b, "soon"); return !ok && err == nil })
	err = a.Update(ctx, func(tx ncat.Tx) error { return tx.Put("big", make([]byte, maxValue+1), 0) })
	if !errors.Is(err, errTooLarge) {
		t.Fatal(err)
	}
	if err := a.View(ctx, func(tx ncat.Tx) error { return tx.Put("x", nil, 0) }); err == nil {
		t.Fatal("a View writes")
	}
}

// Updates of keys that nobody else writes go on while the servers elect another leader,
// each takes effect once, and none fails.
func TestStoreOutlivesALeader(t *testing.T) {
	srv := natstest.Start(t, 3)
	c, err := bus.Connect(bus.Options{URL: srv.URL(), Name: "store", Logger: logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	eventually(t, "bus not prepared", func() bool { return c.Ensure(t.Context(), bus.Settings{Replicas: 3}) == nil })
	s := newStore(c, "g/bot")
	over := make(chan struct{})
	var wg sync.WaitGroup
	var did [4]int
	for n := range did {
		wg.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				if _, err := ncat.Update(t.Context(), s, fmt.Sprint("n", n), func(n int, _ bool) (int, error) { return n + 1, nil }); err != nil {
					t.Error(err)
					return
				}
				did[n]++
			}
		})
	}
	for range 3 {
		name := ""
		eventually(t, "no leader", func() bool {
			st, err := c.JS.Stream(t.Context(), bus.Spaces)
			if err == nil && st.CachedInfo().Cluster != nil {
				name = st.CachedInfo().Cluster.Leader
			}
			return name != ""
		})
		i := srv.Index(name)
		srv.Kill(i)
		<-time.After(2 * time.Second)
		srv.Start(i)
		srv.Wait()
	}
	close(over)
	wg.Wait()
	for n := range did {
		if got, _, err := ncat.Get[int](t.Context(), s, fmt.Sprint("n", n)); err != nil || got != did[n] {
			t.Errorf("%d updates make %d, %v", did[n], got, err)
		}
	}
	t.Logf("updates: %v", did)
}

// apart holds that updates of different keys do not get into each other's way.
func apart(t *testing.T, stores ...*store) {
	t.Helper()
	var wg sync.WaitGroup
	for n := range 30 {
		wg.Go(func() {
			for range 20 {
				if _, err := ncat.Update(t.Context(), stores[n%len(stores)], fmt.Sprintf("apart/%d", n), func(n int, _ bool) (int, error) { return n + 1, nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got, err := ncat.Scan[int](t.Context(), stores[0], "apart/")
	if err != nil || len(got) != 30 {
		t.Fatal(got, err)
	}
	for _, e := range got {
		if e.Value != 20 {
			t.Errorf("%s is %d", e.Key, e.Value)
		}
	}
}

// skew holds that of two updates which each look at what the other writes one sees the
// other's.
func skew(t *testing.T, stores ...*store) {
	t.Helper()
	keys := [2]string{"skew/0", "skew/1"}
	for range 20 {
		if err := ncat.Delete(t.Context(), stores[0], keys[:]...); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for side, s := range stores {
			wg.Go(func() {
				err := s.Update(t.Context(), func(tx ncat.Tx) error {
					for _, k := range keys {
						if _, taken, err := tx.Get(k); taken || err != nil {
							return err
						}
					}
					return tx.Put(keys[side], []byte("1"), 0)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got, err := stores[0].taken(t, keys[:]); err != nil || got != 1 {
			t.Fatalf("%d of both were taken, %v", got, err)
		}
	}
}

func (s *store) taken(t *testing.T, keys []string) (n int, err error) {
	err = s.View(t.Context(), func(tx ncat.Tx) error {
		n = 0
		for _, k := range keys {
			_, ok, err := tx.Get(k)
			if err != nil {
				return err
			}
			if ok {
				n++
			}
		}
		return nil
	})
	return n, err
}

type quiet struct{ id string }

func (q quiet) ID() string                              { return q.id }
func (q quiet) Version() string                         { return "1" }
func (q quiet) Setup(context.Context, *ncat.Host) error { return nil }

// What is granted and switched at one worker holds at the others within seconds.
func TestPermissionsAndSwitchesHoldAtAllWorkers(t *testing.T) {
	s := natstest.Start(t, 1)
	f := host(t, s.URL(), &group{sent: map[string]int{}})
	var bots []*ncat.Bot
	for _, name := range []string{"a", "b"} {
		b := ncat.New(ncat.WithLogger(logger(t)))
		ncat.On(b, func(context.Context, *ncat.Bot, *onebot.GroupMessage) error { return nil })
		b.AddPlugin(quiet{"game"})
		run(t, s.URL(), name, b)
		bots = append(bots, b)
	}
	n := 0
	state := func(b *ncat.Bot) string { return string(b.Plugins()[0].State) }
	eventually(t, "the bots do not run", func() bool {
		n++
		say(f, n%50, n) // sessions begin with an account's first event
		return state(bots[0]) == "running" && state(bots[1]) == "running"
	})
	if err := bots[0].Permissions().Grant(t.Context(), "editor", ncat.Scope{User: 1}); err != nil {
		t.Fatal(err)
	}
	if err := bots[1].SetPlugin(t.Context(), "game", false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other worker was not told of the grant", func() bool { return len(bots[1].Permissions().Rules()) == 1 })
	eventually(t, "the other worker was not told of the switch", func() bool { return state(bots[0]) == "disabled" })
	if err := bots[1].Permissions().Revoke(t.Context(), "editor", ncat.Scope{User: 1}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other worker was not told of the end of the grant", func() bool { return len(bots[0].Permissions().Rules()) == 0 })
}
