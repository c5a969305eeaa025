package ncat_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

const (
	groupA onebot.GroupID = 700000001
	groupB onebot.GroupID = 700000002
	alice  onebot.UserID  = 30001
)

// past plays a host's history.
type past struct {
	mu   sync.Mutex
	all  map[ncat.Chat][]onebot.MessageEvent
	seq  int
	asks map[ncat.Chat]int
	// salt changes the ids of all messages, as a host may that started anew.
	salt onebot.MessageID
	// before is called before a history is read, outside of the lock.
	before func(chat ncat.Chat) error
}

func newPast() *past {
	return &past{all: map[ncat.Chat][]onebot.MessageEvent{}, asks: map[ncat.Chat]int{}}
}

// write puts a message into a chat and returns it.
func (p *past) write(chat ncat.Chat, user onebot.UserID, text string) onebot.MessageEvent {
	p.mu.Lock()
	defer p.mu.Unlock()
	var e onebot.MessageEvent
	if chat.IsGroup() {
		e = ncattest.GroupMessage(chat.Group, user, text)
	} else {
		m := ncattest.PrivateMessage(chat.User, text)
		m.UserID = user
		e = m
	}
	p.seq++
	m := e.Msg()
	m.RealSeq = strconv.Itoa(p.seq)
	m.MessageID += p.salt
	if user == m.SelfID {
		m.PostType = onebot.PostMessageSent
	}
	p.all[chat] = append(p.all[chat], e)
	return e
}

// attach lets a harness answer from the history.
func (p *past) attach(h *ncattest.Harness) {
	answer := func(params json.RawMessage) (any, error) {
		var q struct {
			Group onebot.GroupID `json:"group_id,string"`
			User  onebot.UserID  `json:"user_id,string"`
			Count int            `json:"count"`
		}
		if err := json.Unmarshal(params, &q); err != nil {
			return nil, err
		}
		chat := ncat.Chat{Group: q.Group, User: q.User}
		p.mu.Lock()
		before := p.before
		p.asks[chat]++
		p.mu.Unlock()
		if before != nil {
			if err := before(chat); err != nil {
				return nil, err
			}
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		l := p.all[chat]
		if len(l) == 0 {
			return nil, &onebot.Error{RetCode: 1200, Message: "消息不存在"}
		}
		return map[string]any{"messages": l[max(0, len(l)-q.Count):]}, nil
	}
	h.On("get_group_msg_history", answer)
	h.On("get_friend_msg_history", answer)
}

func (p *past) asked(chat ncat.Chat) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asks[chat]
}

// heard is what handlers got, a line for each message: its chat, its text, and
// a star if it was backfilled.
type heard struct {
	mu    sync.Mutex
	lines []string
}

func (r *heard) handle(_ context.Context, _ *ncat.Bot, m onebot.MessageEvent) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	line := m.Msg().Text()
	if m.Msg().Backfilled {
		line += "*"
	}
	if c := ncat.ChatOf(m); c.IsGroup() {
		line = fmt.Sprintf("%d %s", c.Group%10, line)
	} else {
		line = "p " + line
	}
	r.lines = append(r.lines, line)
	return nil
}

// want compares what was heard since the last call, chat by chat.
func (r *heard) want(t *testing.T, lines ...string) {
	t.Helper()
	r.mu.Lock()
	got := r.lines
	r.lines = nil
	r.mu.Unlock()
	byChat := func(a, b string) int { return cmp.Compare(a[:1], b[:1]) }
	slices.SortStableFunc(got, byChat)
	slices.SortStableFunc(lines, byChat)
	if !slices.Equal(got, lines) {
		t.Errorf("heard\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(lines, "\n  "))
	}
}

func linkUp(h *ncattest.Harness) {
	h.T.Helper()
	h.Event(&onebot.Lifecycle{EventBase: ncattest.Base(onebot.PostMeta), MetaEventType: "lifecycle", SubType: "connect"})
}

// memory returns stores that outlive a bot.
func memory() ncat.Option {
	var mu sync.Mutex
	stores := map[string]ncat.Store{}
	return ncat.WithStore(func(owner string) ncat.Store {
		mu.Lock()
		defer mu.Unlock()
		if stores[owner] == nil {
			stores[owner] = ncat.NewMemoryStore()
		}
		return stores[owner]
	})
}

// TestGap cuts the link for ten seconds while three chats go on.
func TestGap(t *testing.T) {
	var r heard
	b := ncat.New()
	b.OnMessage(r.handle)
	p := newPast()
	chats := []ncat.Chat{ncat.Group(groupA), ncat.Group(groupB), ncat.Private(alice)}
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		p.attach(h)
		h.Pass(time.Minute) // the histories are read again shortly after a link came up
		self := ncattest.Base(onebot.PostMessage).SelfID
		for _, c := range chats {
			p.write(c, alice, "before the bot knew the chat")
			h.Event(p.write(c, alice, "live"))
		}
		r.want(t, "1 live", "2 live", "p live")
		// Of a chat in which nothing was said the bot does not know.
		p.write(ncat.Group(700000003), alice, "unknown")

		var want []string
		for i := range 10 {
			h.Pass(time.Second)
			for _, c := range chats[:2] {
				p.write(c, alice, fmt.Sprint("missed ", i))
				p.write(c, self, "own")
				want = append(want, fmt.Sprintf("%d missed %d*", c.Group%10, i))
			}
		}
		p.write(chats[2], alice, "recalled").Msg().Message = nil
		p.write(chats[2], alice, "missed")
		want = append(want, "p missed*")

		// While the histories are read live messages go on: one that the
		// history has too, one that it does not have.
		hurry := make(chan struct{})
		p.before = func(ncat.Chat) error { <-hurry; return nil }
		linkUp(h)
		h.Event(p.write(chats[0], alice, "live and in the history"))
		h.Event(ncattest.Joined(groupA, 5))
		later := p.write(chats[0], alice, "live later")
		p.all[chats[0]] = p.all[chats[0]][:len(p.all[chats[0]])-1]
		h.Event(later)
		p.all[chats[0]] = append(p.all[chats[0]], later)
		r.want(t) // nobody overtakes what was missed
		close(hurry)
		h.Settle()
		r.want(t, append(want, "1 live and in the history", "1 live later")...)

		// What was fetched comes live after all.
		for _, c := range chats {
			for _, e := range p.all[c] {
				if e.Msg().Text() == "missed" {
					h.Event(e)
				}
			}
		}
		h.Event(p.write(chats[2], alice, "after"))
		h.Pass(time.Minute)
		r.want(t, "p after")
		if s := botlink.Of(h.Bot()).Session().Stats(); s.Backfilled != 21 || s.Duplicates != 1 || s.Dropped != 0 {
			t.Errorf("%+v", s)
		}

		// A link without a gap brings nothing.
		linkUp(h)
		h.Pass(time.Minute)
		r.want(t)
	})
}

// TestGapWhileQQWasAway: what came while a heartbeat said that the account is
// offline goes first, also if somebody writes before a heartbeat says that it is
// back.
func TestGapWhileQQWasAway(t *testing.T) {
	var r heard
	b := ncat.New()
	b.OnMessage(r.handle)
	p := newPast()
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		p.attach(h)
		beat := func(online bool) {
			e := &onebot.Heartbeat{EventBase: ncattest.Base(onebot.PostMeta), MetaEventType: "heartbeat", Interval: 5000}
			e.Status.Online = online
			h.Event(e)
		}
		linkUp(h)
		h.Pass(time.Minute)
		h.Event(p.write(ncat.Group(groupA), alice, "before"))
		beat(false)
		p.write(ncat.Group(groupA), alice, "missed")
		h.Pass(3 * time.Second)
		h.Event(p.write(ncat.Group(groupA), alice, "back"))
		h.Settle()
		r.want(t, "1 before", "1 missed*", "1 back")
		beat(true)
		h.Pass(time.Minute)
		r.want(t)
	})
}

// TestGapBetweenSessions has a host that dials the bot: each of its links is a
// session of its own.
func TestGapBetweenSessions(t *testing.T) {
	var r heard
	b := ncat.New()
	b.OnMessage(r.handle)
	p := newPast()
	chat := ncat.Group(groupA)
	synctest.Test(t, func(t *testing.T) {
		for _, text := range []string{"first", "second"} {
			h := &ncattest.Harness{Caller: &ncattest.Caller{}}
			p.attach(h)
			s := botlink.Of(b).NewSession("", h.Caller, botlink.Options{})
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { s.Run(ctx); close(ended) }()
			s.Deliver(&onebot.Lifecycle{EventBase: ncattest.Base(onebot.PostMeta), SubType: "connect"})
			s.Deliver(p.write(chat, alice, text))
			time.Sleep(time.Minute) // virtual
			cancel()
			<-ended
			p.write(chat, alice, "missed after "+text)
		}
	})
	r.want(t, "1 first", "1 missed after first*", "1 second")
}

// TestGapAfterRestart starts the bot anew, with a host whose ids are others.
func TestGapAfterRestart(t *testing.T) {
	var r heard
	store, p := memory(), newPast()
	chat := ncat.Group(groupA)
	run := func(f func(h *ncattest.Harness)) {
		b := ncat.New(store)
		b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error { return r.handle(ctx, b, m) })
		ncattest.Run(t, b, func(h *ncattest.Harness) { p.attach(h); f(h) })
	}
	run(func(h *ncattest.Harness) {
		for i := range 5 {
			h.Event(p.write(chat, alice, fmt.Sprint("live ", i)))
		}
		linkUp(h) // the harness's own came before
		h.Pass(10 * time.Second)
	})
	r.want(t, "1 live 0", "1 live 1", "1 live 2", "1 live 3", "1 live 4")
	p.salt = 1 << 20
	for _, e := range p.all[chat] {
		e.Msg().MessageID += p.salt
	}
	for i := range 2 {
		run(func(h *ncattest.Harness) {
			if i == 0 {
				p.write(chat, alice, "missed")
			}
			linkUp(h)
			h.Event(p.write(chat, alice, "live"))
			h.Pass(10 * time.Second)
		})
	}
	r.want(t, "1 missed*", "1 live", "1 live")
}

// TestLinkLostInAGap loses the link again before the gap is filled.
func TestLinkLostInAGap(t *testing.T) {
	var r heard
	b := ncat.New()
	b.OnMessage(r.handle)
	p := newPast()
	chat := ncat.Group(groupA)
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		p.attach(h)
		h.Event(p.write(chat, alice, "live 1"))
		p.write(chat, alice, "missed 1")
		p.before = func(ncat.Chat) error { return fmt.Errorf("lost: %w", onebot.ErrUnknownOutcome) }
		linkUp(h)
		h.Event(p.write(chat, alice, "live 2"))
		r.want(t, "1 live 1")
		p.write(chat, alice, "missed 2")
		p.mu.Lock()
		p.before = nil
		p.mu.Unlock()
		linkUp(h)
		h.Event(p.write(chat, alice, "live 3"))
		h.Pass(time.Minute)
		r.want(t, "1 missed 1*", "1 live 2", "1 missed 2*", "1 live 3")
	})
}

// TestNoHistory has a host that does not answer, that refuses, and that goes
// away: live messages come in any case.
func TestNoHistory(t *testing.T) {
	for name, c := range map[string]struct {
		before func(ncat.Chat) error
		within time.Duration
	}{
		"refused": {func(ncat.Chat) error { return &onebot.Error{RetCode: 1404, Message: "不支持的API"} }, 0},
		"silent":  {func(ncat.Chat) error { return context.DeadlineExceeded }, 0},
		"gone":    {func(ncat.Chat) error { return onebot.ErrNotSent }, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			var r heard
			b := ncat.New()
			b.OnMessage(r.handle)
			p := newPast()
			chat := ncat.Group(groupA)
			ncattest.Run(t, b, func(h *ncattest.Harness) {
				p.attach(h)
				h.Event(p.write(chat, alice, "live 1"))
				p.before = c.before
				linkUp(h)
				h.Event(p.write(chat, alice, "live 2"))
				h.Pass(c.within)
				r.want(t, "1 live 1", "1 live 2")
				h.Event(p.write(chat, alice, "live 3"))
				r.want(t, "1 live 3")
			})
		})
	}
}

// TestLateHistory has a host that just started and knows what was missed only a
// little later.
func TestLateHistory(t *testing.T) {
	var r heard
	b := ncat.New()
	b.OnMessage(r.handle)
	p := newPast()
	chat := ncat.Group(groupA)
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		p.attach(h)
		h.Event(p.write(chat, alice, "live 1"))
		p.write(chat, alice, "missed")
		all := p.all[chat]
		p.all[chat] = all[:1]
		linkUp(h)
		h.Pass(time.Second)
		r.want(t, "1 live 1")
		p.mu.Lock()
		p.all[chat] = all
		p.mu.Unlock()
		h.Pass(time.Minute)
		r.want(t, "1 missed*")
	})
}

func TestGapLimits(t *testing.T) {
	var r heard
	b := ncat.New(ncat.WithBackfill(ncat.Backfill{Messages: 30, Chats: 1, Age: 2 * time.Minute}))
	b.OnMessage(r.handle)
	p := newPast()
	a, other := ncat.Group(groupA), ncat.Group(groupB)
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		p.attach(h)
		h.Pass(time.Minute) // the histories are read again shortly after a link came up
		h.Event(p.write(other, alice, "live"))
		h.Event(p.write(a, alice, "live"))
		p.write(other, alice, "in too many chats")
		p.write(a, alice, "too old")
		h.Pass(3 * time.Minute)
		p.write(a, alice, "young")
		linkUp(h)
		h.Pass(time.Minute)
		r.want(t, "1 live", "2 live", "1 young*")
		for i := range 40 {
			p.write(a, alice, fmt.Sprint(i))
		}
		linkUp(h)
		h.Pass(time.Minute)
		var want []string
		for i := 10; i < 40; i++ {
			want = append(want, fmt.Sprintf("1 %d*", i))
		}
		r.want(t, want...)
		if n := p.asked(other); n != 0 {
			t.Errorf("the history of a chat too many was read %d times", n)
		}
	})
}

func TestBackfillOnDemand(t *testing.T) {
	var r heard
	b := ncat.New(ncat.WithBackfill(ncat.Backfill{Mode: ncat.BackfillAsk}))
	b.OnMessage(r.handle)
	p := newPast()
	chat := ncat.Group(groupA)
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		p.attach(h)
		h.Event(p.write(chat, alice, "live"))
		p.write(chat, alice, "missed")
		linkUp(h)
		h.Event(p.write(chat, alice, "live 2"))
		h.Pass(time.Minute)
		r.want(t, "1 live", "1 live 2")
		for want := 1; want >= 0; want-- {
			if n, err := h.Bot().Backfill(h.Context()); n != want || err != nil {
				t.Errorf("backfill: %d %v", n, err)
			}
		}
		h.Settle()
		r.want(t, "1 missed*")
	})
	b = ncat.New(ncat.WithBackfill(ncat.Backfill{Mode: ncat.BackfillOff}))
	b.OnMessage(r.handle)
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		p.attach(h)
		h.Event(p.write(chat, alice, "live"))
		p.write(chat, alice, "missed")
		linkUp(h)
		h.Pass(time.Minute)
		if n, err := h.Bot().Backfill(h.Context()); n != 0 || err == nil {
			t.Errorf("backfill that is off: %d %v", n, err)
		}
		r.want(t, "1 live")
	})
}

// TestGapFilterAndAnswer keeps a handler from what was missed, and has the
// answer of a conversation among it.
func TestGapFilterAndAnswer(t *testing.T) {
	var r heard
	b := ncat.New()
	b.OnMessage(r.handle, ncat.Where(ncat.Not(ncat.Backfilled)))
	p := newPast()
	chat := ncat.Group(groupA)
	answer := make(chan string, 1)
	ncat.On(b, func(ctx context.Context, b *ncat.Bot, e *onebot.GroupIncrease) error {
		m, err := b.WaitFor(ctx, time.Minute, func(_ *ncat.Bot, e onebot.Event) bool {
			m, ok := e.(onebot.MessageEvent)
			return ok && m.Msg().Text() == "the answer"
		})
		if err == nil {
			answer <- m.(onebot.MessageEvent).Msg().Text()
		}
		return err
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		p.attach(h)
		h.Event(p.write(chat, alice, "live"))
		h.Event(ncattest.Joined(groupB, 5))
		p.write(chat, alice, "missed")
		p.write(chat, alice, "the answer")
		linkUp(h)
		h.Pass(10 * time.Second)
		linkUp(h)
		h.Pass(10 * time.Second)
		r.want(t, "1 live")
		select {
		case <-answer:
		default:
			t.Error("the answer did not arrive")
		}
	})
}

// TestEndingForgetsWhatNobodyHandled stops a bot with messages in its queue: the
// next one fetches them.
func TestEndingForgetsWhatNobodyHandled(t *testing.T) {
	store, p := memory(), newPast()
	chat := ncat.Group(groupA)
	var r heard
	b := ncat.New(store, ncat.WithDrain(time.Second))
	b.OnMessage(func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		r.handle(ctx, b, m)
		<-ctx.Done()
		return context.Cause(ctx)
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		for i := range 3 {
			h.Event(p.write(chat, alice, fmt.Sprint(i)))
		}
	})
	r.want(t, "1 0")
	b = ncat.New(store)
	b.OnMessage(r.handle)
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		p.attach(h)
		linkUp(h)
		h.Pass(10 * time.Second)
		r.want(t, "1 1*", "1 2*")
	})
}

// TestManyChats remembers the most recent ones only.
func TestManyChats(t *testing.T) {
	var r heard
	b := ncat.New(memory(), ncat.WithBackfill(ncat.Backfill{Chats: 3}))
	b.OnMessage(r.handle)
	p := newPast()
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		p.attach(h)
		for i := range 100 {
			h.Event(p.write(ncat.Group(onebot.GroupID(800000000+i)), alice, "live"))
		}
		h.Pass(time.Minute)
		r.lines = nil
		for i := range 100 {
			p.write(ncat.Group(onebot.GroupID(800000000+i)), alice, "missed")
		}
		linkUp(h)
		h.Pass(time.Minute)
		r.want(t, "7 missed*", "8 missed*", "9 missed*")
	})
}

// TestLinkBeforeRun has a link that is up, and events that came, before the
// session runs.
func TestLinkBeforeRun(t *testing.T) {
	store, p := memory(), newPast()
	chat, other := ncat.Group(groupA), ncat.Group(groupB)
	var r heard
	b := ncat.New(store)
	b.OnMessage(r.handle)
	ncattest.Run(t, b, func(h *ncattest.Harness) { h.Event(p.write(chat, alice, "live")) })
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(14*time.Hour + 8*time.Minute) // virtual: a little later than the test before began
		p.write(chat, alice, "missed")
		b := ncat.New(store)
		b.OnMessage(r.handle)
		h := &ncattest.Harness{Caller: &ncattest.Caller{}}
		p.attach(h)
		s := botlink.Of(b).NewSession("", h.Caller, botlink.Options{})
		s.Deliver(&onebot.Lifecycle{EventBase: ncattest.Base(onebot.PostMeta), SubType: "connect"})
		s.Deliver(p.write(chat, alice, "early"))
		s.Deliver(p.write(other, alice, "early"))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { s.Run(ctx); close(ended) }()
		time.Sleep(time.Minute) // virtual
		if s := s.Stats(); s.Waiting != 0 || s.Dropped != 0 || s.Backfilled != 1 {
			t.Errorf("%+v", s)
		}
		cancel()
		<-ended
	})
	r.want(t, "1 live", "1 missed*", "1 early", "2 early")
}
