package rpc

import (
	"context"
	"sync/atomic"
	"time"
)

// The connection has one reader at a time. It lends its goroutine to the work
// that a frame sets off; work that keeps it for too long loses it the role, and
// another goroutine reads on. So handlers run without a switch of threads as
// long as they behave, and disturb nobody when they do not.

// A reader that is lent out is looked at every stallTick and replaced when it
// was lent to the same work for one to two of them. Looking costs a wake-up,
// which at a bot's usual rates is felt; so it is done more often only while
// there is reason to, for the next hotTicks after a replacement.
const (
	stallTick = 50 * time.Millisecond
	hotTick   = 4 * time.Millisecond
	hotTicks  = 100
)

// drowsy is how many ticks without work it takes until nobody looks any more.
const drowsy = 50

// role says who reads. It is odd while the reader is lent out.
type role struct {
	v      atomic.Uint64
	asleep atomic.Bool   // nobody looks
	rouse  chan struct{} // 1 slot
}

// lend marks the reader as lent out; back ends it and reports whether it still
// is the reader.
func (r *role) lend() uint64 {
	v := r.v.Add(1)
	if r.asleep.Load() && r.asleep.CompareAndSwap(true, false) {
		signal(r.rouse)
	}
	return v
}

func (r *role) back(v uint64) bool { return r.v.CompareAndSwap(v, v+1) }

// lent runs work in the reader's place and reports whether the caller still is
// the reader afterwards. If the work ends the goroutine, another reader takes
// over.
func (c *Conn) lent(ctx context.Context, work func()) bool {
	v := c.role.lend()
	returned := false
	defer func() {
		if !returned && c.role.back(v) {
			go c.reader(ctx)
		}
	}()
	work()
	returned = true
	return c.role.back(v)
}

// reader reads until the link ends, whose reason it leaves in c.ended, or until
// it has lost the role.
func (c *Conn) reader(ctx context.Context) {
	if err, lost := c.readAll(ctx); !lost {
		c.ended <- err
	}
}

// stalls replaces readers that are kept for too long.
func (c *Conn) stalls(ctx, reading context.Context) {
	t := time.NewTicker(stallTick)
	defer t.Stop()
	var last uint64
	idle, hot := 0, 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if hot > 0 {
			if hot--; hot == 0 {
				t.Reset(stallTick)
			}
		}
		v := c.role.v.Load()
		if v != last {
			last, idle = v, 0
			continue
		}
		if v&1 == 1 {
			if c.role.v.CompareAndSwap(v, v+1) {
				go c.reader(reading)
				blame()
				if hot == 0 {
					t.Reset(hotTick)
				}
				hot = hotTicks
			}
			continue
		}
		if idle++; idle < drowsy {
			continue
		}
		t.Stop()
		c.role.asleep.Store(true)
		if c.role.v.Load() == v {
			select {
			case <-ctx.Done():
				return
			case <-c.role.rouse:
			}
		}
		c.role.asleep.Store(false)
		idle, hot = 0, 0
		t.Reset(stallTick)
	}
}
