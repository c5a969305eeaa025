package bot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// ErrBadToken ends [Link.Connect]: the endpoint refused the token.
var ErrBadToken = rpc.ErrBadToken

// FactKind says what a [Fact] tells.
type FactKind string

// The kinds of facts.
const (
	// Up: the endpoint took the connection. NapCat has not checked the token
	// yet; Ready follows when it was right.
	Up FactKind = "up"
	// Ready: the first lifecycle event of a connection came, so that it is
	// authenticated. SelfID is the account.
	Ready FactKind = "ready"
	// Down: the connection was lost or could not be made; Err says why. The
	// link goes on trying unless BadToken follows.
	Down FactKind = "down"
	// BadToken: the endpoint refused the token; Connect ends.
	BadToken FactKind = "bad_token"
	// Beat: a heartbeat came, with Online and Interval.
	Beat FactKind = "heartbeat"
	// Offline: NapCat reported that the account went offline; Message is QQ's
	// explanation.
	Offline FactKind = "bot_offline"
	// Sends: InRow sends without a success between them ended without QQ's
	// confirmation, on a link that was up; 0 when one succeeded again.
	Sends FactKind = "sends"
)

// Fact is one thing that was seen of an account's link.
type Fact struct {
	Kind     FactKind
	Time     time.Time
	SelfID   onebot.UserID // Ready, Beat, Offline
	Online   bool          // Beat
	Interval time.Duration // Beat: time to the next one
	InRow    int           // Sends
	Message  string        // Offline
	Err      error         // Down, BadToken
}

// Options configures a [Link].
type Options struct {
	// Account is its name in the configuration.
	Account string
	// Bot holds the handlers; it may be shared by all accounts.
	Bot *ncat.Bot
	// Facts gets what is seen, in order, on the goroutine that reads the
	// link: it must return at once. Nil drops it.
	Facts func(Fact)
	// Event is told of each event that comes, in order: its type, such as
	// message.group or notice.group_ban, and the event itself, which must not be
	// changed. Messages that were missed and fetched afterwards come with the key
	// backfilled, true, in the order in which the bot gets them, on a goroutine of
	// their own. Like Facts it must return at once. It may be nil.
	Event func(typ string, raw json.RawMessage)
	// Delivered is told of each event in the order in which the bot gets them, each
	// once; see [botlink.Options]. Idle follows when there are no more
	// for now. Nil: nobody, and the account's pacing knows no other sources.
	Delivered func(e onebot.Event, live bool)
	Idle      func()
	// Gap is told of chats in which messages are missing for good; see
	// [botlink.Options]. Nil: nobody.
	Gap func(group onebot.GroupID, user onebot.UserID, missing int)
	// Called is told of each call that ended, from any caller, and how. It
	// runs on the caller's goroutine. It may be nil.
	Called func(action string, err error, took time.Duration)
	// CallTimeout ends a call whose context has no deadline; 0: 30 s.
	CallTimeout time.Duration
	// Trust is asked about a new connection before the token is sent on it; an
	// error ends it. Nil trusts any.
	Trust func(net.Conn) error
	// Logger must not be nil.
	Logger *slog.Logger
}

// Link is one account's link to its OneBot endpoint and the bot that runs on
// it. [Link.Run] runs the bot's handlers for as long as the account exists;
// [Link.Connect] keeps a connection while the account's NapCat runs. A Link is
// an [onebot.Streamer]: calls fail at once with [onebot.ErrNotSent] while there
// is no connection. It is safe for concurrent use.
type Link struct {
	o       Options
	session botlink.Session[*ncat.Bot]
	link    atomic.Pointer[rpc.Redialer] // nil outside Connect
	ready   atomic.Bool                  // lifecycle seen on the present connection
	counts  counts

	mu    sync.Mutex // guards the field below
	inRow int        // sends without confirmation
}

var _ onebot.Streamer = (*Link)(nil)

// New returns the link of an account. It starts nothing.
func New(o Options) *Link {
	if o.Facts == nil {
		o.Facts = func(Fact) {}
	}
	l := &Link{o: o}
	// The account's NapCat is our child and sees our files.
	l.session = botlink.Of(o.Bot).NewSession(o.Account, l, botlink.Options{SharedDisk: true, Backfilled: l.backfilled, Delivered: o.Delivered, Gap: o.Gap})
	return l
}

// Had reports whether a message had its turn; see [botlink.Session].
func (l *Link) Had(m onebot.MessageEvent) bool { return l.session.Had(m) }

// Bot returns the account's bot, for calls outside of handlers.
func (l *Link) Bot() *ncat.Bot { return l.session.Bot() }

// Run runs the handlers until ctx ends; see [botlink.Session].
func (l *Link) Run(ctx context.Context) error { return l.session.Run(ctx) }

// Connect keeps a connection to the endpoint until ctx ends, whose cause it
// returns, or until the token is refused ([ErrBadToken]). It may be called again
// after it returned, also with another URL; one Connect at a time.
func (l *Link) Connect(ctx context.Context, url, token string) error {
	r := &rpc.Redialer{
		URL: url,
		Options: rpc.Options{
			Token: token, Event: l.event, Idle: l.o.Idle, CallTimeout: l.o.CallTimeout, Trust: l.o.Trust, Logger: l.o.Logger,
		},
		Up: func() {
			l.ready.Store(false)
			l.fact(Fact{Kind: Up})
		},
		Down: func(err error) {
			l.ready.Store(false)
			l.session.Down(err)
			l.fact(Fact{Kind: Down, Err: err})
		},
	}
	if !l.link.CompareAndSwap(nil, r) {
		return errors.New("bot: already connecting")
	}
	err := r.Run(ctx)
	l.ready.Store(false)
	l.link.Store(nil)
	if errors.Is(err, ErrBadToken) { // told last: whoever hears of it may connect anew
		l.fact(Fact{Kind: BadToken, Err: err})
	}
	return err
}

// Ready reports whether the link is up and authenticated.
func (l *Link) Ready() bool { return l.ready.Load() }

// Drop ends the present connection, if there is one; Connect makes another at
// once.
func (l *Link) Drop() {
	if r := l.link.Load(); r != nil {
		r.Drop()
	}
}

func (l *Link) fact(f Fact) {
	f.Time = time.Now()
	l.o.Facts(f)
}

// event takes in one event frame, and reports whether the bot is at work on it.
func (l *Link) event(frame []byte) bool {
	e, err := onebot.Decode(frame)
	if err != nil {
		l.counts.bad.Add(1)
		l.o.Logger.Debug("frame is no event", "error", err, "bytes", len(frame))
		return false
	}
	switch e := e.(type) {
	case *onebot.Lifecycle:
		if !l.ready.Swap(true) {
			l.fact(Fact{Kind: Ready, SelfID: e.SelfID})
		}
	case *onebot.Heartbeat:
		l.fact(Fact{Kind: Beat, SelfID: e.SelfID, Online: e.Status.Online, Interval: e.Every()})
	case *onebot.BotOffline:
		l.fact(Fact{Kind: Offline, SelfID: e.SelfID, Message: e.Message})
	}
	if l.o.Event != nil {
		l.o.Event(KindOf(e), bytes.Clone(frame))
	}
	return l.session.Deliver(e)
}

// backfilled tells of a message that was fetched from the history.
func (l *Link) backfilled(e onebot.Event) {
	raw := bytes.TrimRight(e.Base().Raw(), " \t\r\n")
	if l.o.Event == nil || len(raw) < 2 || raw[len(raw)-1] != '}' {
		return
	}
	l.o.Event(KindOf(e), slices.Concat(raw[:len(raw)-1], []byte(`,"backfilled":true}`)))
}

// Call implements [onebot.Caller]. With a *json.RawMessage as result it is the
// control API's raw call.
func (l *Link) Call(ctx context.Context, action string, params, result any) error {
	r := l.link.Load()
	if r == nil {
		return l.done(action, time.Now(), fmt.Errorf("%s: %w: account has no connection", action, onebot.ErrNotSent))
	}
	began := time.Now()
	err := r.Call(ctx, action, params, result)
	if a, ok := result.(*rpc.Answer); ok && err == nil && a.RetCode != onebot.RetOK {
		_ = l.done(action, began, a.Err(action)) // for the caller it is an answer
		return nil
	}
	return l.done(action, began, err)
}

// Stream implements [onebot.Streamer].
func (l *Link) Stream(ctx context.Context, action string, params any, packet func(json.RawMessage) error, result any) error {
	r := l.link.Load()
	if r == nil {
		return l.done(action, time.Now(), fmt.Errorf("%s: %w: account has no connection", action, onebot.ErrNotSent))
	}
	began := time.Now()
	return l.done(action, began, r.Stream(ctx, action, params, packet, result))
}

// For returns how another program than the bot makes calls, which shares the
// account's pacing under that name.
func (l *Link) For(source string) onebot.Streamer { return &sourced{l, source} }

type sourced struct {
	*Link
	source string
}

// Call implements [onebot.Caller].
func (s *sourced) Call(ctx context.Context, action string, params, result any) error {
	return s.session.CallFrom(ctx, s.source, action, params, result)
}

// done counts a call and follows how sends fare.
func (l *Link) done(action string, began time.Time, err error) error {
	l.counts.call(action, err)
	if l.o.Called != nil {
		l.o.Called(action, err, time.Since(began))
	}
	if !sends(action) {
		return err
	}
	if err == nil {
		l.mu.Lock()
		was := l.inRow
		l.inRow = 0
		l.mu.Unlock()
		if was != 0 {
			l.fact(Fact{Kind: Sends})
		}
		return nil
	}
	// A send into a group that does not exist says nothing about the account,
	// one that QQ never confirms does. A lost link is told by Down.
	refused := onebot.IsRefused(err)
	if onebot.MaybeDone(err) && (refused || errors.Is(err, context.DeadlineExceeded)) {
		l.mu.Lock()
		l.inRow++
		n := l.inRow
		l.mu.Unlock()
		l.fact(Fact{Kind: Sends, InRow: n})
	}
	return err
}
