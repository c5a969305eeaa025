package ncat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ncatd/ncatd/onebot"
)

// Plugin is a part of a bot that can be switched off. Its life:
//
//  1. [Bot.AddPlugin], before the bot runs.
//  2. Setup, when the bot begins to run or the plugin is switched on. It registers
//     through the [Host] it is given, which is a Bot whose handlers, commands,
//     schedules and goroutines are the plugin's. An error or panic leaves the
//     plugin out, with everything it had registered, and the rest running.
//  3. Handlers run from the moment Setup has returned.
//  4. When it is switched off or the bot ends: no handler begins any more, the
//     contexts of those that run and of its goroutines are cancelled, they are
//     waited for, then Close is called if there is one ([PluginCloser]).
//
// After Close, Setup may be called again.
type Plugin interface {
	// ID is the plugin's name in the config, the store and the logs: letters,
	// digits, dots and dashes. It never changes.
	ID() string
	// Version is for humans.
	Version() string
	// Setup registers what the plugin does. ctx ends after 30 s or when the bot
	// ends.
	Setup(ctx context.Context, h *Host) error
}

// PluginCloser is a plugin that has something to close.
type PluginCloser interface {
	Plugin
	// Close is called when nothing of the plugin runs any more. ctx ends after
	// 10 s.
	Close(ctx context.Context) error
}

// PluginReloader is a plugin that takes a changed configuration itself.
type PluginReloader interface {
	Plugin
	// Reload is called when the plugin's section of the configuration has changed
	// while it runs. h is what Setup was given; [Bot.Config] decodes the new section.
	// An error says that the plugin goes on with what it had. ctx ends after 30 s.
	//
	// For a plugin without Reload, Setup is called again, beside what the last one
	// registered, which is taken out when the new Setup has succeeded and stays when
	// it has not. A plugin with Close is closed first, since it would be closed
	// beside itself, and set up with the old section again if the new one fails.
	Reload(ctx context.Context, h *Host) error
}

// PluginConfigurer is a plugin that says what can be set of it. `ncatd config`
// then knows its keys, their types and defaults while the bot does not run.
type PluginConfigurer interface {
	Plugin
	// Defaults returns a pointer to a new struct, of the type that Setup has
	// [Bot.Config] decode, with what counts for keys that nobody sets.
	Defaults() any
}

// PluginDepender is a plugin that needs others.
type PluginDepender interface {
	Plugin
	// DependsOn returns the ids of plugins that must run before this one.
	DependsOn() []string
}

// Host is a Bot to register on, whose registrations, goroutines and store are a
// plugin's. The Bot that the plugin's handlers are given is the plugin's too, and
// has the account as well.
type Host struct {
	*Bot
}

// Config decodes the plugin's section of the configuration into a pointer to a
// struct, which may hold defaults. A key that the struct does not have is an
// error. Without a section, and for what belongs to no plugin, it leaves the struct
// alone.
func (b *Bot) Config(into any) error {
	l := &b.core.life
	l.mu.Lock()
	config := l.config
	l.mu.Unlock()
	if config == nil || b.own == nil {
		return nil
	}
	if err := config(b.own.id, into); err != nil {
		return fmt.Errorf("config of plugin %s: %w", b.own.id, err)
	}
	return nil
}

// WithPluginConfig sets where plugins get their configuration from: section
// decodes what there is for a plugin, strictly.
func WithPluginConfig(section func(id string, into any) error) Option {
	return func(c *core) {
		c.life.mu.Lock()
		defer c.life.mu.Unlock()
		c.life.config = section
	}
}

// The states of a plugin.
const (
	PluginRunning  = "running"
	PluginDisabled = "disabled"
	PluginFailed   = "failed"  // Error says why
	PluginStopped  = "stopped" // the bot does not run
	// PluginStopping: it was switched off by one of its own handlers, which has
	// yet to return.
	PluginStopping = "stopping"
)

// PluginStatus is how a plugin stands.
type PluginStatus struct {
	ID      string
	Version string
	Enabled bool
	State   string
	Error   string
}

// pluginSlot is one plugin. Its fields are written within life.changing and
// life.mu.
type pluginSlot struct {
	p        Plugin
	own      *owner // nil unless it runs
	host     *Host  // what its Setup was given
	on       bool
	state    string
	err      string
	switched bool // by SetPlugin, as the store says
}

// ErrNoPlugin says that no plugin has an id.
var ErrNoPlugin = errors.New("no such plugin")

// AddPlugin adds plugins to the bot. It panics if one is nil, if an id is bad or
// taken, or if the bot runs.
func (b *Bot) AddPlugin(plugins ...Plugin) {
	l := &b.core.life
	l.changing.Lock()
	defer l.changing.Unlock()
	if l.running > 0 {
		misuse("AddPlugin while the bot runs; add plugins before Main or Dial")
	}
	for i, p := range plugins {
		if isNil(p) {
			misuse("AddPlugin: plugin %d is nil", i+1)
		}
		if err := l.insert(p); err != nil {
			misuse("AddPlugin: %v", err)
		}
	}
}

// insert appends a plugin that does not run yet.
func (l *life) insert(p Plugin) error {
	id := p.ID()
	if id == "" || strings.ContainsFunc(id, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_')
	}) {
		return fmt.Errorf("%q is no id for a plugin", id)
	}
	if slices.ContainsFunc(l.slots, func(s *pluginSlot) bool { return s.p.ID() == id }) {
		return fmt.Errorf("plugin %s is there twice: %w", id, ErrPluginTaken)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slots = append(l.slots, &pluginSlot{p: p, on: true, state: PluginStopped})
	return nil
}

// Plugins returns how the plugins stand, in the order in which they were added.
func (b *Bot) Plugins() []PluginStatus {
	l := &b.core.life
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]PluginStatus, len(l.slots))
	for i, s := range l.slots {
		on := s.on
		if s.state == PluginStopped && !s.switched && l.choice != nil {
			on = l.choice(s.p.ID())
		}
		out[i] = PluginStatus{ID: s.p.ID(), Version: s.p.Version(), Enabled: on, State: s.state, Error: s.err}
	}
	return out
}

// pluginSpace is the owner of the switches in the store.
const pluginSpace = "ncat.plugins"

// SetPlugin switches a plugin on or off, for good: the store remembers it.
// Switching off returns when nothing of the plugin runs any more, or after 10 s
// with an error that names what does not end. A handler or goroutine of the plugin
// that switches it off with its own context is not waited for: SetPlugin returns
// at once and the rest happens when the handler has returned. Switching on returns Setup's error. Plugins that need the plugin
// are stopped and started with it.
func (b *Bot) SetPlugin(ctx context.Context, id string, on bool) error {
	l := &b.core.life
	l.changing.Lock()
	handedOver := false
	defer func() {
		if !handedOver {
			l.changing.Unlock()
		}
	}()
	i := slices.IndexFunc(l.slots, func(s *pluginSlot) bool { return s.p.ID() == id })
	if i < 0 {
		return fmt.Errorf("plugin %s: %w", id, ErrNoPlugin)
	}
	if err := Put(ctx, b.core.stores.space(pluginSpace), id, on); err != nil {
		return fmt.Errorf("plugin %s: %w", id, err)
	}
	s := l.slots[i]
	l.set(s, func() { s.on, s.switched = on, true })
	if l.running == 0 {
		return nil
	}
	if !on {
		cause := fmt.Errorf("plugin %s was switched off", id)
		within, _ := ctx.Value(ownerKey{}).(*owner)
		self := false
		for _, x := range l.slots {
			self = self || within != nil && x.own == within && (x == s || l.needs(x, s, 0))
		}
		if !self {
			return l.switchOff(s, cause)
		}
		// The caller is part of what ends: nothing of it begins any more, and
		// the rest waits for it to return. Until then nothing else is changed.
		s.own.stop(cause)
		l.set(s, func() { s.state = PluginStopping })
		handedOver = true
		go func() { // the next holder of the lock waits for it, at the latest the end of the bot
			defer l.changing.Unlock()
			_ = l.switchOff(s, cause) // logged there
		}()
		return nil
	}
	l.startAll()
	if s.own == nil {
		return fmt.Errorf("plugin %s: %s", id, s.err)
	}
	return nil
}

// switchOff stops a plugin, after those that need it.
func (l *life) switchOff(s *pluginSlot, cause error) error {
	var err error
	for _, x := range slices.Backward(l.slots) {
		if x != s && x.own != nil && l.needs(x, s, 0) {
			err = errors.Join(err, l.stopPlugin(x, cause))
			l.set(x, func() { x.state, x.err = PluginFailed, fmt.Sprintf("needs plugin %s, which is switched off", s.p.ID()) })
		}
	}
	err = errors.Join(err, l.stopPlugin(s, cause))
	l.set(s, func() { s.state = PluginDisabled })
	return err
}

// needs reports whether a needs b, over however many others.
func (l *life) needs(a, b *pluginSlot, depth int) bool {
	d, ok := a.p.(PluginDepender)
	if !ok || depth > len(l.slots) {
		return false
	}
	for _, id := range d.DependsOn() {
		if id == b.p.ID() {
			return true
		}
		for _, s := range l.slots {
			if s.p.ID() == id && l.needs(s, b, depth+1) {
				return true
			}
		}
	}
	return false
}

func (l *life) set(_ *pluginSlot, f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

// startPlugins reads the switches and starts what is on.
func (l *life) startPlugins() {
	if len(l.slots) == 0 {
		return
	}
	switches, err := l.switches(l.ctx)
	if err != nil {
		l.core.log.Error("the switches of the plugins cannot be read", "error", err)
	}
	for _, s := range l.slots {
		on, switched := switches[s.p.ID()]
		if !switched {
			on = l.choice == nil || l.choice(s.p.ID())
		}
		l.set(s, func() { s.on, s.switched = on, switched })
	}
	l.startAll()
}

// switches reads from the store which plugins were switched on or off.
func (l *life) switches(ctx context.Context) (map[string]bool, error) {
	entries, err := Scan[bool](ctx, l.core.stores.space(pluginSpace), "")
	if err != nil {
		return nil, err
	}
	m := make(map[string]bool, len(entries))
	for _, e := range entries {
		m[e.Key] = e.Value
	}
	return m, nil
}

// followSwitches starts and stops what another process switched on and off.
func (l *life) followSwitches(ctx context.Context) error {
	l.changing.Lock()
	defer l.changing.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	switches, err := l.switches(ctx)
	if err != nil {
		return err
	}
	for _, s := range l.slots {
		id := s.p.ID()
		on, switched := switches[id]
		if !switched || on == s.on {
			continue
		}
		l.core.log.Info("plugin switched elsewhere", "plugin", id, "on", on)
		l.set(s, func() { s.on, s.switched = on, true })
		if !on {
			_ = l.switchOff(s, fmt.Errorf("plugin %s was switched off", id)) // logged there
		}
	}
	l.startAll()
	return nil
}

// startAll starts every plugin that is on and does not run, those first that
// others need.
func (l *life) startAll() {
	tried := map[*pluginSlot]bool{}
	for _, s := range l.slots {
		l.start(s, tried)
	}
}

// start starts a plugin and what it needs.
func (l *life) start(s *pluginSlot, tried map[*pluginSlot]bool) {
	if s.own != nil || tried[s] {
		return
	}
	tried[s] = true
	if !s.on {
		l.set(s, func() { s.state, s.err = PluginDisabled, "" })
		return
	}
	if err := l.setup(s, tried); err != nil {
		l.core.log.Error("plugin is left out", "plugin", s.p.ID(), "version", s.p.Version(), "error", err)
		l.set(s, func() { s.state, s.err = PluginFailed, firstLine(err) })
		return
	}
	l.core.log.Info("plugin runs", "plugin", s.p.ID(), "version", s.p.Version())
}

func (l *life) setup(s *pluginSlot, tried map[*pluginSlot]bool) error {
	if d, ok := s.p.(PluginDepender); ok {
		for _, id := range d.DependsOn() {
			i := slices.IndexFunc(l.slots, func(x *pluginSlot) bool { return x.p.ID() == id })
			if i < 0 {
				return fmt.Errorf("needs plugin %s, which is not linked in", id)
			}
			if l.slots[i].own == nil && tried[l.slots[i]] && l.needs(l.slots[i], s, 0) {
				return fmt.Errorf("needs plugin %s, which needs this one", id)
			}
			if l.start(l.slots[i], tried); l.slots[i].own == nil {
				return fmt.Errorf("needs plugin %s, which is %s", id, l.slots[i].state)
			}
		}
	}
	host, err := l.setUp(s, false)
	if err != nil {
		return err
	}
	host.own.open(l.core)
	l.set(s, func() { s.own, s.host, s.state, s.err = host.own, host, PluginRunning, "" })
	l.hooks(host.Bot, host.own.hooksOf(&host.own.starts), setupTimeout, "start hook failed")
	return nil
}

// setUp has a plugin register what it does. With hidden nothing of it is in the
// table. On error nothing of it is left.
func (l *life) setUp(s *pluginSlot, hidden bool) (*Host, error) {
	o := newOwner(s.p.ID())
	o.hidden, o.stopped = hidden, errSettingUp
	o.begin(l.ctx)
	host := &Host{Bot: &Bot{core: l.core, own: o, log: l.core.log.With("plugin", o.id)}}
	host.api = onebot.NewClient(host.Bot)
	err := bounded(o.ctx, setupTimeout, func(ctx context.Context) error { return s.p.Setup(ctx, host) })
	if err == nil {
		return host, nil
	}
	o.stop(err)
	l.core.registry.removeOwner(o)
	if left := o.wait(l.core, stopTimeout); left != nil {
		err = fmt.Errorf("%w; and %s does not end", err, strings.Join(left, ", "))
	}
	o.finish(l.core)
	return nil, err
}

// reload brings a changed section of the configuration to a plugin that runs.
func (l *life) reload(s *pluginSlot, set, reset func()) error {
	set()
	if r, ok := s.p.(PluginReloader); ok {
		err := bounded(l.ctx, setupTimeout, func(ctx context.Context) error { return r.Reload(ctx, s.host) })
		if err != nil {
			reset()
		}
		return err
	}
	cause := fmt.Errorf("plugin %s is set up with a new configuration", s.p.ID())
	if _, ok := s.p.(PluginCloser); ok {
		_ = l.stopPlugin(s, cause) // logged there
		err := l.setup(s, map[*pluginSlot]bool{})
		if err != nil {
			reset()
			if again := l.setup(s, map[*pluginSlot]bool{}); again != nil {
				l.set(s, func() { s.state, s.err = PluginFailed, firstLine(again) })
			}
		}
		return err
	}
	next, err := l.setUp(s, true)
	if err != nil {
		reset()
		return err
	}
	old := s.own
	l.swap(old, next.own)
	l.set(s, func() { s.own, s.host = next.own, next })
	l.hooks(next.Bot, next.own.hooksOf(&next.own.starts), setupTimeout, "start hook failed")
	return l.retire(s.p, old, cause)
}

// swap takes what belongs to old out of the table and puts what belongs to next
// in, at one moment.
func (l *life) swap(old, next *owner) {
	r := &l.core.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	next.hidden = false
	old.pause(errSettingUp) // its schedules, before those of the same names begin
	next.open(l.core)
	r.removeOwnerLocked(old)
	r.changeLocked()
}

// retire ends what another owner has replaced: its handlers may finish for as long
// as those of a bot that ends.
func (l *life) retire(p Plugin, o *owner, cause error) error {
	waited := make(chan struct{})
	go func() { // ends with the last of them
		o.active.Wait()
		close(waited)
	}()
	waitFor(waited, l.core.drain)
	o.stop(cause)
	err := l.awaitEnd(p, o)
	o.finish(l.core)
	return err
}

// awaitEnd waits for what belongs to o, which was stopped.
func (l *life) awaitEnd(p Plugin, o *owner) error {
	if left := o.wait(l.core, stopTimeout); left != nil {
		return fmt.Errorf("plugin %s: %s does not end", p.ID(), strings.Join(left, ", "))
	}
	return nil
}

func firstLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n") // without the stack
	return text
}

// stopPlugin stops a plugin and waits for it.
func (l *life) stopPlugin(s *pluginSlot, cause error) error {
	o := s.own
	if o == nil {
		return nil
	}
	host := s.host
	o.stop(cause)
	l.core.registry.removeOwner(o)
	err := l.awaitEnd(s.p, o)
	l.hooks(host.Bot, o.hooksOf(&o.stops), stopTimeout, "stop hook failed")
	if c, ok := s.p.(PluginCloser); ok {
		if e := bounded(context.WithoutCancel(l.ctx), stopTimeout, c.Close); e != nil {
			err = errors.Join(err, fmt.Errorf("plugin %s: close: %w", s.p.ID(), e))
		}
	}
	o.finish(l.core)
	text := ""
	if err != nil {
		text = err.Error()
		l.core.log.Error("plugin does not stop cleanly", "plugin", s.p.ID(), "error", err)
	} else {
		l.core.log.Info("plugin stopped", "plugin", s.p.ID())
	}
	l.set(s, func() { s.own, s.host, s.state, s.err = nil, nil, PluginStopped, text })
	return err
}

// stopPlugins stops all plugins, those first that need others.
func (l *life) stopPlugins(cause error) {
	left := slices.Clone(l.slots)
	for len(left) > 0 {
		i := len(left) - 1
		for j := len(left) - 1; j >= 0; j-- { // the last that no other needs
			if !slices.ContainsFunc(left, func(x *pluginSlot) bool { return x != left[j] && x.own != nil && l.needs(x, left[j], 0) }) {
				i = j
				break
			}
		}
		s := left[i]
		left = slices.Delete(left, i, i+1)
		_ = l.stopPlugin(s, cause) // logged there
		if s.state != PluginStopped {
			l.set(s, func() { s.state = PluginStopped })
		}
	}
}
