package ncat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/bot/journal"
	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/onebot"
)

// ErrNoAccount says that a Bot which belongs to no account was asked to act
// while not exactly one account was running it. It comes with
// [onebot.ErrNotSent].
var ErrNoAccount = errors.New("no account to act for")

// Bot is a set of handlers and, in a handler, the account to act for. Make one
// with [New]. It is safe for concurrent use.
type Bot struct {
	core *core
	s    *session     // nil in what New returned
	own  *owner       // of what is registered through it; nil: the bot itself
	next *staging     // where it registers instead, during [Host.Replace]
	log  *slog.Logger // nil: the session's or the bot's
	api  *onebot.Client
}

// limits bound what handlers may use.
type limits struct {
	queue, workers        int
	warn, drain, deadline time.Duration // of a handler; deadline 0: none
}

// core is what the Bots of all accounts share.
type core struct {
	bot *Bot // what New returned
	log *slog.Logger
	limits
	registry         registry
	sends, chatSends sendRate
	sendPolicy       SendPolicy
	commands         commandSettings
	talks            talks
	perms            permissions
	life             life
	stores           storeSource
	backfill         Backfill
	empty            bool // see WithEmptyMessages
	unfinished       func(Unfinished)
	trouble          func(part string, err error)
	outside          outside

	mu       sync.Mutex    // guards the fields below
	sessions []*session    // running ones
	messages *journal.Book // nil before the first session; see book
}

// Option configures a Bot at [New].
type Option func(*core)

// WithLogger sets where the bot logs; nil for nowhere. Without it warnings and
// errors go to standard error.
func WithLogger(l *slog.Logger) Option {
	if l == nil {
		l = slog.New(slog.DiscardHandler)
	}
	return func(c *core) { c.log = l }
}

// WithQueue sets how many events of one chat may wait; 1024 without it. All
// chats together may have 16 times that.
func WithQueue(n int) Option { return func(c *core) { c.queue = max(n, 1) } }

// WithWorkers sets in how many chats handlers may run at the same time; 4096
// without it. Further chats wait for their turn.
func WithWorkers(n int) Option { return func(c *core) { c.workers = max(n, 1) } }

// WithSlowWarning sets after how long a handler that has not returned is
// reported; 5 s without it, never if negative.
func WithSlowWarning(d time.Duration) Option { return func(c *core) { c.warn = d } }

// WithHandlerDeadline sets how long a handler may keep its chat waiting, 0 for
// as long as it likes. Then its context ends, with [ErrHandlerDeadline] as the
// cause; if it takes no notice of that, it is named in the log and the chat goes on
// without it. Time in which a conversation waits for an answer does not count.
// Without it there is no deadline; ncatd sets one from its config.
func WithHandlerDeadline(d time.Duration) Option { return func(c *core) { c.deadline = max(d, 0) } }

// WithDrain sets how long running handlers may go on after the bot was asked to
// end, before their context is cancelled; 5 s without it.
func WithDrain(d time.Duration) Option { return func(c *core) { c.drain = d } }

// The parts of a bot that [WithTrouble] is told of.
const (
	PartJournal     = "journal"     // what was handled cannot be written down or read
	PartPermissions = "permissions" // the permissions cannot be read
)

// WithTrouble sets a function that is told why a part of the bot does not do what it should,
// and, with a nil error, that it does again. f may be called from several
// goroutines, and must return at once. The bot goes on all the same; without
// permissions only its admins may do what [Need] guards.
func WithTrouble(f func(part string, err error)) Option { return func(c *core) { c.trouble = f } }

func (c *core) tell(part string, err error) {
	if c.trouble != nil {
		c.trouble(part, err)
	}
}

// New returns a Bot without handlers. It starts nothing.
func New(opts ...Option) *Bot {
	c := &core{
		log:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		limits: limits{queue: 1024, workers: 4096, warn: 5 * time.Second, drain: 5 * time.Second},
	}
	WithBackfill(Backfill{})(c)
	c.registry.init()
	c.commands.init()
	c.perms.core, c.life.core = c, c
	b := &Bot{core: c}
	b.api = onebot.NewClient(b)
	c.bot = b
	b.apply(opts...)
	return b
}

func (b *Bot) apply(opts ...Option) {
	for _, o := range opts {
		o(b.core)
	}
}

// What the daemon and the tests need of a bot goes through package botlink, so
// that authors see what is for them.
func init() {
	botlink.Register(func(b *Bot) botlink.Runtime[*Bot] { return botRuntime{b} }, (*Bot).apply)
}

// botRuntime implements [botlink.Runtime].
type botRuntime struct{ b *Bot }

func (r botRuntime) NewSession(name string, c onebot.Caller, o botlink.Options) botlink.Session[*Bot] {
	s := r.b.newSession(name, c)
	s.sharedDisk, s.told, s.heard, s.gap = o.SharedDisk, o.Backfilled, o.Delivered, o.Gap
	if s.heard != nil {
		s.pace.turns = map[string]chan struct{}{}
	}
	if o.Settled != nil {
		s.done, s.journal = o.Settled, nil
	}
	return s
}

func (r botRuntime) Session() botlink.Session[*Bot] {
	if s := r.b.session(); s != nil {
		return s
	}
	return nil
}

func (r botRuntime) ReloadPlugin(id string, set, reset func()) error {
	l := &r.b.core.life
	l.changing.Lock()
	defer l.changing.Unlock()
	i := slices.IndexFunc(l.slots, func(s *pluginSlot) bool { return s.p.ID() == id })
	if i < 0 || l.slots[i].own == nil {
		set()
		if i >= 0 && l.running > 0 && l.slots[i].on { // it failed before and may do better now
			l.start(l.slots[i], map[*pluginSlot]bool{})
		}
		return nil
	}
	err := l.reload(l.slots[i], set, reset)
	if err != nil {
		l.core.log.Error("plugin keeps its configuration", "plugin", id, "error", err)
		l.set(l.slots[i], func() { l.slots[i].err = "config: " + firstLine(err) })
	} else {
		l.set(l.slots[i], func() { l.slots[i].err = "" })
	}
	return err
}

func (r botRuntime) PluginDefaults() map[string]any {
	l := &r.b.core.life
	l.mu.Lock()
	slots := slices.Clone(l.slots)
	l.mu.Unlock()
	out := map[string]any{}
	for _, s := range slots {
		out[s.p.ID()] = nil
		if c, ok := s.p.(PluginConfigurer); ok {
			out[s.p.ID()] = c.Defaults()
		}
	}
	return out
}

func (r botRuntime) SetWeb(web http.RoundTripper) { r.b.core.outside.web.Store(&web) }

func (r botRuntime) ChoosePlugins(enabled func(id string) bool) {
	l := &r.b.core.life
	l.mu.Lock()
	defer l.mu.Unlock()
	l.choice = enabled
}

// API returns the client with one method for every action.
func (b *Bot) API() *onebot.Client { return b.api }

// Self returns the account's QQ number, 0 as long as it is not known. It is
// known from the first event on, the one that confirms the connection.
func (b *Bot) Self() onebot.UserID {
	if s := b.session(); s != nil {
		return onebot.UserID(s.self.Load())
	}
	return 0
}

// Account returns the name of the account as the configuration has it; empty
// for one that runs by Dial.
func (b *Bot) Account() string {
	if s := b.session(); s != nil {
		return s.name
	}
	return ""
}

// Logger returns the logger of the account and, in a plugin, of the plugin.
func (b *Bot) Logger() *slog.Logger {
	if b.log != nil {
		return b.log
	}
	if s := b.session(); s != nil {
		return s.log
	}
	return b.core.log
}

// Accounts returns a Bot for each account that runs this one now. In a plugin they
// are the plugin's.
func (b *Bot) Accounts() []*Bot {
	b.core.mu.Lock()
	defer b.core.mu.Unlock()
	bots := make([]*Bot, len(b.core.sessions))
	for i, s := range b.core.sessions {
		bots[i] = s.botOf(b.own)
	}
	return bots
}

// For returns the Bot of the account with that QQ number, nil if none runs.
func (b *Bot) For(id onebot.UserID) *Bot {
	for _, a := range b.Accounts() {
		if a.Self() == id {
			return a
		}
	}
	return nil
}

// Call makes any action by name. params is whatever encodes to a JSON object,
// nil for none; result a pointer into which the answer's data is decoded, a
// *json.RawMessage for all of it, or nil. It implements [onebot.Caller]; the
// errors are described there. A call whose context has no deadline ends after
// 30 s.
func (b *Bot) Call(ctx context.Context, action string, params, result any) error {
	s, err := b.caller(action)
	if err != nil {
		return err
	}
	return s.Call(ctx, action, params, result)
}

// Stream makes a stream action (contract E.3). It implements
// [onebot.Streamer].
func (b *Bot) Stream(ctx context.Context, action string, params any, packet func(json.RawMessage) error, result any) error {
	s, err := b.caller(action)
	if err != nil {
		return err
	}
	return s.Stream(ctx, action, params, packet, result)
}

var _ onebot.Streamer = (*Bot)(nil)

// caller returns the session to call by. What a plugin left behind calls no more
// once the plugin has ended, so that a forgotten timer does nothing.
func (b *Bot) caller(action string) (*session, error) {
	if b.own != nil && b.own.over.Load() {
		return nil, fmt.Errorf("%s: %w: plugin %s has ended", action, onebot.ErrNotSent, b.own.id)
	}
	s := b.session()
	if s == nil {
		return nil, fmt.Errorf("%s: %w: %w", action, onebot.ErrNotSent, ErrNoAccount)
	}
	return s, nil
}

// botOf returns the account's Bot as o sees it: with its store, goroutines,
// schedules, logger and registrations. nil is the bot itself.
func (s *session) botOf(o *owner) *Bot {
	if o == nil || o.id == "" {
		return s.bot
	}
	if b, ok := s.bots.Load(o); ok {
		return b.(*Bot)
	}
	b := &Bot{core: s.core, s: s, own: o, log: s.log.With("plugin", o.id)}
	b.api = onebot.NewClient(b)
	had, _ := s.bots.LoadOrStore(o, b)
	return had.(*Bot)
}

// session returns the account's session, or the only one there is.
func (b *Bot) session() *session {
	if b.s != nil {
		return b.s
	}
	b.core.mu.Lock()
	defer b.core.mu.Unlock()
	if len(b.core.sessions) == 1 {
		return b.core.sessions[0]
	}
	return nil
}

func (c *core) add(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions = append(c.sessions, s)
}

func (c *core) remove(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions = slices.DeleteFunc(c.sessions, func(x *session) bool { return x == s })
}
