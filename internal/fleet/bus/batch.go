package bus

import (
	"context"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// Headers of a batch, as NATS defines them.
const (
	headerBatch  = "Nats-Batch-Id"
	headerNumber = "Nats-Batch-Sequence"
	headerCommit = "Nats-Batch-Commit"
)

// What servers say to batches.
const (
	// BatchIncomplete: they forgot its beginning.
	BatchIncomplete jetstream.ErrorCode = 10176
	// BatchKnown: they have a message of it already.
	BatchKnown jetstream.ErrorCode = 10201
)

// MaxBatch is how many messages servers take in a batch.
const MaxBatch = 1000

// Batch is messages for one stream that it takes all or none of. The zero Batch of a
// bus is ready for use, once.
type Batch struct {
	Bus *Bus
	id  []string
	n   int
}

func (b *Batch) number(m *nats.Msg) {
	if b.n++; b.n == 1 {
		b.id = []string{nuid.Next()[12:]} // the part that counts up, from a number drawn by lot: it is stored with each message
	}
	m.Header[headerBatch], m.Header[headerNumber] = b.id, []string{strconv.Itoa(b.n)}
}

// Add sends a message that is not the last. It may be changed after that.
func (b *Batch) Add(m *nats.Msg) error {
	b.number(m)
	return b.Bus.NC.PublishMsg(m)
}

// Commit sends the last message and waits until the stream has taken them.
func (b *Batch) Commit(ctx context.Context, m *nats.Msg) error {
	b.number(m)
	m.Header[headerCommit] = []string{"1"}
	if _, err := b.Bus.JS.PublishMsg(ctx, m); err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	return nil
}
