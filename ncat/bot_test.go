package ncat_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// host is a OneBot endpoint on a real socket. It answers every call, after
// answer (nil: at once, ok) has seen it.
type host struct {
	url    string
	links  chan *websocket.Conn // each link, once it is up
	answer func(action string, params json.RawMessage) string
	calls  atomic.Int64
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer ws.CloseNow()
	ctx := context.WithoutCancel(r.Context())
	ws.Write(ctx, websocket.MessageText, []byte(`{"time":1,"self_id":10001,"post_type":"meta_event","meta_event_type":"lifecycle","sub_type":"connect"}`))
	h.links <- ws
	var mu sync.Mutex
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		_, b, err := ws.Read(ctx)
		if err != nil {
			return
		}
		var q struct {
			Action string
			Params json.RawMessage
			Echo   json.RawMessage
		}
		if json.Unmarshal(b, &q) != nil {
			continue
		}
		wg.Go(func() {
			data := `{"message_id":424242}`
			if h.answer != nil {
				data = h.answer(q.Action, q.Params)
			}
			h.calls.Add(1)
			if data == "" {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ws.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"status":"ok","retcode":0,"data":%s,"echo":%s}`, data, q.Echo))
		})
	}
}

func newHost(t *testing.T) *host {
	h := &host{links: make(chan *websocket.Conn, 16)}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.CloseClientConnections)
	h.url = "ws" + strings.TrimPrefix(srv.URL, "http")
	return h
}

func groupFrame(group, n int) []byte {
	return fmt.Appendf(nil, `{"self_id":10001,"user_id":2,"time":1,"message_id":%d,"message_type":"group","sender":{"user_id":2},"sub_type":"normal","message":[{"type":"text","data":{"text":"ping %d"}}],"message_format":"array","post_type":"message","group_id":%d}`, n+1, n, group)
}

func say(t *testing.T, ws *websocket.Conn, frame []byte) {
	t.Helper()
	if err := ws.Write(t.Context(), websocket.MessageText, frame); err != nil {
		t.Error(err)
	}
}

// dial runs the bot until the test ends or stop is called, which returns the
// error of Dial.
func dial(t *testing.T, b *ncat.Bot, url string) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Dial(ctx, url, "") }()
	stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(20 * time.Second):
			buf := make([]byte, 1<<20)
			t.Errorf("Dial did not end\n%s", buf[:runtime.Stack(buf, true)])
			return nil
		}
	})
	t.Cleanup(func() { stop() })
	return stop
}

func next[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(10 * time.Second):
		buf := make([]byte, 1<<20)
		t.Fatalf("waited in vain\n%s", buf[:runtime.Stack(buf, true)])
		panic("unreachable")
	}
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

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
		if _, err := b.Reply(ctx, m, "pong"); err != nil {
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
		_, err := b.Reply(ctx, m, "done")
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
		_, err := b.Reply(ctx, m, "pong")
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
			_, err := b.Reply(ctx, m, "pong")
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
	b.OnGroup(handler("second", errors.New("no matter")), ncat.With(func(next ncat.Handler) ncat.Handler {
		return func(ctx context.Context, b *ncat.Bot, e onebot.Event) error { note("with"); return next(ctx, b, e) }
	}))
	b.OnGroup(handler("high", nil), ncat.Priority(5))
	b.OnGroup(handler("filtered", nil), ncat.Where(func(b *ncat.Bot, e onebot.Event) bool { return false }))
	b.OnPrivate(func(context.Context, *ncat.Bot, *onebot.PrivateMessage) error { note("private"); return nil })
	ncat.On(b, func(_ context.Context, _ *ncat.Bot, e onebot.Event) error { note("any"); return ncat.Stop }, ncat.Priority(-2))
	b.OnMessage(func(context.Context, *ncat.Bot, onebot.MessageEvent) error { note("never"); return nil }, ncat.Priority(-3))
	removed.Remove()

	s := b.NewSession("main", noCalls{})
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

type noCalls struct{}

func (noCalls) Call(context.Context, string, any, any) error { return onebot.ErrNotSent }

func TestPanicsErrorsAndGoexit(t *testing.T) {
	h := newHost(t)
	var log strings.Builder
	var logMu sync.Mutex
	b := ncat.New(ncat.WithLogger(slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		logMu.Lock()
		defer logMu.Unlock()
		return log.Write(p)
	}), nil))))
	boom := errors.New("boom")
	var hooked sync.Map
	b.OnError(func(ctx context.Context, b *ncat.Bot, e onebot.Event, err error) {
		hooked.Store(e.(onebot.MessageEvent).Msg().Text(), err)
		panic("a hook may fail as well")
	})
	ok := make(chan string, 10)
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		switch m.Text() {
		case "ping 0":
			panic(boom)
		case "ping 1":
			return boom
		case "ping 2":
			b.Reply(ctx, m, "x")
			runtime.Goexit()
		}
		ok <- m.Text()
		return nil
	}, ncat.Named("fragile"))
	dial(t, b, h.url)
	ws := next(t, h.links)
	for i := range 5 {
		say(t, ws, groupFrame(1, i))
	}
	for _, want := range []string{"ping 3", "ping 4"} {
		if got := next(t, ok); got != want {
			t.Errorf("got %s", got)
		}
	}
	err, _ := hooked.Load("ping 0")
	var p *ncat.PanicError
	if e, _ := err.(error); !errors.As(e, &p) || !errors.Is(e, boom) || p.Handler != "fragile" || !strings.Contains(string(p.Stack), "bot_test.go") {
		t.Errorf("panic came as %v", err)
	}
	if err, _ := hooked.Load("ping 1"); err != boom {
		t.Errorf("error came as %v", err)
	}
	logMu.Lock()
	defer logMu.Unlock()
	if !strings.Contains(log.String(), "handler=fragile") {
		t.Errorf("log names no handler:\n%s", log.String())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestFullQueueIsCounted(t *testing.T) {
	b := ncat.New(ncat.WithQueue(3))
	enter, leave := make(chan string, 100), make(chan struct{})
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		enter <- m.Text()
		<-leave
		return nil
	})
	s := b.NewSession("", noCalls{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { s.Run(ctx); close(ended) }()
	s.Feed(groupFrame(1, 0))
	next(t, enter)
	for i := range 10 {
		s.Feed(groupFrame(1, i+1))
	}
	if st := s.Stats(); st.Dropped != 7 || st.Waiting != 3 || st.Handling != 1 {
		t.Errorf("stats %+v", st)
	}
	close(leave)
	for i := range 3 {
		if got := next(t, enter); got != fmt.Sprintf("ping %d", i+1) {
			t.Errorf("got %s", got)
		}
	}
	cancel()
	next(t, ended)
}

func TestSlowAndStuckHandlersAreNamed(t *testing.T) {
	b := ncat.New(ncat.WithSlowWarning(20*time.Millisecond), ncat.WithDrain(20*time.Millisecond))
	never := make(chan struct{})
	defer close(never)
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error { <-never; return nil }, ncat.Named("stuck"))
	b.OnPrivate(func(ctx context.Context, b *ncat.Bot, m *onebot.PrivateMessage) error { return nil })
	s := b.NewSession("", noCalls{})
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	s.Feed(groupFrame(1, 0))
	eventually(t, "the report", func() bool { return s.Stats().Slow == 1 })
	why := errors.New("enough")
	cancel(why)
	if err := next(t, ended); !errors.Is(err, why) || !strings.Contains(err.Error(), "stuck") {
		t.Errorf("Run returned %v", err)
	}
}

func TestHandlersFinishBeforeTheLinkEnds(t *testing.T) {
	h := newHost(t)
	b := ncat.New()
	started, finish := make(chan struct{}), make(chan struct{})
	result := make(chan error, 1)
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		close(started)
		<-finish
		_, err := b.Reply(ctx, m, "last words")
		result <- err
		return nil
	})
	stop := dial(t, b, h.url)
	ws := next(t, h.links)
	say(t, ws, groupFrame(1, 0))
	next(t, started)
	go func() {
		eventually(t, "the bot to be ending", func() bool { return true })
		close(finish)
	}()
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("Dial returned %v", err)
	}
	if err := next(t, result); err != nil {
		t.Errorf("reply while ending: %v", err)
	}
}

// A handler that waits for an answer which never comes ends when the bot does.
func TestEndingInterruptsCalls(t *testing.T) {
	h := newHost(t)
	h.answer = func(string, json.RawMessage) string { return "" }
	b := ncat.New(ncat.WithDrain(20 * time.Millisecond))
	result := make(chan error, 1)
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		_, err := b.Reply(ctx, m, "x")
		result <- err
		return err
	})
	stop := dial(t, b, h.url)
	ws := next(t, h.links)
	say(t, ws, groupFrame(1, 0))
	eventually(t, "the call", func() bool { return h.calls.Load() == 1 })
	stop()
	if err := next(t, result); !errors.Is(err, onebot.ErrUnknownOutcome) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A handler's own deadline ends its call.
func TestHandlersDeadline(t *testing.T) {
	h := newHost(t)
	h.answer = func(string, json.RawMessage) string { return "" }
	b := ncat.New()
	result := make(chan error, 1)
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		_, err := b.Reply(ctx, m, "x")
		result <- err
		return nil
	})
	dial(t, b, h.url)
	ws := next(t, h.links)
	say(t, ws, groupFrame(1, 0))
	if err := next(t, result); !errors.Is(err, onebot.ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestLossAndReconnect(t *testing.T) {
	h := newHost(t)
	h.answer = func(string, json.RawMessage) string { return "" }
	b := ncat.New()
	result := make(chan error, 1)
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		_, err := b.Reply(ctx, m, "x")
		result <- err
		return nil
	})
	dial(t, b, h.url)
	for i := range 3 {
		ws := next(t, h.links)
		say(t, ws, groupFrame(1, i))
		eventually(t, "the call", func() bool { return h.calls.Load() == int64(i+1) })
		ws.CloseNow()
		if err := next(t, result); !errors.Is(err, onebot.ErrUnknownOutcome) {
			t.Errorf("got %v", err)
		}
	}
}

func TestBackSoonAfterTheEndpointReturns(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	b := ncat.New()
	ready := make(chan struct{}, 1)
	ncat.On(b, func(context.Context, *ncat.Bot, *onebot.Lifecycle) error { ready <- struct{}{}; return nil })
	if err := b.Call(t.Context(), "x", nil, nil); !errors.Is(err, onebot.ErrNotSent) || !errors.Is(err, ncat.ErrNoAccount) {
		t.Errorf("call of a bot that does not run: %v", err)
	}
	dial(t, b, "ws://"+addr)
	timer := time.NewTimer(1500 * time.Millisecond) // the pauses have grown to their longest by then
	<-timer.C
	if err := b.Call(t.Context(), "x", nil, nil); !errors.Is(err, onebot.ErrNotSent) {
		t.Errorf("call without a link: %v", err)
	}
	if ln, err = net.Listen("tcp", addr); err != nil {
		t.Skipf("the port is gone: %v", err)
	}
	start := time.Now()
	h := &host{links: make(chan *websocket.Conn, 1)}
	srv := &http.Server{Handler: h}
	go srv.Serve(ln)
	defer srv.Close()
	next(t, ready)
	if d := time.Since(start); d > 2*time.Second { // 500 ms on an idle machine
		t.Errorf("back after %v", d)
	}
	if b.Self() != 10001 {
		t.Errorf("self is %d", b.Self())
	}
}

func TestBadTokenEndsDial(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		ws.Write(r.Context(), websocket.MessageText, []byte(`{"status":"failed","retcode":1403,"data":null,"message":"token验证失败","wording":"token验证失败","echo":null,"stream":"normal-action"}`))
		ws.CloseNow()
	}))
	defer srv.Close()
	err := ncat.New().Dial(t.Context(), srv.URL, "wrong")
	if !errors.Is(err, ncat.ErrBadToken) || !onebot.IsBadToken(err) {
		t.Errorf("got %v", err)
	}
}

func TestSeveralAccounts(t *testing.T) {
	b := ncat.New()
	hosts := []*host{newHost(t), newHost(t)}
	got := make(chan string, 2)
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		_, err := b.Reply(ctx, m, "pong")
		return err
	})
	for i, h := range hosts {
		h.answer = func(string, json.RawMessage) string { got <- fmt.Sprint(i); return "null" }
		dial(t, b, h.url)
	}
	links := []*websocket.Conn{next(t, hosts[0].links), next(t, hosts[1].links)}
	for i := range hosts {
		say(t, links[i], groupFrame(1, 0))
		if g := next(t, got); g != fmt.Sprint(i) {
			t.Errorf("account %d was answered through %s", i, g)
		}
	}
	if n := len(b.Accounts()); n != 2 {
		t.Errorf("%d accounts", n)
	}
	if err := b.Call(t.Context(), "x", nil, nil); !errors.Is(err, ncat.ErrNoAccount) {
		t.Errorf("call for nobody in particular: %v", err)
	}
}

func TestSendForms(t *testing.T) {
	rec := &recorder{}
	b := ncat.New()
	bot := b.NewSession("", rec).Bot()
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
	want := []string{
		`send_group_msg {"group_id":"5","message":[{"type":"text","data":{"text":"a"}},{"type":"face","data":{"id":"1"}},{"type":"text","data":{"text":"b"}}]}`,
		`send_group_msg {"group_id":"5","message":[{"type":"reply","data":{"id":"2"}},{"type":"text","data":{"text":"q"}}]}`,
		`send_group_msg {"group_id":"5","message":[{"type":"at","data":{"qq":"2"}},{"type":"text","data":{"text":" "}},{"type":"text","data":{"text":"hi"}}]}`,
		`send_private_msg {"user_id":"9","message":[{"type":"text","data":{"text":"p"}}]}`,
	}
	if !slices.Equal(rec.calls, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(rec.calls, "\n"), strings.Join(want, "\n"))
	}
	for _, bad := range []func() (onebot.MessageID, error){
		func() (onebot.MessageID, error) { return bot.Reply(ctx, m, 5) },
		func() (onebot.MessageID, error) { return bot.Reply(ctx, m) },
		func() (onebot.MessageID, error) { return bot.Reply(ctx, m, "") },
		func() (onebot.MessageID, error) { return bot.Send(ctx, ncat.Chat{}, "x") },
	} {
		if _, err := bad(); !errors.Is(err, onebot.ErrNotSent) {
			t.Errorf("got %v", err)
		}
	}
}

type recorder struct{ calls []string }

func (r *recorder) Call(_ context.Context, action string, params, _ any) error {
	b, err := json.Marshal(params)
	r.calls = append(r.calls, action+" "+string(b))
	return err
}
