package journal

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

// Run fills gaps until ctx ends.
func (f *Filler) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { f.keep(ctx) })
	wg.Go(func() { f.hurry(ctx) })
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.linked:
		}
		for again := true; again && ctx.Err() == nil; {
			again = f.round(ctx)
		}
	}
}

// keep brings to the disk what no caller waits for.
func (f *Filler) keep(ctx context.Context) {
	t := time.NewTicker(retryEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			f.o.Book.Retry(ctx)
		}
	}
}

// hurry looks into the histories of chats in which a message waits.
func (f *Filler) hurry(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, fetchers)
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.urgent:
		}
		f.mu.Lock()
		var chats []Chat
		for c, g := range f.gaps {
			if g.urgent && !g.busy {
				chats = append(chats, c)
			}
			g.urgent = false
		}
		f.mu.Unlock()
		for _, c := range chats {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			wg.Go(func() {
				defer func() { <-slots }()
				f.mu.Lock()
				up := f.up
				f.mu.Unlock()
				n, err := f.fillChat(ctx, c, false)
				f.tell(n, err)
				if err != nil && !noLink(err) && up != nil {
					f.deafen(up)
				}
				f.sure()
			})
		}
	}
}

// round fills the gaps of one coming up of the link: at once, when the boot second
// is over, and when the host has settled. It reports whether the link came up
// again meanwhile.
func (f *Filler) round(ctx context.Context) (again bool) {
	select {
	case f.filling <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	defer func() { <-f.filling }()
	f.mu.Lock()
	up := f.up
	f.mu.Unlock()
	f.o.Book.commit(ctx) // see Book.aliveAt
	n, err := f.fill(ctx, f.open(), false)
	if noLink(err) {
		// What waits goes on waiting for a link, but not for ever.
		if f.wait(ctx, holdLimit) {
			return true
		}
		f.release(up)
		f.tell(n, err)
		return false
	}
	f.tell(n, err)
	if err != nil && !onebot.IsRefused(err) { // it takes calls and answers none
		f.deafen(up)
		return false
	}
	if f.wait(ctx, time.Until(up.at.Add(bootSecond))) {
		return true
	}
	chats := f.contacts(ctx, up)
	n, err = f.fill(ctx, chats, true)
	if noLink(err) && f.wait(ctx, holdLimit) {
		return true
	}
	f.release(up)
	f.tell(n, err)
	if f.wait(ctx, time.Until(up.at.Add(settleAfter))) {
		return true
	}
	if err != nil || ctx.Err() != nil {
		return false
	}
	f.reopen(chats)
	n, err = f.fill(ctx, chats, true)
	f.release(up)
	f.tell(n, err)
	return false
}

// deafen lets everything go that waits for histories, until the link comes up
// again.
func (f *Filler) deafen(up *link) {
	f.mu.Lock()
	up.deaf = true
	f.mu.Unlock()
	f.release(up)
}

// noLink reports whether a call failed for want of a link.
func noLink(err error) bool {
	return err != nil && !onebot.IsRefused(err) && !errors.Is(err, context.DeadlineExceeded)
}

// wait waits for d. It reports whether the link came up meanwhile.
func (f *Filler) wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-f.linked:
		return true
	case <-ctx.Done():
	case <-t.C:
	}
	return false
}
