package bus

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

const (
	// inline is how many bytes travel in a message at most.
	inline = 512 << 10
	// pieces is how large those of the object store are.
	pieces = 128 << 10
)

// Room returns how many of n bytes a message may carry: the servers, which take 1 MiB
// unless they are told otherwise, count its headers and what is around the bytes as well.
func (b *Bus) Room(n int) int {
	if most := b.NC.MaxPayload() / 2; most > 0 && most < int64(n) {
		return int(most)
	}
	return n
}

// Put writes what r reads into the object store.
func (b *Bus) Put(ctx context.Context, name string, r io.Reader) error {
	s, err := b.JS.ObjectStore(ctx, Files)
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	o := jetstream.ObjectMeta{Name: name, Opts: &jetstream.ObjectMetaOptions{ChunkSize: uint32(b.Room(pieces))}}
	if _, err := s.Put(ctx, o, r); err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	return nil
}

// Stow puts what is too large for a message into the object store and returns its
// name there; "" if it fits.
func (b *Bus) Stow(ctx context.Context, data []byte) (string, error) {
	if len(data) <= b.Room(inline) {
		return "", nil
	}
	name := nuid.Next()
	if err := b.Put(ctx, name, bytes.NewReader(data)); err != nil {
		return "", err
	}
	return name, nil
}

// Fetch returns what Stow put there; inline if name is "".
func (b *Bus) Fetch(ctx context.Context, name string, inline []byte) ([]byte, error) {
	if name == "" {
		return inline, nil
	}
	s, err := b.JS.ObjectStore(ctx, Files)
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	data, err := s.GetBytes(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("bus: object %s: %w", name, err)
	}
	return data, nil
}

// Discard removes what Stow put there.
func (b *Bus) Discard(ctx context.Context, name string) {
	if name == "" {
		return
	}
	if s, err := b.JS.ObjectStore(ctx, Files); err == nil {
		_ = s.Delete(ctx, name) // it expires by itself
	}
}
