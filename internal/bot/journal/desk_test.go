package journal

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

// desk is a Filler between a host and a bot that only note.
type desk struct {
	t    *testing.T
	book *Book
	f    *Filler
	base int64 // Unix seconds of message 0

	mu      sync.Mutex // guards the fields below
	history map[Chat][]onebot.MessageEvent
	recent  []Contact
	refuse  map[Chat]error
	err     error // of every call
	takes   time.Duration
	upwards bool // pages the other way unless told to turn
	asks    []string
	got     []onebot.Event
	drops   []string
	gaps    []string
	most    int
	now     int
}

func (d *desk) message(c Chat, n int) onebot.MessageEvent {
	b := onebot.MessageBase{
		EventBase: onebot.EventBase{Time: d.base + int64(n), SelfID: bot, PostType: "message"}, MessageID: onebot.MessageID(1000 + n), RealSeq: strconv.Itoa(n), UserID: 5,
		Message: onebot.Message{onebot.Text(strconv.Itoa(n))},
	}
	if c.IsGroup() {
		return &onebot.GroupMessage{MessageBase: b, GroupID: c.Group}
	}
	return &onebot.PrivateMessage{MessageBase: b}
}

// with changes or reads the desk in f.
func (d *desk) with(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

// list returns a copy of one of the desk's lists.
func (d *desk) list(of *[]string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(*of)
}

// write puts messages into the host's history.
func (d *desk) write(c Chat, from, to int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for n := from; n <= to; n++ {
		d.history[c] = append(d.history[c], d.message(c, n))
	}
}

// Host.
func (d *desk) History(ctx context.Context, c Chat, from onebot.MessageID, count int, turn bool) ([]onebot.MessageEvent, error) {
	d.mu.Lock()
	d.now++
	d.most = max(d.most, d.now)
	d.asks = append(d.asks, fmt.Sprintf("%d from %d, %d", c.Group, from, count))
	takes, err := d.takes, d.err
	if err == nil {
		err = d.refuse[c]
	}
	list := slices.Clone(d.history[c])
	upwards := d.upwards != turn
	d.mu.Unlock()
	defer func() { d.mu.Lock(); d.now--; d.mu.Unlock() }()
	if takes > 0 {
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	if err != nil {
		return nil, err
	}
	if from != 0 {
		at := slices.IndexFunc(list, func(m onebot.MessageEvent) bool { return m.Msg().MessageID == from })
		if upwards {
			list = list[at:min(len(list), at+count)]
		} else {
			list = list[max(0, at+1-count) : at+1]
		}
	} else {
		list = list[max(0, len(list)-count):]
	}
	var out []onebot.MessageEvent
	for _, m := range list { // each time anew, as from a host
		g := *m.(*onebot.GroupMessage)
		out = append(out, &g)
	}
	return out, nil
}

func (d *desk) Recent(_ context.Context, n int) ([]Contact, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.recent[:min(n, len(d.recent))], d.err
}

// numbers returns what was delivered, b before what came from the history.
func (d *desk) numbers() string {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for _, e := range d.got {
		m, ok := e.(onebot.MessageEvent)
		switch {
		case !ok:
			out = append(out, "n")
		case m.Msg().Backfilled:
			out = append(out, "b"+m.Text())
		default:
			out = append(out, m.Text())
		}
	}
	return strings.Join(out, " ")
}

func (d *desk) want(what, want string) {
	d.t.Helper()
	if got := d.numbers(); got != want {
		d.t.Errorf("%s: delivered %s, want %s", what, got, want)
	}
}

// arrive is what the link does with an event.
func (d *desk) arrive(e onebot.Event) {
	if !d.f.Arrive(e) {
		d.deliver(e)
	}
}

func (d *desk) deliver(e onebot.Event) {
	if e.Base().PostType == onebot.PostMeta || !d.f.Note(e) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.got = append(d.got, e)
}

// handled says that the bot handled what it got.
func (d *desk) handled() {
	d.mu.Lock()
	got := slices.Clone(d.got)
	d.mu.Unlock()
	for _, e := range got {
		d.f.Begin(d.t.Context(), e)
		d.f.End(d.t.Context(), e, false)
	}
}

func connected() onebot.Event {
	return &onebot.Lifecycle{EventBase: onebot.EventBase{Time: time.Now().Unix(), SelfID: bot, PostType: onebot.PostMeta}, SubType: "connect"}
}

func chatOf(e onebot.Event) Chat {
	switch m := e.(type) {
	case *onebot.GroupMessage:
		return Chat{Group: m.GroupID}
	case *onebot.PrivateMessage:
		return Chat{User: m.UserID}
	case *onebot.Poke:
		return Chat{Group: m.GroupID}
	}
	return Chat{}
}

// atDesk runs f with a filler whose book knows that groups 1 and 2 have had message
// 1, which is a minute old.
func atDesk(t *testing.T, auto bool, f func(d *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{t: t, book: newBook(t, newShelf()), history: map[Chat][]onebot.MessageEvent{}, refuse: map[Chat]error{}}
		time.Sleep(time.Hour)
		d.base = time.Now().Unix() - 60
		d.book.born = d.base
		d.f = New(Options{
			Book: d.book, Host: d, Deliver: d.deliver, Log: slog.New(slog.DiscardHandler), ChatOf: chatOf, Auto: auto,
			Messages: 50, Chats: 10, Age: time.Hour, Queue: 8,
			Dropped: func(c Chat, why string) { d.with(func() { d.drops = append(d.drops, fmt.Sprint(c.Group, " ", why)) }) },
			Gap:     func(c Chat, n int) { d.with(func() { d.gaps = append(d.gaps, fmt.Sprint(c.Group, " ", n)) }) },
		})
		d.f.SetSelf(bot)
		for c := 1; c <= 2; c++ {
			d.arrive(d.message(chatN(c), 1))
			d.write(chatN(c), 1, 1)
		}
		d.handled()
		d.with(func() { d.got = nil })
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { d.f.Run(ctx) })
		d.f.Start(nil)
		f(d)
		cancel()
		wg.Wait()
	})
}

// settled waits until all looks after a link came up are over.
func (d *desk) settled() {
	time.Sleep(settleAfter + time.Second)
	synctest.Wait()
}
