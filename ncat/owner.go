package ncat

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

// owner returns what registrations through b belong to.
func (b *Bot) owner() *owner {
	if b.own != nil {
		return b.own
	}
	return b.core.registry.self
}

// ended reports whether o was stopped or has not begun.
func (o *owner) ended() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stopped != nil
}

// errSettingUp keeps the handlers of a plugin back until its Setup is through.
var errSettingUp = errors.New("plugin is being set up")

// ownerKey is the key of the *owner in the contexts of its handlers and
// goroutines.
type ownerKey struct{}

// begin lets o's goroutines run, under ctx.
func (o *owner) begin(ctx context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ctx, o.cancel = context.WithCancelCause(context.WithValue(ctx, ownerKey{}, o))
}

// open lets o's handlers and schedules run.
func (o *owner) open(c *core) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stopped = nil
	o.opened = true
	for _, s := range o.schedules {
		o.goLocked(c, s.label, s.loop)
	}
}

// stop cancels the contexts of o's handlers and goroutines with cause. No
// handler begins afterwards.
func (o *owner) stop(cause error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stopped != nil && o.stopped != errSettingUp {
		return
	}
	o.stopped, o.opened = cause, false
	if o.cancel != nil {
		o.cancel(cause)
	}
	for s, cancel := range o.cancels {
		s.owned.Delete(o)
		cancel(cause)
	}
	clear(o.cancels)
}

// pause is stop for the bot itself, whose handlers end with their sessions.
func (o *owner) pause(cause error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.opened = false
	o.cancel(cause)
}

// hooksOf returns one of o's lists of hooks.
func (o *owner) hooksOf(list *[]hook) []hook {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(*list)
}

// finish is called when nothing of o is left to run: its Bots do nothing any more.
func (o *owner) finish(c *core) {
	o.over.Store(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sessions {
		s.bots.Delete(o)
	}
}

// goLocked runs f in a goroutine of o; its panic is logged.
func (o *owner) goLocked(c *core, name string, f func(ctx context.Context)) {
	if o.ctx == nil || o.ctx.Err() != nil {
		return
	}
	if o.doing == nil {
		o.doing = map[string]int{}
	}
	o.doing[name]++
	ctx := o.ctx
	o.active.Add(1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				c.log.Error("goroutine panicked", "name", name, "plugin", o.id, "error", fmt.Sprint(v), "stack", string(debug.Stack()))
			}
			o.mu.Lock()
			if o.doing[name]--; o.doing[name] == 0 {
				delete(o.doing, name)
			}
			o.mu.Unlock()
			o.active.Done()
		}()
		f(ctx)
	}()
}

// wait waits until nothing of o runs, for at most d, and returns the names of
// what does not end.
func (o *owner) wait(c *core, d time.Duration) (left []string) {
	ended := make(chan struct{})
	go func() { // ends when the last that hangs does
		o.active.Wait()
		close(ended)
	}()
	if waitFor(ended, d) {
		return nil
	}
	o.mu.Lock()
	left = slices.Sorted(maps.Keys(o.doing))
	o.mu.Unlock()
	c.mu.Lock()
	sessions := slices.Clone(c.sessions)
	c.mu.Unlock()
	for _, s := range sessions {
		s.mu.Lock()
		for r := range s.atWorkLocked() {
			if r.owner == o {
				left = append(left, r.name)
			}
		}
		s.mu.Unlock()
	}
	if len(left) == 0 {
		left = []string{"something"}
	}
	return left
}

// Go runs f in a goroutine that belongs to the bot or, in a plugin, to the
// plugin: ctx ends when that is stopped, and the stop waits for f to return. A
// panic in f is logged. Before the bot runs and after it ended Go does nothing.
func (b *Bot) Go(f func(ctx context.Context)) {
	if f == nil {
		misuse("Go: the function is nil")
	}
	o := b.owner()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.goLocked(b.core, funcName(f), f)
}

var _ onebot.Caller = (*Bot)(nil)
