//go:build e2e_fleet

package worker

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/ncatd/ncatd/internal/fleet/bus"
	"github.com/ncatd/ncatd/internal/fleet/natstest"
)

func connect(t *testing.T, url, name string) *bus.Bus {
	t.Helper()
	b, err := bus.Connect(bus.Options{URL: url, Name: name, Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})).With("worker", name)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !f(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// member is a worker of a test.
type member struct {
	w      *Worker
	bus    *bus.Bus
	cancel context.CancelFunc
	lost   chan struct{}
	done   chan struct{}
}

func join(t *testing.T, url, name string, deliver func(*Event)) *member {
	t.Helper()
	m := &member{bus: connect(t, url, name), lost: make(chan struct{}, 10), done: make(chan struct{})}
	w, err := New(Options{Bus: m.bus, Group: "shop", Name: name, Retries: 2, Deliver: deliver, Lost: func() { m.lost <- struct{}{} }, Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})).With("worker", name)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	m.w, m.cancel = w, cancel
	go func() {
		defer close(m.done)
		w.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-m.done })
	return m
}

// publish stores event number n of a chat.
func publish(t *testing.T, b *bus.Bus, chat string, text string) {
	t.Helper()
	s := bus.EventSubject(bus.Partition(bus.ChatKey(1, chat), 32), 1, "message", chat)
	eventually(t, "not published", func() bool {
		_, err := b.JS.PublishMsg(t.Context(), &nats.Msg{Subject: s, Data: []byte(text), Header: nats.Header{bus.HeaderID: {chat + text}}})
		return err == nil
	})
}

func prepared(t *testing.T, n int) (*natstest.Servers, *bus.Bus) {
	t.Helper()
	s := natstest.Start(t, n)
	b := connect(t, s.URL(), "test")
	eventually(t, "bus not prepared", func() bool {
		return b.Ensure(t.Context(), bus.Settings{Replicas: n}) == nil
	})
	return s, b
}

// seen is what all workers of a test were given.
type seen struct {
	t    *testing.T
	mu   sync.Mutex
	next map[string]int
	by   map[string]int // events of each worker
	n    int
}

// handle notes an event, which holds CHAT and NUMBER.
func (s *seen) handle(worker string, e *Event, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var chat string
	var n int
	if _, err := fmt.Sscanf(string(e.Raw), "%s %d", &chat, &n); err != nil {
		s.t.Error(err)
	}
	if n != s.next[chat] && !(again && n == s.next[chat]-1) {
		s.t.Errorf("%s: %s was given %d when %d was due", worker, chat, n, s.next[chat])
	}
	s.next[chat] = n + 1
	s.by[worker]++
	s.n++
}

// had reports whether an event was handled before.
func (s *seen) had(e *Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var chat string
	var n int
	if _, err := fmt.Sscanf(string(e.Raw), "%s %d", &chat, &n); err != nil {
		s.t.Error(err)
	}
	return n < s.next[chat]
}

// of returns how many events a worker was given.
func (s *seen) of(worker string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.by[worker]
}

func (s *seen) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

func TestGroupSharesChats(t *testing.T) {
	srv, b := prepared(t, 1)
	s := &seen{t: t, next: map[string]int{}, by: map[string]int{}}
	give := func(name string) func(*Event) {
		return func(e *Event) {
			s.handle(name, e, false)
			e.Done()
		}
	}
	w1, w2 := join(t, srv.URL(), "w1", give("w1")), join(t, srv.URL(), "w2", give("w2"))
	eventually(t, "partitions not taken", func() bool { return w1.w.has()+w2.w.has() == 32 })
	const chats = 40
	round := func(from, to int) {
		for i := from; i < to; i++ {
			for c := range chats {
				chat := fmt.Sprintf("g%d", c)
				publish(t, b, chat, fmt.Sprintf("%s %d", chat, i))
			}
		}
	}
	round(0, 10)
	eventually(t, "events of the first round missing", func() bool { return s.count() == 10*chats })
	w3 := join(t, srv.URL(), "w3", give("w3"))
	round(10, 30) // while partitions move
	eventually(t, "the third has nothing", func() bool { return w3.w.has() > 0 && w1.w.has()+w2.w.has()+w3.w.has() == 32 })
	round(30, 35)
	w1.cancel()
	<-w1.done
	round(35, 45)
	eventually(t, "events missing", func() bool { return s.count() == 45*chats })
	for _, w := range []string{"w1", "w2", "w3"} {
		if s.by[w] < chats {
			t.Errorf("%s had %d events", w, s.by[w])
		}
	}
}

func (w *Worker) has() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.parts)
}

// A worker that is cut off loses its chats; what it had begun is given once more,
// before anything newer.
func TestCutOffWorker(t *testing.T) {
	srv, b := prepared(t, 1)
	s := &seen{t: t, next: map[string]int{}, by: map[string]int{}}
	stuck := map[string]bool{}
	w1 := join(t, srv.URL(), "w1", func(e *Event) {
		s.handle("w1", e, false)
		if strings.HasSuffix(string(e.Raw), " 3") {
			s.mu.Lock()
			stuck[string(e.Raw)] = true
			s.mu.Unlock()
			return // for ever
		}
		e.Done()
	})
	eventually(t, "partitions not taken", func() bool { return w1.w.has() == 32 })
	const chats = 20
	for i := range 4 {
		for c := range chats {
			publish(t, b, fmt.Sprintf("g%d", c), fmt.Sprintf("g%d %d", c, i))
		}
	}
	eventually(t, "not all are stuck", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(stuck) == chats })
	w1.bus.Close()
	cutAt := time.Now()
	again := 0
	join(t, srv.URL(), "w2", func(e *Event) {
		s.handle("w2", e, e.Redelivered)
		if e.Redelivered {
			s.mu.Lock()
			again++
			s.mu.Unlock()
		}
		e.Done()
	})
	for i := 4; i < 8; i++ {
		for c := range chats {
			publish(t, b, fmt.Sprintf("g%d", c), fmt.Sprintf("g%d %d", c, i))
		}
	}
	eventually(t, "events missing", func() bool { return s.count() == 9*chats })
	if again != chats {
		t.Errorf("%d of %d were marked", again, chats)
	}
	t.Logf("all handled %v after the cut, a lease is %v", time.Since(cutAt), bus.WorkerLease)
	<-w1.lost // else the test times out
}

// An event that ends every worker is given up; the others are not.
func TestPoison(t *testing.T) {
	srv, b := prepared(t, 1)
	var mu sync.Mutex
	handled := map[string]int{}
	given := 0
	for n := range 4 {
		dead := make(chan struct{})
		w := join(t, srv.URL(), fmt.Sprintf("w%d", n), func(e *Event) {
			mu.Lock()
			defer mu.Unlock()
			select {
			case <-dead:
				return
			default:
			}
			if string(e.Raw) == "poison" {
				given++
				close(dead)
				return
			}
			handled[string(e.Raw)]++
			e.Done()
		})
		eventually(t, "partitions not taken", func() bool { return w.w.has() == 32 || given > n })
		if n == 0 {
			publish(t, b, "g1", "before")
			publish(t, b, "g1", "poison")
			publish(t, b, "g1", "after")
			publish(t, b, "g2", "beside")
		}
		if n < 3 {
			<-dead
			w.bus.Close()
			<-w.lost
		}
	}
	eventually(t, "what follows the poison is missing", func() bool { mu.Lock(); defer mu.Unlock(); return handled["after"] == 1 && handled["beside"] == 1 })
	mu.Lock()
	defer mu.Unlock()
	if given != 3 || handled["before"] != 1 || handled["beside"] != 1 {
		t.Errorf("poison given %d times, others %v", given, handled)
	}
	st, err := b.JS.Stream(t.Context(), bus.Dead)
	if err != nil {
		t.Fatal(err)
	}
	m, err := st.GetLastMsgForSubject(t.Context(), bus.DeadSubject("shop", 1))
	if err != nil || string(m.Data) != "poison" || !strings.Contains(m.Header.Get(bus.HeaderError), "3 times") {
		t.Fatal(m, err)
	}
}

// Servers that lose their disk number their events anew. What comes from then on is
// handled, each once, although events of the same numbers were before.
func TestBusLosesItsDisk(t *testing.T) {
	srv, b := prepared(t, 1)
	s := &seen{t: t, next: map[string]int{}, by: map[string]int{}}
	w := join(t, srv.URL(), "w1", func(e *Event) {
		s.handle("w1", e, false)
		e.Done()
	})
	eventually(t, "partitions not taken", func() bool { return w.w.has() == 32 })
	const chats = 10
	round := func(from, to int) {
		for i := from; i < to; i++ {
			for c := range chats {
				publish(t, b, fmt.Sprintf("g%d", c), fmt.Sprintf("g%d %d", c, i))
			}
		}
	}
	round(0, 5)
	eventually(t, "events missing", func() bool { return s.count() == 5*chats })
	for again := range 2 {
		from := 5 * (again + 1)
		srv.Wipe(0)
		if again == 1 {
			<-w.lost // else the test times out: the lease is over as well
		}
		srv.Start(0)
		eventually(t, "bus not prepared", func() bool { return b.Ensure(t.Context(), bus.Settings{}) == nil })
		round(from, from+5)
		eventually(t, fmt.Sprintf("events missing after the loss, lease over: %v", again == 1), func() bool { return s.count() == (from+5)*chats })
	}
	w2 := join(t, srv.URL(), "w2", func(e *Event) {
		s.handle("w2", e, false)
		e.Done()
	})
	eventually(t, "a worker that joins later is not seen", func() bool { return w2.w.has() > 0 })
}

// A worker that is older than the fleet handles nothing, says so with what helps, and
// takes part once the fleet is of its version.
func TestOlderWorker(t *testing.T) {
	srv, b := prepared(t, 1)
	st, err := b.JS.Stream(t.Context(), bus.Events)
	if err != nil {
		t.Fatal(err)
	}
	version := func(n int) {
		t.Helper()
		cfg := st.CachedInfo().Config
		cfg.Metadata["protocol"] = strconv.Itoa(n)
		if _, err := b.JS.UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	version(bus.Protocol + 1)
	if err := b.Ensure(t.Context(), bus.Settings{}); bus.TroubleOf(err) != bus.Newer {
		t.Errorf("an older host changes what a newer one made: %v", err)
	}
	var said lines
	m := &member{bus: connect(t, srv.URL(), "old"), done: make(chan struct{})}
	w, err := New(Options{Bus: m.bus, Group: "shop", Name: "old", Deliver: func(e *Event) { e.Done() }, Lost: func() {}, Logger: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(m.done)
		w.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-m.done })
	eventually(t, "nothing is said", func() bool { return said.has("newer version") && said.has("build this worker") })
	if w.has() > 0 {
		t.Error("it has chats")
	}
	version(bus.Protocol)
	eventually(t, "it does not take part", func() bool { return w.has() == 32 })
	if n := said.count("cannot take part"); n != 1 {
		t.Errorf("said %d times", n)
	}
}

// A worker whose servers answer nothing any more, on connections that live, gives up
// what it is at before its chats can be another's.
func TestServersHang(t *testing.T) {
	srv, b := prepared(t, 1)
	began := make(chan struct{}, 1)
	w := join(t, srv.URL(), "w1", func(*Event) { began <- struct{}{} })
	eventually(t, "partitions not taken", func() bool { return w.w.has() == 32 })
	publish(t, b, "g1", "g1 0")
	<-began
	resume := srv.Pause(0)
	at := time.Now()
	<-w.lost // else the test times out
	took := time.Since(at)
	resume()
	if took > bus.WorkerLease {
		t.Errorf("it gave up %s after its last sign of life; others have its chats after %s", took, bus.WorkerLease)
	}
	t.Logf("given up after %s", took)
}

// Of two workers with one name one takes part; the other one says what is wrong, and has
// the chats once the first has ended.
func TestTwoWorkersOfOneName(t *testing.T) {
	srv, b := prepared(t, 1)
	s := &seen{t: t, next: map[string]int{}, by: map[string]int{}}
	give := func(name string) func(*Event) {
		return func(e *Event) {
			s.handle(name, e, false)
			e.Done()
		}
	}
	first := join(t, srv.URL(), "w", give("first"))
	eventually(t, "partitions not taken", func() bool { return first.w.has() == 32 })
	var said lines
	w, err := New(Options{Bus: connect(t, srv.URL(), "w"), Group: "shop", Name: "w", Deliver: give("second"), Lost: func() {}, Logger: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	eventually(t, "nothing is said", func() bool { return said.has("has this one's name") && said.has("Name of its own") })
	for i := range 20 {
		publish(t, b, "g1", fmt.Sprintf("g1 %d", i))
	}
	eventually(t, "events missing", func() bool { return s.count() == 20 })
	if w.has() > 0 || s.of("second") > 0 {
		t.Error("both take part")
	}
	first.cancel()
	<-first.done
	eventually(t, "the second does not take over", func() bool { return w.has() == 32 })
	publish(t, b, "g1", "g1 20")
	eventually(t, "events missing", func() bool { return s.of("second") == 1 })
}

// lines is a log that can be read while it is written.
type lines struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.all.String(), s)
}

func (l *lines) has(s string) bool { return l.count(s) > 0 }

// Servers die, the leader too: each event is handled once and in order all the same.
func TestServersDie(t *testing.T) {
	if testing.Short() {
		t.Skip("a cluster of three")
	}
	srv, b := prepared(t, 3)
	s := &seen{t: t, next: map[string]int{}, by: map[string]int{}}
	var ws []*member
	for n := range 2 {
		name := fmt.Sprintf("w%d", n)
		ws = append(ws, join(t, srv.URL(), name, func(e *Event) {
			// Given again: the servers forgot that it was done, or an earlier owner
			// that lost its lease had it and may not have begun.
			if e.Redelivered && s.had(e) {
				t.Logf("given again: %s", e.Raw)
			} else {
				s.handle(name, e, false)
			}
			e.Done()
		}))
	}
	eventually(t, "partitions not taken", func() bool { return ws[0].w.has()+ws[1].w.has() == 32 })
	const chats, rounds = 10, 60
	for i := range rounds {
		if i == 15 || i == 35 {
			srv.Kill(leader(t, b, srv))
		}
		if i == 25 || i == 45 {
			for n := range 3 {
				if !srv.Alive(n) {
					srv.Start(n)
				}
			}
			srv.Wait()
		}
		for c := range chats {
			publish(t, b, fmt.Sprintf("g%d", c), fmt.Sprintf("g%d %d", c, i))
		}
	}
	eventually(t, "events missing", func() bool { return s.count() == chats*rounds })
}

// leader returns the server that leads the stream of events.
func leader(t *testing.T, b *bus.Bus, srv *natstest.Servers) int {
	t.Helper()
	name := ""
	eventually(t, "the stream has no leader", func() bool { // one may just be elected
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		st, err := b.JS.Stream(ctx, bus.Events)
		if err != nil || st.CachedInfo().Cluster == nil {
			return false
		}
		name = st.CachedInfo().Cluster.Leader
		return name != ""
	})
	return srv.Index(name)
}
