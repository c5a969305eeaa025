package rpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// marked returns a JSON string of n bytes that differs from those of other
// marks throughout.
func marked(mark byte, n int) string { return `"` + strings.Repeat(string('a'+mark%26), n-2) + `"` }

// Whatever the size of a frame, its event and its answer's data stay as they
// came while later frames are read.
func TestFramesOfEverySizeStayWhole(t *testing.T) {
	var sizes []int
	for _, n := range []int{1 << 10, 8 << 10, 256 << 10, 512 << 10, 1 << 20, 2 << 20, 8<<20 + 256<<10} {
		for d := -200; d <= 200; d += 50 {
			if !testing.Short() || d%200 == 0 {
				sizes = append(sizes, n+d)
			}
		}
	}
	event := func(i int) string {
		return fmt.Sprintf(`{"time":%d,"post_type":"meta_event","x":%s}`, i, marked(byte(i), sizes[i]))
	}
	url := endpoint(t, func(ctx context.Context, p *peer) {
		for i, n := range sizes {
			p.write(ctx, event(i))
			q, ok := p.next(ctx)
			if !ok {
				return
			}
			p.write(ctx, okFrame(q.Echo, marked(byte(i+13), n)))
		}
		p.next(ctx)
	})
	var events [][]byte
	arrived := make(chan struct{}, len(sizes))
	c, _ := dial(t, url, rpc.Options{Event: func(f []byte) bool {
		events = append(events, bytes.Clone(f))
		arrived <- struct{}{}
		return true
	}})
	var answers []json.RawMessage
	for range sizes {
		var data json.RawMessage
		if err := c.Call(t.Context(), "get", nil, &data); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, data)
	}
	for i, n := range sizes {
		<-arrived
		if string(events[i]) != event(i) {
			t.Errorf("event of %d bytes: got %d, %.60s", n, len(events[i]), events[i])
		}
		if string(answers[i]) != marked(byte(i+13), n) {
			t.Errorf("answer of %d bytes: got %d, %.60s", n, len(answers[i]), answers[i])
		}
	}
}

// The connection keeps nothing of a giant frame, and takes no more for it than a
// few times its length.
func TestMemoryOfAGiantFrameComesBack(t *testing.T) {
	const size, frames = 20 << 20, 5
	url := endpoint(t, func(ctx context.Context, p *peer) {
		frame := `{"self_id":1,"user_id":2,"message_type":"group","message":[{"type":"image","data":{"file":"base64://` + strings.Repeat("A", size) + `"}}],"post_type":"message"}`
		for range frames {
			p.write(ctx, frame)
			p.next(ctx) // a call says that the next may come
		}
		p.next(ctx)
	})
	handled := make(chan []byte)
	c, _ := dial(t, url, rpc.Options{Event: func(f []byte) bool { handled <- f; return true }})
	memory := func() (m runtime.MemStats) {
		runtime.GC()
		runtime.GC() // a pool gives up what it holds at the second
		runtime.ReadMemStats(&m)
		return m
	}
	first := memory()
	for range frames {
		if e, err := onebot.Decode(<-handled); err != nil {
			t.Error(err)
		} else if img, _ := onebot.First[*onebot.ImageSegment](e.(*onebot.GroupMessage).Message); len(img.File) != size+len("base64://") {
			t.Errorf("the picture has %d bytes", len(img.File))
		}
		ctx, cancel := context.WithCancel(t.Context())
		called := make(chan struct{})
		go func() { defer close(called); _ = c.Call(ctx, "more", nil, nil) }()
		eventually(t, "the call", func() bool { return c.Stats().Pending == 1 })
		cancel()
		<-called
	}
	last := memory()
	// Five giant frames came; at most the peer's own and half of one are left.
	if held := int(last.HeapAlloc) - int(first.HeapAlloc); held > size+size/2 {
		t.Errorf("%d MiB are held after %d frames of %d MiB", held>>20, frames, size>>20)
	}
	// In pieces, whole, and what the decoder makes of it.
	if took := int(last.TotalAlloc-first.TotalAlloc) / frames; took > 7*size {
		t.Errorf("a frame of %d MiB took %d MiB", size>>20, took>>20)
	}
	t.Logf("a frame of %d MiB took %d MiB", size>>20, int(last.TotalAlloc-first.TotalAlloc)/frames>>20)
}
