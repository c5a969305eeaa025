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

// stallTick is how often a reader that is lent out is looked at. It is replaced
// when it was lent to the same work for one to two ticks.
const stallTick = 8 * time.Millisecond

// drowsy is how many ticks without work it takes until nobody looks any more.
const drowsy = 100

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
	idle := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
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
		idle = 0
		t.Reset(stallTick)
	}
}
