package ncat

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/bot/journal"
	"github.com/ncatd/ncatd/onebot"
)

// rememberFor is how long a chat is remembered in which nobody writes.
const rememberFor = 24 * time.Hour

// book returns what the sessions of the bot remember of messages.
func (c *core) book() *journal.Book {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.messages == nil {
		c.messages = journal.NewBook(c.log, c.backfill.Chats)
		c.messages.Watch(func(err error) { c.tell(PartJournal, err) })
	}
	return c.messages
}

// newJournal returns what stands in the way of a session's events; nil if nothing
// is remembered.
func (s *session) newJournal() *journal.Filler {
	o := s.core.backfill
	if o.Mode == BackfillOff {
		return nil
	}
	return journal.New(journal.Options{
		Book: s.core.book(), Host: &historian{s}, Log: s.log,
		Deliver: s.deliverMissed,
		ChatOf:  func(e onebot.Event) journal.Chat { return journal.Chat(ChatOf(e)) },
		Auto:    o.Mode == BackfillAuto, Messages: o.Messages, Chats: o.Chats, Age: o.Age,
		Queue:   s.core.queue,
		Dropped: func(c journal.Chat, why string) { s.drop(Chat(c), why) },
		Gap: func(c journal.Chat, missing int) {
			if s.gap != nil {
				s.gap(c.Group, c.User, missing)
			}
		},
	})
}

// deliverMissed hands on what the journal held back or fetched.
func (s *session) deliverMissed(e onebot.Event) {
	if Backfilled(nil, e) {
		s.events.Add(1)
		if s.told != nil {
			s.told(e)
		}
	}
	s.pass(e, false)
}

// Unfinished is a message that handlers had begun with when the process ended.
type Unfinished struct {
	Account   onebot.UserID
	Chat      Chat
	MessageID onebot.MessageID
	GivenUp   bool // it was the second time, so that it is left out; else it comes once more
}

// WithUnfinished sets a function that is called at the start with the messages with which the
// process before this one had not got done, before any handler runs. It needs a
// store, see [WithStore].
func WithUnfinished(f func(Unfinished)) Option { return func(c *core) { c.unfinished = f } }

// loadJournal reads what an earlier process saw, and says what it left undone.
func (s *session) loadJournal(ctx context.Context) {
	if s.journal == nil {
		return
	}
	b := s.core.book()
	var disk journal.Disk
	if s.core.stores.lasting() {
		disk = &journalDisk{s.core.stores.space(journal.Space)}
	}
	first, err := b.Load(ctx, disk)
	if err != nil {
		s.log.Error("the journal of messages cannot be read", "error", err)
	}
	if !first {
		return
	}
	for _, l := range b.Lost() {
		attrs := []any{"self_id", int64(l.Self), "group_id", int64(l.Chat.Group), "user_id", int64(l.Chat.User), "message_id", l.ID}
		if f := s.core.unfinished; f != nil {
			f(Unfinished{Account: l.Self, Chat: Chat(l.Chat), MessageID: onebot.MessageID(l.ID), GivenUp: l.GivenUp})
		}
		if l.GivenUp {
			s.log.Error("a message is left out: the process ended twice while handlers ran for it", attrs...)
		} else {
			s.log.Warn("a message was being handled when the process ended; it is given to handlers once more", attrs...)
		}
	}
}

// runJournal fills gaps until ctx ends. The function that it returns waits for
// that, and then brings what is not on disk yet there.
func (s *session) runJournal(ctx context.Context) (wait func()) {
	if s.journal == nil {
		return func() {}
	}
	ended := make(chan struct{})
	go func() { // wait waits for it
		defer close(ended)
		s.journal.Run(ctx)
	}()
	return func() {
		<-ended
		s.core.book().Retry(context.WithoutCancel(ctx))
	}
}

// note remembers a message as waiting for handlers, and reports false if it had
// its turn already.
func (s *session) note(e onebot.Event) bool { return s.journal == nil || s.journal.Note(e) }

// forget takes a message back that was noted and will not be handled.
func (s *session) forget(e onebot.Event) {
	if s.journal != nil {
		s.journal.Forget(e)
	}
}

// settled notes that nothing more is to be done with a message.
func (s *session) settled(e onebot.Event) {
	if s.done != nil && !isPresence(e) {
		s.done(e)
	}
	if s.journal != nil {
		s.journal.Settle(e)
	}
}

// handleNoted is handle, with notes before and after it that outlive the process.
func (s *session) handleNoted(ctx context.Context, q *chatQueue, e onebot.Event) {
	if s.journal != nil {
		s.journal.Begin(ctx, e)
	}
	defer func() { // also when a handler ends the goroutine
		w := q.beside
		if q.beside = nil; w == nil {
			s.over(ctx, e, s.more(q))
			return
		}
		s.handled.Add(1)
		go func() { // what runs beside the chat is waited for here
			defer s.handled.Done()
			w.Wait()
			s.over(ctx, e, false)
		}()
	}()
	s.handle(ctx, q, e)
}

// more reports whether events wait in q, if that matters to the journal.
func (s *session) more(q *chatQueue) bool {
	if s.journal == nil || !s.core.stores.lasting() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return q.head < len(q.events)
}

// over notes that no handler has anything more to do with e.
func (s *session) over(ctx context.Context, e onebot.Event, more bool) {
	switch {
	case s.journal != nil:
		s.journal.End(ctx, e, more)
	case s.done != nil && !isPresence(e):
		s.done(e)
	}
}

// historian asks an account's host about its chats.
type historian struct{ s *session }

var _ journal.Host = (*historian)(nil)

// History implements [journal.Host]. NapCat takes a message's id as message_seq,
// and gives what was written up to it, or from it on with reverse_order.
func (h *historian) History(ctx context.Context, c journal.Chat, from onebot.MessageID, count int, turn bool) ([]onebot.MessageEvent, error) {
	var found []*onebot.ChatMessage
	var reverse *bool
	if turn {
		reverse = &turn
	}
	if c.IsGroup() {
		r, err := h.s.bot.api.GetGroupMsgHistory(ctx, onebot.GetGroupMsgHistoryParams{GroupID: c.Group, MessageSeq: from, Count: &count, ReverseOrder: reverse})
		if err != nil {
			return nil, err
		}
		found = r.Messages
	} else {
		r, err := h.s.bot.api.GetFriendMsgHistory(ctx, onebot.GetFriendMsgHistoryParams{UserID: c.User, MessageSeq: from, Count: &count, ReverseOrder: reverse})
		if err != nil {
			return nil, err
		}
		found = r.Messages
	}
	var out []onebot.MessageEvent
	for _, r := range found {
		e, err := onebot.Decode(r.Raw())
		if err != nil {
			continue
		}
		switch m := e.(type) {
		case *onebot.GroupMessage:
			if c.IsGroup() && m.GroupID == c.Group {
				out = append(out, m)
			}
		case *onebot.PrivateMessage:
			if !c.IsGroup() {
				m.GroupID = c.Group  // the host may have forgotten the session's group
				if m.TargetID == 0 { // which only events have
					m.TargetID = c.User
				}
				out = append(out, m)
			}
		}
	}
	return out, nil
}

// Recent implements [journal.Host].
func (h *historian) Recent(ctx context.Context, n int) ([]journal.Contact, error) {
	list, err := h.s.bot.api.GetRecentContact(ctx, onebot.GetRecentContactParams{Count: &n})
	if err != nil {
		return nil, err
	}
	var out []journal.Contact
	for _, r := range list {
		id, err := strconv.ParseInt(r.PeerUIN, 10, 64)
		if err != nil {
			continue
		}
		c := journal.Contact{Time: r.MsgTime}
		switch r.ChatType {
		case 1:
			c.Chat.User = onebot.UserID(id)
		case 2:
			c.Chat.Group = onebot.GroupID(id)
		case 100: // only the message says through which group
			if c.Chat.User = onebot.UserID(id); r.LatestMsg != nil {
				c.Chat.Group = r.LatestMsg.GroupID
			}
		default:
			continue
		}
		out = append(out, c)
	}
	return out, nil
}

// journalDisk keeps the journal in a store.
type journalDisk struct{ store Store }

var _ journal.Disk = (*journalDisk)(nil)

// soonStore is a [Store] whose updates need not wait for the disk: what UpdateSoon
// wrote survives the process at once and the machine a little later.
type soonStore interface {
	UpdateSoon(ctx context.Context, fn func(Tx) error) error
}

// Epoch implements [journal.Disk].
func (d *journalDisk) Epoch() uint64 {
	if s, ok := d.store.(interface{ Epoch() uint64 }); ok {
		return s.Epoch()
	}
	return 0
}

// Load implements [journal.Disk].
func (d *journalDisk) Load(ctx context.Context) ([]journal.Record, error) {
	entries, err := Scan[journal.Saved](ctx, d.store, "")
	var out []journal.Record
	for _, e := range entries {
		if r, ok := parseKey(e.Key); ok {
			r.Saved = e.Value
			out = append(out, r)
		}
	}
	return out, err
}

// Write implements [journal.Disk].
func (d *journalDisk) Write(ctx context.Context, put, gone []journal.Record, sync bool) error {
	update := d.store.Update
	if s, ok := d.store.(soonStore); ok && !sync {
		update = s.UpdateSoon
	}
	return update(ctx, func(tx Tx) error {
		for _, r := range gone {
			if err := tx.Delete(recordKey(r)); err != nil {
				return err
			}
		}
		for _, r := range put {
			b, err := json.Marshal(r.Saved)
			if err != nil {
				return err
			}
			if err := tx.Put(recordKey(r), b, rememberFor); err != nil {
				return err
			}
		}
		return nil
	})
}

func recordKey(r journal.Record) string {
	return fmt.Sprintf("%d/%d/%d", r.Self, r.Chat.Group, r.Chat.User)
}

func parseKey(key string) (r journal.Record, ok bool) {
	parts := strings.Split(key, "/")
	if len(parts) != 3 {
		return r, false
	}
	var n [3]int64
	for i, p := range parts {
		v, err := strconv.ParseInt(p, 10, 64)
		if err != nil {
			return r, false
		}
		n[i] = v
	}
	r.Self, r.Chat = onebot.UserID(n[0]), journal.Chat{Group: onebot.GroupID(n[1]), User: onebot.UserID(n[2])}
	return r, true
}

// dropLog says now and then that events were dropped.
type dropLog struct {
	mu   sync.Mutex // guards the field below
	last time.Time
}

// drop counts an event that will not be handled.
func (s *session) drop(chat Chat, why string) {
	n := s.dropped.Add(1)
	s.drops.mu.Lock()
	defer s.drops.mu.Unlock()
	if now := time.Now(); now.Sub(s.drops.last) > 10*time.Second {
		s.drops.last = now
		s.log.Warn("event dropped", "reason", why, "group_id", int64(chat.Group), "user_id", int64(chat.User), "dropped", n)
	}
}

// startJournalLocked lets what came before the session ran wait for what is
// missing before it, and notes the rest.
func (s *session) startJournalLocked() {
	var early []onebot.Event
	for _, q := range s.ready {
		early = append(early, q.events[q.head:]...)
	}
	tell := func(e onebot.Event) {
		if s.heard != nil && !isPresence(e) {
			s.heard(e, false)
		}
	}
	if s.journal == nil {
		for _, e := range early {
			tell(e)
		}
		return
	}
	now := map[onebot.Event]bool{}
	for _, e := range s.journal.Start(early) {
		now[e] = true
	}
	s.ready = slices.DeleteFunc(s.ready, func(q *chatQueue) bool {
		kept := q.events[:0]
		for _, e := range q.events[q.head:] {
			if now[e] && s.journal.Note(e) {
				tell(e)
				kept = append(kept, e)
			} else {
				s.waiting--
			}
		}
		q.events, q.head = kept, 0
		if len(kept) == 0 {
			delete(s.chats, q.chat)
		}
		return len(kept) == 0
	})
}
