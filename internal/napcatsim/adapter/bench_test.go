package adapter

import (
	"context"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/napcatsim/action"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

func benchClient(b *testing.B) (*world.World, *websocket.Conn) {
	w := world.New(world.Options{})
	h := action.New(action.Options{World: w, TempDir: b.TempDir()})
	n := New(Options{World: w, Host: h, Ephemeral: true})
	b.Cleanup(func() { n.Close() })
	n.Start(SingleServer("127.0.0.1", 0, ""))
	ws, _, err := websocket.Dial(context.Background(), "ws://"+n.Addr("ws")+"/", nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ws.CloseNow() })
	if _, _, err := ws.Read(context.Background()); err != nil { // lifecycle
		b.Fatal(err)
	}
	return w, ws
}

// BenchmarkEvents is a message from the world to a client.
func BenchmarkEvents(b *testing.B) {
	w, ws := benchClient(b)
	b.ReportAllocs()
	go func() {
		for range b.N {
			w.Say(world.Say{Group: 700000001, User: 3001000001, Text: "ping"})
		}
		w.Say(world.Say{Group: 700000001, User: 3001000001, Text: "the last one"})
	}()
	for {
		_, f, err := ws.Read(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		if strings.Contains(string(f), "the last one") {
			return
		}
	}
}

// BenchmarkCalls is a send and its answer, one after the other.
func BenchmarkCalls(b *testing.B) {
	_, ws := benchClient(b)
	b.ReportAllocs()
	req := []byte(`{"action":"send_group_msg","params":{"group_id":"700000001","message":[{"type":"text","data":{"text":"pong"}}]},"echo":"1"}`)
	for b.Loop() {
		if err := ws.Write(context.Background(), websocket.MessageText, req); err != nil {
			b.Fatal(err)
		}
		if _, _, err := ws.Read(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
