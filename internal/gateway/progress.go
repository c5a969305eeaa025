package gateway

import (
	"context"
	"encoding/binary"
	"slices"
	"time"

	"github.com/ncatd/ncatd/internal/rpc"
)

// How far an app has its events is known from the answers to pings. The ping with
// an event's number goes out with the event and right before it: a client answers
// it in the midst of what gives it the event, so that no cut falls between the two,
// and what was answered for was read. Behind the event there would be all the time
// that the app takes for it.
//
// Only so many pings are on their way at once: what comes beyond them waits here for
// an answer, but not for long. A client that reads many at once may end the link (the
// ws of Node does at 60), and answers that its system cannot send yet are forgotten when
// it ends.
const (
	// mostAsked is as many as any system sends answers at once: congestion control
	// that measures (BBR) lets go of no more than four for a while.
	mostAsked = 4
	// waitTime is how long an event waits for an answer to an earlier one. Then it goes
	// out without a ping: to an app that is far away, more than mostAsked in each round
	// trip, or that is busy.
	waitTime = 250 * time.Millisecond
	// Beyond askMany events for a link in askWindow and in the next, as no account has
	// them, a ping is not sent with each, but one in askSpacing: its answer costs about
	// as much as an event. What came after the last is asked for when lateTime is over.
	// What NapCat's death left to fetch comes as fast, but not for as long.
	askWindow  = 100 * time.Millisecond
	askMany    = 150
	askSpacing = 20 * time.Millisecond
	lateTime   = 50 * time.Millisecond
	// pongPatience is how long a first ping may go unanswered before a peer is
	// taken for one that answers none.
	pongPatience = 5 * time.Second
	// handover is how long a link waits for an older one of its app, that has ended,
	// to say what the app has; for one that has not, answerTime.
	handover   = 3 * time.Second
	answerTime = 100 * time.Millisecond
	// followTime is how long the next of what was missed waits for an answer to the last.
	followTime = time.Second
	// missedAtOnce is how many events of what was missed go out before that.
	missedAtOnce = 32
	// maxTail is how many events of a link are remembered that no ping was answered for.
	maxTail = 1024
)

// progress is how far a link has its account's events.
type progress struct {
	touched  bool      // it has something to flush
	catching bool      // it is behind and gets no live events
	cursor   uint64    // while catching: how far it was served
	joined   uint64    // what was fed by the time it came
	prior    uint64    // the last event that was sent to it
	sent     uint64    // the last event that came for it, sent or not wanted
	acked    uint64    // its app has everything up to here
	askedFor uint64    // the last event that a ping asked for
	tail     []mark    // what was sent behind acked, and before that what acked ended with
	window   time.Time // when the present askWindow began
	lately   int       // events that were sent since
	fast     bool      // more than askMany came in the one before
	many     bool      // and in the one before that
	first    time.Time // of the first ping
	ponged   bool
	asked    asked
}

// asked is what is on its way to an app and what waits for its answer.
type asked struct {
	pings []uint64   // the events of those that were not answered, oldest first
	last  time.Time  // when one was sent
	held  []outgoing // what waits, oldest first
	bytes int        // of held
}

// room reports whether another ping may be sent.
func (q *asked) room() bool { return len(q.pings) < mostAsked }

// ask notes a ping.
func (q *asked) ask(seq uint64, now time.Time) { q.pings, q.last = append(q.pings, seq), now }

// answer notes that the pings up to seq were answered.
func (q *asked) answer(seq uint64) {
	n, _ := slices.BinarySearch(q.pings, seq+1)
	q.pings = slices.Delete(q.pings, 0, n)
}

// hold keeps an event until there is room.
func (q *asked) hold(e outgoing, now time.Time) {
	e.since = now
	q.held, q.bytes = append(q.held, e), q.bytes+len(e.raw)
}

// overdue reports whether what waits longest waits for too long, or too much waits.
func (q *asked) overdue(now time.Time) bool {
	return len(q.held) > 0 && (now.Sub(q.held[0].since) > waitTime || len(q.held) > maxFrames || q.bytes > maxQueued)
}

// take returns the event that waits longest.
func (q *asked) take() outgoing {
	e := q.held[0]
	q.held[0] = outgoing{}
	q.held, q.bytes = q.held[1:], q.bytes-len(e.raw)
	return e
}

// mark is where an event ends in all that is sent to a link.
type mark struct {
	seq uint64
	end int64
}

// asks reports whether the app is asked what it has. One without replay is not.
func (l *link) asks() bool { return l.app.c.Replay.Events > 0 && l.events() }

// eventLocked queues an event for a link.
func (a *Account) eventLocked(l *link, e *outgoing, now time.Time) {
	l.sent, l.prior = e.seq, e.seq
	if !l.asks() {
		a.sendLocked(l, e.plain())
		return
	}
	if l.catching { // what was missed is not what comes fast
		l.window, l.lately, l.fast, l.many = now, 0, false, false
	} else if now.Sub(l.window) >= askWindow {
		fast := now.Sub(l.window) < 2*askWindow && l.lately > askMany
		l.fast, l.many = fast, fast && l.fast
		l.window, l.lately = now, 0
	}
	l.lately++
	if !l.many && !l.silent(now) && (len(l.asked.held) > 0 || !l.asked.room()) {
		l.asked.hold(*e, now)
		a.releaseLocked(l, now)
		a.laterLocked()
		return
	}
	for len(l.asked.held) > 0 {
		a.unheldLocked(l)
	}
	asking := !l.many || now.Sub(l.asked.last) >= askSpacing
	a.passLocked(l, e, asking && l.asked.room() && !l.silent(now), now)
}

// passLocked sends an event, with a ping if asking says so and it is not large.
func (a *Account) passLocked(l *link, e *outgoing, asking bool, now time.Time) {
	f := e.plain()
	if asking && !e.large() {
		l.askedLocked(e.seq, now)
		f = e.asking()
	}
	end, ok := a.sendLocked(l, f)
	if !ok {
		return
	}
	if len(l.tail) >= maxTail+maxTail/8 { // asking the system for each would cost as much as the event
		l.confirmLocked()
	}
	l.tail = append(l.tail, mark{e.seq, end})
}

// heldLocked sends what waited for an answer, as far as there is room.
func (a *Account) heldLocked(l *link, now time.Time) {
	for len(l.asked.held) > 0 && l.asked.room() {
		e := l.asked.take()
		a.passLocked(l, &e, true, now)
	}
}

// releaseLocked sends what waited for an answer for too long.
func (a *Account) releaseLocked(l *link, now time.Time) {
	for l.asked.overdue(now) {
		a.unheldLocked(l)
	}
}

// unheldLocked sends what waits longest without a ping.
func (a *Account) unheldLocked(l *link) {
	e := l.asked.take()
	a.passLocked(l, &e, false, time.Time{})
}

// confirmLocked shortens the tail of a peer that answers no pings to what may not
// have arrived.
func (l *link) confirmLocked() {
	have := l.out.confirmed()
	i, _ := slices.BinarySearchFunc(l.tail, have, func(m mark, n int64) int {
		if m.end <= n {
			return -1
		}
		return 1
	})
	if i = max(i, len(l.tail)-maxTail+1); i > 1 {
		l.tail = slices.Delete(l.tail, 0, i-1)
	}
}

func (l *link) askedLocked(seq uint64, now time.Time) {
	l.askedFor = seq
	l.asked.ask(seq, now)
	if l.first.IsZero() {
		l.first = now
	}
}

// askLocked asks what has arrived of what was sent without a ping.
func (l *link) askLocked(now time.Time) {
	l.askedLocked(l.sent, now)
	l.send(ping(l.sent))
}

// unaskedLocked reports whether something was sent that the app was not asked for, and
// may be now.
func (l *link) unaskedLocked(now time.Time) bool {
	return l.asks() && l.prior > l.askedFor && len(l.asked.held) == 0 && l.asked.room() && !l.silent(now)
}

// silent reports whether the peer is one that answers no pings.
func (l *link) silent(now time.Time) bool {
	return !l.ponged && !l.first.IsZero() && now.Sub(l.first) > pongPatience
}

// pong takes the answer to a ping.
func (l *link) pong(_ context.Context, payload []byte) {
	if len(payload) == 8 {
		l.acc.ack(l, binary.BigEndian.Uint64(payload))
		l.acc.Flush()
	}
}

// ack notes that an app has everything up to seq, and sends what waited for that.
func (a *Account) ack(l *link, seq uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l.ponged = true
	if seq > l.sent {
		return
	}
	now := time.Now()
	if l.asked.answer(seq); seq > l.acked {
		i := 0
		for i < len(l.tail) && l.tail[i].seq <= seq {
			i++
		}
		if i > 1 {
			l.tail = slices.Delete(l.tail, 0, i-1)
		}
		if l.acked = seq; seq >= l.prior { // what it does not want needs no sign
			l.acked = l.sent
		}
		a.record.has(l.app.c.Name, l.acked)
		a.tellLocked()
	}
	a.heldLocked(l, now)
	if l.unaskedLocked(now) {
		a.laterLocked()
	}
}

// leave removes a link, and notes what its app has.
func (a *Account) leave(l *link) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.links = slices.DeleteFunc(slices.Clone(a.links), func(other *link) bool { return other == l })
	defer a.tellLocked()
	if !l.asks() {
		a.record.has(l.app.c.Name, l.sent)
		return
	}
	said := l.acked
	l.endLocked(time.Now())
	a.record.has(l.app.c.Name, l.acked)
	if l.acked < said && !slices.ContainsFunc(a.links, l.besides) {
		a.record.lower(l.app.c.Name, said, l.acked)
	}
}

// endLocked holds what was said against what has arrived: a ping may have been
// answered whose event did not get there, and of a peer that answers none it is
// all there is to know.
func (l *link) endLocked(now time.Time) {
	have := l.out.confirmed()
	if l.silent(now) {
		l.acked = max(l.acked, l.sent)
	}
	for _, m := range l.tail {
		if m.seq <= l.acked && m.end > have {
			l.acked = m.seq - 1
			return
		}
	}
}

// besides reports whether other is another link by which the app gets the events.
func (l *link) besides(other *link) bool {
	return other != l && other.app == l.app && other.events()
}

// tellLocked wakes those that wait for what an app has.
func (a *Account) tellLocked() {
	if a.said != nil {
		close(a.said)
		a.said = nil
	}
}

// succeed waits until the older links of the app have said what it has. They may be
// dead without a word, or stalled.
func (a *Account) succeed(ctx context.Context, l *link) {
	began := time.Now()
	a.until(ctx, handover, func() bool {
		young := time.Since(began) < answerTime
		return !l.catching || !slices.ContainsFunc(a.links, func(o *link) bool {
			return l.besides(o) && o.acked < min(o.prior, l.joined) && (young || ended(o.out.wire))
		})
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	if l.catching {
		l.startLocked(time.Now())
	}
}

// follow waits until the app has said that it has what was sent of what it missed.
// One after the other so many answers are not on their way at once that a part would
// wait in the app's system, which forgets that when a link is cut.
func (a *Account) follow(ctx context.Context, l *link) {
	a.until(ctx, followTime, func() bool { return l.acked >= l.prior || !l.asks() || l.silent(time.Now()) })
}

// until waits until ok, which is called with a.mu held, whenever it is known better
// what an app has, and every answerTime.
func (a *Account) until(ctx context.Context, limit time.Duration, ok func() bool) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	turn := time.NewTicker(answerTime)
	defer turn.Stop()
	for {
		a.mu.Lock()
		if ok() || ctx.Err() != nil {
			a.mu.Unlock()
			return
		}
		if a.said == nil {
			a.said = make(chan struct{})
		}
		said := a.said
		a.mu.Unlock()
		select {
		case <-said:
		case <-turn.C:
		case <-ctx.Done():
		}
	}
}

// startLocked sets where the replay of a link begins.
func (l *link) startLocked(now time.Time) {
	r := l.acc.record
	from := l.joined
	if had, known := r.had(l.app.c.Name); known {
		from = min(from, r.start(had, l.joined, l.app.c.Replay.Events, l.app.c.Replay.Age, now))
	}
	l.cursor, l.acked, l.prior, l.sent, l.askedFor = from, from, from, from, from
	r.has(l.app.c.Name, from)
}

// outgoing is an event on its way to several links, which share its frames.
type outgoing struct {
	seq   uint64
	raw   []byte
	text  frame     // nil: not made yet
	both  frame     // a ping before it
	since time.Time // when it began to wait for a link
}

// large reports whether the event may come in pieces, between which a link may
// break. It is asked for behind it.
func (e *outgoing) large() bool { return len(e.raw) > small }

func (e *outgoing) plain() frame {
	if e.text == nil {
		e.text = e.behind(nil)
	}
	return e.text
}

func (e *outgoing) asking() frame {
	if e.both == nil {
		e.both = e.behind(ping(e.seq)[0])
	}
	return e.both
}

// behind makes a frame behind what is before it: in one piece if it is small, so that
// no receiver has to put it together.
func (e *outgoing) behind(before []byte) frame {
	if e.large() {
		return frame{rpc.AppendHead(before, opText, len(e.raw)), e.raw}
	}
	b := append(make([]byte, 0, len(before)+10+len(e.raw)), before...)
	return frame{append(rpc.AppendHead(b, opText, len(e.raw)), e.raw...)}
}

func ping(seq uint64) frame {
	return encode(opPing, binary.BigEndian.AppendUint64(nil, seq))
}
