package journal

import (
	"context"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

const (
	// firstPage is how many messages are asked for first: most gaps are short.
	firstPage = 20
	// nextPage is how many are asked for at once after that.
	nextPage = 100
	// ownShare is how many times as many messages as are wanted are read of a chat
	// at most: the account's own are among them.
	ownShare = 8
)

// fill looks into the histories of chats and returns how many messages were
// missed. It goes on after a chat whose history cannot be had, and stops when
// there is no answer at all. over says that nothing more can be missing later.
func (f *Filler) fill(ctx context.Context, chats []Chat, over bool) (n int, err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var mu sync.Mutex // guards n and err
	var wg sync.WaitGroup
	work := make(chan Chat)
	for range min(fetchers, len(chats)) {
		wg.Go(func() {
			for c := range work {
				if ctx.Err() != nil {
					continue
				}
				k, e := f.fillChat(ctx, c, over)
				mu.Lock()
				n += k
				if e != nil && err == nil {
					err = e
				}
				mu.Unlock()
				if e != nil {
					stop(e) // the host does not answer: the other chats need not wait as long
				}
			}
		})
	}
	for _, c := range chats {
		work <- c
	}
	close(work)
	wg.Wait()
	return n, err
}

// fillChat looks into the history of one chat that has a gap, again as long as a
// live message waits that came after the look began. Then, or with over at once,
// the gap is closed.
func (f *Filler) fillChat(ctx context.Context, c Chat, over bool) (n int, err error) {
	for {
		f.mu.Lock()
		g := f.gaps[c]
		if g == nil || g.busy {
			f.mu.Unlock()
			return n, nil
		}
		g.busy, g.urgent = true, false
		since, waits := g.since, g.waits()
		f.mu.Unlock()
		page, closed, err := f.fetch(ctx, c, since)
		if err != nil {
			f.mu.Lock()
			g.busy = false
			f.mu.Unlock()
			return n, err
		}
		// NapCat sends a message live only after those that it keeps to itself.
		last := over || waits || f.shows(g, page)
		o := f.deliver(c, g, page, last)
		n += o.found
		f.say(c, o, closed, since, page)
		if last {
			f.o.Book.change(f.id(), c, (*chatLog).settle)
			return n, nil
		}
		f.mu.Lock()
		again := g.waits()
		f.mu.Unlock()
		if !again {
			return n, nil
		}
	}
}

// waits reports whether a live message is held back.
func (g *gap) waits() bool {
	return slices.ContainsFunc(g.marks, func(m Mark) bool { return m != (Mark{}) })
}

// shows reports whether a page has a message that is held back.
func (f *Filler) shows(g *gap, page []onebot.MessageEvent) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(page, func(m onebot.MessageEvent) bool {
		x := MarkOf(m.Msg())
		return slices.ContainsFunc(g.marks, x.Same)
	})
}

// say warns of messages that were left out.
func (f *Filler) say(c Chat, o outcome, closed bool, since Mark, page []onebot.MessageEvent) {
	left := o.over
	if !closed && len(page) > 0 {
		if first := MarkOf(page[0].Msg()); first.Seq > 0 && since.Seq > 0 {
			left += int(max(0, first.Seq-since.Seq-1))
		}
	}
	if left > 0 || !closed {
		f.o.Log.Warn("more messages were missed than are fetched", "group_id", int64(c.Group), "user_id", int64(c.User),
			"fetched", o.found, "left_out", left)
		if f.o.Gap != nil {
			f.o.Gap(c, left)
		}
	}
	if o.late > 0 {
		f.o.Log.Warn("messages came into the history when newer ones had been handled", "group_id", int64(c.Group), "user_id", int64(c.User),
			"left_out", o.late)
	}
}

// fetch reads a chat's history back to the message since, oldest first. closed is
// false if it did not come as far and what is missing is young enough to matter.
func (f *Filler) fetch(ctx context.Context, c Chat, since Mark) (page []onebot.MessageEvent, closed bool, err error) {
	oldest := time.Now().Add(-f.o.Age).Unix()
	count := min(firstPage, f.o.Messages)
	page, err = f.ask(ctx, c, 0, count, false)
	got := len(page)
	for err == nil && !reaches(page, since, oldest) {
		others := 0
		for _, m := range page {
			if !m.Msg().FromSelf() {
				others++
			}
		}
		if others > f.o.Messages || len(page) > ownShare*f.o.Messages {
			return page, false, nil
		}
		if got < count || len(page) == 0 { // that is all there is
			return page, true, nil
		}
		count = nextPage
		var more []onebot.MessageEvent
		if more, got, err = f.back(ctx, c, page[0], count); len(more) == 0 && err == nil {
			return page, got < count, nil
		}
		page = append(more, page...)
	}
	if err != nil && onebot.IsRefused(err) { // the host also refuses to say that there is nothing
		f.o.Log.Debug("no history", "group_id", int64(c.Group), "user_id", int64(c.User), "error", err)
		return page, true, nil
	}
	return page, err == nil, err
}

// reaches reports whether a page begins with what is known, or is too old to
// matter.
func reaches(page []onebot.MessageEvent, since Mark, oldest int64) bool {
	return slices.ContainsFunc(page, func(m onebot.MessageEvent) bool {
		x := MarkOf(m.Msg())
		return x.Same(since) || since.After(x) || x.Time > 0 && x.Time < oldest
	})
}

// back returns what a history has before a message, and how much the host
// answered. Which way a host pages is found out.
func (f *Filler) back(ctx context.Context, c Chat, from onebot.MessageEvent, count int) (older []onebot.MessageEvent, got int, err error) {
	for range 2 {
		turn := f.turned.Load()
		var page []onebot.MessageEvent
		page, err = f.ask(ctx, c, from.Msg().MessageID, count, turn)
		if err != nil && !onebot.IsRefused(err) {
			return nil, 0, err
		}
		first := MarkOf(from.Msg())
		at := slices.IndexFunc(page, func(m onebot.MessageEvent) bool { return MarkOf(m.Msg()).Same(first) })
		if at < 0 {
			page = slices.DeleteFunc(page, func(m onebot.MessageEvent) bool { return !first.After(MarkOf(m.Msg())) })
		} else {
			page = page[:at]
		}
		got = max(got, len(page)+1)
		if len(page) > 0 {
			return page, got, nil
		}
		f.turned.Store(!turn)
	}
	return nil, got, err
}

// ask asks for a page and puts it into order.
func (f *Filler) ask(ctx context.Context, c Chat, from onebot.MessageID, count int, turn bool) ([]onebot.MessageEvent, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	page, err := f.o.Host.History(ctx, c, from, count, turn)
	if err != nil {
		return nil, err
	}
	if n := len(page); n > 1 && MarkOf(page[0].Msg()).After(MarkOf(page[n-1].Msg())) {
		slices.Reverse(page)
	}
	sort.SliceStable(page, func(i, j int) bool { return seconds(page[i].Base().Time) < seconds(page[j].Base().Time) })
	return page, nil
}

// contacts opens gaps in the chats in which people wrote while the bot did not listen,
// and returns all that have one.
func (f *Filler) contacts(ctx context.Context, up *link) []Chat {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	list, err := f.o.Host.Recent(ctx, f.o.Chats)
	if err != nil {
		f.o.Log.Debug("no list of recent chats", "error", err)
	}
	f.mu.Lock()
	bound := up.bound
	f.mu.Unlock()
	list = slices.DeleteFunc(list, func(c Contact) bool {
		since, known := f.o.Book.since(f.id(), c.Chat)
		return c.Chat == (Chat{}) || c.Time < bound || known && c.Time < since.Time
	})
	chats := make([]Chat, 0, len(list))
	for _, c := range list[:min(len(list), f.o.Chats)] {
		chats = append(chats, c.Chat)
	}
	f.reopen(chats)
	return f.open()
}

// deliver hands on what of page is missing in a chat, in which the caller is the
// busy one. With last it hands on what is held back as well and closes the gap.
func (f *Filler) deliver(c Chat, g *gap, page []onebot.MessageEvent, last bool) outcome {
	f.mu.Lock()
	since, late := g.since, g.late
	var held []onebot.Event
	var marks []Mark
	if last {
		held, marks, g.held, g.marks = g.held, g.marks, nil, nil
	}
	f.mu.Unlock()
	list := make([]old, len(page))
	for i, m := range page {
		list[i] = old{MarkOf(m.Msg()), m.Msg().FromSelf() || len(m.Msg().Message) == 0}
	}
	oldest := time.Now().Add(-f.o.Age).Unix()
	o := f.o.Book.missed(f.id(), c, query{since, late, oldest, f.o.Messages}, list, marks)
	for _, s := range o.steps {
		if s.held >= 0 {
			f.o.Deliver(held[s.held])
			continue
		}
		page[s.page].Msg().Backfilled = true
		f.o.Deliver(page[s.page])
	}
	f.backfilled.Add(uint64(o.found))
	for {
		f.mu.Lock()
		if !last || len(g.held) == 0 {
			break
		}
		held, g.held, g.marks = g.held, nil, nil
		f.mu.Unlock()
		for _, e := range held {
			f.o.Deliver(e)
		}
	}
	if last && f.gaps[c] == g {
		delete(f.gaps, c)
	}
	if since, known := f.o.Book.since(f.id(), c); known {
		g.since = since
	}
	g.busy = false
	f.mu.Unlock()
	return o
}
