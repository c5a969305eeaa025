package ncat

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Store is a plugin's own key-value store. Keys are any text of at most 512
// bytes, values any bytes of at most 16 MiB. What an Update wrote is on disk
// when it returns, all of it or nothing, whatever happens to the process. A
// Store is safe for concurrent use.
//
// Most plugins use the typed functions [Get], [Put], [Update], [Delete] and
// [Scan] and never call a Store's methods.
type Store interface {
	// View runs fn with a consistent, read-only picture of the store.
	View(ctx context.Context, fn func(Tx) error) error
	// Update runs fn with a transaction that is committed if fn returns nil and
	// otherwise leaves no trace. Updates of all plugins exclude each other: do
	// not wait for the network inside, and do not call the store itself.
	Update(ctx context.Context, fn func(Tx) error) error
}

// Watcher is implemented by a [Store] that other processes change as well, so that
// permissions and plugin switches that were changed there hold here too.
type Watcher interface {
	// Watch calls changed soon after each change of the store, one's own included,
	// until ctx ends, and again if it returns an error.
	Watch(ctx context.Context, changed func() error)
}

// Tx is one transaction of a [Store]. It must not be used after the function it
// was handed to has returned, nor by several goroutines at once.
type Tx interface {
	// Get returns the value of key. ok is false if there is none or it expired.
	Get(key string) (value []byte, ok bool, err error)
	// Put sets key. It expires after ttl; 0 is never.
	Put(key string, value []byte, ttl time.Duration) error
	// Delete removes key if it is there.
	Delete(key string) error
	// Scan calls each with every key that begins with prefix, in byte order,
	// until it returns an error, which Scan returns.
	Scan(prefix string, each func(key string, value []byte) error) error
}

// Get returns the value of key decoded from JSON. ok is false if there is none
// or it expired.
func Get[T any](ctx context.Context, s Store, key string) (v T, ok bool, err error) {
	err = s.View(ctx, func(tx Tx) error {
		v, ok, err = GetTx[T](tx, key)
		return err
	})
	return v, ok, err
}

// Put sets key to v, encoded as JSON, for good.
func Put[T any](ctx context.Context, s Store, key string, v T) error {
	return PutFor(ctx, s, key, v, 0)
}

// PutFor sets key to v, encoded as JSON, for the time ttl; 0 is for good.
func PutFor[T any](ctx context.Context, s Store, key string, v T, ttl time.Duration) error {
	return s.Update(ctx, func(tx Tx) error { return PutTx(tx, key, v, ttl) })
}

// Update changes the value of key in one transaction: fn gets the present value
// (ok is false if there is none) and returns the new one. An error of fn leaves
// the value alone. It returns the new value.
func Update[T any](ctx context.Context, s Store, key string, fn func(v T, ok bool) (T, error)) (T, error) {
	var out T
	err := s.Update(ctx, func(tx Tx) error {
		v, ok, err := GetTx[T](tx, key)
		if err != nil {
			return err
		}
		if out, err = fn(v, ok); err != nil {
			return err
		}
		return PutTx(tx, key, out, 0)
	})
	return out, err
}

// Delete removes keys, those that exist.
func Delete(ctx context.Context, s Store, keys ...string) error {
	return s.Update(ctx, func(tx Tx) error {
		for _, k := range keys {
			if err := tx.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
}

// Entry is one key and its value.
type Entry[T any] struct {
	Key   string
	Value T
}

// Scan returns every entry whose key begins with prefix, in byte order of the
// keys.
func Scan[T any](ctx context.Context, s Store, prefix string) ([]Entry[T], error) {
	var out []Entry[T]
	err := s.View(ctx, func(tx Tx) error {
		return tx.Scan(prefix, func(key string, value []byte) error {
			e := Entry[T]{Key: key}
			if err := json.Unmarshal(value, &e.Value); err != nil {
				return fmt.Errorf("store: decoding %q: %w", key, err)
			}
			out = append(out, e)
			return nil
		})
	})
	return out, err
}

// GetTx is [Get] within a transaction.
func GetTx[T any](tx Tx, key string) (v T, ok bool, err error) {
	b, ok, err := tx.Get(key)
	if err != nil || !ok {
		return v, false, err
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, false, fmt.Errorf("store: decoding %q: %w", key, err)
	}
	return v, true, nil
}

// PutTx is [PutFor] within a transaction.
func PutTx[T any](tx Tx, key string, v T, ttl time.Duration) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("store: encoding %q: %w", key, err)
	}
	return tx.Put(key, b, ttl)
}
