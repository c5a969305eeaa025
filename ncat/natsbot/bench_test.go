//go:build e2e_fleet && linux

package natsbot

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/internal/fleet"
	"github.com/ncatd/ncatd/internal/fleet/bus"
	"github.com/ncatd/ncatd/internal/fleet/natstest"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// The bounds that make bench-fleet judges by.
const (
	latencyMost = time.Millisecond // of a remote worker above a local bot, p50
	rateLeast   = 5000             // events a second through one host, three copies on disk
	floorMost   = 1.5              // CPU of an event beside bare nats.go
	benchChats  = 64
	benchRounds = 5
	benchEvents = 20000 // of a round
	benchPings  = 200   // of a round
)

// answered is a host's link that tells when a call came.
type answered chan time.Time

func (a answered) Call(_ context.Context, _ string, _, result any) error {
	a <- time.Now()
	if result == nil {
		return nil
	}
	return json.Unmarshal([]byte(`{"message_id":1}`), result)
}

// verdict prints a figure with what it must be.
func verdict(t *testing.T, ok bool, format string, args ...any) {
	t.Helper()
	word := "PASS"
	if !ok {
		word = "FAIL"
		t.Fail()
	}
	fmt.Printf("%s  %s\n", word, fmt.Sprintf(format, args...))
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it has no other argument to refuse
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median[T int64 | float64 | time.Duration](of []T) T {
	slices.Sort(of)
	return of[len(of)/2]
}

func benchEvent(n int) (chat int, raw []byte) {
	chat = n%benchChats + 1
	return chat, fmt.Appendf(nil, `{"time":1,"self_id":%d,"post_type":"message","message_type":"group","sub_type":"normal","message_id":%d,"user_id":10001,"group_id":%d,"message":[{"type":"text","data":{"text":"%s"}}],"raw_message":"","sender":{"user_id":10001,"nickname":"somebody","card":""}}`, self, n, chat, strings.Repeat("x", 40))
}

// TestBenchFleet measures a fleet beside a local bot and beside nats.go alone, the
// sides by turns. It is run by make bench-fleet, on a machine that does nothing else.
func TestBenchFleet(t *testing.T) {
	if os.Getenv("NCATD_BENCH") == "" {
		t.Skip("a benchmark: make bench-fleet")
	}
	srv := natstest.Start(t, 3)
	quiet := slog.New(slog.DiscardHandler)
	setup, err := bus.Connect(bus.Options{URL: srv.URL(), Name: "bench", Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(setup.Close)
	eventually(t, "bus not prepared", func() bool { return setup.Ensure(t.Context(), bus.Settings{Replicas: 3}) == nil })
	replies := make(answered, 1)
	f := host(t, srv.URL(), replies)
	var handled atomic.Int64
	b := ncat.New(ncat.WithLogger(quiet))
	b.OnCommand("ping", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error { return b.Reply(ctx, m, "pong") })
	ncat.On(b, func(context.Context, *ncat.Bot, *onebot.GroupMessage) error { handled.Add(1); return nil })
	run(t, srv.URL(), "w", b)
	latencies(t, f, replies)
	throughput(t, f, setup, &handled)
}

// latencies compares the way from a frame to a reply by a worker with that by a bot in
// the host's process.
func latencies(t *testing.T, f *fleet.Fleet, replies answered) {
	t.Helper()
	local := ncat.New(ncat.WithLogger(slog.New(slog.DiscardHandler)))
	local.OnCommand("ping", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error { return b.Reply(ctx, m, "pong") })
	s := botlink.Of(local).NewSession("main", replies, botlink.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Run(ctx) // the cause of ctx
	}()
	defer func() { cancel(); <-ended }()
	n := 1 << 20
	ping := func(remote bool) (time.Duration, bool) {
		n++
		raw := fmt.Appendf(nil, `{"time":1,"self_id":%d,"post_type":"message","message_type":"group","sub_type":"normal","message_id":%d,"user_id":10001,"group_id":7,"message":[{"type":"text","data":{"text":"/ping"}}],"raw_message":"/ping","sender":{"user_id":10001}}`, self, n)
		began := time.Now()
		if remote {
			f.Publish(fleet.Event{Account: "main", Kind: "message", Self: self, Chat: bus.Chat(7, 0), ID: fmt.Sprint(n), Raw: raw})
		} else {
			e, err := onebot.Decode(raw)
			if err != nil {
				t.Fatal(err)
			}
			s.Deliver(e)
		}
		select {
		case at := <-replies:
			return at.Sub(began), true
		case <-time.After(2 * time.Second):
			return 0, false
		}
	}
	eventually(t, "no worker answers", func() bool { _, ok := ping(true); return ok })
	var took [2][]time.Duration
	for range benchRounds {
		for side := range took {
			for range benchPings {
				d, ok := ping(side == 1)
				if !ok {
					t.Fatal("a ping was not answered")
				}
				took[side] = append(took[side], d)
			}
		}
	}
	near, far := median(took[0]), median(took[1])
	verdict(t, far-near <= latencyMost, "reply p50: local bot %s, remote worker %s (p99 %s), at most %s more", near, far, took[1][len(took[1])*99/100], latencyMost)
}

// throughput compares events through a host and a worker with the same bytes through
// nats.go alone, on a stream of the same kind.
func throughput(t *testing.T, f *fleet.Fleet, b *bus.Bus, handled *atomic.Int64) {
	t.Helper()
	var rates, ours, floors []float64
	next := 1 << 22
	for round := range benchRounds {
		floors = append(floors, bare(t, b, fmt.Sprint("bare", round)))
		before, began, had := cpu(), time.Now(), handled.Load()
		for range benchEvents {
			chat, raw := benchEvent(next)
			next++
			f.Publish(fleet.Event{Account: "main", Kind: "message", Self: self, Chat: bus.Chat(onebot.GroupID(chat), 0), ID: fmt.Sprint(next), Raw: raw})
		}
		eventually(t, "events missing", func() bool { return handled.Load()-had >= benchEvents })
		rates = append(rates, benchEvents/time.Since(began).Seconds())
		ours = append(ours, float64(cpu()-before)/benchEvents)
	}
	verdict(t, median(rates) >= rateLeast, "events through one host, three copies on disk: %.0f a second, at least %d", median(rates), rateLeast)
	ratio := median(ours) / median(floors)
	verdict(t, ratio <= floorMost, "CPU of an event (host and worker): %.1f µs, nats.go alone %.1f µs: %.2f times, at most %.1f", median(ours)/1e3, median(floors)/1e3, ratio, floorMost)
}

// bare publishes and consumes as many events with nats.go alone, with the subjects and
// headers that a host gives them, and returns the CPU of each, in nanoseconds. name is a
// stream's that never was: a server may remove the consumer of an earlier one late.
func bare(t *testing.T, b *bus.Bus, name string) float64 {
	t.Helper()
	ctx := t.Context()
	st, err := b.JS.CreateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{name + ".>"}, Replicas: 3, Storage: jetstream.FileStorage, Duplicates: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.JS.DeleteStream(ctx, name); err != nil {
			t.Error(err)
		}
	}()
	c, err := st.CreateConsumer(ctx, jetstream.ConsumerConfig{Durable: name, AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 4096})
	if err != nil {
		t.Fatal(err)
	}
	var subjects [benchChats + 1]string
	for chat := range subjects {
		key := bus.Chat(onebot.GroupID(chat), 0)
		subjects[chat] = name + strings.TrimPrefix(bus.EventSubject(bus.Partition(bus.ChatKey(self, key), 32), self, "message", key), "ncatd")
	}
	before := cpu()
	var got atomic.Int64
	cc, err := c.Consume(func(m jetstream.Msg) {
		if err := m.Ack(); err != nil {
			t.Error(err)
		}
		got.Add(1)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Stop()
	var acks []jetstream.PubAckFuture
	for n := range benchEvents {
		chat, raw := benchEvent(n)
		ack, err := b.JS.PublishMsgAsync(&nats.Msg{Subject: subjects[chat], Data: raw, Header: nats.Header{bus.HeaderID: {fmt.Sprintf("%d:%d", self, n)}, bus.HeaderAccount: {"main"}}})
		if err != nil {
			t.Fatal(err)
		}
		if acks = append(acks, ack); len(acks) == 1024 {
			settle(t, acks)
			acks = acks[:0]
		}
	}
	settle(t, acks)
	eventually(t, "events missing", func() bool { return got.Load() == benchEvents })
	return float64(cpu()-before) / benchEvents
}

func settle(t *testing.T, acks []jetstream.PubAckFuture) {
	t.Helper()
	for _, a := range acks {
		select {
		case <-a.Ok():
		case err := <-a.Err():
			t.Fatal(err)
		}
	}
}
