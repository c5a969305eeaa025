package journal

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

const bot = onebot.UserID(10001)

// slowShelf is a shelf whose writes take a second, and which notes them.
type slowShelf struct {
	*shelf
	writes []bool // whether it was to be on the disk
	puts   [][]Record
	took   time.Duration
}

func (s *slowShelf) Write(ctx context.Context, put, gone []Record, sync bool) error {
	s.writes, s.puts = append(s.writes, sync), append(s.puts, put)
	time.Sleep(s.took)
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.shelf.Write(ctx, put, gone, sync)
}

func chatN(n int) Chat { return Chat{Group: onebot.GroupID(n)} }

// TestBookIsLoadedOnce: the first who asks has it read, with what that finds.
func TestBookIsLoadedOnce(t *testing.T) {
	d := newShelf()
	d.records[of{bot, chatN(1)}] = Saved{At: 300, Seen: [][]int64{{1, 1, 100}, {2, 2, 100, 1}}}
	d.records[of{bot, chatN(2)}] = Saved{At: 200, Seen: [][]int64{{3, 3, 100, maxTries}}}
	d.records[of{bot, chatN(3)}] = Saved{At: 400}
	d.records[of{bot, Chat{}}] = Saved{At: 77}
	b := NewBook(slog.New(slog.DiscardHandler), 10)
	if first, err := b.Load(t.Context(), d); !first || err != nil {
		t.Fatalf("%v %v", first, err)
	}
	if first, err := b.Load(t.Context(), newShelf()); first || err != nil {
		t.Errorf("loaded again: %v %v", first, err)
	}
	if n := b.Chats(); n != 3 {
		t.Errorf("%d chats", n)
	}
	if at := b.aliveAt(bot); at != 77 {
		t.Errorf("alive at %d", at)
	}
	lost := b.Lost()
	slices.SortFunc(lost, func(a, b Lost) int { return int(a.Mark.ID - b.Mark.ID) })
	want := []Lost{{bot, chatN(1), Mark{2, 2, 100}, false}, {bot, chatN(2), Mark{3, 3, 100}, true}}
	if !slices.Equal(lost, want) {
		t.Errorf("lost %+v", lost)
	}
	if again, up := b.Counts(); again != 0 || up != 1 {
		t.Errorf("%d again, %d given up", again, up)
	}
	// What is given up is written as done, so that it is told once.
	b.commit(t.Context())
	if x := d.records[of{bot, chatN(2)}].Seen; len(x) != 1 || len(x[0]) != 3 {
		t.Errorf("given up, saved as %v", x)
	}
	if lost := newBook(t, d).Lost(); len(lost) != 1 || lost[0].GivenUp {
		t.Errorf("the next process is told %+v", lost)
	}
	if fresh, again := b.note(bot, chatN(1), Mark{2, 2, 100}); !fresh || !again {
		t.Errorf("an orphan: %v %v", fresh, again)
	}
	if n, _ := b.Counts(); n != 1 {
		t.Errorf("%d again", n)
	}
}

// TestRecentChats: the newest first, as many as asked for, and none that was quiet
// for a day.
func TestRecentChats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newShelf()
		now := time.Now().Unix()
		d.records[of{bot, chatN(1)}] = Saved{At: now - 30}
		d.records[of{bot, chatN(2)}] = Saved{At: now - 10}
		d.records[of{bot, chatN(3)}] = Saved{At: now - 20}
		b := newBook(t, d)
		if got := b.recent(bot, 10); !slices.Equal(got, []Chat{chatN(2), chatN(3), chatN(1)}) {
			t.Errorf("%v", got)
		}
		if got := b.recent(bot, 2); !slices.Equal(got, []Chat{chatN(2), chatN(3)}) {
			t.Errorf("%v", got)
		}
		if got := b.recent(bot+1, 2); got != nil {
			t.Errorf("of an account that is not known: %v", got)
		}
		time.Sleep(rememberFor - 20*time.Second)
		if got := b.recent(bot, 10); !slices.Equal(got, []Chat{chatN(2), chatN(3)}) {
			t.Errorf("a day later: %v", got)
		}
		b.note(bot, chatN(1), Mark{ID: 1, Seq: 1, Time: 1})
		if got := b.recent(bot, 1); !slices.Equal(got, []Chat{chatN(1)}) {
			t.Errorf("one that is used again: %v", got)
		}
		b.note(bot, chatN(2), Mark{ID: 1, Seq: 1, Time: 1})
		b.note(bot, chatN(2), Mark{ID: 1, Seq: 1, Time: 1})
		if got := b.recent(bot, 1); !slices.Equal(got, []Chat{chatN(2)}) {
			t.Errorf("%v", got)
		}
	})
}

// TestANewChatBeginsBeforeItsFirstMessage: so that it is not missed itself, and
// nothing older is.
func TestANewChatBeginsBeforeItsFirstMessage(t *testing.T) {
	b := newBook(t, nil)
	for i, tt := range []struct{ m, base Mark }{
		{Mark{1, 7, 100}, Mark{0, 6, 100}},
		{Mark{1, 1, 100}, Mark{0, 0, 100}},
		{Mark{1, 0, 100}, Mark{0, 0, 99}},
	} {
		c := chatN(i)
		b.note(bot, c, tt.m)
		if l, _ := b.accounts[bot].chats.Peek(c); l.base != tt.base {
			t.Errorf("%+v: base %+v, want %+v", tt.m, l.base, tt.base)
		}
		if since, known := b.since(bot, c); !known || since != tt.m {
			t.Errorf("since %+v %v", since, known)
		}
	}
	if _, known := b.since(bot, chatN(9)); known {
		t.Error("a chat that was never seen is known")
	}
	if _, known := b.since(bot+1, chatN(0)); known {
		t.Error("a chat of another account is known")
	}
	d := newShelf()
	kept := newBook(t, d)
	kept.note(bot, chatN(0), Mark{1, 7, 100})
	before := kept.marked
	kept.change(bot+1, chatN(0), func(*chatLog) bool { return true })
	kept.change(bot, chatN(9), func(*chatLog) bool { return true })
	kept.change(bot, chatN(0), func(*chatLog) bool { return false })
	if kept.marked != before {
		t.Error("a change of nothing is a change")
	}
	if kept.change(bot, chatN(0), func(*chatLog) bool { return true }); kept.marked == before {
		t.Error("a change is none")
	}
}

// TestForgottenChatsLeaveTheDisk: there is room for so many, the oldest goes, and
// one that comes back is kept.
func TestForgottenChatsLeaveTheDisk(t *testing.T) {
	d := newShelf()
	b := newBook(t, d)
	for n := range leastChats + 2 {
		b.note(bot, chatN(n+1), Mark{ID: 1, Seq: 1, Time: 1})
	}
	if n := b.Chats(); n != leastChats {
		t.Errorf("%d chats", n)
	}
	b.commit(t.Context())
	has := func(n int) bool { _, ok := d.records[of{bot, chatN(n)}]; return ok }
	if has(1) || has(2) || !has(3) || len(d.records) != leastChats+1 {
		t.Errorf("%d records, the first %v %v %v", len(d.records), has(1), has(2), has(3))
	}
	b.note(bot, chatN(leastChats+3), Mark{ID: 1, Seq: 1, Time: 1}) // the third goes
	b.note(bot, chatN(3), Mark{ID: 1, Seq: 1, Time: 1})            // and comes back
	b.commit(t.Context())
	if !has(3) || has(4) {
		t.Errorf("the one that came back: %v, the one that went for it: %v", has(3), has(4))
	}
	big := NewBook(slog.New(slog.DiscardHandler), leastChats)
	if big.max != 2*leastChats {
		t.Errorf("room for %d", big.max)
	}
}

// TestCommitWaitsForTheDisk: beginning and ending a message return when that is on
// disk; what several change meanwhile is written together; where more follows, the
// end is not waited for.
func TestCommitWaitsForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slowShelf{shelf: newShelf(), took: 2 * time.Second}
		b := newBook(t, d)
		x := Mark{ID: 1, Seq: 1, Time: 1}
		for n := 1; n <= 3; n++ {
			b.note(bot, chatN(n), x)
		}
		began := time.Now()
		done := make(chan time.Duration, 3)
		go func() { b.begin(t.Context(), bot, chatN(1), x); done <- time.Since(began) }()
		time.Sleep(time.Second)
		for n := 2; n <= 3; n++ {
			go func() { b.begin(t.Context(), bot, chatN(n), x); done <- time.Since(began) }()
		}
		for _, want := range []time.Duration{2 * time.Second, 4 * time.Second, 4 * time.Second} {
			if took := <-done; took != want {
				t.Errorf("after %v, want %v", took, want)
			}
		}
		if len(d.writes) != 2 || !d.writes[0] || !d.writes[1] {
			t.Errorf("writes %v", d.writes)
		}
		began = time.Now()
		b.end(t.Context(), bot, chatN(1), x, true)
		if took := time.Since(began); took != 0 {
			t.Errorf("with more to come: %v", took)
		}
		b.end(t.Context(), bot, chatN(2), x, false)
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("the last: %v", took)
		}
		if n := len(d.writes); n != 3 {
			t.Errorf("%d writes", n)
		}
		// Nothing changed: nothing is written.
		b.begin(t.Context(), bot, chatN(1), x)
		b.end(t.Context(), bot, chatN(1), x, false)
		b.Retry(t.Context())
		if n := len(d.writes); n != 3 {
			t.Errorf("%d writes", n)
		}
		// Within a second of the last sync a write only outlives the process.
		d.took = 0
		b.note(bot, chatN(1), Mark{ID: 2, Seq: 2, Time: 1})
		b.commit(t.Context())
		time.Sleep(syncEvery)
		b.note(bot, chatN(1), Mark{ID: 3, Seq: 3, Time: 1})
		b.commit(t.Context())
		b.note(bot, chatN(1), Mark{ID: 4, Seq: 4, Time: 1})
		b.commit(t.Context())
		b.begin(t.Context(), bot, chatN(1), Mark{ID: 4, Seq: 4, Time: 1})
		if n := len(d.writes); n != 4 || !d.writes[3] {
			t.Errorf("writes %v", d.writes)
		}
		b.end(t.Context(), bot, chatN(1), Mark{ID: 4, Seq: 4, Time: 1}, false)
		if n := len(d.writes); n != 5 || d.writes[4] {
			t.Errorf("writes %v", d.writes)
		}
	})
}

// TestAWriteThatHangsIsGivenUp: handlers wait for it no longer than promised, even
// if the caller's own context has ended.
func TestAWriteThatHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slowShelf{shelf: newShelf(), took: time.Hour}
		b := newBook(t, d)
		var told []error
		b.Watch(func(err error) { told = append(told, err) })
		x := Mark{ID: 1, Seq: 1, Time: 1}
		b.note(bot, chatN(1), x)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		d.took = writeTimeout - time.Second
		b.begin(ended, bot, chatN(1), x)
		if len(told) != 0 || len(d.records) == 0 {
			t.Errorf("a caller that ended kept it from being written: %v", told)
		}
		d.took = writeTimeout + time.Second
		b.end(t.Context(), bot, chatN(1), x, false)
		if len(told) != 1 || !errors.Is(told[0], context.DeadlineExceeded) {
			t.Errorf("told %v", told)
		}
	})
}

// TestWhatFailedIsWrittenLater: while the disk refuses nobody waits for it, and all
// of it is written when it works again.
func TestWhatFailedIsWrittenLater(t *testing.T) {
	d := newShelf()
	b := newBook(t, d)
	var told []error
	b.Watch(func(err error) { told = append(told, err) })
	x := Mark{ID: 1, Seq: 1, Time: 1}
	for n := range leastChats {
		b.note(bot, chatN(n+1), x)
	}
	b.commit(t.Context())
	d.broken = errors.New("full")
	b.note(bot, chatN(5000), x) // the first goes for it
	b.begin(t.Context(), bot, chatN(2), x)
	b.end(t.Context(), bot, chatN(2), x, false)
	if len(told) != 1 || told[0] == nil {
		t.Fatalf("told %v", told)
	}
	b.Retry(t.Context())
	if len(told) != 2 || b.failures != 2 {
		t.Errorf("told %v, %d failures", told, b.failures)
	}
	d.broken = nil
	b.Retry(t.Context())
	if len(told) != 3 || told[2] != nil {
		t.Errorf("told %v", told)
	}
	if _, ok := d.records[of{bot, chatN(1)}]; ok {
		t.Error("the one that was forgotten is still there")
	}
	if got := d.records[of{bot, chatN(2)}].Seen; len(got) != 1 || len(got[0]) != 3 {
		t.Errorf("the one that ended: %v", got)
	}
	if _, ok := d.records[of{bot, chatN(5000)}]; !ok {
		t.Error("the new one is not there")
	}
	b.note(bot, chatN(5001), x)
	b.commit(t.Context())
	if len(told) != 3 {
		t.Errorf("told %v of a write that did not fail", told)
	}
	if _, ok := d.records[of{bot, chatN(5001)}]; !ok {
		t.Error("a disk that works again is not waited for")
	}
	// Without a disk there is nothing to wait for, and nothing to retry.
	none := newBook(t, nil)
	none.note(bot, chatN(1), x)
	none.begin(t.Context(), bot, chatN(1), x)
	none.Retry(t.Context())
	if none.marked != none.written {
		t.Errorf("%d of %d written", none.written, none.marked)
	}
}

// TestWhenAnAccountWasLastHeard: by the host's clock, forwards only, and on disk at
// the latest half a minute later.
func TestWhenAnAccountWasLastHeard(t *testing.T) {
	d := newShelf()
	b := newBook(t, d)
	at := func(n int64) onebot.Event { return &onebot.Poke{EventBase: onebot.EventBase{Time: n}} }
	saved := func() int64 { b.Retry(t.Context()); return d.records[of{bot, Chat{}}].At }
	b.heard(bot, at(1000), true)
	if n := saved(); n != 1000 {
		t.Errorf("saved %d", n)
	}
	b.heard(bot, at(1000+29), true)
	if n := saved(); n != 1000 || b.aliveAt(bot) != 1029 {
		t.Errorf("saved %d, alive at %d", n, b.aliveAt(bot))
	}
	b.heard(bot, at(1000+30), true)
	if n := saved(); n != 1030 {
		t.Errorf("saved %d", n)
	}
	b.heard(bot, at(900), true)
	b.heard(bot, at(5000), false) // not to be tracked
	if b.aliveAt(bot) != 1030 {
		t.Errorf("alive at %d", b.aliveAt(bot))
	}
	b.heard(bot, at(2_000_000_000_000), true)
	if b.aliveAt(bot) != 2_000_000_000 {
		t.Errorf("milliseconds: alive at %d", b.aliveAt(bot))
	}
	// One that was never heard is alive since the book was opened, and that is kept.
	b.born = 123
	if b.aliveAt(bot+1) != 123 || b.marked == b.written {
		t.Errorf("alive at %d", b.aliveAt(bot+1))
	}
	b.commit(t.Context())
	if n := d.records[of{bot + 1, Chat{}}].At; n != 123 {
		t.Errorf("saved %d", n)
	}
}
