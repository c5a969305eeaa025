package gateway

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// rawLink is a WebSocket of which a test sees every byte.
type rawLink struct {
	t  *testing.T
	c  *net.TCPConn
	br *bufio.Reader
}

// dialRaw connects with a small window, so that a frame does not fit into it.
func (s *stage) dialRaw() *rawLink {
	s.t.Helper()
	return s.rawBy(16, net.Dialer{Control: func(_, _ string, rc syscall.RawConn) error {
		return rc.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 2048) })
	}})
}

// rawBy connects with d, and reads so many bytes at once.
func (s *stage) rawBy(chunk int, d net.Dialer) *rawLink {
	s.t.Helper()
	c, err := d.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	l := &rawLink{s.t, c.(*net.TCPConn), bufio.NewReaderSize(c, chunk)}
	if _, err := fmt.Fprintf(c, "GET /event HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Bearer secret-secret-secret\r\n\r\n"); err != nil {
		s.t.Fatal(err)
	}
	for line := ""; line != "\r\n"; {
		if line, err = l.br.ReadString('\n'); err != nil {
			s.t.Fatal(err)
		}
	}
	return l
}

// header reads a frame's first two bytes, with a short length.
func (l *rawLink) header() (op byte, size int) {
	l.t.Helper()
	op, size, err := l.head()
	if err != nil {
		l.t.Fatal(err)
	}
	return op, size
}

func (l *rawLink) head() (op byte, size int, err error) {
	var b [2]byte
	if _, err := io.ReadFull(l.br, b[:]); err != nil {
		return 0, 0, err
	}
	size = int(b[1])
	if size == 126 {
		var long [2]byte
		if _, err := io.ReadFull(l.br, long[:]); err != nil {
			return 0, 0, err
		}
		size = int(binary.BigEndian.Uint16(long[:]))
	}
	return b[0] & 15, size, nil
}

// frame reads a whole frame.
func (l *rawLink) frame() (op byte, body string) {
	l.t.Helper()
	op, body, err := l.next()
	if err != nil {
		l.t.Fatal(err)
	}
	return op, body
}

func (l *rawLink) next() (op byte, body string, err error) {
	op, n, err := l.head()
	if err != nil {
		return 0, "", err
	}
	b := make([]byte, n)
	_, err = io.ReadFull(l.br, b)
	return op, string(b), err
}

// pong answers a ping.
func (l *rawLink) pong(body string) {
	_, _ = l.c.Write(append([]byte{0x8a, 0x80 | byte(len(body)), 0, 0, 0, 0}, body...)) // that it is not there is seen
}

// works is an app that reads on and on, and answers the pings of what it read at once
// when it has done with it. It ends the link before the answer to so many.
func (l *rawLink) works(fatal int, heard chan<- string) {
	var pings []string
	for {
		op, body, err := l.next()
		if err != nil || len(pings) == fatal {
			_ = l.c.Close()
			close(heard)
			return
		}
		if op == opPing {
			pings = append(pings, body)
		} else {
			heard <- body
		}
		if l.br.Buffered() > 0 {
			continue
		}
		for _, p := range pings {
			l.pong(p)
		}
		pings = nil
	}
}

// The ws of Node has done with its answers to pings only when it has done with all
// that it read at once, and ends the link at the 60th. An app that was busy while
// hundreds of messages came, or had missed them, keeps its link and gets them once.
// A FIFO that an app names has no end that anybody waits for.
func TestAFIFOIsNotOpened(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newStage(t, func(c *Config) { c.Folders = Folders{Own: []string{dir}} })
	c := s.dial("/api")
	if got := c.call(`{"action":"send_group_msg","params":{"group_id":1,"message":"[CQ:image,file=` + dir + `/fifo]"},"echo":1}`); !strings.Contains(got, `"retcode":1200`) {
		t.Error(got)
	}
}

func TestABusyAppIsNotDrownedInPings(t *testing.T) {
	const messages = 300
	s := newStage(t, nil)
	for _, what := range []string{"unknown", "busy", "away"} {
		if what == "busy" {
			s.say("first")
		}
		var want []string
		if what == "away" {
			for range messages {
				want = append(want, marked2(s.say("x")))
			}
		}
		l := s.rawBy(64<<10, net.Dialer{})
		l.frame() // the lifecycle
		heard := make(chan string, 3*messages)
		if what == "busy" { // it has answered
			_, ping := l.frame()
			_, body := l.frame()
			l.pong(ping)
			s.got()
			heard <- body
			want = append(want, body)
		}
		for what != "away" && len(want) < messages {
			want = append(want, s.say("x"))
		}
		go l.works(60, heard)
		for i := range want {
			if got, ok := <-heard; !ok || got != want[i] {
				t.Fatalf("%s: message %d is %.300s (link up: %v)", what, i+1, got, ok)
			}
		}
		s.got()
		_ = l.c.Close()
		s.links(0)
	}
}

// A link is cut in the middle of a burst that came before it had answered anything:
// what it read does not come again.
func TestABurstOnANewLinkComesOnce(t *testing.T) {
	const messages, read = 40, 20
	s := newStage(t, nil)
	l := s.rawBy(64<<10, net.Dialer{})
	l.frame() // the lifecycle
	var want []string
	for range messages {
		want = append(want, s.say("x"))
	}
	for n := 0; n < read; {
		switch op, body := l.frame(); op {
		case opPing:
			l.pong(body)
		case opText:
			n++
		}
	}
	_ = l.c.Close()
	s.links(0)
	c := s.dial("/event")
	for i, w := range want[read:] {
		if got := c.event(); got != marked2(w) {
			t.Fatalf("after %d messages that were read, number %d is %.300s", read, read+i+1, got)
		}
	}
}

// What an app does not answer for goes out all the same, after a while.
func TestWhatIsNotAnsweredForGoesOut(t *testing.T) {
	s := newStage(t, nil)
	l := s.rawBy(64<<10, net.Dialer{})
	l.frame() // the lifecycle
	s.say("first")
	_, ping := l.frame()
	l.frame()
	l.pong(ping)
	s.got()
	var want []string
	for range 100 {
		want = append(want, s.say("x"))
	}
	pings := 0
	for len(want) > 0 {
		op, body := l.frame()
		if op == opPing {
			pings++
			continue
		}
		if body != want[0] {
			t.Fatalf("%.300s, want %.300s", body, want[0])
		}
		want = want[1:]
	}
	if pings > mostAsked {
		t.Errorf("%d pings without an answer", pings)
	}
}

// A ping was answered, but the event behind it did not get through: it is missed.
func TestEventBehindAnAnsweredPingIsMissed(t *testing.T) {
	s := newStage(t, nil)
	l := s.dialRaw()
	_, n := l.header()
	if _, err := l.br.Discard(n); err != nil { // the lifecycle
		t.Fatal(err)
	}
	raw := s.say(strings.Repeat("z", 6<<10))
	op, n := l.header()
	if op != opPing || n != 8 {
		t.Fatalf("opcode %d, %d bytes before the event", op, n)
	}
	seq := make([]byte, n)
	if _, err := io.ReadFull(l.br, seq); err != nil {
		t.Fatal(err)
	}
	if _, err := l.c.Write(append([]byte{0x8a, 0x88, 0, 0, 0, 0}, seq...)); err != nil {
		t.Fatal(err)
	}
	s.got()
	_ = l.c.Close()
	s.links(0)
	if got := s.dial("/event").event(); got != marked2(raw) {
		t.Errorf("%.100s", got)
	}
}

// A large event comes in pieces. Who has not read all of it misses it.
func TestHalfOfALargeEventIsMissed(t *testing.T) {
	s := newStage(t, nil)
	l := s.dialRaw()
	_, n := l.header()
	if _, err := l.br.Discard(n); err != nil {
		t.Fatal(err)
	}
	raw := s.say(strings.Repeat("z", 60<<10))
	if op, _ := l.header(); op != opText {
		t.Fatalf("opcode %d: a ping before what may come in pieces says nothing", op)
	}
	_ = l.c.Close()
	s.links(0)
	c := s.dial("/event")
	if got := c.event(); got != marked2(raw) {
		t.Errorf("%.100s", got)
	}
	go func() { _, _, _ = c.ws.Read(context.Background()) }() // which answers the ping
	s.got()
}

// An app comes back before its old link has said all: what that says counts.
func TestNewLinkWaitsForTheOldOne(t *testing.T) {
	s := newStage(t, nil)
	l := s.dialRaw()
	_, n := l.header()
	if _, err := l.br.Discard(n); err != nil {
		t.Fatal(err)
	}
	s.say("x")
	_, n = l.header()
	seq := make([]byte, n)
	if _, err := io.ReadFull(l.br, seq); err != nil {
		t.Fatal(err)
	}
	c := s.dial("/event")
	s.links(2)
	if _, err := l.c.Write(append([]byte{0x8a, 0x88, 0, 0, 0, 0}, seq...)); err != nil {
		t.Fatal(err)
	}
	s.got()
	live := s.say("live")
	if got := c.event(); got != live && got != marked2(live) {
		t.Errorf("%.200s", got)
	}
}

// While a link waits for an older one, which is alive and says nothing, it misses
// none of what comes, however little is kept of what apps missed.
func TestNewLinkBesideAStalledOneGetsAll(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Replay.Events = 10 })
	l := s.dialRaw()
	_, n := l.header()
	if _, err := l.br.Discard(n); err != nil {
		t.Fatal(err)
	}
	first := s.say("x")
	c := s.dial("/event")
	s.links(2)
	want := []string{marked2(first)}
	for i := range 200 {
		want = append(want, s.say(fmt.Sprint(i)))
	}
	for _, w := range want {
		if got := c.event(); got != w && got != marked2(w) {
			t.Fatalf("%.300s, want %.300s", got, w)
		}
	}
}

// A program that is killed with something unread resets its link: it is told as the
// end that it is, not in the system's words.
func TestAResetIsNoGoodbye(t *testing.T) {
	s := newStage(t, nil)
	l := s.dialRaw()
	s.links(1)
	_ = l.c.SetLinger(0)
	_ = l.c.Close()
	s.links(0)
	if got := s.app.Stats().LastError; got != "the connection ended without a goodbye" {
		t.Error(got)
	}
}
