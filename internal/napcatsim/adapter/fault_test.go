package adapter

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

func (r *rig) open() *client {
	r.t.Helper()
	c := r.dial("ws", "/?access_token=sec", nil)
	c.next()
	return c
}

func TestMaxPayload(t *testing.T) {
	r := newRig(t, oneServer)
	hub := r.n.find("ws").(*wsServer).hub
	if hub.limit != 50<<20 {
		t.Errorf("the limit is %d bytes", hub.limit)
	}
	hub.limit = 1 << 20 // so that little has to be sent
	c := r.open()
	c.send(`{"action":"get_status","echo":"` + strings.Repeat("x", 1<<20-100) + `"}`)
	if got := c.next(); len(got) < 1<<20-100 {
		t.Errorf("a large request got %.200s", got)
	}
	go c.ws.Write(t.Context(), websocket.MessageText, make([]byte, 1<<20+1)) // fails when the other side gives up first
	if _, err := c.read(); websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
		t.Errorf("closed with %v, want 1009", err)
	}
}

func TestOutOfOrder(t *testing.T) {
	r := newRig(t, oneServer)
	c := r.open()
	c.send(`{"action":"get_online_clients","echo":"slow"}`)
	c.send(`{"action":"get_status","echo":"fast"}`)
	if a, b := c.next(), c.next(); !strings.Contains(a, `"fast"`) || !strings.Contains(b, `"slow"`) {
		t.Errorf("answers came as %s, %s", a, b)
	}
	// What needs no waiting is answered in order, and sends arrive in order.
	for i := range 200 {
		c.send(fmt.Sprintf(`{"action":"send_group_msg","params":{"group_id":700000001,"message":"%d"},"echo":%d}`, i, i))
	}
	for i := range 200 {
		if got := c.next(); !strings.Contains(got, fmt.Sprintf(`"echo":%d,`, i)) {
			t.Fatalf("answer %d is %s", i, got)
		}
	}
	for i, s := range r.w.Sent(0) {
		if s.Message.PlainText() != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, s.Message.PlainText())
		}
	}
}

func TestEventsInOrder(t *testing.T) {
	r := newRig(t, oneServer)
	c := r.open()
	go func() {
		for i := range 500 {
			r.w.Say(world.Say{User: 3001000001, Text: fmt.Sprint(i)})
		}
	}()
	for i := range 500 {
		if got := c.next(); !strings.Contains(got, fmt.Sprintf(`"raw_message":"%d"`, i)) {
			t.Fatalf("event %d is %s", i, got)
		}
	}
}

func TestDeadLink(t *testing.T) {
	r := newRig(t, `{network:{websocketServers:[{name:"ws",enable:true,port:0,token:"sec",heartInterval:0}]},timeout:{baseTimeout:50}}`)
	c := r.open()
	for _, tt := range []struct {
		link world.DeadLink
		sent int
	}{{world.LinkDead, 0}, {world.LinkNoAck, 1}} {
		r.w.SetDeadLink(tt.link)
		before := r.w.SentCount()
		o := c.call("send_private_msg", `{"user_id":3001000001,"message":"x"}`)
		if o.Get("retcode") != 1200.0 || !strings.HasPrefix(o.String("message"), "Timeout: ") {
			t.Errorf("link %d: %s", tt.link, jsval.Stringify(o))
		}
		if got := r.w.SentCount() - before; got != tt.sent {
			t.Errorf("link %d: %d messages arrived", tt.link, got)
		}
		if o := c.call("get_status", "{}"); o.Get("data").(*jsval.Object).Get("online") != true {
			t.Errorf("link %d: %s", tt.link, jsval.Stringify(o))
		}
	}
	r.w.SetDeadLink(world.LinkUp)
	if o := c.call("send_private_msg", `{"user_id":3001000001,"message":"x"}`); o.Get("retcode") != 0.0 {
		t.Errorf("mended: %s", jsval.Stringify(o))
	}
}

func TestFaults(t *testing.T) {
	r := newRig(t, oneServer)
	c := r.open()
	t.Run("duplicate", func(t *testing.T) {
		r.n.SetFaults(Faults{Duplicate: true})
		c.send(`{"action":"get_status","echo":"d"}`)
		if a, b := c.next(), c.next(); a != b {
			t.Errorf("%s, %s", a, b)
		}
	})
	t.Run("mute", func(t *testing.T) {
		r.n.SetFaults(Faults{Mute: true})
		c.send(`{"action":"send_private_msg","params":{"user_id":3001000001,"message":"muted"},"echo":"m"}`)
		if m := r.waitSent(0); m.PlainText() != "muted" {
			t.Errorf("sent %q", m.PlainText())
		}
		r.n.SetFaults(Faults{})
		c.send(`{"action":"get_status","echo":"after"}`)
		if got := c.next(); !strings.Contains(got, `"after"`) {
			t.Errorf("got %s", got)
		}
	})
	t.Run("shuffle", func(t *testing.T) {
		r.n.SetFaults(Faults{Shuffle: true, Delay: 100 * time.Millisecond})
		const n = 50
		for i := range n {
			c.send(fmt.Sprintf(`{"action":"get_status","echo":%d}`, i))
		}
		inOrder := true
		for i := range n {
			inOrder = strings.Contains(c.next(), fmt.Sprintf(`"echo":%d,`, i)) && inOrder
		}
		if inOrder {
			t.Error("fifty shuffled answers came in order")
		}
		r.n.SetFaults(Faults{})
	})
	t.Run("garbage", func(t *testing.T) {
		if n := r.n.Garbage(16); n != 1 {
			t.Errorf("%d sockets", n)
		}
		for range 16 {
			c.next()
		}
	})
	t.Run("giant", func(t *testing.T) {
		r.n.Giant(4 << 20)
		got := c.next()
		if len(got) < 3<<20 || len(got) > 5<<20 {
			t.Errorf("%d bytes", len(got))
		}
		if _, err := jsval.Parse(got); err != nil {
			t.Error(err)
		}
	})
	t.Run("freeze", func(t *testing.T) {
		r.n.SetFaults(Faults{Freeze: true})
		c.send(`{"action":"get_status","echo":"frozen"}`)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if c2, _, err := websocket.Dial(ctx, "ws://"+r.n.Addr("ws")+"/", nil); err == nil {
			c2.CloseNow()
			t.Error("a new connection was answered")
		}
		r.n.SetFaults(Faults{})
		if got := c.next(); !strings.Contains(got, `"frozen"`) {
			t.Errorf("got %s", got)
		}
	})
	t.Run("violate", func(t *testing.T) {
		c := r.open()
		r.n.Violate()
		if _, err := c.read(); err == nil {
			t.Error("bytes that are no frame were taken for one")
		}
	})
	t.Run("away", func(t *testing.T) {
		c := r.open()
		r.n.SetFaults(Faults{Away: true})
		if _, err := c.read(); err == nil {
			t.Error("the link is still there")
		}
		if c2, _, err := websocket.Dial(t.Context(), "ws://"+r.n.Addr("ws")+"/", nil); err == nil {
			c2.CloseNow()
			t.Error("a new connection was taken")
		}
		r.n.SetFaults(Faults{})
		r.open()
	})
	t.Run("drop", func(t *testing.T) {
		c := r.open()
		if r.n.DropSockets() == 0 {
			t.Error("no sockets")
		}
		if _, err := c.read(); err == nil || websocket.CloseStatus(err) != -1 {
			t.Errorf("ended with %v, want no close frame", err)
		}
	})
}
