package rpc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

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
	c, _ := dial(t, url, rpc.Options{Event: func(f []byte) func() {
		events = append(events, f)
		arrived <- struct{}{}
		return nil
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

// What a giant frame took is the system's again within seconds.
func TestMemoryOfAGiantFrameComesBack(t *testing.T) {
	held := func() int {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapSys-m.HeapReleased) >> 20
	}
	rpc.ForgetTrim()
	debug.FreeOSMemory()
	before := held()
	url := endpoint(t, func(ctx context.Context, p *peer) {
		p.write(ctx, `{"self_id":1,"user_id":2,"message_type":"group","message":[{"type":"image","data":{"file":"base64://`+strings.Repeat("A", 49<<20)+`"}}],"post_type":"message"}`)
		p.next(ctx)
	})
	handled := make(chan int, 1)
	dial(t, url, rpc.Options{Event: func(f []byte) func() {
		e, err := onebot.Decode(f)
		if err != nil {
			t.Error(err)
		}
		img, _ := onebot.First[*onebot.ImageSegment](e.(*onebot.GroupMessage).Message)
		handled <- len(img.File)
		return nil
	}})
	if n := <-handled; n != 49<<20+len("base64://") {
		t.Errorf("the picture has %d bytes", n)
	}
	peak, start := held(), time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for held() > before+16 {
		if <-tick.C; time.Since(start) > 10*time.Second {
			t.Fatalf("%d MiB are held, %d before the frame", held(), before)
		}
	}
	t.Logf("%d MiB before the frame, %d after it, %d after %v", before, peak, held(), time.Since(start))
}
