package ncat

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/ncatd/ncatd/onebot"
)

// CommandOf is [Command] for arguments whose type is made at run time: args is a
// struct type, and h gets a value of it.
func CommandOf(b *Bot, name string, args reflect.Type, h func(ctx context.Context, b *Bot, m onebot.MessageEvent, args reflect.Value) error, opts ...HandlerOption) *Registration {
	if h == nil {
		misuse("CommandOf %q: the handler is nil", name)
	}
	spec, err := specOf(args)
	if err != nil {
		misuse("command %q: %v", name, err)
	}
	return b.addCommand(name, spec, h, opts)
}

// CheckArgs says what keeps a type from being the arguments of a [Command].
func CheckArgs(args reflect.Type) error {
	_, err := specOf(args)
	return err
}

// staging is what is registered for the next version of a plugin.
type staging struct {
	regs, commands []*registration
	schedules      []*Scheduled
}

// Replace puts a new version of what the plugin registered in the place of the
// present one. register does so on the Host it is given, which it must not keep
// using for registrations; nothing of it is seen before Replace succeeds. Then the
// handlers, commands and schedules of before are taken out and the new ones put
// in, at one moment: an event that comes is handled by the old ones or by the new
// ones. A schedule keeps its last run by its name. Handlers that run then are
// neither interrupted nor waited for. On error everything stays as it was.
//
// It is for plugins that change while the bot runs, such as those that are read
// from files. Middleware and hooks cannot be replaced.
func (h *Host) Replace(register func(h *Host) error) (err error) {
	o := h.owner()
	next := &staging{}
	host := &Host{Bot: &Bot{core: h.core, own: o, api: h.api, log: h.log, next: next}}
	if err := register(host); err != nil {
		return err
	}
	r := &h.core.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, reg := range next.commands {
		taken := r.takenLocked(reg.cmd, func(x *registration) bool { return x.owner != o })
		if taken == nil {
			taken = takenOf(next.commands[:i], reg.cmd)
		}
		if taken != nil {
			return fmt.Errorf("command %q: the name or an alias is taken by command %q%s", reg.cmd.name(), taken.cmd.name(), ofPlugin(taken.owner))
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stopped != nil {
		return fmt.Errorf("plugin %s: %w", o.id, o.stopped)
	}
	mine := func(x *registration) bool { return x.owner == o }
	r.regs, r.commands = slices.DeleteFunc(r.regs, mine), slices.DeleteFunc(r.commands, mine)
	for _, reg := range next.regs {
		r.addLocked(reg)
	}
	if len(next.commands) > 0 {
		r.pickLocked()
		r.commands = append(r.commands, next.commands...)
	}
	r.changeLocked()
	for _, s := range o.schedules {
		if s.gone = true; s.stop != nil {
			s.stop()
		}
	}
	o.schedules = next.schedules
	if o.opened {
		for _, s := range next.schedules {
			o.goLocked(h.core, s.label, s.loop)
		}
	}
	return nil
}

// Fail ends the plugin because of cause, as a failed Setup does: its state is
// [PluginFailed], with cause as the reason, until it is switched on again. It
// returns at once; the end is waited for by whatever changes plugins next.
func (h *Host) Fail(cause error) {
	l, o := &h.core.life, h.owner()
	o.stop(cause)
	go func() { // as that of a plugin that switches itself off: whatever takes the lock next waits for it
		l.changing.Lock()
		defer l.changing.Unlock()
		for _, s := range l.slots {
			if s.own == o {
				_ = l.stopPlugin(s, cause) // logged there
				l.set(s, func() { s.state, s.err = PluginFailed, cause.Error() })
			}
		}
	}()
}

// ErrPluginTaken says that another plugin has an id.
var ErrPluginTaken = errors.New("the id is taken by another plugin")

// InsertPlugin is [Bot.AddPlugin] for a bot that may run already: the plugin is
// set up at once then, unless it is switched off. The error is why it cannot be
// added, or Setup's; in the latter case it is there and failed.
func (b *Bot) InsertPlugin(ctx context.Context, p Plugin) error {
	l := &b.core.life
	l.changing.Lock()
	defer l.changing.Unlock()
	if err := l.insert(p); err != nil {
		return err
	}
	if l.running == 0 {
		return nil
	}
	s := l.slots[len(l.slots)-1]
	on, switched, err := Get[bool](ctx, b.core.stores.space(pluginSpace), p.ID())
	if err != nil {
		b.core.log.Error("the switch of a plugin cannot be read", "plugin", p.ID(), "error", err)
	}
	if !switched {
		on = l.choice == nil || l.choice(p.ID())
	}
	l.set(s, func() { s.on, s.switched = on, switched })
	l.start(s, map[*pluginSlot]bool{})
	if on && s.own == nil {
		return fmt.Errorf("plugin %s: %s", p.ID(), s.err)
	}
	return nil
}

// RestartPlugin sets a plugin up anew that is switched on: one that failed, or one
// that runs, which is stopped first. The error is Setup's.
func (b *Bot) RestartPlugin(ctx context.Context, id string) error {
	l := &b.core.life
	l.changing.Lock()
	defer l.changing.Unlock()
	i := slices.IndexFunc(l.slots, func(s *pluginSlot) bool { return s.p.ID() == id })
	if i < 0 {
		return fmt.Errorf("plugin %s: %w", id, ErrNoPlugin)
	}
	s := l.slots[i]
	if l.running == 0 || !s.on {
		return nil
	}
	if err := l.stopPlugin(s, fmt.Errorf("plugin %s starts anew", id)); err != nil || ctx.Err() != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	if l.start(s, map[*pluginSlot]bool{}); s.own == nil {
		return fmt.Errorf("plugin %s: %s", id, s.err)
	}
	return nil
}

// RemovePlugin stops a plugin, after those that need it, and takes it out. What
// the store has of it, its switch too, stays.
func (b *Bot) RemovePlugin(id string) error {
	l := &b.core.life
	l.changing.Lock()
	defer l.changing.Unlock()
	i := slices.IndexFunc(l.slots, func(s *pluginSlot) bool { return s.p.ID() == id })
	if i < 0 {
		return fmt.Errorf("plugin %s: %w", id, ErrNoPlugin)
	}
	err := l.switchOff(l.slots[i], fmt.Errorf("plugin %s was removed", id))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slots = slices.Delete(l.slots, i, i+1)
	return err
}
