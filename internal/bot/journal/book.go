package journal

import (
	"context"
	"log/slog"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/ncatd/ncatd/onebot"
)

const (
	// leastChats is how many chats of an account are remembered at least.
	leastChats = 1024
	// rememberFor is how long a chat is remembered in which nobody writes.
	rememberFor = 24 * time.Hour
	// writeTimeout ends a write to the disk. Handlers wait for it.
	writeTimeout = 5 * time.Second
	// syncEvery is how often a write is made to outlive the machine as well and
	// not only the process, which costs a disk milliseconds.
	syncEvery = time.Second
	// recentNotices is how many notices are remembered.
	recentNotices = 512
)

// Record is what the disk keeps of a chat. One without a chat tells when the
// account was last listened to.
type Record struct {
	Self onebot.UserID
	Chat Chat
	Saved
}

// Disk keeps records. Its methods may be called from several goroutines, one
// Write at a time.
type Disk interface {
	Load(ctx context.Context) ([]Record, error)
	// Write puts records and deletes those of chats that were forgotten, all or
	// nothing. With sync it is on the disk when it returns, else it only outlives
	// the process.
	Write(ctx context.Context, put, gone []Record, sync bool) error
	// Epoch advances when what was written may be gone, so that all of it has to
	// be written again.
	Epoch() uint64
}

// Lost is a message that handlers had begun with when an earlier process ended.
type Lost struct {
	Self onebot.UserID
	Chat Chat
	Mark
	GivenUp bool // it has had its second chance
}

// Book is the memory of all accounts of a bot. It is safe for concurrent use.
type Book struct {
	log *slog.Logger
	max int // chats of an account

	loading sync.Mutex // one Load at a time

	mu       sync.Mutex // guards the fields below
	disk     Disk       // nil: none
	loaded   bool
	born     int64 // Unix seconds
	accounts map[onebot.UserID]*account
	lost     []Lost
	marked   uint64        // changes
	written  uint64        // those of them that are on disk
	writing  chan struct{} // closed when the write that runs has ended; nil: none runs
	synced   time.Time
	failing  error
	failures int
	told     func(error) // see Watch; may be nil
	epoch    uint64      // of the disk, when all that is known was written

	redelivered, givenUp atomic.Uint64
}

// account is one account's part of the book.
type account struct {
	self    onebot.UserID
	chats   *simplelru.LRU[Chat, *chatLog] // the one with the newest message is the newest
	dirty   map[Chat]*chatLog
	gone    map[Chat]bool // forgotten, but on disk
	notices *simplelru.LRU[key, struct{}]
	alive   int64 // the newest time of an event, by the host's clock
	stamped int64 // alive as it is on disk
}

// NewBook returns a book for up to chats chats of each account, or somewhat more.
func NewBook(log *slog.Logger, chats int) *Book {
	return &Book{log: log, max: max(2*chats, leastChats), born: time.Now().Unix(), accounts: map[onebot.UserID]*account{}}
}

// Load reads what earlier processes left on disk, if that was not done yet, and
// reports whether it did; disk may be nil. Its error says what could not be read;
// the book works without it.
func (b *Book) Load(ctx context.Context, disk Disk) (first bool, err error) {
	b.loading.Lock()
	defer b.loading.Unlock()
	b.mu.Lock()
	loaded := b.loaded
	b.mu.Unlock()
	if loaded {
		return false, nil
	}
	var records []Record
	if disk != nil {
		ctx, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		records, err = disk.Load(ctx)
	}
	sort.SliceStable(records, func(i, j int) bool { return records[i].At < records[j].At }) // the most recent one is added last
	b.mu.Lock()
	defer b.mu.Unlock()
	b.disk, b.loaded, b.born = disk, true, time.Now().Unix()
	if disk != nil {
		b.epoch = disk.Epoch()
	}
	for _, r := range records {
		a := b.accountLocked(r.Self)
		if r.Chat == (Chat{}) {
			a.alive, a.stamped = r.At, r.At
			continue
		}
		l, givenUp := r.load()
		a.chats.Add(r.Chat, l)
		for _, e := range l.entries {
			if e.state == orphan {
				b.lost = append(b.lost, Lost{Self: r.Self, Chat: r.Chat, Mark: e.Mark})
			}
		}
		for _, m := range givenUp {
			b.lost = append(b.lost, Lost{Self: r.Self, Chat: r.Chat, Mark: m, GivenUp: true})
			b.touchLocked(a, r.Chat, l)
		}
		b.givenUp.Add(uint64(len(givenUp)))
	}
	if err != nil { // it works again when it was written
		b.failing = err
		b.marked++
		b.tellLocked(err)
	}
	return true, err
}

// Lost returns the messages that handlers had begun with when the process before
// this one ended.
func (b *Book) Lost() []Lost {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.lost)
}

// Counts returns how many messages were given to handlers a second time, and how
// many were not given a third time.
func (b *Book) Counts() (redelivered, givenUp uint64) {
	return b.redelivered.Load(), b.givenUp.Load()
}

// Watch has f told why the book cannot be written, and nil when it can again. f
// must return at once.
func (b *Book) Watch(f func(error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told = f
}

func (b *Book) accountLocked(self onebot.UserID) *account {
	a := b.accounts[self]
	if a != nil {
		return a
	}
	a = &account{self: self, dirty: map[Chat]*chatLog{}, gone: map[Chat]bool{}}
	a.chats, _ = simplelru.NewLRU(b.max, func(c Chat, _ *chatLog) { // the size is right
		delete(a.dirty, c)
		if b.disk != nil {
			a.gone[c] = true
			b.marked++
		}
	})
	a.notices, _ = simplelru.NewLRU[key, struct{}](recentNotices, nil)
	b.accounts[self] = a
	return a
}

func (b *Book) touchLocked(a *account, c Chat, l *chatLog) {
	if b.disk == nil {
		return
	}
	a.dirty[c] = l
	delete(a.gone, c)
	b.marked++
}

// note remembers a message as waiting; see chatLog.note.
func (b *Book) note(self onebot.UserID, c Chat, m Mark) (fresh, again bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accountLocked(self)
	l, ok := a.chats.Get(c)
	if !ok {
		l = &chatLog{base: Mark{Time: m.Time, Seq: max(m.Seq-1, 0)}}
		if m.Seq == 0 {
			l.base.Time--
		}
		a.chats.Add(c, l)
		b.touchLocked(a, c, l)
	}
	fresh, again = l.note(m)
	if fresh {
		l.at = time.Now()
	}
	if again {
		b.redelivered.Add(1)
	}
	return fresh, again
}

// change does something to a chat that is remembered, and marks it as changed if
// that says so.
func (b *Book) change(self onebot.UserID, c Chat, f func(l *chatLog) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changeLocked(self, c, f)
}

func (b *Book) changeLocked(self onebot.UserID, c Chat, f func(l *chatLog) bool) bool {
	a := b.accounts[self]
	if a == nil {
		return false
	}
	l, ok := a.chats.Peek(c)
	if !ok || !f(l) {
		return false
	}
	b.touchLocked(a, c, l)
	return true
}

// begin notes that handlers begin with a message, and returns when that is on
// disk or cannot be.
func (b *Book) begin(ctx context.Context, self onebot.UserID, c Chat, m Mark) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.changeLocked(self, c, func(l *chatLog) bool { return l.set(m, queued, begun) }) {
		b.commitLocked(ctx)
	}
}

// end notes that handlers are done with a message. Unless more follows in the
// chat, whose beginning brings it to the disk, it returns when that is there.
func (b *Book) end(ctx context.Context, self onebot.UserID, c Chat, m Mark, more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.changeLocked(self, c, func(l *chatLog) bool { return l.set(m, begun, done) }) && !more {
		b.commitLocked(ctx)
	}
}

func (b *Book) commit(ctx context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.commitLocked(ctx)
}

// commitLocked returns when all changes so far are on disk. What several callers
// changed is written together; no caller waits for the sake of that. While the disk
// refuses, it does not wait.
func (b *Book) commitLocked(ctx context.Context) {
	for want := b.marked; b.disk != nil && b.written < want && b.failing == nil; {
		if ch := b.writing; ch != nil {
			b.mu.Unlock()
			<-ch // closed by its maker, which has a deadline
			b.mu.Lock()
			continue
		}
		b.writeLocked(ctx)
	}
}

// Retry writes what is not on disk yet, also if the disk refused before.
func (b *Book) Retry(ctx context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.disk == nil || b.writing != nil {
		return
	}
	b.renewLocked()
	if b.written < b.marked {
		b.writeLocked(ctx)
	}
}

// renewLocked marks everything as changed if another disk has taken the place of
// the one that was written to.
func (b *Book) renewLocked() {
	epoch := b.disk.Epoch()
	if epoch == b.epoch {
		return
	}
	b.epoch = epoch
	for _, a := range b.accounts {
		a.stamped = 0
		for _, c := range a.chats.Keys() {
			if l, ok := a.chats.Peek(c); ok {
				b.touchLocked(a, c, l)
			}
		}
	}
}

// writeLocked writes what changed. It lets go of the lock meanwhile.
func (b *Book) writeLocked(ctx context.Context) {
	b.renewLocked()
	put, gone, undo := b.batchLocked()
	upto, disk := b.marked, b.disk
	now := time.Now()
	full := now.Sub(b.synced) >= syncEvery
	ch := make(chan struct{})
	b.writing = ch
	b.mu.Unlock()
	wctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	err := disk.Write(wctx, put, gone, full)
	cancel()
	b.mu.Lock()
	b.writing = nil
	close(ch)
	if err != nil {
		undo()
		if b.failures++; b.failing == nil {
			b.log.Error("the journal of messages cannot be written; after a crash messages may be handled twice", "error", err)
		}
		b.failing = err
		b.tellLocked(err)
		return
	}
	if b.failing != nil {
		b.log.Info("the journal of messages is written again", "failures", b.failures)
		b.failing, b.failures = nil, 0
		b.tellLocked(nil)
	}
	b.written = upto
	if full {
		b.synced = now
	}
}

func (b *Book) tellLocked(err error) {
	if b.told != nil {
		b.told(err)
	}
}

// batchLocked takes what changed; undo gives it back.
func (b *Book) batchLocked() (put, gone []Record, undo func()) {
	type taken struct {
		a     *account
		dirty map[Chat]*chatLog
		gone  map[Chat]bool
	}
	var all []taken
	for _, a := range b.accounts {
		if len(a.dirty) == 0 && len(a.gone) == 0 && a.alive == a.stamped {
			continue
		}
		for c, l := range a.dirty {
			put = append(put, Record{a.self, c, l.save()})
		}
		for c := range a.gone {
			gone = append(gone, Record{Self: a.self, Chat: c})
		}
		put = append(put, Record{Self: a.self, Saved: Saved{At: a.alive}})
		all = append(all, taken{a, a.dirty, a.gone})
		a.dirty, a.gone, a.stamped = map[Chat]*chatLog{}, map[Chat]bool{}, a.alive
	}
	return put, gone, func() {
		for _, t := range all {
			t.a.stamped = 0
			for c, l := range t.dirty {
				if now, ok := t.a.chats.Peek(c); ok && now == l {
					b.touchLocked(t.a, c, l)
				}
			}
			for c := range t.gone {
				if !t.a.chats.Contains(c) {
					t.a.gone[c] = true
				}
			}
		}
	}
}

// heard reports whether an event is a notice or request that was heard before.
// With track it notes the event's time: up to it nothing is missing but what
// waits in chats that are known.
func (b *Book) heard(self onebot.UserID, e onebot.Event, track bool) (double bool) {
	k, keyed := noticeKey(e)
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accountLocked(self)
	if t := seconds(e.Base().Time); track && t > a.alive {
		if a.alive = t; t-a.stamped >= int64(aliveEvery/time.Second) {
			b.marked++ // the next write takes it along
		}
	}
	if !keyed {
		return false
	}
	if _, double = a.notices.Get(k); !double {
		a.notices.Add(k, struct{}{})
	}
	return double
}

// aliveAt returns the last time at which an event of the account is known to have
// come, in Unix seconds; of an account that was never heard, when the book was
// opened. That is remembered: what comes from then on may be missed by a process
// that ends before it has handled anything.
func (b *Book) aliveAt(self onebot.UserID) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accountLocked(self)
	if a.alive == 0 {
		a.alive = b.born
		b.marked++
	}
	return a.alive
}

// since returns where in a chat's history to begin to look, and whether the chat
// is known.
func (b *Book) since(self onebot.UserID, c Chat) (m Mark, known bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.accounts[self]; a != nil {
		if l, ok := a.chats.Peek(c); ok {
			return l.since(), true
		}
	}
	return Mark{}, false
}

// recent returns up to n chats of an account, the most recent first.
func (b *Book) recent(self onebot.UserID, n int) []Chat {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accounts[self]
	if a == nil {
		return nil
	}
	var out []Chat
	keys := a.chats.Keys() // oldest first
	for _, c := range slices.Backward(keys) {
		if l, _ := a.chats.Peek(c); time.Since(l.at) <= rememberFor && len(out) < n {
			out = append(out, c)
		}
	}
	return out
}

// missed is the function of that name on what is remembered of a chat.
func (b *Book) missed(self onebot.UserID, c Chat, q query, page []old, held []Mark) outcome {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := &chatLog{base: q.since}
	if a := b.accounts[self]; a != nil {
		if known, ok := a.chats.Peek(c); ok {
			l = known
		}
	}
	return missed(l, q, page, held)
}

// Chats returns how many chats are remembered of all accounts.
func (b *Book) Chats() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.accounts {
		n += a.chats.Len()
	}
	return n
}
