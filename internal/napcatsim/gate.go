package napcatsim

import (
	"context"
	"sync"
)

// gate is what everything passes that a hanging worker would not do. The zero
// value is open. Safe for concurrent use.
type gate struct {
	mu   sync.Mutex
	open chan struct{} // nil while open, else closed when it opens
}

// close stops every goroutine that comes to the gate from now on.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == nil {
		g.open = make(chan struct{})
	}
}

// release opens the gate.
func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open != nil {
		close(g.open)
		g.open = nil
	}
}

func (g *gate) closed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open != nil
}

// wait returns true when the gate is open, false when ctx ended first.
func (g *gate) wait(ctx context.Context) bool {
	for {
		g.mu.Lock()
		ch := g.open
		g.mu.Unlock()
		if ch == nil {
			return true
		}
		select {
		case <-ch:
		case <-ctx.Done():
			return false
		}
	}
}
