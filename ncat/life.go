package ncat

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// setupTimeout is how long a plugin's Setup, and a start hook, may take.
	setupTimeout = 30 * time.Second
	// stopTimeout is how long what a plugin runs may take to end, and its Close.
	stopTimeout = 10 * time.Second
)

var errBotEnds = errors.New("the bot ends")

// life is what runs while at least one account runs the bot: plugins, schedules,
// goroutines.
type life struct {
	core *core

	changing sync.Mutex // orders starts and stops; guards the fields below
	running  int        // accounts
	ctx      context.Context
	cancel   context.CancelCauseFunc
	watching *sync.WaitGroup // what looks at stores for changes of others
	starts   []hook
	stops    []hook

	mu     sync.Mutex // guards the fields below, within changing or without
	slots  []*pluginSlot
	choice func(id string) bool // what the configuration enables; nil: all
	config func(id string, into any) error
}

type hook struct {
	name string
	run  func(ctx context.Context, b *Bot) error
}

// OnStart registers h to be called when the bot begins to run, before any
// handler, once for all accounts; in a plugin, when its Setup has returned. Its
// error is logged. ctx ends after 30 s. There need be no account yet: a call fails
// with [ErrNoAccount] then. What needs one belongs into [Bot.OnOnline].
func (b *Bot) OnStart(h func(ctx context.Context, b *Bot) error) {
	if h == nil {
		misuse("OnStart: the function is nil")
	}
	b.addHook(h, func(l *life, o *owner) *[]hook {
		if o != nil {
			return &o.starts
		}
		return &l.starts
	})
}

// OnStop registers h to be called when the bot has ended, after the last handler
// returned, and calls fail; in a plugin, when nothing of the plugin runs any more,
// and calls work. Its error is logged. ctx ends after 10 s.
func (b *Bot) OnStop(h func(ctx context.Context, b *Bot) error) {
	if h == nil {
		misuse("OnStop: the function is nil")
	}
	b.addHook(h, func(l *life, o *owner) *[]hook {
		if o != nil {
			return &o.stops
		}
		return &l.stops
	})
}

// addHook adds to a list of hooks, of the bot or of the plugin that b is of. A
// plugin's lists are guarded by its owner, since Setup runs while plugins change.
func (b *Bot) addHook(h func(ctx context.Context, b *Bot) error, list func(l *life, o *owner) *[]hook) {
	l := &b.core.life
	if b.own != nil {
		b.own.mu.Lock()
		defer b.own.mu.Unlock()
	} else {
		l.changing.Lock()
		defer l.changing.Unlock()
	}
	p := list(l, b.own)
	*p = append(*p, hook{funcName(h), h})
}

// begin counts an account in and starts everything for the first.
func (l *life) begin(ctx context.Context) {
	l.changing.Lock()
	defer l.changing.Unlock()
	if l.running++; l.running > 1 {
		return
	}
	l.ctx, l.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	if l.core.stores.lasting() {
		l.core.perms.keepLoading(l.ctx)
	}
	self := l.core.registry.self
	self.begin(l.ctx)
	l.hooks(l.core.bot, l.starts, setupTimeout, "start hook failed")
	l.startPlugins()
	self.open(l.core)
	l.watching = new(sync.WaitGroup)
	l.watch(permissionSpace, l.core.perms.refresh)
	l.watch(pluginSpace, l.followSwitches)
}

// watch has changed called after each change of a store that others change too.
func (l *life) watch(space string, changed func(ctx context.Context) error) {
	ctx := l.ctx
	if w, ok := l.core.stores.space(space).(Watcher); ok {
		l.watching.Go(func() { w.Watch(ctx, func() error { return changed(ctx) }) })
	}
}

// end counts an account out and stops everything with the last.
func (l *life) end() {
	if watching := l.endLocked(); watching != nil {
		watching.Wait()
	}
}

// endLocked is end, but for what waits for the lock: that is returned.
func (l *life) endLocked() (watching *sync.WaitGroup) {
	l.changing.Lock()
	defer l.changing.Unlock()
	if l.running--; l.running > 0 {
		return nil
	}
	l.stopPlugins(errBotEnds)
	self := l.core.registry.self
	self.pause(errBotEnds)
	if left := self.wait(l.core, stopTimeout); left != nil {
		l.core.log.Error("goroutines do not end", "names", left)
	}
	l.hooks(l.core.bot, l.stops, stopTimeout, "stop hook failed")
	l.cancel(errBotEnds)
	l.core.perms.loading.Wait()
	return l.watching
}

func (l *life) hooks(b *Bot, hooks []hook, d time.Duration, failed string) {
	for _, h := range hooks {
		err := bounded(context.WithoutCancel(l.ctx), d, func(ctx context.Context) error { return h.run(ctx, b) })
		if err != nil {
			b.Logger().Error(failed, "name", h.name, "error", err)
		}
	}
}

// errHangs says that foreign code did not return in time.
var errHangs = errors.New("does not return")

// bounded runs foreign code: a panic becomes an error, and code that takes no
// notice of the end of its context is left behind.
func bounded(ctx context.Context, d time.Duration, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	done := make(chan error, 1)
	go func() { // awaited below, unless it hangs
		defer func() {
			if v := recover(); v != nil {
				done <- fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			}
		}()
		done <- f(ctx)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	grace := time.NewTimer(time.Second)
	defer grace.Stop()
	select {
	case err := <-done:
		return err
	case <-grace.C:
		return errHangs
	}
}
