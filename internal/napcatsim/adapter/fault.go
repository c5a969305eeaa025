package adapter

import (
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// Faults are disturbances of all connections at once.
type Faults struct {
	// Freeze makes the host hang: nothing is read or written any more, new
	// connections are accepted by the kernel only.
	Freeze bool `json:"freeze"`
	// Mute carries requests out but never answers; events go on.
	Mute bool `json:"mute"`
	// Delay makes every answer come that much later.
	Delay time.Duration `json:"delay"`
	// Shuffle delays every answer by a random part of Delay (50 ms if zero), so
	// that answers come in any order.
	Shuffle bool `json:"shuffle"`
	// Duplicate sends every answer twice.
	Duplicate bool `json:"duplicate"`
	// NoHeartbeat stops the heartbeats.
	NoHeartbeat bool `json:"no_heartbeat"`
	// Away cuts the WebSockets and ends every new one before its handshake, as
	// if the network between were down.
	Away bool `json:"away"`
}

var errAway = errors.New("network is unreachable")

// SetFaults replaces the disturbances; the zero Faults ends them.
func (n *Network) SetFaults(f Faults) {
	if f.Away {
		defer n.DropSockets()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case f.Freeze && !n.faults.Freeze:
		n.thaw = make(chan struct{})
	case !f.Freeze && n.faults.Freeze:
		close(n.thaw)
	}
	n.faults = f
}

// Faults returns the disturbances in force.
func (n *Network) Faults() Faults {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.faults
}

// gate waits while the host hangs.
func (n *Network) gate() {
	n.mu.Lock()
	c := n.thaw
	n.mu.Unlock()
	select {
	case <-c:
	case <-n.ctx.Done():
	}
}

// answer hands an answer to send under the disturbances in force.
func (n *Network) answer(send func()) {
	f := n.Faults()
	if f.Mute {
		return
	}
	if f.Duplicate {
		once := send
		send = func() { once(); once() }
	}
	d := f.Delay
	if f.Shuffle {
		if d <= 0 {
			d = 50 * time.Millisecond
		}
		d = rand.N(d)
	}
	if d <= 0 {
		send()
		return
	}
	n.goes(func() {
		if n.sleep(d) {
			send()
		}
	})
}

// DropSockets ends every WebSocket at once, without a close frame, as a crash
// does. It returns how many there were.
func (n *Network) DropSockets() int {
	ls := n.openLinks()
	for _, l := range ls {
		l.drop()
	}
	return len(ls)
}

// SendRaw sends text as one frame to every WebSocket that gets events and
// returns how many those are.
func (n *Network) SendRaw(text []byte) int {
	k := 0
	for _, l := range n.openLinks() {
		if l.events {
			l.send(text)
			k++
		}
	}
	return k
}

// Garbage sends count frames that no OneBot host should send to every WebSocket
// that gets events: broken JSON, other JSON, answers to no call, nothing at all.
func (n *Network) Garbage(count int) int {
	kinds := []string{
		"", "garbage", "{", `{"time":`, "null", "[]", "5", `"text"`, "{}", `{"post_type":5}`, `{"post_type":"message"}`,
		`{"post_type":"notice","notice_type":null}`, `{"status":"ok","retcode":0,"echo":"nobody asked"}`,
		`{"status":"ok","retcode":"zero","data":[],"echo":{"a":[1]}}`, "\x00\x01\x02", "<html><body>502 Bad Gateway</body></html>",
	}
	k := 0
	for i := range count {
		k = n.SendRaw([]byte(kinds[i%len(kinds)]))
	}
	return k
}

// Giant sends one valid group message event of about size bytes to every
// WebSocket that gets events. The host's own limit for frames is 50 MiB.
func (n *Network) Giant(size int) int {
	text := strings.Repeat("巨", max(0, size-600)/6) // twice in an event, three bytes each
	e := &event{Event: world.Event{Message: &world.Message{
		ID: rand.Int32(), MsgID: "7000000000000000001", Seq: 1, Time: n.o.Now().Unix(),
		Chat: world.Chat{Type: world.InGroup, Peer: 700000001}, GroupName: "giant", Sender: 3001000001,
		Nickname: "Alice", Role: world.Plain, Segments: []world.Segment{world.Text(text)},
	}}, self: n.o.Host.SelfID()}
	return n.SendRaw(e.encode(Entry{}))
}

// Violate writes bytes that are no WebSocket frame onto every socket.
func (n *Network) Violate() int {
	ls := n.openLinks()
	for _, l := range ls {
		l.violate()
	}
	return len(ls)
}

func (n *Network) openLinks() []*link {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]*link, 0, len(n.links))
	for l := range n.links {
		out = append(out, l)
	}
	return out
}
