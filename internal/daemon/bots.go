package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/bot"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// bots is the program's bot as all accounts run it.
type bots struct {
	d   *Daemon
	bot *ncat.Bot
}

func newBots(_ context.Context, d *Daemon) (*bots, error) {
	b := &bots{d: d, bot: d.o.Bot}
	if b.bot == nil {
		b.bot = ncat.New()
	}
	c := d.o.Config.Bot
	b.bot.Apply(ncat.WithLogger(d.log), ncat.WithQueue(c.Queue), ncat.WithSlowWarning(c.HandlerWarn.D()))
	return b, nil
}

func (b *bots) close() error { return nil }

func (b *bots) plugins() []api.Plugin { return []api.Plugin{} }

func (b *bots) setPlugin(_ context.Context, id string, _ bool) error {
	return &api.Error{Code: control.CodeNoPlugin, Message: "no plugin has the id " + id, Hint: "ncatd plugin list"}
}

// configure applies what a reload changed of the bot, and names what the bot
// takes at the daemon's start only.
func (b *bots) configure(_ context.Context, was, is config.Bot) (applied, restart []string) {
	w, i := reflect.ValueOf(was), reflect.ValueOf(is)
	for n := range w.NumField() {
		if !reflect.DeepEqual(w.Field(n).Interface(), i.Field(n).Interface()) {
			restart = append(restart, "bot."+w.Type().Field(n).Tag.Get("yaml"))
		}
	}
	return nil, restart
}

// link makes the link of an account.
func (b *bots) link(account string, emit func(LinkEvent)) Link {
	d := b.d
	l := &botLink{goal: make(chan goal, 1)}
	l.Link = bot.New(bot.Options{
		Account: account,
		Bot:     b.bot,
		Logger:  d.log.With("account", account),
		Facts:   func(f bot.Fact) { emit(linkEvent(f)) },
		Event: func(typ string, raw json.RawMessage) {
			d.metrics.Event(account, typ)
			if d.hub.Wants("event") {
				d.hub.Publish(api.WatchItem{Kind: "event", Account: account, Event: raw})
			}
		},
		Called: func(action string, err error, took time.Duration) {
			d.metrics.Call(account, action, callResult(err), took)
		},
	})
	return l
}

// callResult is the label of a call in the metrics.
func callResult(err error) string {
	var refused *onebot.Error
	switch {
	case err == nil:
		return "0"
	case errors.As(err, &refused):
		return strconv.Itoa(refused.RetCode)
	case errors.Is(err, onebot.ErrNotSent):
		return "not_sent"
	}
	return "unknown_outcome"
}

func linkEvent(f bot.Fact) LinkEvent {
	e := LinkEvent{SelfID: int64(f.SelfID), Online: f.Online, Interval: f.Interval, InRow: f.InRow, Text: f.Message, Err: f.Err}
	switch f.Kind {
	case bot.Up:
		e.Kind = LinkUp
	case bot.Ready:
		e.Kind = LinkLifecycle
	case bot.Beat:
		e.Kind = LinkHeartbeat
	case bot.Offline:
		e.Kind = LinkBotOffline
	case bot.Sends:
		e.Kind = LinkSends
	case bot.Down:
		e.Kind = LinkDown
	case bot.BadToken:
		e.Kind, e.BadToken = LinkDown, true
	}
	return e
}

// goal is the endpoint that a link shall be connected to; an empty URL is none.
type goal struct{ url, token string }

// botLink makes a [Link] of a bot's link: it follows wishes where that one
// keeps a connection for as long as a call lasts.
type botLink struct {
	*bot.Link
	goal chan goal // capacity 1: the newest wish
	mu   sync.Mutex
}

var _ Link = (*botLink)(nil)

// Run implements [Link].
func (l *botLink) Run(ctx context.Context) error {
	// The connection outlives the handlers, so that they can finish what they
	// are at.
	sctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { l.connect(sctx) })
	err := l.Link.Run(ctx)
	stop()
	wg.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return nil
	}
	return err
}

func (l *botLink) connect(ctx context.Context) {
	cancel := func() {}
	var wg sync.WaitGroup
	defer func() { cancel(); wg.Wait() }()
	for {
		select {
		case <-ctx.Done():
			return
		case g := <-l.goal:
			cancel()
			wg.Wait()
			if g.url == "" {
				continue
			}
			cctx, c := context.WithCancel(ctx)
			cancel = c
			wg.Go(func() { _ = l.Link.Connect(cctx, g.url, g.token) }) // what it ends with is a fact already
		}
	}
}

func (l *botLink) set(g goal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.goal:
	default:
	}
	l.goal <- g
}

// Connect implements [Link].
func (l *botLink) Connect(url, token string) { l.set(goal{url, token}) }

// Disconnect implements [Link].
func (l *botLink) Disconnect() { l.set(goal{}) }

// Redial implements [Link].
func (l *botLink) Redial() { l.Drop() }

// Stats implements [Link].
func (l *botLink) Stats() LinkStats {
	s := l.Link.Stats()
	return LinkStats{Events: s.Events, Calls: s.Calls, SendsFailed: s.SendsFailed, QueueDropped: s.QueueDropped}
}
