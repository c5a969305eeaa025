package ncat_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// sender lets a goroutine send texts into chats and notes how that went.
type sender struct {
	mu   sync.Mutex
	done []string
}

func (s *sender) send(h *ncattest.Harness, to ncat.Chat, text string) {
	go func() {
		id, err := h.Bot().Send(h.Context(), to, text)
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case errors.Is(err, ncat.ErrTooFast) && errors.Is(err, onebot.ErrNotSent):
			s.done = append(s.done, text+" refused")
		case err != nil || id == 0:
			s.done = append(s.done, fmt.Sprint(text, " ", err))
		default:
			s.done = append(s.done, text)
		}
	}()
	synctest.Wait()
}

func (s *sender) want(t *testing.T, texts ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if got, want := strings.Join(s.done, ", "), strings.Join(texts, ", "); got != want {
		t.Errorf("done: %s\nwant: %s", got, want)
	}
	s.done = nil
}

func TestPaceOfChats(t *testing.T) {
	a, c := ncat.Group(groupA), ncat.Private(alice)
	for policy, want := range map[ncat.SendPolicy]struct {
		now, later []string
		sent       []string
	}{
		ncat.SendWait:   {[]string{"a1", "a2", "c1"}, []string{"a3", "a4", "a5"}, []string{"a1", "a2", "c1", "a3", "a4", "a5"}},
		ncat.SendRefuse: {[]string{"a1", "a2", "a3 refused", "a4 refused", "a5 refused", "c1"}, nil, []string{"a1", "a2", "c1"}},
		ncat.SendMerge:  {[]string{"a1", "a2", "c1"}, []string{"a3", "a4", "a5"}, []string{"a1", "a2", "c1", "a3\na4\na5"}},
	} {
		t.Run(string(policy), func(t *testing.T) {
			b := ncat.New(ncat.WithChatSendRate(2, 10*time.Second), ncat.WithSendRate(100, time.Second), ncat.WithSendPolicy(policy))
			ncattest.Run(t, b, func(h *ncattest.Harness) {
				var s sender
				for i := range 5 {
					s.send(h, a, fmt.Sprint("a", i+1))
				}
				s.send(h, c, "c1") // another chat has a pace of its own
				s.want(t, want.now...)
				for range 3 {
					h.Pass(5 * time.Second)
				}
				s.mu.Lock()
				n := len(s.done)
				s.mu.Unlock()
				if n != len(want.later) {
					t.Errorf("%d later, want %d", n, len(want.later))
				}
				h.Want(want.sent...)
			})
		})
	}
}

func TestPaceOfAnAccount(t *testing.T) {
	b := ncat.New(ncat.WithSendRate(1, time.Second))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		var s sender
		for i := range 1100 {
			s.send(h, ncat.Group(onebot.GroupID(800000000+i)), fmt.Sprint(i))
		}
		st := botlink.Of(h.Bot()).Session().Stats()
		if st.Paced != 1024 || st.Refused != 1100-1-1024 {
			t.Errorf("%+v", st)
		}
		s.mu.Lock()
		s.done = nil
		s.mu.Unlock()
		h.Pass(2 * time.Second)
		s.want(t, "1", "2")
		if err := h.Bot().Call(h.Context(), "get_status", nil, nil); err != nil {
			t.Errorf("another action: %v", err)
		}
		ctx, cancel := context.WithTimeout(h.Context(), time.Second)
		defer cancel()
		if _, err := h.Bot().SendGroup(ctx, groupA, "x"); !errors.Is(err, onebot.ErrNotSent) {
			t.Errorf("a send whose context ended: %v", err)
		}
	})
}

// TestHandlerThatNeverReturns is ended, named, and left behind, and its chat goes on.
func TestHandlerThatNeverReturns(t *testing.T) {
	never := make(chan struct{})
	var causes atomic.Int32
	var log strings.Builder
	var logMu sync.Mutex
	synctest.Test(t, func(t *testing.T) {
		never = make(chan struct{})
		b := ncat.New(ncat.WithHandlerDeadline(time.Minute), ncat.WithDrain(time.Second))
		botlink.Apply(b, ncat.WithLogger(slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
			logMu.Lock()
			defer logMu.Unlock()
			return log.Write(p)
		}), nil))))
		var heard atomic.Int32
		b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
			heard.Add(1)
			switch m.Text() {
			case "obeys":
				<-ctx.Done()
				if errors.Is(context.Cause(ctx), ncat.ErrHandlerDeadline) {
					causes.Add(1)
				}
			case "never":
				<-never
			case "asks":
				_, err := b.Ask(ctx, m, "?", ncat.Within(time.Hour))
				return err
			}
			return nil
		}, ncat.Named("stubborn"))
		h := &ncattest.Harness{Caller: &ncattest.Caller{}}
		s := botlink.Of(b).NewSession("", h.Caller, botlink.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		synctest.Wait()
		for _, text := range []string{"never", "obeys", "one", "two"} {
			s.Deliver(ncattest.GroupMessage(groupA, alice, text))
		}
		s.Deliver(ncattest.GroupMessage(groupB, alice, "other"))
		s.Deliver(ncattest.GroupMessage(groupB, alice, "asks"))
		synctest.Wait()
		if n := heard.Load(); n != 3 {
			t.Errorf("%d messages were handled at first", n)
		}
		time.Sleep(4 * time.Minute) // virtual
		if n := heard.Load(); n != 6 {
			t.Errorf("%d messages were handled after the deadline", n)
		}
		if st := s.Stats(); st.Overdue != 2 || causes.Load() != 1 || st.Waiting != 0 {
			t.Errorf("%+v, %d saw why", st, causes.Load())
		}
		cancel()
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "stubborn does not return") {
			t.Errorf("the end names nobody: %v", err)
		}
		close(never)
	})
	logMu.Lock()
	defer logMu.Unlock()
	for _, want := range []string{"handler is slow", "handler is over its deadline", "handler does not return; its chat goes on without it"} {
		if !strings.Contains(log.String(), want+`" handler=stubborn`) {
			t.Errorf("the log does not say %q of stubborn:\n%s", want, log.String())
		}
	}
}

// TestHundredCallsAtOnce makes 100 calls at once in handlers of one chat each and
// in a single handler, over a real link.
func TestHundredCallsAtOnce(t *testing.T) {
	h := newHost(t)
	var together sync.WaitGroup // the host answers when all 100 are there
	together.Add(100)
	gate := sync.OnceFunc(together.Wait)
	h.answer = func(string, json.RawMessage) string {
		if h.calls.Load() < 100 {
			together.Done()
			gate()
			together.Wait()
		}
		return `{"message_id":1}`
	}
	b := ncat.New()
	results := make(chan error, 300)
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		err := b.Reply(ctx, m, "x")
		results <- err
		return err
	})
	b.OnPrivate(func(ctx context.Context, b *ncat.Bot, m *onebot.PrivateMessage) error {
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				err := b.Reply(ctx, m, "x")
				results <- err
			})
		}
		wg.Wait()
		return nil
	})
	dial(t, b, h.url)
	ws := next(t, h.links)
	for i := range 100 {
		say(t, ws, groupFrame(1000+i, i))
	}
	for range 100 {
		if err := next(t, results); err != nil {
			t.Fatal(err)
		}
	}
	say(t, ws, []byte(`{"self_id":10001,"user_id":2,"time":1,"message_id":7,"message_type":"private","sender":{"user_id":2},"sub_type":"friend","message":[{"type":"text","data":{"text":"x"}}],"message_format":"array","post_type":"message"}`))
	for range 100 {
		if err := next(t, results); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOrderBesideASlowHandler has a handler that blocks one chat while another
// chat's messages are handled, in order.
func TestOrderBesideASlowHandler(t *testing.T) {
	h := newHost(t)
	b := ncat.New()
	block := make(chan struct{})
	fast, slow := make(chan string, 1000), make(chan string, 1000)
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		if m.GroupID == 1 {
			<-block
			slow <- m.Text()
			return nil
		}
		if err := b.Reply(ctx, m, "x"); err != nil {
			return err
		}
		fast <- m.Text()
		return nil
	})
	dial(t, b, h.url)
	ws := next(t, h.links)
	const n = 300
	for i := range n {
		say(t, ws, groupFrame(1, i))
		say(t, ws, groupFrame(2, i))
	}
	for i := range n {
		if got := next(t, fast); got != fmt.Sprintf("ping %d", i) {
			t.Fatalf("message %d: %s", i, got)
		}
	}
	if len(slow) != 0 {
		t.Error("the slow handler got through")
	}
	close(block)
	for i := range n {
		if got := next(t, slow); got != fmt.Sprintf("ping %d", i) {
			t.Fatalf("slow message %d: %s", i, got)
		}
	}
}

// selfish is a plugin that switches itself off in a handler and in a goroutine.
type selfish struct{ closed chan struct{} }

func (p *selfish) ID() string      { return "selfish" }
func (p *selfish) Version() string { return "1" }
func (p *selfish) Setup(_ context.Context, h *ncat.Host) error {
	h.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		if m.Text() == "go" {
			h.Go(func(ctx context.Context) {
				if err := b.SetPlugin(ctx, "selfish", false); err != nil {
					panic(err)
				}
			})
			return nil
		}
		if err := b.SetPlugin(ctx, "selfish", false); err != nil {
			return err
		}
		if ctx.Err() == nil {
			return errors.New("the context goes on")
		}
		return nil
	})
	return nil
}

func (p *selfish) Close(context.Context) error { close(p.closed); return nil }

func TestPluginSwitchesItselfOff(t *testing.T) {
	for _, text := range []string{"handler", "go"} {
		p := &selfish{closed: make(chan struct{})}
		b := ncat.New()
		b.AddPlugin(p)
		ncattest.Run(t, b, func(h *ncattest.Harness) {
			began := time.Now()
			h.InGroup(groupA, alice).Says(text)
			if took := time.Since(began); took > 0 {
				t.Errorf("%s: it took %v", text, took)
			}
			if s := b.Plugins()[0]; s.State != ncat.PluginDisabled || s.Enabled {
				t.Errorf("%s: %+v", text, s)
			}
			select {
			case <-p.closed:
			default:
				t.Errorf("%s: not closed", text)
			}
			if s := botlink.Of(h.Bot()).Session().Stats(); s.Errors != 0 || s.Panics != 0 {
				t.Errorf("%s: %+v", text, s)
			}
		})
	}
}
