package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

func TestWhatWasMissedIsFetched(t *testing.T) {
	atDesk(t, true, func(d *desk) {
		d.write(chatN(1), 2, 4)
		d.arrive(connected())
		d.want("at once", "b2 b3 b4")
		if n, _ := d.f.Counts(); n != 3 {
			t.Errorf("%d fetched", n)
		}
		d.arrive(d.message(chatN(1), 4)) // came live as well
		d.settled()
		d.want("a double", "b2 b3 b4")
		if _, n := d.f.Counts(); n == 0 {
			t.Error("the double is not counted")
		}
		d.arrive(d.message(chatN(1), 5))
		d.want("live", "b2 b3 b4 5")
		if d.f.unsure.Load() {
			t.Error("events go on being looked at")
		}
		if len(d.list(&d.drops))+len(d.list(&d.gaps)) != 0 {
			t.Errorf("dropped %v, gaps %v", d.list(&d.drops), d.list(&d.gaps))
		}
		asked := len(d.list(&d.asks))
		time.Sleep(time.Hour)
		if len(d.list(&d.asks)) != asked {
			t.Error("histories are read without a reason")
		}
	})
}

// A host sends nothing of the second in which it came up, and shows what its account
// missed only when it has settled.
func TestWhatTheHostKeepsToItself(t *testing.T) {
	atDesk(t, true, func(d *desk) {
		d.arrive(connected())
		d.want("at once", "")
		time.Sleep(time.Second)
		d.write(chatN(1), 2, 2)
		time.Sleep(200 * time.Millisecond)
		d.want("after the boot second", "b2")
		time.Sleep(time.Second)
		d.write(chatN(1), 3, 3)
		d.settled()
		d.want("after it settled", "b2 b3")
	})
}

// A live message waits for what is older than it, and notices in its chat with it.
func TestLiveMessagesWaitForOlderOnes(t *testing.T) {
	atDesk(t, true, func(d *desk) {
		d.with(func() { d.takes = 500 * time.Millisecond })
		d.write(chatN(1), 2, 3)
		d.arrive(connected())
		synctest.Wait()
		d.arrive(d.message(chatN(1), 4))
		d.arrive(&onebot.Poke{EventBase: onebot.EventBase{Time: d.base + 4, PostType: "notice"}, GroupID: 1})
		d.arrive(d.message(chatN(1), 5))
		d.arrive(&onebot.Heartbeat{EventBase: onebot.EventBase{PostType: onebot.PostMeta}, Status: onebot.HeartbeatStatus{Online: true}})
		d.arrive(&onebot.Poke{EventBase: onebot.EventBase{Time: d.base + 4, PostType: "notice"}, GroupID: 9}) // in a chat that misses nothing
		d.want("while it is read", "n")
		time.Sleep(time.Second) // what waits since the first look began needs a second one
		d.want("when it was read", "n b2 b3 4 n 5")
		d.settled()
		d.want("later", "n b2 b3 4 n 5")
	})
}

// A message of a chat that is not known waits if it may have been missed before.
func TestAnUnknownChat(t *testing.T) {
	atDesk(t, true, func(d *desk) {
		d.write(chatN(7), 0, 0)
		d.write(chatN(7), 61, 62)
		d.arrive(connected())
		synctest.Wait()
		d.arrive(d.message(chatN(7), 63))
		d.want("its history is read, as far as anything can be missing", "b61 b62 63")
		asked := len(d.list(&d.asks))
		d.arrive(d.message(chatN(8), 0)) // written before anything can be missing
		d.arrive(d.message(chatN(9), 1)) // in the last second of that
		d.want("an old one passes", "b61 b62 63 0 1")
		if n := len(d.list(&d.asks)); n != asked {
			t.Errorf("asked %v", d.list(&d.asks)[asked:])
		}
	})
}

func TestChatsFromTheHostsList(t *testing.T) {
	atDesk(t, true, func(d *desk) {
		for c := 5; c <= 8; c++ {
			d.write(chatN(c), c, c)
		}
		d.write(chatN(2), 1, 1)
		d.with(func() {
			d.recent = []Contact{{chatN(5), d.base + 5}, {chatN(6), d.base}, {Chat{}, d.base + 9}, {chatN(7), d.base + 1}, {chatN(2), d.base}}
		})
		d.arrive(connected())
		d.want("at once", "")
		time.Sleep(bootSecond)
		synctest.Wait()
		got := strings.Fields(d.numbers())
		slices.Sort(got)
		if !slices.Equal(got, []string{"b5", "b7"}) {
			t.Errorf("delivered %v", got)
		}
		asked := 0
		for _, a := range d.list(&d.asks) {
			if strings.HasPrefix(a, "6 ") {
				t.Errorf("asked for a chat that was quiet: %s", a)
			}
			if strings.HasPrefix(a, "5 ") {
				asked++
			}
		}
		if asked != 1 {
			t.Errorf("asked %v", d.list(&d.asks))
		}
		d.settled()
		d.f.o.Chats = 1 // no more than that many of the list
	})
}

func TestAHostThatAnswersNothing(t *testing.T) {
	atDesk(t, true, func(d *desk) {
		d.with(func() { d.takes = time.Hour })
		d.write(chatN(1), 2, 2)
		d.arrive(connected())
		synctest.Wait()
		d.arrive(d.message(chatN(1), 3))
		d.want("while it is asked", "")
		time.Sleep(fetchTimeout)
		d.want("when it did not answer", "3")
		d.arrive(d.message(chatN(1), 4))
		d.want("afterwards nothing waits", "3 4")
		asked := len(d.list(&d.asks))
		d.settled()
		if len(d.list(&d.asks)) != asked {
			t.Errorf("it is asked again: %v", d.list(&d.asks)[asked:])
		}
		d.with(func() { d.takes = 0 })
		d.arrive(d.message(chatN(7), 90))
		d.want("in an unknown chat neither", "3 4 90")
		d.arrive(connected()) // it may answer now
		synctest.Wait()
		if len(d.list(&d.asks)) == asked {
			t.Error("it is not asked again when the link came up")
		}
	})
}

func TestALinkThatIsLostMeanwhile(t *testing.T) {
	lost := errors.New("no link")
	atDesk(t, true, func(d *desk) {
		d.with(func() { d.err = lost })
		d.write(chatN(1), 2, 2)
		d.arrive(connected())
		synctest.Wait()
		d.arrive(d.message(chatN(1), 3))
		time.Sleep(holdLimit - time.Millisecond)
		d.want("it waits for a link", "")
		d.with(func() { d.err = nil })
		d.arrive(connected())
		d.want("the link is back", "b2 3")
	})
	atDesk(t, true, func(d *desk) {
		d.with(func() { d.err = lost })
		d.write(chatN(1), 2, 2)
		d.arrive(connected())
		synctest.Wait()
		d.arrive(d.message(chatN(1), 3))
		time.Sleep(holdLimit)
		d.want("not for ever", "3")
	})
	atDesk(t, true, func(d *desk) { // lost after the first look
		d.arrive(connected())
		synctest.Wait()
		d.with(func() { d.err = lost })
		time.Sleep(bootSecond + time.Second)
		synctest.Wait()
		d.with(func() { d.err = nil })
		d.write(chatN(1), 2, 2)
		d.arrive(connected())
		d.want("it is read again", "b2")
	})
}

// A chat whose history is refused has none; the others have theirs.
func TestARefusedHistory(t *testing.T) {
	atDesk(t, true, func(d *desk) {
		d.with(func() { d.refuse[chatN(1)] = &onebot.Error{RetCode: 1200, Message: "no"} })
		d.write(chatN(2), 2, 2)
		d.arrive(connected())
		synctest.Wait()
		d.arrive(d.message(chatN(1), 3))
		got := strings.Fields(d.numbers())
		slices.Sort(got)
		if !slices.Equal(got, []string{"3", "b2"}) {
			t.Errorf("delivered %v", got)
		}
		d.settled()
		if d.f.unsure.Load() || len(d.list(&d.gaps)) != 0 {
			t.Errorf("unsure, or gaps %v", d.list(&d.gaps))
		}
	})
}

func TestALongHistoryIsPagedBack(t *testing.T) {
	for _, upwards := range []bool{false, true} {
		atDesk(t, true, func(d *desk) {
			d.f.o.Messages, d.f.o.Age = 500, 24*time.Hour
			d.with(func() { d.upwards = upwards })
			d.write(chatN(1), 2, 300)
			d.arrive(connected())
			synctest.Wait()
			got := strings.Fields(d.numbers())
			if len(got) != 299 || got[0] != "b2" || got[298] != "b300" {
				t.Errorf("upwards %v: %d delivered, %v", upwards, len(got), got[:min(3, len(got))])
			}
			if len(d.list(&d.gaps)) != 0 {
				t.Errorf("gaps %v", d.list(&d.gaps))
			}
			asks := 0
			for _, a := range d.list(&d.asks) {
				if strings.HasPrefix(a, "1 ") {
					asks++
				}
			}
			if !slices.Contains(d.list(&d.asks), "1 from 0, 20") || !slices.Contains(d.list(&d.asks), "1 from 1281, 100") || asks > 6 {
				t.Errorf("asked %v", d.list(&d.asks))
			}
			d.settled()
			if got := strings.Fields(d.numbers()); len(got) != 299 {
				t.Errorf("%d delivered in the end", len(got))
			}
		})
	}
}

func TestMoreThanMayBeFetched(t *testing.T) {
	for missing, over := range map[int]int{50: 0, 51: 1, 130: 80, 300: 250} {
		atDesk(t, true, func(d *desk) {
			d.f.o.Age = 24 * time.Hour
			d.write(chatN(1), 2, 1+missing)
			d.arrive(connected())
			got := strings.Fields(d.numbers())
			if len(got) != min(50, missing) || got[len(got)-1] != fmt.Sprint("b", 1+missing) || got[0] != fmt.Sprint("b", missing+2-len(got)) {
				t.Errorf("%d missed: %v", missing, got)
			}
			if n, _ := d.f.Counts(); n != uint64(len(got)) {
				t.Errorf("%d missed: %d counted", missing, n)
			}
			asks := 0
			for _, a := range d.list(&d.asks) {
				if strings.HasPrefix(a, "1 ") {
					asks++
				}
			}
			if asks > 2 { // what is too much is not read
				t.Errorf("%d missed: asked %v", missing, d.list(&d.asks))
			}
			if over == 0 && len(d.list(&d.gaps)) != 0 || over > 0 && !slices.Contains(d.list(&d.gaps), fmt.Sprint(1, " ", over)) {
				t.Errorf("%d missed: told %v", missing, d.list(&d.gaps))
			}
		})
	}
}

// What is too old is left alone, and the account's own messages are no gap.
func TestWhatIsNotMissed(t *testing.T) {
	atDesk(t, true, func(d *desk) {
		d.f.o.Age = 30 * time.Second // message 30 and newer
		d.write(chatN(1), 2, 40)
		d.arrive(connected())
		got := strings.Fields(d.numbers())
		if len(got) != 11 || got[0] != "b30" {
			t.Errorf("%v", got)
		}
		if len(d.list(&d.gaps)) != 0 {
			t.Errorf("gaps %v", d.list(&d.gaps))
		}
	})
	atDesk(t, true, func(d *desk) {
		d.write(chatN(1), 2, 150)
		for i, m := range d.history[chatN(1)][1:] {
			switch {
			case i == 100:
			case i%2 == 0:
				m.Msg().UserID = bot
			default:
				m.Msg().Message = nil // recalled
			}
		}
		d.arrive(connected())
		d.want("one of 149", "b102")
	})
}

// An order that is no order is mended.
func TestPagesInAnyOrder(t *testing.T) {
	atDesk(t, true, func(d *desk) {
		d.write(chatN(1), 2, 6)
		slices.Reverse(d.history[chatN(1)])
		d.arrive(connected())
		d.want("newest first", "b2 b3 b4 b5 b6")
	})
	atDesk(t, true, func(d *desk) {
		d.write(chatN(1), 2, 6)
		h := d.history[chatN(1)]
		h[2], h[4] = h[4], h[2]
		d.arrive(connected())
		d.want("shuffled", "b2 b3 b4 b5 b6")
	})
}

func TestWhatMakesALink(t *testing.T) {
	heartbeat := func(online bool) onebot.Event {
		return &onebot.Heartbeat{EventBase: onebot.EventBase{PostType: onebot.PostMeta}, Status: onebot.HeartbeatStatus{Online: online}}
	}
	for _, tt := range []struct {
		name   string
		events func(d *desk) []onebot.Event
		want   string
	}{
		{"connect", func(*desk) []onebot.Event { return []onebot.Event{connected()} }, "b2"},
		{"a lifecycle that says nothing", func(*desk) []onebot.Event {
			return []onebot.Event{&onebot.Lifecycle{EventBase: onebot.EventBase{PostType: onebot.PostMeta}}}
		}, "b2"},
		{"another lifecycle", func(*desk) []onebot.Event {
			return []onebot.Event{&onebot.Lifecycle{EventBase: onebot.EventBase{PostType: onebot.PostMeta}, SubType: "disable"}}
		}, ""},
		{"a heartbeat", func(*desk) []onebot.Event { return []onebot.Event{heartbeat(true)} }, ""},
		{"offline", func(*desk) []onebot.Event { return []onebot.Event{heartbeat(false)} }, ""},
		{"offline and back", func(*desk) []onebot.Event { return []onebot.Event{heartbeat(false), heartbeat(true)} }, "b2"},
		{"offline, and a message", func(d *desk) []onebot.Event { return []onebot.Event{heartbeat(false), d.message(chatN(1), 3)} }, "b2 3"},
		{"a message without having been offline", func(d *desk) []onebot.Event { return []onebot.Event{d.message(chatN(1), 3)} }, "3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			atDesk(t, true, func(d *desk) {
				d.write(chatN(1), 2, 2)
				for _, e := range tt.events(d) {
					d.arrive(e)
				}
				synctest.Wait()
				d.with(func() {
					d.got = slices.DeleteFunc(d.got, func(e onebot.Event) bool { _, ok := e.(onebot.MessageEvent); return !ok })
				})
				d.want("delivered", tt.want)
			})
		})
	}
}

func TestRoomForHeldEvents(t *testing.T) {
	atDesk(t, true, func(d *desk) {
		d.with(func() { d.takes = time.Second })
		d.arrive(connected())
		synctest.Wait()
		for n := 2; n <= 11; n++ {
			d.arrive(d.message(chatN(1), n))
		}
		if !slices.Equal(d.list(&d.drops), []string{"1 queue full", "1 queue full"}) {
			t.Errorf("dropped %v", d.list(&d.drops))
		}
		time.Sleep(2 * time.Second)
		d.want("as many as there is room for", "2 3 4 5 6 7 8 9")
	})
}

func TestTheEndAndAnotherAccount(t *testing.T) {
	held := func(d *desk) {
		d.with(func() { d.takes = time.Second })
		d.arrive(connected())
		synctest.Wait()
		d.arrive(d.message(chatN(1), 2))
		d.arrive(d.message(chatN(2), 2))
	}
	atDesk(t, true, func(d *desk) {
		held(d)
		d.f.Stop()
		d.with(func() { slices.Sort(d.drops) })
		if !slices.Equal(d.list(&d.drops), []string{"1 ending", "2 ending"}) {
			t.Errorf("dropped %v", d.list(&d.drops))
		}
		d.settled()
		d.want("nothing of what was held", "")
		d.arrive(connected())
		d.arrive(d.message(chatN(1), 3))
		d.want("what comes passes", "3")
	})
	atDesk(t, true, func(d *desk) {
		held(d)
		d.f.SetSelf(bot) // the same
		if len(d.list(&d.drops)) != 0 {
			t.Errorf("dropped %v", d.list(&d.drops))
		}
		d.with(func() { d.history = map[Chat][]onebot.MessageEvent{} }) // which has others
		d.f.SetSelf(bot + 1)
		d.with(func() { slices.Sort(d.drops) })
		if !slices.Equal(d.list(&d.drops), []string{"1 another account", "2 another account"}) {
			t.Errorf("dropped %v", d.list(&d.drops))
		}
		d.settled()
		d.want("nothing of the other account's", "")
	})
}

// What had its turn does not come again; what had not, does: whoever looks into the history
// by itself has to know which is which.
func TestHad(t *testing.T) {
	had := func(d *desk, n int) bool { return d.f.Had(d.message(chatN(1), n)) }
	atDesk(t, true, func(d *desk) {
		if !d.f.Had(d.message(chatN(7), 9)) {
			t.Error("of an unknown chat nothing is said to come")
		}
		d.arrive(d.message(chatN(1), 2))
		d.settled()
		if !had(d, 1) || !had(d, 2) || had(d, 3) {
			t.Errorf("up to 2 had their turn: %t %t %t", had(d, 1), had(d, 2), had(d, 3))
		}
	})
	atDesk(t, false, func(d *desk) {
		d.arrive(d.message(chatN(1), 2))
		if d.settled(); !had(d, 3) {
			t.Error("it comes by itself only if somebody asks for it")
		}
	})
}

// Events that came before Start wait like those after it.
func TestEventsBeforeTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{t: t, book: newBook(t, nil), history: map[Chat][]onebot.MessageEvent{}, base: time.Now().Unix()}
		d.f = New(Options{Book: d.book, Host: d, Deliver: d.deliver, Log: slog.New(slog.DiscardHandler), ChatOf: chatOf, Auto: true, Messages: 50, Chats: 10, Age: time.Hour, Queue: 8})
		d.f.SetSelf(bot)
		d.book.note(bot, chatN(1), MarkOf(d.message(chatN(1), 1).Msg()))
		m, poke := d.message(chatN(1), 3), &onebot.Poke{GroupID: 9}
		if now := d.f.Start([]onebot.Event{m, poke}); len(now) != 2 {
			t.Errorf("without a link: %v", now)
		}
		g := New(d.f.o)
		g.SetSelf(bot)
		g.LinkUp()
		if g.unsure.Load() {
			t.Error("a link opens gaps before the start")
		}
		if now := g.Start([]onebot.Event{m, poke}); len(now) != 1 || now[0] != poke {
			t.Errorf("with a link: %v", now)
		}
	})
}

// Where gaps are filled on demand, they are from where the link came up.
func TestFillOnDemand(t *testing.T) {
	atDesk(t, false, func(d *desk) {
		d.arrive(connected())
		d.write(chatN(1), 2, 3)
		d.arrive(d.message(chatN(1), 4)) // nothing waits
		d.write(chatN(1), 4, 4)
		d.settled()
		d.want("nothing is fetched", "4")
		if n, err := d.f.Fill(d.t.Context()); n != 2 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		d.want("what was missed, late", "4 b2 b3")
		if n, err := d.f.Fill(d.t.Context()); n != 0 || err != nil {
			t.Errorf("again: %d, %v", n, err)
		}
		d.arrive(d.message(chatN(1), 5))
		d.want("and nothing waits", "4 b2 b3 5")
		d.with(func() { d.err = errors.New("no link") })
		if n, err := d.f.Fill(d.t.Context()); n != 0 || err == nil {
			t.Errorf("%d, %v", n, err)
		}
		d.f.filling <- struct{}{} // one at a time
		ctx, cancel := context.WithTimeout(d.t.Context(), time.Second)
		defer cancel()
		if _, err := d.f.Fill(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		<-d.f.filling
	})
}

// Some histories are read at once, and a few only.
func TestHistoriesAreReadAFewAtATime(t *testing.T) {
	atDesk(t, true, func(d *desk) {
		for c := 3; c <= 12; c++ {
			d.arrive(d.message(chatN(c), 1))
			d.write(chatN(c), 1, 2)
		}
		d.with(func() { d.got = nil })
		d.with(func() { d.takes = 100 * time.Millisecond })
		d.arrive(connected())
		time.Sleep(900 * time.Millisecond)
		synctest.Wait()
		most := 0
		d.with(func() { most = d.most })
		if most < 2 || most > fetchers {
			t.Errorf("%d at once", most)
		}
		if n := len(strings.Fields(d.numbers())); n < 8 {
			t.Errorf("%d delivered", n)
		}
	})
}

// What is taken back comes again, what is settled does not, and what was begun by a
// process that ended is marked.
func TestForgetAndSettle(t *testing.T) {
	atDesk(t, true, func(d *desk) {
		taken, settled := d.message(chatN(1), 2), d.message(chatN(2), 2)
		d.arrive(taken)
		d.arrive(settled)
		d.write(chatN(1), 2, 2)
		d.write(chatN(2), 2, 2)
		d.f.Forget(taken)
		d.f.Settle(settled)
		d.with(func() { d.got = nil })
		d.arrive(connected())
		d.settled()
		d.want("what was taken back", "b2")
		if l, _ := d.book.accounts[bot].chats.Peek(chatN(2)); l.entries[len(l.entries)-1].state != done {
			t.Errorf("settled: %+v", l.entries)
		}
		d.f.Begin(d.t.Context(), d.message(chatN(1), 2))
		if l, _ := d.book.accounts[bot].chats.Peek(chatN(1)); l.entries[len(l.entries)-1].state != begun {
			t.Errorf("begun: %+v", l.entries)
		}
		l, _ := d.book.accounts[bot].chats.Peek(chatN(1))
		l.entries[len(l.entries)-1].state = orphan
		again := d.message(chatN(1), 2)
		if !d.f.Note(again) || !again.Msg().Redelivered {
			t.Error("an orphan is not marked as given again")
		}
		fresh := d.message(chatN(1), 3)
		if !d.f.Note(fresh) || fresh.Msg().Redelivered || d.f.Note(fresh) {
			t.Error("a new message")
		}
		for range 2 {
			if !d.f.Note(&onebot.Poke{GroupID: 1}) {
				t.Error("an event that is no message has its turn each time")
			}
		}
	})
}
