package alert

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/ncat"
)

// maxSpare is how many keys are kept in memory while the store takes none.
const maxSpare = 10_000

// Store is a store that goes on in memory while the one below it takes nothing, as
// when the disk is full: that is what people have to be told of. What it holds goes
// down with the next write that works. It is safe for concurrent use.
type Store struct {
	below ncat.Store
	log   *slog.Logger

	mu    sync.Mutex        // held over each use of below
	spare map[string][]byte // what below has not got yet; nil values are deleted
	told  bool
}

// NewStore returns a Store over below. log is told when it goes on in memory, and when
// that is over.
func NewStore(below ncat.Store, log *slog.Logger) *Store { return &Store{below: below, log: log} }

// Spare reports whether something is in memory only.
func (s *Store) Spare() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.spare) > 0
}

// View implements [ncat.Store].
func (s *Store) View(ctx context.Context, fn func(ncat.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.viewLocked(ctx, s.spare, fn)
}

func (s *Store) viewLocked(ctx context.Context, spare map[string][]byte, fn func(ncat.Tx) error) error {
	if spare == nil {
		return s.below.View(ctx, fn)
	}
	read := false
	err := s.below.View(ctx, func(tx ncat.Tx) error { read = true; return fn(spareTx{tx, spare}) })
	if err != nil && !read && ctx.Err() == nil {
		return fn(spareTx{nil, spare})
	}
	return err
}

// Update implements [ncat.Store]. It fails only if fn does, or there is too much in
// memory; fn may be called twice.
func (s *Store) Update(ctx context.Context, fn func(ncat.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.below.Update(ctx, func(tx ncat.Tx) error {
		for _, k := range slices.Sorted(maps.Keys(s.spare)) {
			err := error(nil)
			if v := s.spare[k]; v != nil {
				err = tx.Put(k, v, 0)
			} else {
				err = tx.Delete(k)
			}
			if err != nil {
				return err
			}
		}
		return fn(tx)
	})
	if err == nil {
		if s.told {
			s.log.Info("what alerts keep is written again")
		}
		s.spare, s.told = nil, false
		return nil
	}
	if ctx.Err() != nil || len(s.spare) >= maxSpare {
		return err
	}
	spare := maps.Clone(s.spare)
	if spare == nil {
		spare = map[string][]byte{}
	}
	if own := s.viewLocked(ctx, spare, fn); own != nil {
		return errors.Join(err, own)
	}
	if !s.told {
		s.told = true
		s.log.Error("what alerts keep cannot be written, going on in memory", "err", err)
	}
	s.spare = spare
	return nil
}

// spareTx is a transaction of what is below, nil for nothing, with what is in memory
// over it. What it changes is changed in memory.
type spareTx struct {
	below ncat.Tx
	spare map[string][]byte
}

// Get implements [ncat.Tx].
func (t spareTx) Get(key string) ([]byte, bool, error) {
	if v, here := t.spare[key]; here || t.below == nil {
		return v, v != nil, nil
	}
	return t.below.Get(key)
}

// Put implements [ncat.Tx]. Alerts keep nothing that expires.
func (t spareTx) Put(key string, value []byte, _ time.Duration) error {
	t.spare[key] = append([]byte{}, value...)
	return nil
}

// Delete implements [ncat.Tx].
func (t spareTx) Delete(key string) error {
	t.spare[key] = nil
	return nil
}

// Scan implements [ncat.Tx].
func (t spareTx) Scan(prefix string, fn func(key string, value []byte) error) error {
	all := map[string][]byte{}
	if t.below != nil {
		if err := t.below.Scan(prefix, func(k string, v []byte) error { all[k] = append([]byte{}, v...); return nil }); err != nil {
			return err
		}
	}
	for k, v := range t.spare {
		if strings.HasPrefix(k, prefix) {
			all[k] = v
		}
	}
	for _, k := range slices.Sorted(maps.Keys(all)) {
		if all[k] == nil {
			continue
		}
		if err := fn(k, all[k]); err != nil {
			return err
		}
	}
	return nil
}
