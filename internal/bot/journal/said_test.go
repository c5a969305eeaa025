package journal

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

// While the host's last look is taken, live messages wait for what it shows.
func TestLiveMessagesWaitForTheLastLook(t *testing.T) {
	atDesk(t, true, func(d *desk) {
		d.arrive(connected())
		time.Sleep(settleAfter - time.Second)
		synctest.Wait()
		d.with(func() { d.takes = 500 * time.Millisecond })
		d.write(chatN(1), 2, 3)
		time.Sleep(time.Second + 100*time.Millisecond) // in the middle of it
		d.arrive(d.message(chatN(1), 4))
		d.want("while it is taken", "")
		d.settled()
		d.want("afterwards", "b2 b3 4")
	})
}

// A link that comes up again while the first is looked after finds what was missed
// before either, in chats that were not known as well.
func TestALinkThatComesUpTwice(t *testing.T) {
	atDesk(t, true, func(d *desk) {
		d.with(func() { d.takes = 500 * time.Millisecond })
		d.write(chatN(1), 2, 3)
		d.write(chatN(7), 61, 62)
		d.arrive(connected())
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		d.arrive(connected())
		d.arrive(d.message(chatN(7), 63))
		d.settled()
		got := d.numbers()
		for _, want := range []string{"b2 b3", "b61 b62 63"} {
			if !strings.Contains(got, want) {
				t.Errorf("delivered %s, want %s in it", got, want)
			}
		}
		if n := len(strings.Fields(got)); n != 5 {
			t.Errorf("delivered %s", got)
		}
	})
}

// A notice that comes a second time, by another connection, is dealt with and counted.
func TestANoticeThatComesTwice(t *testing.T) {
	atDesk(t, true, func(d *desk) {
		recall := func(id onebot.MessageID) onebot.Event {
			return &onebot.GroupRecall{EventBase: onebot.EventBase{Time: d.base + 2, PostType: "notice"}, GroupID: 1, MessageID: id}
		}
		for i, e := range []onebot.Event{recall(7), recall(7), recall(8), recall(7)} {
			if double := d.f.Arrive(e); double != (i == 1 || i == 3) {
				t.Errorf("%d: %v", i, double)
			}
		}
		if fetched, doubles := d.f.Counts(); fetched != 0 || doubles != 2 {
			t.Errorf("%d fetched, %d doubles", fetched, doubles)
		}
	})
}

// What is taken back leaves no trace.
func TestForgottenWithoutATrace(t *testing.T) {
	l := known(1, 2)
	before := *known(1, 2)
	l.note(m(3))
	if !l.forget(m(3)) || l.forget(m(3)) || l.forget(m(2)) || !reflect.DeepEqual(*l, before) || l.newest() != m(2) || l.since() != m(2) {
		t.Errorf("%+v", l)
	}
	again := known(1, -2) // its second try is given back
	again.note(m(2))
	if !again.forget(m(2)) || again.since() != m(1) || len(again.entries) != 2 {
		t.Errorf("%+v", again)
	}
}

// notes keeps what is logged, its messages and numbers.
type notes struct {
	slog.Handler
	all *[]string
}

func (n notes) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "messages" {
			text += " " + a.Value.String()
		}
		return true
	})
	*n.all = append(*n.all, text)
	return nil
}

func (notes) Enabled(context.Context, slog.Level) bool { return true }

// The log says how many messages were fetched and why a history cannot be read,
// and nothing where nothing was missed.
func TestWhatIsSaidOfALook(t *testing.T) {
	const unread, fetched = "history cannot be read", "missed messages fetched"
	for name, c := range map[string]struct {
		do   func(d *desk)
		want string
	}{
		"nothing was missed": {func(d *desk) {}, ""},
		"three messages":     {func(d *desk) { d.write(chatN(1), 2, 4) }, fetched + " 3"},
		"no link":            {func(d *desk) { d.with(func() { d.err = errors.New("no link") }) }, unread + " 0"},
		"no answer":          {func(d *desk) { d.with(func() { d.err = context.DeadlineExceeded }) }, unread + " 0"},
		"a refusal":          {func(d *desk) { d.with(func() { d.refuse[chatN(1)] = &onebot.Error{RetCode: 1200} }) }, "no history, no history, no history"},
		"later": {func(d *desk) {
			d.arrive(connected())
			time.Sleep(time.Second)
			d.write(chatN(1), 2, 2)
			time.Sleep(2 * time.Second)
			d.write(chatN(1), 3, 4)
		}, fetched + " 1, " + fetched + " 2"},
	} {
		t.Run(name, func(t *testing.T) {
			atDesk(t, true, func(d *desk) {
				var all []string
				d.f.o.Log = slog.New(notes{slog.DiscardHandler, &all})
				c.do(d)
				if name != "later" {
					d.arrive(connected())
				}
				time.Sleep(holdLimit + settleAfter + time.Second)
				synctest.Wait()
				if got := strings.Join(all, ", "); got != c.want {
					t.Errorf("said %q, want %q", got, c.want)
				}
			})
		})
	}
}

// What the disk refused is brought there a second after it works again, though
// nothing more happens.
func TestTheDiskIsTriedAgain(t *testing.T) {
	atDesk(t, true, func(d *desk) {
		disk := d.book.disk.(*shelf)
		set := func(err error) {
			d.book.mu.Lock()
			defer d.book.mu.Unlock()
			disk.broken = err
		}
		saved := func() (Saved, bool) {
			synctest.Wait()
			d.book.mu.Lock()
			defer d.book.mu.Unlock()
			s, ok := disk.records[of{bot, chatN(5)}]
			return s, ok
		}
		set(errors.New("full"))
		e := d.message(chatN(5), 2)
		d.arrive(e)
		d.f.Begin(t.Context(), e)
		d.f.End(t.Context(), e, false)
		time.Sleep(time.Minute)
		if _, ok := saved(); ok {
			t.Fatal("it is on a disk that refuses")
		}
		set(nil)
		time.Sleep(retryEvery)
		if got, _ := saved(); len(got.Seen) != 1 || len(got.Seen[0]) != 3 {
			t.Errorf("on the disk: %+v", got)
		}
	})
}
