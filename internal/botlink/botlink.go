// Package botlink is the way in which what runs a bot (the daemon, package
// ncattest, the other transports of this module) reaches those parts of an
// ncat.Bot that a bot's author has no use for. Package ncat registers them when it
// is initialised; [Of] hands them out. Its central type is [Session], one
// account's side of a bot. It has no code of its own and knows no ncat: B stands
// for *ncat.Bot and O for ncat.Option.
package botlink

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/ncatd/ncatd/onebot"
)

// Runtime is what runs one bot.
type Runtime[B any] interface {
	// NewSession returns the session of an account that makes its calls through c.
	// name is the account's name in logs; it may be empty. It starts nothing.
	NewSession(name string, c onebot.Caller, o Options) Session[B]
	// Session returns the session of the account that the bot acts for, nil if there
	// is none.
	Session() Session[B]
	// SetWeb puts a web in the place of the network for what the bot fetches: by its
	// HTTP client, unless an option gave it another, and in downloads.
	SetWeb(http.RoundTripper)
	// ChoosePlugins sets which plugins run as long as they were not switched in the
	// chat or by the control API; before it all do.
	ChoosePlugins(enabled func(id string) bool)
	// PluginDefaults returns, by the ids of the bot's plugins, a pointer to the struct
	// of each that says what can be set of it, and nil for the others.
	PluginDefaults() map[string]any
	// ReloadPlugin tells a plugin that its section of the configuration changed. set
	// is called to bring the new section into force, reset to take it back if the
	// plugin does not want it, which the error says; then it goes on as it was. It does
	// nothing but set for a plugin that does not run.
	ReloadPlugin(id string, set, reset func()) error
}

// Options configures a session.
type Options struct {
	// SharedDisk says that the account's host sees the files of this machine under
	// the same paths and may read them.
	SharedDisk bool
	// Backfilled is told of each message that was missed and fetched, before it is
	// handed to the bot. It must return at once and not change the event. Nil:
	// nobody.
	Backfilled func(onebot.Event)
	// Delivered is told of each event in the order in which the bot gets them, each
	// once: also of messages that were held back or fetched, for which live is false
	// and the call comes on a goroutine of its own. It must return at once and not
	// change the event. With it the account's send rate is shared, see
	// CallFrom. Nil:
	// nobody.
	Delivered func(e onebot.Event, live bool)
	// Gap is told of each chat in which more messages were missed than the limits let
	// it fetch, and how many are missing at least. It must return at once. Nil:
	// nobody.
	Gap func(group onebot.GroupID, user onebot.UserID, missing int)

	// Settled is told of each event once all is done with it, and takes the journal's
	// place: what was missed, and what was begun and not done, is its business. An
	// event that the session's end kept from its handlers is not told. Nil: nothing.
	Settled func(onebot.Event)
}

// ErrAbandon as the cause of the end of a session's context leaves running handlers
// no time: their contexts end at once.
var ErrAbandon = errors.New("what is being handled is given up")

// Session is one account's side of a bot: events go in, in order, and calls go
// out through a Caller. It outlives the links of its account: its Caller answers
// [onebot.ErrNotSent] while there is none.
type Session[B any] interface {
	onebot.Streamer
	// CallFrom is Call for one of several programs that share the account: each
	// source, and the bot as the one without a name, has its turn within the
	// account's send rate in the end, however much another one sends.
	CallFrom(ctx context.Context, source, action string, params, result any) error
	// Bot returns the account's bot, for calls outside of handlers.
	Bot() B
	// Run runs the handlers until ctx ends and returns its cause. Then nothing new
	// begins: what waits in queues is dropped and counted, running handlers get the
	// time of ncat.WithDrain, after that their context is cancelled, and after as
	// much time again those that still do not return are named in the error and
	// left behind.
	Run(ctx context.Context) error
	// Feed takes in one event frame, which it owns from now on, and returns at
	// once: the handlers run in Run's goroutines. Frames must come in order, from
	// one goroutine at a time. What is fed before Run waits for it, what is fed
	// after it is dropped and counted. The event is returned for whatever else wants
	// it, nil if the frame holds none.
	Feed(frame []byte) onebot.Event
	// Deliver is Feed for an event that was decoded before. It reports whether
	// anything in the bot waits for the event or is at work on it.
	Deliver(e onebot.Event) bool
	// Had reports whether a message had its turn, in this process or in an earlier one.
	// One that had not still comes, fetched from the history.
	Had(m onebot.MessageEvent) bool
	// Down says that the link was lost, and why.
	Down(why error)
	// Stats returns the counters as they stand.
	Stats() Stats
}

// Stats counts what a session did.
type Stats struct {
	Events  uint64 // events taken in
	Dropped uint64 // of them, those that no queue had room for
	Bad     uint64 // frames that no event could be made of
	Errors  uint64 // errors that handlers returned
	Panics  uint64 // handlers that panicked
	Slow    uint64 // handlers reported as slow
	// Backfilled counts messages that were missed and fetched afterwards,
	// Duplicates those that came live when they had been fetched already.
	Backfilled, Duplicates uint64
	// Redelivered counts messages that handlers were given a second time by all
	// accounts' sessions, GivenUp those that they were not given a third time.
	Redelivered, GivenUp uint64
	Paced                uint64 // messages that waited for their turn
	Refused              uint64 // messages that were sent too fast
	Merged               uint64 // messages that went out as a part of another
	Overdue              uint64 // handlers that were over their deadline
	Waiting              int    // events that wait in queues now
	Handling             int    // chats in which a handler runs now
}

// hooks is what ncat registered.
type hooks struct {
	open  any // func(B) Runtime[B]
	apply any // func(B, ...O)
}

var registered atomic.Pointer[hooks]

// Register sets what [Of] and [Apply] call. Only package ncat calls it, once.
func Register[B, O any](open func(B) Runtime[B], apply func(B, ...O)) {
	registered.Store(&hooks{open, apply})
}

// Of returns what runs b.
func Of[B any](b B) Runtime[B] { return registered.Load().open.(func(B) Runtime[B])(b) }

// Apply changes options of a bot after it was made, to bring in a configuration.
// It must not be called while an account runs the bot, but for those options that
// say so.
func Apply[B, O any](b B, opts ...O) { registered.Load().apply.(func(B, ...O))(b, opts...) }
