package bus

import (
	"bytes"
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// inline is how many bytes travel in a message. Servers take 1 MiB unless they are
// told otherwise.
const inline = 512 << 10

// Stow puts what is too large for a message into the object store and returns its
// name there; "" if it fits.
func (b *Bus) Stow(ctx context.Context, data []byte) (string, error) {
	if len(data) <= inline {
		return "", nil
	}
	s, err := b.JS.ObjectStore(ctx, Files)
	if err != nil {
		return "", fmt.Errorf("bus: %w", err)
	}
	name := nuid.Next()
	if _, err := s.Put(ctx, jetstream.ObjectMeta{Name: name}, bytes.NewReader(data)); err != nil {
		return "", fmt.Errorf("bus: %w", err)
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
