package ncattest

import (
	"context"
	"sync"

	"github.com/ncatd/ncatd/onebot"
)

// inlet holds the frames that an account's NapCat sent and the bot did not read
// yet: what causes them may hold the world.
type inlet struct {
	mu     sync.Mutex // guards frames
	frames [][]byte
	more   chan struct{} // has one element if frames were added
}

func newInlet() *inlet { return &inlet{more: make(chan struct{}, 1)} }

func (i *inlet) put(frame []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.frames = append(i.frames, frame)
	select {
	case i.more <- struct{}{}:
	default:
	}
}

// take returns the frames that were not taken yet, in order.
func (i *inlet) take() [][]byte {
	i.mu.Lock()
	defer i.mu.Unlock()
	out := i.frames
	i.frames = nil
	return out
}

// pour feeds frames until ctx ends.
func (i *inlet) pour(ctx context.Context, feed func(frame []byte) onebot.Event) {
	for {
		for _, f := range i.take() {
			feed(f)
		}
		select {
		case <-i.more:
		case <-ctx.Done():
			return
		}
	}
}
