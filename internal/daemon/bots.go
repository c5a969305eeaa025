package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/account"
	"github.com/ncatd/ncatd/internal/bot"
	"github.com/ncatd/ncatd/internal/bot/store"
	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/script"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// bots is the program's bot as all accounts run it.
type bots struct {
	d       *Daemon
	bot     *ncat.Bot
	store   *store.Lazy
	scripts *script.Manager

	sections  sections
	reloading sync.Mutex // orders reloads of plugins
}

func newBots(ctx context.Context, d *Daemon) (*bots, error) {
	b := &bots{d: d, bot: d.o.Bot, store: d.openStore()}
	if b.bot == nil {
		b.bot = ncat.New()
	}
	c := d.o.Config.Bot
	b.sections.of = map[string]any{}
	maps.Copy(b.sections.of, c.PluginConfig)
	n, per, err := config.ParseRate(c.SendRate)
	if err != nil {
		return nil, fmt.Errorf("bot.send_rate: %w", err)
	}
	chatN, chatPer, err := config.ParseRate(c.SendRateChat)
	if err != nil {
		return nil, fmt.Errorf("bot.send_rate_chat: %w", err)
	}
	unfinished := func(m ncat.Unfinished) {
		if err := d.crashes.lost(m); err != nil {
			d.log.Warn("the last crash cannot be kept", "err", err)
		}
	}
	botlink.Apply(b.bot, ncat.WithUnfinished(unfinished), ncat.WithTrouble(d.trouble), ncat.WithLogger(d.log), ncat.WithQueue(c.Queue), ncat.WithSlowWarning(c.HandlerWarn.D()),
		ncat.WithStore(b.store.Space), ncat.WithSendRate(n, per),
		ncat.WithChatSendRate(chatN, chatPer), ncat.WithSendPolicy(ncat.SendPolicy(c.SendPolicy)), ncat.WithHandlerDeadline(c.HandlerDeadline.D()),
		ncat.WithBackfill(ncat.Backfill{
			Mode: ncat.BackfillMode(c.Backfill.Mode), Messages: c.Backfill.Messages, Chats: c.Backfill.Chats, Age: c.Backfill.Age.D(),
		}),
		ncat.WithDataDir(d.o.Home.Data()), ncat.WithPluginConfig(func(id string, into any) error { return b.sections.decode(id, into) }))
	if c.TimeZone != "" {
		loc, err := time.LoadLocation(c.TimeZone)
		if err != nil {
			return nil, fmt.Errorf("bot.time_zone: %w", err)
		}
		botlink.Apply(b.bot, ncat.WithTimeZone(loc))
	}
	if d.o.LoadConfig != nil {
		botlink.Apply(b.bot, ncat.WithConfigEditor(configEditor{d}))
	}
	botlink.Of(b.bot).ChoosePlugins(func(id string) bool { return chosen(c.Plugins, id) })
	b.live(c)
	b.scripts = b.newScripts(ctx)
	b.scripts.Load(ctx, nil)
	for id := range c.PluginConfig {
		if !slices.ContainsFunc(b.bot.Plugins(), func(p ncat.PluginStatus) bool { return p.ID == id }) {
			d.log.Warn("config for a plugin that this program does not have", "plugin", id)
		}
	}
	return b, nil
}

// live applies what may change while the bot runs.
func (b *bots) live(c config.Bot) {
	admins := make([]onebot.UserID, len(c.Admins))
	for i, a := range c.Admins {
		admins[i] = onebot.UserID(a)
	}
	botlink.Apply(b.bot, ncat.WithPrefixes(c.Prefixes...), ncat.WithAdmins(admins...))
}

// chosen reports whether the config enables a plugin: a name counts for more
// than "*", and disabling for more than enabling.
func chosen(s config.PluginSwitch, id string) bool {
	switch {
	case slices.Contains(s.Disable, id):
		return false
	case slices.Contains(s.Enable, id):
		return true
	}
	return slices.Contains(s.Enable, "*") && !slices.Contains(s.Disable, "*")
}

// sections are the plugins' sections of the config, as they are in force.
type sections struct {
	mu sync.Mutex // guards the field below
	of map[string]any
}

func (s *sections) decode(id string, into any) error {
	return config.DecodeSection(s.get(id), into)
}

func (s *sections) get(id string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of[id]
}

func (s *sections) all() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.of)
}

func (s *sections) set(id string, section any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if section == nil {
		delete(s.of, id)
		return
	}
	s.of[id] = section
}

// reloadPlugins brings the sections that changed to their plugins, and names those
// that were taken. Why another was not stands in its plugin's status. It calls code
// of others, which may ask the daemon, so that d.mu must not be held.
func (b *bots) reloadPlugins() (applied []string) {
	b.reloading.Lock() // what an older reload brings never replaces what a newer one brought
	defer b.reloading.Unlock()
	was, is := b.sections.all(), b.d.config().Bot.PluginConfig
	ids := maps.Clone(was)
	maps.Copy(ids, is)
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if reflect.DeepEqual(was[id], is[id]) {
			continue
		}
		err := botlink.Of(b.bot).ReloadPlugin(id, func() { b.sections.set(id, is[id]) }, func() { b.sections.set(id, was[id]) })
		if err == nil {
			applied = append(applied, "bot.plugin_config."+id)
		}
	}
	b.report()
	return applied
}

func (b *bots) close() error { return b.store.Close() }

func (b *bots) plugins() []api.Plugin {
	out := []api.Plugin{}
	problems := b.scripts.Problems()
	for _, p := range b.bot.Plugins() {
		one := api.Plugin{ID: p.ID, Version: p.Version, Enabled: p.Enabled, State: p.State, Error: p.Error}
		if one.Error != "" {
			one.Fault = api.Because(api.CodePluginError, one.Error)
		}
		if err := problems[p.ID]; err != nil {
			one.Error = cmp.Or(one.Error, err.Error()) // of a newer version than the one that runs
			one.Fault = script.Fault(err)
		}
		delete(problems, p.ID)
		out = append(out, one)
	}
	for _, id := range slices.Sorted(maps.Keys(problems)) {
		out = append(out, api.Plugin{ID: id, State: ncat.PluginFailed, Error: problems[id].Error(), Fault: script.Fault(problems[id])})
	}
	return out
}

// report tells which plugins do not run.
func (b *bots) report() {
	for _, p := range b.plugins() {
		if p.Error != "" {
			b.d.health.Report("", pluginFailed(p.ID, p.Error, p.Fault))
		} else {
			b.d.health.Clear("", api.CodePluginFailed, p.ID)
		}
	}
}

func (b *bots) setPlugin(ctx context.Context, id string, on bool) error {
	err := b.bot.SetPlugin(ctx, id, on)
	switch {
	case errors.Is(err, ncat.ErrNoPlugin):
		return noPlugin(id)
	case err != nil:
		return control.Refuse(control.CodeConflict, api.Because(api.CodePluginNotSet, id).With(b.why(id, err)))
	}
	return nil
}

// configure applies what a reload changed of the bot, and names what the bot
// takes at the daemon's start only.
func (b *bots) configure(_ context.Context, was, is config.Bot) (applied, restart []string) {
	w, i := reflect.ValueOf(was), reflect.ValueOf(is)
	for n := range w.NumField() {
		if !reflect.DeepEqual(w.Field(n).Interface(), i.Field(n).Interface()) {
			key := w.Type().Field(n).Tag.Get("yaml")
			switch key {
			case "prefixes", "admins":
				applied = append(applied, "bot."+key)
			case "plugin_config": // see reloadPlugins
			default:
				restart = append(restart, "bot."+key)
			}
		}
	}
	b.live(is)
	return applied, restart
}

// link makes the link of an account.
func (b *bots) link(name string, emit func(account.Fact), trust func(net.Conn) error) *botLink {
	d := b.d
	l := &botLink{goal: make(chan goal, 1)}
	shared := d.apps.gw.Account(name)
	logEvent := eventLog(d.run, d.log.With("account", name), d.o.Config.Log.Events)
	var pub *publisher
	if d.fleet != nil {
		pub = &publisher{d: d, name: name, link: l}
	}
	l.Link = bot.New(bot.Options{
		Account: name,
		Bot:     b.bot,
		Logger:  d.log.With("account", name),
		Trust:   trust,
		Facts: func(f bot.Fact) {
			tell(f, emit)
			d.apps.fact(d.run, name, f)
			if pub != nil && f.Kind == bot.Ready {
				pub.ready(f.SelfID)
			}
		},
		Delivered: func(e onebot.Event, live bool) {
			d.apps.feed(shared, e, live)
			if pub != nil {
				pub.put(e)
			}
		},
		Idle: shared.Flush,
		Gap: func(group onebot.GroupID, user onebot.UserID, missing int) {
			d.health.Set(name, api.CodeJournalGap, chatName(ncat.Chat{Group: group, User: user}), strconv.Itoa(max(1, missing)))
		},
		Event: func(typ string, raw json.RawMessage) {
			d.metrics.Event(name, typ)
			if logEvent != nil {
				logEvent(typ, raw)
			}
			if d.hub.Wants("event") {
				d.hub.Publish(api.WatchItem{Kind: "event", Account: name, Event: raw})
			}
		},
		Called: func(action string, err error, took time.Duration) {
			d.metrics.Call(name, action, callResult(err), took)
			d.record.called(name, took)
		},
	})
	shared.SetUpstream(upstream{l.Link})
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

// tell says what a link's fact means for its account.
func tell(f bot.Fact, emit func(account.Fact)) {
	switch f.Kind {
	case bot.Up:
		emit(account.LinkUp{})
	case bot.Ready:
		emit(account.LinkAccepted{SelfID: int64(f.SelfID)})
	case bot.Beat:
		emit(account.Beat{Online: f.Online, Every: f.Interval})
	case bot.Offline:
		emit(account.Kicked{Text: f.Message})
	case bot.Sends:
		emit(account.Unconfirmed{InRow: f.InRow})
	case bot.Down, bot.BadToken:
		e := account.LinkDown{Refused: f.Kind == bot.BadToken}
		if f.Err != nil {
			e.Err = f.Err.Error()
		}
		emit(e)
	}
}

// goal is the endpoint that a link shall be connected to; an empty URL is none.
type goal struct{ url, token string }

// botLink makes an [account.Connection] of a bot's link: it follows wishes where that one
// keeps a connection for as long as a call lasts.
type botLink struct {
	*bot.Link
	goal chan goal // capacity 1: the newest wish
	mu   sync.Mutex
}

var _ account.Connection = (*botLink)(nil)

// Run implements [account.Connection].
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

// Connect implements [account.Connection].
func (l *botLink) Connect(url, token string) { l.set(goal{url, token}) }

// Disconnect implements [account.Connection].
func (l *botLink) Disconnect() { l.set(goal{}) }

// Redial implements [account.Connection].
func (l *botLink) Redial() { l.Drop() }

// Stats implements [account.Connection].
func (l *botLink) Stats() account.Stats {
	s := l.Link.Stats()
	return account.Stats{Events: s.Events, Calls: s.Calls, SendsFailed: s.SendsFailed, QueueDropped: s.QueueDropped}
}
