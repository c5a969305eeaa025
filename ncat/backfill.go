package ncat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

// BackfillMode says when messages are fetched that were written while an
// account had no link.
type BackfillMode string

// The modes.
const (
	BackfillAuto BackfillMode = "auto" // after each reconnect
	BackfillAsk  BackfillMode = "ask"  // when [Bot.Backfill] is called
	BackfillOff  BackfillMode = "off"  // never; nothing is remembered
)

// Backfill says what becomes of messages that were written while an account had
// no link: NapCat does not send them again (contract E.8), but its history has
// them. A zero field is the default.
//
// What was missed is delivered to the same handlers as everything else, once,
// in order, and before what comes live in that chat, with Backfilled set in the
// message. The account's own messages are left out, and so are those that were
// recalled meanwhile, whose content nobody has any more.
type Backfill struct {
	Mode     BackfillMode
	Messages int           // of one chat at most, the newest; 100
	Chats    int           // at most, those with the newest messages; 50
	Age      time.Duration // older messages are left alone; one hour
}

// WithBackfill sets how gaps are filled; without it Mode is BackfillAuto.
func WithBackfill(o Backfill) Option {
	return func(c *core) {
		c.backfill = Backfill{
			Mode:     cmp.Or(o.Mode, BackfillAuto),
			Messages: max(cmp.Or(o.Messages, 100), 1),
			Chats:    max(cmp.Or(o.Chats, 50), 1),
			Age:      cmp.Or(o.Age, time.Hour),
		}
	}
}

const (
	// firstPage is how many messages are asked for first: most gaps are short.
	firstPage = 20
	// fetchTimeout is how long one look into a history may take.
	fetchTimeout = 3 * time.Second
	// holdLimit is how long live events wait for a gap to be filled.
	holdLimit = 10 * time.Second
	// settleAfter is how long after the first look into the histories the second
	// one comes: a host that has just started may still be fetching what its
	// account missed, and does not report it (contract E.8).
	settleAfter = 5 * time.Second
	// fetchers is how many histories are read at once.
	fetchers = 4
)

// Backfilled is a [Filter] for messages that were missed and fetched afterwards.
// Where(Not(Backfilled)) keeps a handler from them.
func Backfilled(_ *Bot, e onebot.Event) bool {
	m, ok := e.(onebot.MessageEvent)
	return ok && m.Msg().Backfilled
}

// Backfill looks at once for messages that the account missed in the chats that
// were active last, delivers them as [Backfill] says, and returns how many there
// were. It is for bots with [BackfillAsk]; with BackfillAuto it is an additional
// look. What it returns together with an error was delivered.
func (b *Bot) Backfill(ctx context.Context) (int, error) {
	s := b.session()
	if s == nil {
		return 0, fmt.Errorf("backfill: %w: %w", onebot.ErrNotSent, ErrNoAccount)
	}
	j := &s.journal
	if !j.on() {
		return 0, errors.New("backfill: it is switched off")
	}
	select {
	case j.filling <- struct{}{}:
	case <-ctx.Done():
		return 0, fmt.Errorf("backfill: %w: %w", onebot.ErrNotSent, context.Cause(ctx))
	}
	defer func() { <-j.filling }()
	s.mu.Lock()
	gaps, ups := j.gapsLocked(), j.ups
	s.mu.Unlock()
	n, err := j.fill(ctx, gaps, 0)
	j.close(gaps, ups)
	return n, err
}

// close ends the gaps that were filled, unless the link was lost meanwhile.
func (j *journal) close(chats []*chatLog, ups int) {
	j.s.mu.Lock()
	defer j.s.mu.Unlock()
	for _, l := range chats {
		if l.gap != nil && !l.gap.failed && j.ups == ups {
			l.gap = nil
		}
	}
}

// OnBackfilled sets who is told of each message that was missed and fetched,
// before it is handed to the bot: f must return at once and not change the event. It
// must be called before Run.
func (s *Session) OnBackfilled(f func(onebot.Event)) { s.journal.told = f }

// sortChats puts the chat with the newest message last.
func sortChats(chats []savedChat) {
	slices.SortStableFunc(chats, func(a, b savedChat) int { return cmp.Compare(a.log.At, b.log.At) })
}

// arrived looks at an event before anything else does. It reports whether the
// event is dealt with.
func (j *journal) arrived(e onebot.Event) bool {
	switch e := e.(type) {
	case *onebot.Lifecycle:
		if e.SubType == "connect" || e.SubType == "" {
			j.linkUp(e.Time)
		}
		return false
	case *onebot.Heartbeat:
		j.s.mu.Lock()
		back := e.Status.Online && j.offline
		j.offline = !e.Status.Online
		j.s.mu.Unlock()
		if back {
			j.linkUp(e.Time)
		}
		return false
	}
	if !j.alert.Load() {
		return false
	}
	chat := ChatOf(e)
	j.s.mu.Lock()
	defer j.s.mu.Unlock()
	if j.holds == 0 && time.Since(j.filled) >= echoFor {
		j.alert.Store(false)
		return false
	}
	l := j.chats[chat]
	if l == nil {
		return false
	}
	if l.hold != nil && j.s.state != sessionEnded {
		if len(l.hold.events) >= j.s.core.queue {
			j.s.dropLocked(chat, "queue full")
		} else {
			l.hold.events = append(l.hold.events, e)
		}
		return true
	}
	if m, ok := e.(onebot.MessageEvent); ok && !l.filled.IsZero() && time.Since(l.filled) < echoFor && l.has(seenOf(m.Msg()), true) {
		j.duplicates.Add(1)
		return true
	}
	return false
}

// linkUp notes that events come again from here on, and that some may be
// missing before.
func (j *journal) linkUp(at int64) {
	j.s.mu.Lock()
	defer j.s.mu.Unlock()
	j.up = unixSeconds(at)
	if j.s.state == sessionNew {
		j.early = true
		return
	}
	j.linkUpLocked()
}

func (j *journal) linkUpLocked() {
	j.accountLocked()
	j.ups++
	gaps := j.gapsLocked()
	if j.o.Mode != BackfillAuto || len(gaps) == 0 {
		return
	}
	for _, l := range gaps {
		if l.hold == nil {
			l.hold = &hold{}
			j.holds++
		}
	}
	j.alert.Store(true)
	select {
	case j.linked <- struct{}{}:
	default:
	}
}

// gapsLocked opens a gap in each chat that was active last and returns the
// chats, the most recent first. A gap that is open already stays where it began
// as long as what was seen since is remembered.
func (j *journal) gapsLocked() []*chatLog {
	var out []*chatLog
	for l := j.newest; l != nil && len(out) < j.o.Chats; l = l.older {
		if l.n == 0 || time.Since(l.at) > rememberFor {
			continue
		}
		if l.gap == nil || l.n-l.gap.n >= ringSize {
			l.gap = &gap{since: *l.last(0), n: l.n}
		}
		out = append(out, l)
	}
	return out
}

// fillAlways fills the gaps after each coming up of the link until ctx ends.
func (j *journal) fillAlways(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-j.linked:
		}
		again := j.fillRound(ctx)
		for again && ctx.Err() == nil { // the link was lost meanwhile
			again = j.fillRound(ctx)
		}
	}
}

// fillRound fills the gaps of one coming up of the link, twice. It reports
// whether the link came up again meanwhile.
func (j *journal) fillRound(ctx context.Context) (again bool) {
	select {
	case j.filling <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	defer func() { <-j.filling }()
	limit := time.NewTimer(holdLimit)
	defer limit.Stop()
	gaps, ups, _ := j.open()
	n, err := j.fill(ctx, gaps, 0)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		// No link: what waits goes on waiting for one, but not for ever.
		select {
		case <-j.linked:
			return true
		case <-limit.C:
		case <-ctx.Done():
		}
	}
	j.release(gaps)
	j.tell(n, err)
	settle := time.NewTimer(settleAfter)
	defer settle.Stop()
	select {
	case <-j.linked:
		return true
	case <-ctx.Done():
		return false
	case <-settle.C:
	}
	gaps, _, up := j.open()
	n, err = j.fill(ctx, gaps, up)
	j.tell(n, err)
	j.close(gaps, ups)
	return false
}

// open returns the chats that have a gap, the most recent first, how often the
// link has come up, and when it last did by the host's clock.
func (j *journal) open() (chats []*chatLog, ups int, up int64) {
	j.s.mu.Lock()
	defer j.s.mu.Unlock()
	for l := j.newest; l != nil; l = l.older {
		if l.gap != nil {
			chats = append(chats, l)
		}
	}
	return chats, j.ups, j.up
}

func (j *journal) tell(messages int, err error) {
	switch {
	case err != nil:
		j.s.log.Warn("history cannot be read", "messages", messages, "error", err)
	case messages > 0:
		j.s.log.Info("missed messages fetched", "messages", messages)
	}
}

// fill fills the gaps of chats and returns how many messages there were. It
// goes on after a chat whose history cannot be had, and stops when there is no
// answer at all. With until only what was written by then counts.
func (j *journal) fill(ctx context.Context, chats []*chatLog, until int64) (n int, err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var mu sync.Mutex // guards n and err
	var wg sync.WaitGroup
	work := make(chan *chatLog)
	for range min(fetchers, len(chats)) {
		wg.Go(func() {
			for l := range work {
				if ctx.Err() != nil {
					continue
				}
				k, e := j.fillChat(ctx, l, until)
				mu.Lock()
				n += k
				if e != nil && err == nil {
					err = e
				}
				mu.Unlock()
				if e != nil && !onebot.IsRefused(e) {
					stop(e) // nobody answers: the other chats need not wait as long
				}
			}
		})
	}
	for _, l := range chats {
		work <- l
	}
	close(work)
	wg.Wait()
	return n, err
}

// release lets go what waits for gaps that were not filled.
func (j *journal) release(chats []*chatLog) {
	for _, l := range chats {
		j.deliver(l, nil)
	}
}

// fillChat fills the gap of one chat.
func (j *journal) fillChat(ctx context.Context, l *chatLog, until int64) (int, error) {
	s := j.s
	s.mu.Lock()
	if l.gap == nil || j.chats[l.chat] != l { // forgotten meanwhile
		s.mu.Unlock()
		return 0, nil
	}
	chat, since := l.chat, l.gap.since
	l.gap.failed = true // until it is filled
	s.mu.Unlock()
	var page []onebot.MessageEvent
	for count := min(firstPage, j.o.Messages); ; count = j.o.Messages {
		more, err := j.history(ctx, chat, count)
		if err != nil && !onebot.IsRefused(err) {
			return 0, err
		}
		if err != nil { // the host also refuses to say that there is nothing
			s.log.Debug("no history", "group_id", int64(chat.Group), "user_id", int64(chat.User), "error", err)
		}
		if len(more) >= len(page) {
			page = more
		}
		reaches := slices.ContainsFunc(page, func(m onebot.MessageEvent) bool { return !seenOf(m.Msg()).after(since) })
		if reaches || count >= j.o.Messages || len(more) < count {
			break
		}
	}
	missed := j.missed(l, page, since, until)
	n := j.deliver(l, missed)
	s.mu.Lock()
	if l.gap != nil {
		l.gap.failed = false
	}
	s.mu.Unlock()
	return n, nil
}

// history returns the newest messages of a chat, oldest first.
func (j *journal) history(ctx context.Context, chat Chat, count int) ([]onebot.MessageEvent, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	var found []*onebot.ChatMessage
	if chat.IsGroup() {
		r, err := j.s.bot.api.GetGroupMsgHistory(ctx, onebot.GetGroupMsgHistoryParams{GroupID: chat.Group, Count: &count})
		if err != nil {
			return nil, err
		}
		found = r.Messages
	} else {
		r, err := j.s.bot.api.GetFriendMsgHistory(ctx, onebot.GetFriendMsgHistoryParams{UserID: chat.User, Count: &count})
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
			if chat.IsGroup() && m.GroupID == chat.Group {
				out = append(out, m)
			}
		case *onebot.PrivateMessage:
			if !chat.IsGroup() {
				m.GroupID = chat.Group // the host may have forgotten the session's group
				if m.TargetID == 0 {   // which only events have
					m.TargetID = chat.User
				}
				out = append(out, m)
			}
		}
	}
	if n := len(out); n > 1 && seenOf(out[0].Msg()).after(seenOf(out[n-1].Msg())) {
		slices.Reverse(out)
	}
	slices.SortStableFunc(out, func(a, b onebot.MessageEvent) int {
		return cmp.Compare(unixSeconds(a.Base().Time), unixSeconds(b.Base().Time))
	})
	return out, nil
}

// missed returns what of a page of the history came after since. Messages that
// were seen are still among it.
func (j *journal) missed(l *chatLog, page []onebot.MessageEvent, since seen, until int64) []onebot.MessageEvent {
	at := slices.IndexFunc(page, func(m onebot.MessageEvent) bool { return seenOf(m.Msg()).same(since) })
	page = slices.Clone(page[at+1:])
	oldest := time.Now().Add(-j.o.Age).Unix()
	return slices.DeleteFunc(page, func(m onebot.MessageEvent) bool {
		x := seenOf(m.Msg())
		switch {
		case at < 0 && !x.after(since), x.time > 0 && x.time < oldest, until > 0 && x.time > until+2:
			return true
		}
		return m.Msg().FromSelf()
	})
}

// deliver hands what was missed in a chat and what was held back since to the
// handlers: in the order of the history as far as that goes. It returns how many
// messages were missed.
func (j *journal) deliver(l *chatLog, page []onebot.MessageEvent) (n int) {
	s := j.s
	s.mu.Lock()
	if l.hold == nil && len(page) == 0 {
		s.mu.Unlock()
		return 0
	}
	var held []onebot.Event
	if l.hold != nil {
		held, l.hold.events = l.hold.events, nil
	}
	var out []onebot.Event
	for _, m := range page {
		x := seenOf(m.Msg())
		if l.has(x, false) {
			continue
		}
		live := slices.IndexFunc(held, func(e onebot.Event) bool {
			h, ok := e.(onebot.MessageEvent)
			return ok && seenOf(h.Msg()).same(x)
		})
		if live >= 0 {
			out = append(out, held[:live+1]...)
			held = held[live+1:]
			continue
		}
		if len(m.Msg().Message) == 0 { // recalled, or nothing that can be shown
			continue
		}
		m.Msg().Backfilled = true
		out = append(out, m)
		n++
	}
	if n > 0 {
		l.filled = time.Now()
		j.filled = l.filled
		j.alert.Store(true)
	}
	out = append(out, held...)
	j.backfilled.Add(uint64(n))
	for {
		s.mu.Unlock()
		for _, e := range out {
			if Backfilled(nil, e) {
				s.events.Add(1)
				if j.told != nil {
					j.told(e)
				}
			}
			s.pass(e)
		}
		s.mu.Lock()
		if l.hold == nil {
			break
		}
		if len(l.hold.events) == 0 {
			l.hold = nil
			j.holds--
			break
		}
		out, l.hold.events = l.hold.events, nil
	}
	s.mu.Unlock()
	return n
}
