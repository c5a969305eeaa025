package journal

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

const (
	// fetchTimeout is how long one look into a history may take.
	fetchTimeout = 3 * time.Second
	// holdLimit is how long live events wait for a link that was lost while their
	// gap was being filled.
	holdLimit = 10 * time.Second
	// bootSecond is how long after the link came up NapCat may still keep messages
	// to itself: it sends none whose whole second lies before the moment at which
	// its OneBot part was made (contract L.2).
	bootSecond = 1100 * time.Millisecond
	// settleAfter is how long after the link came up the last look into the
	// histories comes: a host that has just started may still be fetching what its
	// account missed, and does not report it (contract E.8).
	settleAfter = 5 * time.Second
	// fetchers is how many histories are read at once.
	fetchers = 4
	// aliveEvery is how far behind the time may be on disk at which an account was
	// last listened to.
	aliveEvery = 30 * time.Second
	// retryEvery is how often the disk is tried again that refused.
	retryEvery = time.Second
)

// Host is what a Filler asks. Its errors are those of onebot.
type Host interface {
	// History returns up to count messages of a chat, oldest first: the newest, or
	// those up to the message from. turn asks for the host's other direction.
	History(ctx context.Context, c Chat, from onebot.MessageID, count int, turn bool) ([]onebot.MessageEvent, error)
	// Recent returns the n chats with the newest messages.
	Recent(ctx context.Context, n int) ([]Contact, error)
}

// Contact is a chat in a host's list.
type Contact struct {
	Chat Chat
	Time int64 // of its newest message, Unix seconds
}

// Options configures a Filler.
type Options struct {
	Book *Book
	Host Host
	// Deliver hands an event to the bot; with Missed set for a message that came
	// from the history. It calls Note.
	Deliver func(e onebot.Event)
	Log     *slog.Logger
	// ChatOf returns the chat of an event.
	ChatOf func(e onebot.Event) Chat

	Auto     bool          // fill gaps whenever the link comes up
	Messages int           // of one chat at most
	Chats    int           // at most, besides those in which somebody writes at once
	Age      time.Duration // older messages are left alone
	Queue    int           // events of one chat that may be held back
	// Dropped is told of each event for which there was no room.
	Dropped func(c Chat, why string)
	// Gap is told of each chat in which more was missed than may be fetched, and how
	// many messages are missing at least; 0: that cannot be told. It may be nil.
	Gap func(c Chat, missing int)
}

// Filler stands in the way of the events of one link. It is safe for concurrent
// use, except that events come from one goroutine at a time.
type Filler struct {
	o    Options
	self atomic.Int64
	// unsure is set while an event may have to wait.
	unsure  atomic.Bool
	turned  atomic.Bool // the host pages back in the other direction
	offline atomic.Bool // the last heartbeat said so

	linked  chan struct{} // 1 slot: the link came up
	urgent  chan struct{} // 1 slot: a caller waits, see gap.urgent
	filling chan struct{} // 1 slot: held while gaps are filled

	mu      sync.Mutex // guards the fields below
	started bool       // Start was called
	ended   bool
	up      *link // the present link; nil: none came up yet
	gaps    map[Chat]*gap
	asked   map[Chat]Mark // where Fill has to begin to look, unless Auto

	backfilled, duplicates atomic.Uint64
}

// link is one coming up of the link. It is not changed but by Filler.mu.
type link struct {
	at    time.Time // when it came up
	bound int64     // what was written before that is not missed, in chats that are not known
	open  bool      // the boot second was not looked at yet
	deaf  bool      // the host does not answer about histories
}

// gap is what may be missing in one chat.
type gap struct {
	since  Mark
	late   bool // what is older than what was delivered counts as well: it was asked for
	held   []onebot.Event
	marks  []Mark // of held; zero: no message
	busy   bool   // a goroutine looks, or delivers
	urgent bool   // a message waits for a look
}

// New returns a Filler. It starts nothing.
func New(o Options) *Filler {
	return &Filler{
		o: o, gaps: map[Chat]*gap{}, asked: map[Chat]Mark{},
		linked: make(chan struct{}, 1), urgent: make(chan struct{}, 1), filling: make(chan struct{}, 1),
	}
}

// Counts returns how many messages were missed and fetched, and how many events
// came again that had been delivered.
func (f *Filler) Counts() (backfilled, duplicates uint64) {
	return f.backfilled.Load(), f.duplicates.Load()
}

func (f *Filler) id() onebot.UserID { return onebot.UserID(f.self.Load()) }

// SetSelf says whose events come.
func (f *Filler) SetSelf(id onebot.UserID) {
	if id == f.id() {
		return
	}
	f.self.Store(int64(id))
	f.mu.Lock()
	defer f.mu.Unlock()
	for c, g := range f.gaps { // of an account that is no longer logged in
		for range g.held {
			f.o.Dropped(c, "another account")
		}
		g.held, g.marks = nil, nil
	}
}

// Arrive looks at a live event before anything else does. It reports whether the
// event is dealt with.
func (f *Filler) Arrive(e onebot.Event) bool {
	switch m := e.(type) {
	case *onebot.Lifecycle:
		if m.SubType == "connect" || m.SubType == "" {
			f.LinkUp()
		}
	case *onebot.Heartbeat:
		if f.offline.Swap(!m.Status.Online) && m.Status.Online {
			f.LinkUp()
		}
	case onebot.MessageEvent:
		// It is back before the next heartbeat says so, and what came meanwhile is
		// older than this. Nobody looks into the history, which has this as well,
		// before this waits.
		if f.offline.Load() && f.offline.Swap(false) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.linkUpLocked()
			return f.arrive(e, f.holdLocked)
		}
	}
	return f.arrive(e, f.hold)
}

func (f *Filler) arrive(e onebot.Event, hold func(Chat, onebot.Event) bool) bool {
	unsure := f.unsure.Load()
	if f.o.Book.heard(f.id(), e, !unsure) {
		f.duplicates.Add(1)
		return true
	}
	if !unsure || e.Base().PostType == onebot.PostMeta {
		return false
	}
	return hold(f.o.ChatOf(e), e)
}

func (f *Filler) hold(c Chat, e onebot.Event) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.holdLocked(c, e)
}

// holdLocked keeps an event back if something older may be missing in its chat.
func (f *Filler) holdLocked(c Chat, e onebot.Event) bool {
	m, isMessage := markOf(e)
	g := f.gaps[c]
	switch {
	case f.ended || c == (Chat{}):
		return false
	case g != nil:
	case f.up == nil || !f.up.open || f.up.deaf || !isMessage:
		return false
	default:
		since, known := f.o.Book.since(f.id(), c)
		if !known {
			if m.Time <= f.up.bound { // the host was up before anything can be missing
				return false
			}
			since = Mark{Time: f.up.bound}
		}
		g = &gap{since: since}
		f.gaps[c] = g
	}
	if len(g.held) >= f.o.Queue {
		f.o.Dropped(c, "queue full")
		return true
	}
	g.held, g.marks = append(g.held, e), append(g.marks, m)
	if isMessage && !g.busy && !g.urgent {
		g.urgent = true
		signal(f.urgent)
	}
	return true
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// LinkUp notes that events come again from here on, and that some may be missing
// before.
func (f *Filler) LinkUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.linkUpLocked()
}

func (f *Filler) linkUpLocked() {
	if f.ended {
		return
	}
	if !f.o.Auto {
		f.askLocked()
		return
	}
	f.up = &link{at: time.Now(), open: true}
	if f.started {
		f.openLocked()
	}
}

// askLocked remembers where Fill has to begin to look.
func (f *Filler) askLocked() {
	for _, c := range f.o.Book.recent(f.id(), f.o.Chats) {
		if _, ok := f.asked[c]; !ok {
			f.asked[c], _ = f.o.Book.since(f.id(), c)
		}
	}
}

// openLocked opens the gaps of a link that came up.
func (f *Filler) openLocked() {
	f.up.bound = f.o.Book.aliveAt(f.id()) // which stands still while an event may have to wait
	for _, c := range f.o.Book.recent(f.id(), f.o.Chats) {
		if f.gaps[c] == nil {
			since, _ := f.o.Book.since(f.id(), c)
			f.gaps[c] = &gap{since: since}
		}
	}
	f.unsure.Store(true)
	signal(f.linked)
}

// Start says that the book was loaded and what is delivered will be handled.
// early are events that came before; those that it returns are to be delivered
// now.
func (f *Filler) Start(early []onebot.Event) (now []onebot.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.started = true
	up := f.up != nil
	if up {
		f.openLocked()
	}
	for _, e := range early {
		if !up || !f.holdLocked(f.o.ChatOf(e), e) {
			now = append(now, e)
		}
	}
	return now
}

// Note remembers a message that is about to wait for its handlers. It reports
// false for one that had its turn already.
func (f *Filler) Note(e onebot.Event) bool {
	em, ok := e.(onebot.MessageEvent)
	if !ok {
		return true
	}
	c := f.o.ChatOf(e)
	if c == (Chat{}) {
		return true
	}
	base := em.Msg()
	fresh, again := f.o.Book.note(f.id(), c, MarkOf(base))
	if !fresh {
		f.duplicates.Add(1)
		return false
	}
	base.Redelivered = again
	return true
}

// Had reports whether a message had its turn, in this process or in an earlier one. One
// that had not still comes, as missed.
func (f *Filler) Had(m onebot.MessageEvent) bool {
	since, known := f.o.Book.since(f.id(), f.o.ChatOf(m))
	return !f.o.Auto || !known || !MarkOf(m.Msg()).After(since)
}

// Forget takes back what Note noted of an event that will not be handled.
func (f *Filler) Forget(e onebot.Event) {
	if m, ok := markOf(e); ok {
		f.o.Book.change(f.id(), f.o.ChatOf(e), func(l *chatLog) bool { return l.forget(m) })
	}
}

// Settle notes that nothing more is to be done with an event that Note noted.
func (f *Filler) Settle(e onebot.Event) {
	if m, ok := markOf(e); ok {
		f.o.Book.change(f.id(), f.o.ChatOf(e), func(l *chatLog) bool { return l.set(m, queued, done) })
	}
}

// Begin says that handlers begin with an event, End that they are done with it;
// with more another event waits in the chat. Both return when that outlives the
// process, or cannot.
func (f *Filler) Begin(ctx context.Context, e onebot.Event) {
	if m, ok := markOf(e); ok {
		f.o.Book.begin(ctx, f.id(), f.o.ChatOf(e), m)
	}
}

// End is called when the handling that [Filler.Begin] announced is over; more says
// that further events of the chat wait.
func (f *Filler) End(ctx context.Context, e onebot.Event, more bool) {
	if m, ok := markOf(e); ok {
		f.o.Book.end(ctx, f.id(), f.o.ChatOf(e), m, more)
	}
}

// Stop drops what is held back when the session ends. It was not noted, so that
// the next session fetches it.
func (f *Filler) Stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	for c, g := range f.gaps {
		for range g.held {
			f.o.Dropped(c, "ending")
		}
		g.held, g.marks = nil, nil
	}
}

// Fill looks at once for what was missed in the chats that were active last, and
// returns how many messages there were.
func (f *Filler) Fill(ctx context.Context) (int, error) {
	select {
	case f.filling <- struct{}{}:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	defer func() { <-f.filling }()
	chats := f.o.Book.recent(f.id(), f.o.Chats)
	f.reopen(chats)
	f.mu.Lock()
	for c, since := range f.asked {
		if g := f.gaps[c]; g != nil && !g.busy {
			g.since, g.late = since, true
		}
	}
	clear(f.asked)
	f.mu.Unlock()
	n, err := f.fill(ctx, chats, true)
	f.release(nil)
	return n, err
}

// open returns the chats that have a gap, the most recent first.
func (f *Filler) open() []Chat {
	recent := f.o.Book.recent(f.id(), f.o.Book.max)
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Chat
	seen := map[Chat]bool{}
	for _, c := range recent {
		if f.gaps[c] != nil {
			out, seen[c] = append(out, c), true
		}
	}
	for c := range f.gaps {
		if !seen[c] {
			out = append(out, c)
		}
	}
	return out
}

// reopen opens gaps in chats that have none.
func (f *Filler) reopen(chats []Chat) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unsure.Store(true)
	for _, c := range chats {
		if f.gaps[c] == nil {
			since, known := f.o.Book.since(f.id(), c)
			if !known && f.up != nil {
				since = Mark{Time: f.up.bound}
			}
			f.gaps[c] = &gap{since: since}
		}
	}
}

// release ends the gaps that are still open and delivers what waits in them. up is
// the link whose gaps they are, nil for whatever there are; when another has come
// up since, the gaps are that one's.
func (f *Filler) release(up *link) {
	f.mu.Lock()
	if up != nil {
		up.open = false
		if f.up != up {
			f.mu.Unlock()
			return
		}
	}
	free := map[Chat]*gap{}
	for c, g := range f.gaps {
		if !g.busy {
			g.busy, free[c] = true, g
		}
	}
	f.mu.Unlock()
	for c, g := range free {
		f.deliver(c, g, nil, true)
	}
	f.sure()
}

// sure lets events pass without a look if nothing waits any more.
func (f *Filler) sure() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.gaps) == 0 && (f.up == nil || !f.up.open) {
		f.unsure.Store(false)
	}
}

func (f *Filler) tell(messages int, err error) {
	switch {
	case err != nil:
		f.o.Log.Warn("history cannot be read", "messages", messages, "error", err)
	case messages > 0:
		f.o.Log.Info("missed messages fetched", "messages", messages)
	}
}
