package ncat_test

import (
	"context"
	"encoding/json"
	"runtime"
	"testing"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// A handler may lock its goroutine to its thread, call, wait for an answer, and
// forget to unlock it: the process lives, and so do all chats.
func TestHandlerLockedToItsThread(t *testing.T) {
	h := newHost(t)
	h.answer = func(string, json.RawMessage) string { return `{"message_id":1}` }
	b := ncat.New()
	done := make(chan error, 100)
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		err := b.Reply(ctx, m, "free")
		runtime.LockOSThread()
		if err == nil {
			err = b.Reply(ctx, m, "locked")
		}
		if m.GroupID%2 == 0 {
			defer runtime.UnlockOSThread()
		}
		done <- err
		return nil
	})
	dial(t, b, h.url)
	ws := next(t, h.links)
	const events = 30
	for i := range events {
		say(t, ws, groupFrame(1+i%3, i))
	}
	for range events {
		if err := next(t, done); err != nil {
			t.Error(err)
		}
	}
}
