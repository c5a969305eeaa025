package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ncatd/ncatd/internal/jsonscan"
	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// ErrTooMany says that a message was refused because of the account's send rate.
var ErrTooMany = errors.New("too many messages")

// Upstream is an account's side that leads to its NapCat.
type Upstream interface {
	// For returns how an app makes calls: the account's pacing is shared by all
	// sources that call. A call with an [*rpc.Answer] as its result gets the
	// answer as it came. One that was refused for the send rate wraps [ErrTooMany].
	For(app string) onebot.Streamer
}

// Account is one account as the apps see it. It is safe for concurrent use.
type Account struct {
	name string

	dirty atomic.Bool // some link has something to flush
	used  atomic.Bool // users is not 0

	mu      sync.Mutex // guards the fields below
	up      Upstream
	self    int64
	linked  bool          // NapCat takes calls
	online  bool          // and says that the account is online
	known   chan struct{} // closed when self is known
	calls   context.Context
	cancel  context.CancelFunc // ends the calls in flight; set while linked
	links   []*link            // that get events
	touched []*link            // of them, those with something to flush
	late    *time.Timer        // runs askLate; nil: nothing is to be done later
	said    chan struct{}      // closed when it is known better what an app has; nil: nothing waits
	readers []*reader
	record  *record
	users   int // apps that run
}

func newAccount(name string) *Account {
	return &Account{name: name, known: make(chan struct{}), record: newRecord()}
}

// SetUpstream says where the account's calls go from now on.
func (a *Account) SetUpstream(up Upstream) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.up = up
}

// SetSelf tells the account's number, as far as it is known before NapCat says it.
func (a *Account) SetSelf(self int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.setSelfLocked(self)
}

func (a *Account) setSelfLocked(self int64) {
	if self == 0 {
		return
	}
	if a.self == 0 {
		close(a.known)
	}
	a.self = self
}

// Linked says that NapCat takes calls and sends events, and whose. Its apps get a
// lifecycle.
func (a *Account) Linked(ctx context.Context, self int64) {
	a.mu.Lock()
	a.setSelfLocked(self)
	if a.cancel != nil {
		a.cancel()
	}
	a.linked, a.online = true, true
	a.calls, a.cancel = context.WithCancel(context.WithoutCancel(ctx))
	now := time.Now()
	f := encode(opText, lifecycle(a.self, now))
	for _, l := range a.links {
		a.sendLocked(l, f)
	}
	a.mu.Unlock()
	a.Flush()
}

// Away says that NapCat is gone: its calls fail at once, and its apps get a
// heartbeat that says so.
func (a *Account) Away() {
	a.mu.Lock()
	was := a.linked
	a.linked = false
	if a.cancel != nil {
		a.cancel()
		a.cancel = nil
	}
	a.mu.Unlock()
	if was {
		a.beat(nil)
	}
}

// Online says whether NapCat takes the account to be online.
func (a *Account) Online(online bool) {
	a.mu.Lock()
	was := a.online
	a.online = online
	a.mu.Unlock()
	if was != online {
		a.beat(nil)
	}
}

// beat sends a heartbeat to the links of an app, nil for those of all.
func (a *Account) beat(app *App) {
	a.mu.Lock()
	now := time.Now()
	if a.self != 0 {
		for _, l := range a.links {
			if app == nil || l.app == app {
				a.sendLocked(l, encode(opText, heartbeat(a.self, now, a.linked && a.online, l.app.c.Heartbeat)))
			}
		}
	}
	a.mu.Unlock()
	a.Flush()
}

// feed hands an event to the apps. It does not wait for any of them, and sends
// nothing before flush.
func (a *Account) feed(ev *Event, sent func(app string, raw []byte)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.users == 0 {
		return
	}
	now := time.Now()
	e := entry{at: now, typ: ev.Type, raw: ev.Raw}
	if m := ev.message(); m != nil {
		e.id = int64(m.MessageID)
		if m.Backfilled || m.Redelivered {
			// The journal of messages does not know what the apps have: the record does.
			if a.record.holds(e.id) {
				return
			}
			e.raw = marked(ev.Raw, "backfilled")
		}
	}
	a.record.needed = a.record.last
	for _, c := range a.readers {
		a.record.needed = min(a.record.needed, c.pos)
	}
	for _, l := range a.links {
		if l.catching {
			a.record.needed = min(a.record.needed, l.cursor)
		}
	}
	seq := a.record.add(e)
	for _, c := range a.readers {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
	out := outgoing{seq: seq, raw: e.raw}
	for _, l := range a.links {
		if l.catching {
			continue // it comes to this event by itself
		}
		if !l.app.c.Filter.Wants(ev) {
			if l.sent = seq; l.acked >= l.prior {
				l.acked = seq // nothing is on its way to it
			}
			continue
		}
		l.app.counts.events.Add(1)
		if sent != nil {
			sent(l.app.c.Name, e.raw)
		}
		a.eventLocked(l, &out, now)
	}
}

// sendLocked queues a frame for a link, which is flushed later.
func (a *Account) sendLocked(l *link, f frame) (end int64, ok bool) {
	end, ok = l.send(f)
	if ok && !l.touched {
		l.touched = true
		a.touched = append(a.touched, l)
		a.dirty.Store(true)
	}
	return end, ok
}

// Flush sends what was queued, each link's with one system call. It costs next to
// nothing if there is nothing.
func (a *Account) Flush() {
	if !a.dirty.Load() {
		return
	}
	a.mu.Lock()
	a.dirty.Store(false)
	list := a.touched
	a.touched = nil
	now := time.Now()
	for _, l := range list {
		l.touched = false
		switch {
		case !l.unaskedLocked(now):
		case !l.many:
			l.askLocked(now)
		default:
			a.laterLocked()
		}
	}
	a.mu.Unlock()
	for _, l := range list {
		l.flush()
	}
	a.mu.Lock()
	if a.touched == nil {
		clear(list)
		a.touched = list[:0]
	}
	a.mu.Unlock()
}

// laterLocked sees to it that what was sent without a ping is asked for, and that
// nothing waits for an answer for too long.
func (a *Account) laterLocked() {
	if a.late == nil {
		a.late = time.AfterFunc(lateTime, a.askLate)
	}
}

// askLate does what laterLocked promises.
func (a *Account) askLate() {
	a.mu.Lock()
	a.late = nil
	now := time.Now()
	var asked []*link
	for _, l := range a.links {
		a.releaseLocked(l, now)
		if l.unaskedLocked(now) {
			l.askLocked(now)
			asked = append(asked, l)
		}
		if len(l.asked.held) > 0 {
			a.laterLocked()
		}
	}
	a.mu.Unlock()
	for _, l := range asked {
		l.flush()
	}
	a.Flush()
}

// join adds a link that gets events: a lifecycle, then what its app missed, then
// what comes. The link begins with [Account.succeed].
func (a *Account) join(l *link) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	l.joined = a.record.last
	l.startLocked(now)
	l.catching = l.cursor < l.joined
	a.links = append(slices.Clone(a.links), l)
	if a.self != 0 {
		f := encode(opText, heartbeat(a.self, now, false, l.app.c.Heartbeat))
		if a.linked {
			f = encode(opText, lifecycle(a.self, now))
		}
		a.sendLocked(l, f)
	}
}

// next returns what a link that is behind gets next; done says that it is not
// behind any more, and gets what comes from now on.
func (a *Account) next(l *link, n int) (list []entry, done bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !l.catching {
		return nil, true
	}
	list = slices.Clone(a.record.from(l.cursor, n))
	if len(list) == 0 {
		l.catching = false
		l.sent = a.record.last
		if l.acked >= l.prior {
			l.acked = l.sent
		}
		return nil, true
	}
	l.cursor = list[len(list)-1].seq
	return list, false
}

// reach returns how an app makes a call now, nil if NapCat is away, and the
// context that ends when it goes.
func (a *Account) reach(app string) (onebot.Streamer, context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.linked || a.up == nil {
		return nil, nil
	}
	return a.up.For(app), a.calls
}

// Used reports whether any app runs that uses the account.
func (a *Account) Used() bool { return a.used.Load() }

// Self returns the account's number, 0 while it is not known.
func (a *Account) Self() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.self
}

// call makes one call and returns its answer with the app's echo, as parts.
func (a *Account) call(ctx context.Context, app string, r *request, sent func()) (retcode int, body [][]byte) {
	up, link := a.reach(app)
	if up == nil {
		return RetAway, [][]byte{answer(RetAway, "account "+a.name+" is away: NapCat is not connected", r.echo)}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, callTimeout, context.DeadlineExceeded)
	defer cancel()
	defer context.AfterFunc(link, cancel)()
	var got rpc.Answer
	err := up.Call(ctx, r.action, rawParams{json: r.params, sent: sent}, &got)
	if err != nil {
		return failure(a.name, r.echo, err)
	}
	before, after, has := got.Echo()
	switch {
	case len(r.echo) > 0 && has:
		return got.RetCode, [][]byte{before, r.echo, after}
	case has: // no echo was asked for: what NapCat puts there (contract E.2)
		return got.RetCode, [][]byte{before, []byte(`""`), after}
	}
	return got.RetCode, [][]byte{before, []byte(`,"echo":`), echoOr(r.echo, "null"), after}
}

// stream makes a call that is answered with many packets. emit gets each of them.
func (a *Account) stream(ctx context.Context, app string, r *request, emit func(body [][]byte) error) (retcode int, body [][]byte) {
	up, link := a.reach(app)
	if up == nil {
		return RetAway, [][]byte{answer(RetAway, "account "+a.name+" is away: NapCat is not connected", r.echo)}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(link, cancel)()
	var last json.RawMessage
	err := up.Stream(ctx, r.action, rawParams{json: r.params}, func(data json.RawMessage) error {
		return emit(packet(data, r.echo))
	}, &last)
	var refused *onebot.Error
	switch {
	case errors.As(err, &refused):
		return refused.RetCode, [][]byte{answer(refused.RetCode, refused.Message, r.echo)}
	case err != nil:
		return failure(a.name, r.echo, err)
	}
	if last == nil {
		last = json.RawMessage("null")
	}
	return onebot.RetOK, packet(last, r.echo)
}

// failure makes an answer of a call that got none.
func failure(account string, echo []byte, err error) (int, [][]byte) {
	code, text := RetUnknown, "the link to NapCat was lost, or it did not answer; the action may have been carried out"
	switch {
	case errors.Is(err, ErrTooMany):
		code, text = RetTooMany, "messages are sent too fast; this one was not sent"
	case errors.Is(err, rpc.ErrTooLarge):
		code, text = RetTooLarge, "the request or its answer is over the limit on frames"
	case errors.Is(err, onebot.ErrNotSent):
		code, text = RetAway, "account "+account+" is away: nothing was sent"
	}
	return code, [][]byte{answer(code, text, echo)}
}

// messageID returns the id of a message's event, 0 for another event.
func messageID(raw []byte) int64 {
	var e Event
	e.Raw = raw
	post := false
	jsonscan.Fields(raw, func(k, v []byte) {
		post = post || string(k) == "message_type"
	})
	if !post {
		return 0
	}
	return e.number("message_id")
}
