package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Members follows which workers are alive, by when each was last heard on this
// machine's clock. Listing the bucket would not do: a key that is renewed just then
// is missing from the list. The zero Members is ready for use.
type Members struct {
	mu    sync.Mutex // guards the fields below
	since time.Time  // when following began; zero: it has not
	heard map[string]time.Time
}

// Follow follows the workers whose ID matches pattern until ctx ends. It may be
// called again after it failed. It fails if nothing is heard for a lease and somebody
// must be, which is when the servers lost the bucket.
func (m *Members) Follow(ctx context.Context, b *Bus, pattern string, somebody bool) error {
	kv, err := b.JS.KeyValue(ctx, Workers)
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	w, err := kv.WatchFiltered(ctx, []string{pattern})
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	defer func() { _ = w.Stop() }() // it ended with the connection
	m.mu.Lock()
	m.since, m.heard = time.Now(), map[string]time.Time{}
	m.mu.Unlock()
	for {
		var silence <-chan time.Time
		if somebody {
			silence = time.After(WorkerLease)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-silence:
			return errors.New("bus: no worker was heard, not even this one")
		case e, ok := <-w.Updates():
			if !ok {
				return errors.New("bus: workers can no longer be followed")
			}
			if e == nil {
				continue
			}
			m.mu.Lock()
			if e.Operation() == jetstream.KeyValuePut {
				m.heard[e.Key()] = time.Now()
			} else {
				delete(m.heard, e.Key())
			}
			for id, at := range m.heard {
				if time.Since(at) > time.Minute {
					delete(m.heard, id)
				}
			}
			m.mu.Unlock()
		}
	}
}

// Alive returns the workers that were heard within their lease.
func (m *Members) Alive() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for id, at := range m.heard {
		if time.Since(at) <= WorkerLease {
			out = append(out, id)
		}
	}
	return out
}

// Dead reports whether a worker's lease is over for certain.
func (m *Members) Dead(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.heard[id]
	if !ok || at.Before(m.since) {
		at = m.since
	}
	return !at.IsZero() && time.Since(at) > WorkerLease
}
