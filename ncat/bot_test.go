package ncat_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func TestOrderWithinAChatAndChatsInParallel(t *testing.T) {
	const chats, each = 20, 200
	h := newHost(t)
	b := ncat.New()
	var mu sync.Mutex
	seen := map[onebot.GroupID][]string{}
	inside := map[onebot.GroupID]bool{}
	blocked := make(chan struct{})
	var done atomic.Int64
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		if m.GroupID == 999 {
			<-blocked // a handler that is in nobody's way
			return nil
		}
		mu.Lock()
		if inside[m.GroupID] {
			t.Errorf("two handlers at once in group %d", m.GroupID)
		}
		inside[m.GroupID] = true
		seen[m.GroupID] = append(seen[m.GroupID], m.Text())
		mu.Unlock()
		if err := b.Reply(ctx, m, "pong"); err != nil {
			t.Error(err)
		}
		mu.Lock()
		inside[m.GroupID] = false
		mu.Unlock()
		done.Add(1)
		return nil
	})
	dial(t, b, h.url)
	ws := next(t, h.links)
	say(t, ws, groupFrame(999, 0))
	for n := range each {
		for g := range chats {
			say(t, ws, groupFrame(g+1, n))
		}
	}
	eventually(t, "all events to be handled", func() bool { return done.Load() == chats*each })
	close(blocked)
	for g, texts := range seen {
		for n, text := range texts {
			if text != fmt.Sprintf("ping %d", n) {
				t.Fatalf("group %d: event %d is %q", g, n, text)
			}
		}
	}
}

// A hundred calls at once, from a handler and the goroutines it starts, while
// it waits for them.
func TestManyCallsFromOneHandler(t *testing.T) {
	h := newHost(t)
	b := ncat.New()
	result := make(chan error, 1)
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		var wg sync.WaitGroup
		errs := make([]error, 100)
		for i := range errs {
			wg.Go(func() { _, errs[i] = b.SendGroup(ctx, 7, "x") })
		}
		wg.Wait()
		err := b.Reply(ctx, m, "done")
		result <- errors.Join(append(errs, err)...)
		return nil
	})
	dial(t, b, h.url)
	ws := next(t, h.links)
	for i := range 3 {
		say(t, ws, groupFrame(1, i))
		if err := next(t, result); err != nil {
			t.Error(err)
		}
	}
}

// Handlers that hold a lock while they wait for an answer must not stop the
// others for good, nor the link.
func TestHandlersMayHoldALockOverACall(t *testing.T) {
	h := newHost(t)
	b := ncat.New()
	var mu sync.Mutex
	var done atomic.Int64
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		mu.Lock()
		defer mu.Unlock()
		err := b.Reply(ctx, m, "pong")
		done.Add(1)
		return err
	})
	dial(t, b, h.url)
	ws := next(t, h.links)
	for i := range 50 {
		say(t, ws, groupFrame(i+1, i))
	}
	eventually(t, "all handlers", func() bool { return done.Load() == 50 })
}

// Handlers that block in many chats at once keep nobody else waiting for long.
func TestManyBlockedChats(t *testing.T) {
	const chats = 100
	h := newHost(t)
	b := ncat.New()
	release := make(chan struct{})
	var inside atomic.Int64
	answered := make(chan error, 1)
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		if m.GroupID > chats {
			err := b.Reply(ctx, m, "pong")
			answered <- err
			return nil
		}
		inside.Add(1)
		<-release
		inside.Add(-1)
		return nil
	})
	dial(t, b, h.url)
	ws := next(t, h.links)
	start := time.Now()
	for i := range chats {
		say(t, ws, groupFrame(i+1, i))
	}
	say(t, ws, groupFrame(chats+1, 0))
	if err := next(t, answered); err != nil {
		t.Error(err)
	}
	if d := time.Since(start); d > 5*time.Second { // a reader lost for each of them would take a second or two
		t.Errorf("answered after %v", d)
	}
	t.Logf("answered after %v", time.Since(start))
	eventually(t, "all handlers to run at once", func() bool { return inside.Load() == chats })
	close(release)
	eventually(t, "all handlers to end", func() bool { return inside.Load() == 0 })
}

func TestPrioritiesStopFiltersAndMiddleware(t *testing.T) {
	b := ncat.New()
	var trace []string
	note := func(s string) { trace = append(trace, s) }
	handler := func(name string, err error) func(context.Context, *ncat.Bot, *onebot.GroupMessage) error {
		return func(context.Context, *ncat.Bot, *onebot.GroupMessage) error { note(name); return err }
	}
	end := make(chan struct{}, 1)
	b.Use(func(next ncat.Handler) ncat.Handler {
		return func(ctx context.Context, b *ncat.Bot, e onebot.Event) error {
			note("[")
			defer note("]")
			return next(ctx, b, e)
		}
	})
	b.OnGroup(handler("low", nil), ncat.Priority(-1))
	removed := b.OnGroup(handler("removed", nil))
	b.OnGroup(handler("first", nil))
	b.OnGroup(handler("second", errors.New("no matter")), ncat.Wrap(func(next ncat.Handler) ncat.Handler {
		return func(ctx context.Context, b *ncat.Bot, e onebot.Event) error { note("with"); return next(ctx, b, e) }
	}))
	b.OnGroup(handler("high", nil), ncat.Priority(5))
	b.OnGroup(handler("filtered", nil), ncat.Where(func(b *ncat.Bot, e onebot.Event) bool { return false }))
	b.OnPrivate(func(context.Context, *ncat.Bot, *onebot.PrivateMessage) error { note("private"); return nil })
	ncat.On(b, func(_ context.Context, _ *ncat.Bot, e onebot.Event) error { note("any"); return ncat.ErrStop }, ncat.Priority(-2))
	b.OnMessage(func(context.Context, *ncat.Bot, onebot.MessageEvent) error { note("never"); return nil }, ncat.Priority(-3))
	removed.Remove()

	s := botlink.Of(b).NewSession("main", noCalls{}, botlink.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { s.Run(ctx); end <- struct{}{} }()
	s.Feed(groupFrame(1, 1))
	eventually(t, "the handlers", func() bool { st := s.Stats(); return st.Waiting == 0 && st.Handling == 0 && st.Events == 1 })
	cancel()
	next(t, end)
	if got, want := strings.Join(trace, " "), "[ high ] [ first ] [ with second ] [ low ] [ any ]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if s.Stats().Errors != 1 {
		t.Errorf("stats %+v", s.Stats())
	}
}

// A fallback comes after all others, whatever their priority, and only if none ran:
// neither a handler whose filter passed nor a command.
func TestFallback(t *testing.T) {
	b := ncat.New()
	var trace []string
	handler := func(name string) func(context.Context, *ncat.Bot, onebot.MessageEvent) error {
		return func(context.Context, *ncat.Bot, onebot.MessageEvent) error { trace = append(trace, name); return nil }
	}
	b.OnMessage(handler("one"), ncat.Fallback(), ncat.Priority(500))
	b.OnMessage(handler("two"), ncat.Fallback())
	b.OnMessage(handler("late"), ncat.Priority(-500), ncat.Where(ncat.TextIs("taken")))
	ncat.Command(b, "cmd", func(context.Context, *ncat.Bot, onebot.MessageEvent, struct{}) error {
		trace = append(trace, "command")
		return nil
	})
	s := botlink.Of(b).NewSession("main", noCalls{}, botlink.Options{})
	var run sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	run.Go(func() { _ = s.Run(ctx) })
	for i, text := range []string{"free", "taken", "/cmd"} {
		s.Feed(bytes.ReplaceAll(groupFrame(1, i), fmt.Appendf(nil, "ping %d", i), []byte(text)))
	}
	eventually(t, "the handlers", func() bool { st := s.Stats(); return st.Waiting == 0 && st.Handling == 0 && st.Events == 3 })
	cancel()
	run.Wait()
	if got, want := strings.Join(trace, " "), "one two late command"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSendForms(t *testing.T) {
	rec := &recorder{}
	b := ncat.New()
	bot := botlink.Of(b).NewSession("", rec, botlink.Options{}).Bot()
	e, err := onebot.Decode(groupFrame(5, 1))
	if err != nil {
		t.Fatal(err)
	}
	m := e.(*onebot.GroupMessage)
	ctx := t.Context()
	bot.Reply(ctx, m, "a", onebot.Face(1), onebot.Message{onebot.Text("b")})
	bot.Quote(ctx, m, "q")
	bot.Mention(ctx, m, "hi")
	bot.SendPrivate(ctx, 9, "p")
	ncat.Say("n=", 7)(ctx, bot, m)
	ncat.SayFunc(func(m onebot.MessageEvent) any { return m.Msg().UserID })(ctx, bot, m)
	if err := ncat.SayFunc(func(onebot.MessageEvent) any { return nil })(ctx, bot, m); err != nil {
		t.Error(err)
	}
	want := []string{
		`send_group_msg {"group_id":"5","message":[{"type":"text","data":{"text":"a"}},{"type":"face","data":{"id":"1"}},{"type":"text","data":{"text":"b"}}]}`,
		`send_group_msg {"group_id":"5","message":[{"type":"reply","data":{"id":"2"}},{"type":"text","data":{"text":"q"}}]}`,
		`send_group_msg {"group_id":"5","message":[{"type":"at","data":{"qq":"2"}},{"type":"text","data":{"text":" "}},{"type":"text","data":{"text":"hi"}}]}`,
		`send_private_msg {"user_id":"9","message":[{"type":"text","data":{"text":"p"}}]}`,
		`send_group_msg {"group_id":"5","message":[{"type":"text","data":{"text":"n="}},{"type":"text","data":{"text":"7"}}]}`,
		`send_group_msg {"group_id":"5","message":[{"type":"text","data":{"text":"2"}}]}`,
	}
	if !slices.Equal(rec.calls, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(rec.calls, "\n"), strings.Join(want, "\n"))
	}
	for _, bad := range []func() error{
		func() error { return bot.Reply(ctx, m, struct{}{}) },
		func() error { return bot.Reply(ctx, m) },
		func() error { return bot.Reply(ctx, m, "") },
		func() error { return ncat.Say(nil)(ctx, bot, m) },
		func() error { _, err := bot.Send(ctx, ncat.Chat{}, "x"); return err },
	} {
		if err := bad(); !errors.Is(err, onebot.ErrNotSent) {
			t.Errorf("got %v", err)
		}
	}
}
