package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// bulky is an account whose answers and streams are large.
type bulky struct {
	answer  rpc.Answer
	packet  json.RawMessage
	packets int

	mu   sync.Mutex
	most int // bytes of the largest params
}

func (b *bulky) For(string) onebot.Streamer { return b }

func (b *bulky) Call(_ context.Context, _ string, params, result any) error {
	b.mu.Lock()
	b.most = max(b.most, len(params.(rawParams).json))
	b.mu.Unlock()
	*result.(*rpc.Answer) = b.answer
	return nil
}

func (b *bulky) Stream(_ context.Context, _ string, _ any, packet func(json.RawMessage) error, _ any) error {
	for range b.packets {
		if err := packet(b.packet); err != nil {
			return err
		}
	}
	return nil
}

// grows returns how far the memory in use grew at most while f ran.
func grows(f func()) int64 {
	defer debug.SetGCPercent(debug.SetGCPercent(5)) // what is garbage is not in use
	debug.FreeOSMemory()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	used := func() int64 {
		metrics.Read(sample)
		return int64(sample[0].Value.Uint64())
	}
	before, most := used(), int64(0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-done:
			return most
		case <-look.C:
			most = max(most, used()-before)
		}
	}
}

// each runs f for so many clients at once.
func (s *stage) each(n int, f func(c *client)) {
	var clients []*client
	for range n {
		c := s.dial("/api")
		c.ws.SetReadLimit(-1)
		clients = append(clients, c)
	}
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(func() { f(c) })
	}
	wg.Wait()
}

// skim reads one frame without keeping it.
func (c *client) skim() (n int64) {
	_, r, err := c.ws.Reader(c.t.Context())
	if err == nil {
		n, err = io.Copy(io.Discard, r)
	}
	if err != nil {
		c.t.Error(err)
	}
	return n
}

const mib = 1 << 20

// Four apps have large requests under way at once: one of them is in memory.
func TestLargeRequestsAreReadOneAtATime(t *testing.T) {
	size := 45 * mib
	if testing.Short() {
		size /= 3 // the race detector takes a minute for the whole
	}
	s := newStage(t, nil)
	up := &bulky{answer: rpc.NewAnswer([]byte(`{"status":"ok","retcode":0,"data":null,"message":"","wording":"","echo":"1","stream":"normal-action"}`))}
	s.acc.SetUpstream(up)
	call := []byte(`{"action":"send_group_msg","params":{"group_id":1,"message":[{"type":"image","data":{"file":"base64://` + strings.Repeat("A", size) + `"}}]}}`)
	grew := grows(func() {
		s.each(4, func(c *client) {
			if err := c.ws.Write(t.Context(), websocket.MessageText, call); err != nil {
				t.Error(err)
			}
			c.skim()
		})
	})
	if up.most < size {
		t.Errorf("the params had %d bytes", up.most)
	}
	if grew > int64(size)*8/3 { // one, in pieces and whole
		t.Errorf("%d MiB for four requests of %d", grew/mib, size/mib)
	}
}

// An answer of 50 MiB goes to its app without a copy.
func TestLargeAnswersAreNotCopied(t *testing.T) {
	s := newStage(t, nil)
	data := strings.Repeat("A", 50*mib)
	s.acc.SetUpstream(&bulky{answer: rpc.NewAnswer([]byte(`{"status":"ok","retcode":0,"data":"` + data + `","message":"","wording":"","echo":"1","stream":"normal-action"}`))})
	grew := grows(func() {
		s.each(4, func(c *client) {
			c.write(`{"action":"get_status","echo":[1]}`)
			if n := c.skim(); n < 50*mib {
				t.Errorf("%d bytes came", n)
			}
		})
	})
	if grew > 20*mib {
		t.Errorf("%d MiB for four answers of 50", grew/mib)
	}
}

// A stream of 256 MiB passes at the speed of an app that reads slowly, also over
// HTTP, within what may wait for an app.
func TestStreamsPassInConstantMemory(t *testing.T) {
	s := newStage(t, nil)
	s.acc.SetUpstream(&bulky{packet: json.RawMessage(fmt.Sprintf(`{"type":"stream","data":%q}`, strings.Repeat("A", 64<<10))), packets: 4096})
	grew := grows(func() {
		s.each(2, func(c *client) {
			c.write(`{"action":"test_download_stream","echo":1}`)
			<-time.After(200 * time.Millisecond) // it fills up meanwhile
			var total int64
			for range 4097 {
				total += c.skim()
			}
			if total < 256*mib {
				t.Errorf("%d bytes came", total)
			}
		})
	})
	if grew > 40*mib {
		t.Errorf("%d MiB for streams of 256", grew/mib)
	}
}
