package ncat

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// WithStore sets where the bot and its plugins keep what they remember: space
// returns the store of one owner. Without it, it is kept in memory and gone at
// the end. ncatd sets it to a database in its home; a bot that runs by Dial has
// one in package ncat/sqlite.
func WithStore(space func(owner string) Store) Option {
	return func(c *core) { c.stores.set(space) }
}

// Store returns the store of the bot or, in a plugin, the plugin's.
func (b *Bot) Store() Store {
	id := b.owner().id
	if id == "" {
		id = "bot"
	}
	return b.core.stores.space(id)
}

// HasStore reports whether the bot was given a store with [WithStore], so that it
// remembers across restarts.
func (b *Bot) HasStore() bool { return b.core.stores.lasting() }

// storeSource hands out stores.
type storeSource struct {
	mu   sync.Mutex // guards the fields below
	from func(owner string) Store
	mem  map[string]Store
}

func (s *storeSource) set(from func(string) Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from = from
}

// lasting reports whether the stores outlive the program.
func (s *storeSource) lasting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.from != nil
}

func (s *storeSource) space(owner string) Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.from != nil {
		return s.from(owner)
	}
	if s.mem[owner] == nil {
		if s.mem == nil {
			s.mem = map[string]Store{}
		}
		s.mem[owner] = NewMemoryStore()
	}
	return s.mem[owner]
}

// NewMemoryStore returns a Store that is gone at the end of the program.
func NewMemoryStore() Store { return &memStore{} }

type memStore struct {
	mu   sync.Mutex // guards the field below
	data map[string]memValue
}

type memValue struct {
	v       []byte
	expires time.Time // zero: never
}

// View implements [Store].
func (s *memStore) View(ctx context.Context, fn func(Tx) error) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	s.mu.Lock()
	data := maps.Clone(s.data)
	s.mu.Unlock()
	return fn(&memTx{data: data, now: time.Now()})
}

// Update implements [Store].
func (s *memStore) Update(ctx context.Context, fn func(Tx) error) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	data := maps.Clone(s.data)
	if data == nil {
		data = map[string]memValue{}
	}
	now := time.Now()
	maps.DeleteFunc(data, func(_ string, v memValue) bool { return v.gone(now) })
	if err := fn(&memTx{data: data, now: now}); err != nil {
		return err
	}
	s.data = data
	return nil
}

func (v memValue) gone(now time.Time) bool { return !v.expires.IsZero() && !now.Before(v.expires) }

type memTx struct {
	data map[string]memValue
	now  time.Time
}

// Get implements [Tx].
func (t *memTx) Get(key string) ([]byte, bool, error) {
	v, ok := t.data[key]
	if !ok || v.gone(t.now) {
		return nil, false, nil
	}
	return slices.Clone(v.v), true, nil
}

// Put implements [Tx].
func (t *memTx) Put(key string, value []byte, ttl time.Duration) error {
	v := memValue{v: slices.Clone(value)}
	if ttl > 0 {
		v.expires = t.now.Add(ttl)
	}
	t.data[key] = v
	return nil
}

// Delete implements [Tx].
func (t *memTx) Delete(key string) error {
	delete(t.data, key)
	return nil
}

// Scan implements [Tx].
func (t *memTx) Scan(prefix string, each func(key string, value []byte) error) error {
	for _, k := range slices.Sorted(maps.Keys(t.data)) {
		if v := t.data[k]; strings.HasPrefix(k, prefix) && !v.gone(t.now) {
			if err := each(k, slices.Clone(v.v)); err != nil {
				return err
			}
		}
	}
	return nil
}
