package ncat

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

const (
	// ringSize is how many messages of a chat are remembered. More than that
	// cannot be told apart from what the history holds.
	ringSize = 64
	// flushEvery is how long what was seen may be missing on disk. A process
	// that is killed may deliver again what came within it, marked.
	flushEvery = time.Second
	// rememberFor is how long a chat is remembered in which nobody writes.
	rememberFor = 24 * time.Hour
	// echoFor is how long after a gap was filled the live form of a message
	// that was delivered from the history may still come.
	echoFor = time.Minute
	// journalSpace is the owner of the journal in the store.
	journalSpace = "ncat.journal"
)

// seen is what is remembered of a message.
type seen struct {
	id, seq, time int64
	filled        bool // it came from the history
}

func seenOf(m *onebot.MessageBase) seen {
	var seq int64
	if m.RealSeq != "" { // most other hosts have none, and an error costs
		if n, err := strconv.ParseInt(m.RealSeq, 10, 64); err == nil {
			seq = n
		}
	}
	return seen{id: int64(m.MessageID), seq: seq, time: unixSeconds(m.Time)}
}

// unixSeconds mends the milliseconds that NapCat gives for a message to which
// QQ gave no time.
func unixSeconds(t int64) int64 {
	if t > 1e11 {
		return t / 1000
	}
	return t
}

// same reports whether a and b are one message of one chat. An id alone is not
// enough, as it is a hash of 31 bits in NapCat (contract E.9) and need not stay
// what it was in other hosts when they start anew; nor is a sequence number,
// which a host may not have.
func (a seen) same(b seen) bool {
	byID := a.id != 0 && a.id == b.id
	bySeq := a.seq != 0 && a.seq == b.seq
	return byID && (bySeq || a.time == b.time) || bySeq && a.time == b.time
}

// after reports whether a was written after b, as far as can be told.
func (a seen) after(b seen) bool {
	if a.time != b.time {
		return a.time > b.time
	}
	return a.seq > b.seq
}

// chatLog remembers the last messages of one chat.
type chatLog struct {
	chat         Chat
	newer, older *chatLog
	ring         [ringSize]seen
	n            uint64    // messages ever noted; the newest is ring[(n-1)%ringSize]
	at           time.Time // when the newest was noted
	filled       time.Time // when a gap was last filled; zero: never
	dirty        bool

	gap  *gap  // what may be missing; nil: nothing
	hold *hold // live events that wait for the gap to be filled; nil: they do not
}

// gap begins with the last message before a link was lost.
type gap struct {
	since  seen
	n      uint64 // chatLog.n when it began
	failed bool   // the last look into the history was in vain
}

// hold keeps back what comes in a chat while its gap is being filled.
type hold struct{ events []onebot.Event }

// len returns how many messages the ring holds.
func (l *chatLog) len() int { return int(min(l.n, ringSize)) }

// last returns the i-th newest message, from 0.
func (l *chatLog) last(i int) *seen { return &l.ring[(l.n-1-uint64(i))%ringSize] }

// has reports whether a message was noted; with filled, whether it came from
// the history.
func (l *chatLog) has(m seen, filled bool) bool {
	for i := range l.len() {
		if x := l.last(i); (!filled || x.filled) && x.same(m) {
			return true
		}
	}
	return false
}

func (l *chatLog) save() savedLog {
	s := savedLog{At: l.at.Unix(), Seen: make([][3]int64, 0, l.len())}
	for i := l.len() - 1; i >= 0; i-- {
		e := l.last(i)
		s.Seen = append(s.Seen, [3]int64{e.id, e.seq, e.time})
	}
	return s
}

// forget takes a message back that was noted but not handled.
func (l *chatLog) forget(m seen) {
	for i := range l.len() {
		if !l.last(i).same(m) {
			continue
		}
		for ; i > 0; i-- {
			*l.last(i) = *l.last(i - 1)
		}
		*l.last(0) = seen{}
		l.n--
		return
	}
}

// journal remembers which messages an account has seen in the chats that were
// active last, so that what was missed can be told from what was not. All of it
// is guarded by Session.mu, but for the two that are atomic.
type journal struct {
	s    *Session
	o    Backfill
	told func(onebot.Event) // see OnBackfilled; nil: nobody
	keep bool               // on disk
	self onebot.UserID      // whose chats these are

	chats          map[Chat]*chatLog
	newest, oldest *chatLog
	gone           []string // keys to delete
	saved          map[onebot.UserID][]savedChat
	loaded         bool
	early          bool          // the link came up before it was loaded
	up             int64         // time of the link's coming up by the host's clock; 0: unknown
	ups            int           // how often it came up
	offline        bool          // the last heartbeat said so
	holds          int           // chats that have a hold
	filled         time.Time     // when a gap was last filled
	changed        chan struct{} // 1 slot: something is dirty
	linked         chan struct{} // 1 slot: the link came up
	filling        chan struct{} // 1 slot: who fills gaps holds it

	// alert is set while an event may have to wait or to be left out.
	alert atomic.Bool

	backfilled, duplicates atomic.Uint64
}

func (j *journal) init(s *Session) {
	j.s, j.o = s, s.core.backfill
	j.chats = map[Chat]*chatLog{}
	j.changed, j.linked, j.filling = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
}

func (j *journal) on() bool { return j.o.Mode != BackfillOff }

// noteLocked remembers a message that was handed to handlers.
func (j *journal) noteLocked(chat Chat, m *onebot.MessageBase) {
	if !j.on() || !j.loaded || m.FromSelf() || chat == (Chat{}) {
		return
	}
	j.accountLocked()
	l := j.chats[chat]
	if l == nil {
		l = j.addLocked(chat)
	} else if j.newest != l {
		j.unlinkLocked(l)
		j.pushLocked(l)
	}
	x := seenOf(m)
	x.filled = m.Backfilled
	l.ring[l.n%ringSize] = x
	l.n++
	l.at = time.Now()
	j.touchLocked(l)
}

func (j *journal) touchLocked(l *chatLog) {
	if !j.keep || l.dirty {
		return
	}
	l.dirty = true
	select {
	case j.changed <- struct{}{}:
	default:
	}
}

// accountLocked sees to it that the chats are those of the account that is
// logged in.
func (j *journal) accountLocked() {
	self := onebot.UserID(j.s.self.Load())
	if self == j.self {
		return
	}
	j.self = self
	for _, l := range j.chats { // of an account that is no longer logged in
		if l.hold != nil {
			for range l.hold.events {
				j.s.dropLocked(l.chat, "another account")
			}
			l.hold = nil
		}
	}
	clear(j.chats)
	j.newest, j.oldest, j.gone, j.holds = nil, nil, nil, 0
	for _, c := range j.saved[self] {
		l := j.addLocked(c.chat)
		for _, e := range c.log.Seen {
			l.ring[l.n%ringSize] = seen{id: e[0], seq: e[1], time: e[2]}
			l.n++
		}
		l.at = time.Unix(c.log.At, 0)
	}
	delete(j.saved, self)
}

func (j *journal) addLocked(chat Chat) *chatLog {
	l := new(chatLog)
	if old := j.oldest; len(j.chats) >= 2*j.o.Chats && old.hold == nil {
		delete(j.chats, old.chat)
		j.unlinkLocked(old)
		if j.keep {
			j.gone = append(j.gone, j.key(old.chat))
		}
		*old = chatLog{}
		l = old
	}
	l.chat = chat
	j.chats[chat] = l
	j.pushLocked(l)
	return l
}

func (j *journal) pushLocked(l *chatLog) {
	l.newer, l.older = nil, j.newest
	if j.newest != nil {
		j.newest.newer = l
	}
	j.newest = l
	if j.oldest == nil {
		j.oldest = l
	}
}

func (j *journal) unlinkLocked(l *chatLog) {
	if l.newer != nil {
		l.newer.older = l.older
	} else {
		j.newest = l.older
	}
	if l.older != nil {
		l.older.newer = l.newer
	} else {
		j.oldest = l.newer
	}
	l.newer, l.older = nil, nil
}

// savedLog is a chatLog in the store.
type savedLog struct {
	At   int64      `json:"at"`   // Unix seconds of the newest
	Seen [][3]int64 `json:"seen"` // id, sequence, time; oldest first
}

type savedChat struct {
	chat Chat
	log  savedLog
}

func (j *journal) key(c Chat) string { return fmt.Sprintf("%d/%d/%d", j.self, c.Group, c.User) }

func parseKey(key string) (self onebot.UserID, c Chat, ok bool) {
	parts := strings.Split(key, "/")
	if len(parts) != 3 {
		return 0, Chat{}, false
	}
	var n [3]int64
	for i, p := range parts {
		v, err := strconv.ParseInt(p, 10, 64)
		if err != nil {
			return 0, Chat{}, false
		}
		n[i] = v
	}
	return onebot.UserID(n[0]), Chat{Group: onebot.GroupID(n[1]), User: onebot.UserID(n[2])}, true
}

// load reads what an earlier session of any account saw.
func (j *journal) load(ctx context.Context) {
	saved := map[onebot.UserID][]savedChat{}
	j.keep = j.s.core.stores.lasting()
	if j.on() && j.keep {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		entries, err := Scan[savedLog](ctx, j.s.core.stores.space(journalSpace), "")
		if err != nil {
			j.s.log.Error("the journal of messages cannot be read", "error", err)
		}
		for _, e := range entries {
			if self, chat, ok := parseKey(e.Key); ok {
				saved[self] = append(saved[self], savedChat{chat, e.Value})
			}
		}
		for _, chats := range saved { // the most recent one is added last
			sortChats(chats)
		}
	}
	if !j.keep {
		j.s.core.mu.Lock()
		maps.Copy(saved, j.s.core.journals)
		j.s.core.mu.Unlock()
	}
	j.s.mu.Lock()
	defer j.s.mu.Unlock()
	j.saved, j.loaded, j.self = saved, true, -1
	j.accountLocked()
}

// startLocked lets what came before the session ran wait if the link came up
// before it, and remembers the rest.
func (j *journal) startLocked() {
	if !j.on() {
		return
	}
	s := j.s
	if j.early {
		j.linkUpLocked()
	}
	s.ready = slices.DeleteFunc(s.ready, func(q *chatQueue) bool {
		l := j.chats[q.chat]
		if l == nil || l.hold == nil {
			for _, e := range q.events[q.head:] {
				s.noteLocked(q.chat, e)
			}
			return false
		}
		l.hold.events = append(l.hold.events, q.events[q.head:]...)
		s.waiting -= len(q.events) - q.head
		delete(s.chats, q.chat)
		return true
	})
}

// endLocked drops what is held back when the session ends. It was not noted, so
// that the next session fetches it.
func (j *journal) endLocked() {
	for _, l := range j.chats {
		if l.hold != nil {
			for range l.hold.events {
				j.s.dropLocked(l.chat, "ending")
			}
			l.hold = nil
		}
	}
	j.holds = 0
}

// forgetLocked takes an event back that was noted and will not be handled.
func (j *journal) forgetLocked(chat Chat, e onebot.Event) {
	if m, ok := e.(onebot.MessageEvent); ok && j.chats[chat] != nil {
		j.chats[chat].forget(seenOf(m.Msg()))
		j.touchLocked(j.chats[chat])
	}
}

// run keeps the journal on disk and fills gaps until ctx ends.
func (j *journal) run(ctx context.Context) {
	if !j.on() {
		return
	}
	filled := make(chan struct{})
	go func() { // awaited below
		defer close(filled)
		if j.o.Mode == BackfillAuto {
			j.fillAlways(ctx)
		}
	}()
	defer func() { <-filled }()
	t := time.NewTimer(flushEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-j.changed:
		}
		t.Reset(flushEvery)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		j.flush(ctx)
	}
}

// end hands the journal to the next session of the account.
func (j *journal) end(ctx context.Context) {
	if j.keep || !j.on() {
		j.flush(ctx)
		return
	}
	var chats []savedChat
	j.s.mu.Lock()
	for l := j.oldest; l != nil; l = l.newer {
		chats = append(chats, savedChat{l.chat, l.save()})
	}
	self := j.self
	j.s.mu.Unlock()
	c := j.s.core
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.journals == nil {
		c.journals = map[onebot.UserID][]savedChat{}
	}
	c.journals[self] = chats
}

// flush writes what changed.
func (j *journal) flush(ctx context.Context) {
	if !j.on() || !j.keep {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	type item struct {
		l   *chatLog
		key string
		log savedLog
	}
	var items []item
	j.s.mu.Lock()
	gone := j.gone
	j.gone = nil
	for _, l := range j.chats {
		if l.dirty {
			l.dirty = false
			items = append(items, item{l, j.key(l.chat), l.save()})
		}
	}
	j.s.mu.Unlock()
	if len(items) == 0 && len(gone) == 0 {
		return
	}
	err := j.s.core.stores.space(journalSpace).Update(ctx, func(tx Tx) error {
		for _, k := range gone {
			if err := tx.Delete(k); err != nil {
				return err
			}
		}
		for _, it := range items {
			b, err := json.Marshal(it.log)
			if err != nil {
				return err
			}
			if err := tx.Put(it.key, b, rememberFor); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		return
	}
	if ctx.Err() == nil {
		j.s.log.Error("the journal of messages cannot be written", "error", err)
	}
	j.s.mu.Lock()
	defer j.s.mu.Unlock()
	j.gone = append(gone, j.gone...)
	for _, it := range items {
		j.touchLocked(it.l)
	}
}
