package rpc

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// bareEndpoint takes one connection, answers the upgrade with whatever then is
// handed to serve, byte for byte, and returns its address.
func bareEndpoint(t *testing.T, serve func(conn net.Conn, r *bufio.Reader, upgraded []byte) error) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- func() error {
			conn, err := ln.Accept()
			if err != nil {
				return err
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			r := bufio.NewReader(conn)
			q, err := http.ReadRequest(r)
			if err != nil {
				return err
			}
			sum := sha1.Sum([]byte(q.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
			return serve(conn, r, fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
				base64.StdEncoding.EncodeToString(sum[:])))
		}()
	}()
	t.Cleanup(func() {
		ln.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "ws://" + ln.Addr().String()
}

// appendMessage appends a text message as a host may send it: whole or in
// fragments, with control frames before and between them.
func appendMessage(b []byte, text string) []byte {
	const opPing, opPong, last = 9, 10, 0x80
	op := byte(opText)
	for {
		for rand.N(4) == 0 {
			b = append(AppendHead(b, opPing+rand.N(byte(2)), 3), "abc"...)
		}
		n := len(text)
		if rand.N(3) == 0 {
			n = rand.N(n + 1)
		}
		at := len(b)
		if b = append(AppendHead(b, op, n), text[:n]...); n == len(text) {
			return b
		}
		b[at] &^= last
		op, text = 0, text[n:]
	}
}

// Every message arrives once, whole and in its place, however it is framed and
// wherever the network cuts what was sent, the answer to the upgrade included.
func TestMessagesFramedAndCutAnyhow(t *testing.T) {
	for round := range 8 {
		var sent []string
		var stream []byte
		sizes := []int{0, 10, 60, 90, 126, 1000, 70_000}
		if round%2 == 0 {
			sizes = sizes[:1]
		}
		for i := range 300 {
			pad := sizes[rand.N(len(sizes))]
			text := fmt.Sprintf(`{"post_type":"x","n":%d,"pad":%q}`, i, strings.Repeat("p", pad+rand.N(8)))
			sent, stream = append(sent, text), appendMessage(stream, text)
		}
		url := bareEndpoint(t, func(conn net.Conn, r *bufio.Reader, upgraded []byte) error {
			cut := []int{3, 50, 2000, 1 << 20}[rand.N(4)]
			for rest := append(upgraded, stream...); len(rest) > 0; {
				n := min(1+rand.N(cut), len(rest))
				if cut == 3 && len(rest) < len(stream)-5000 {
					n = len(rest) // byte by byte is enough for the first
				}
				if _, err := conn.Write(rest[:n]); err != nil {
					return err
				}
				rest = rest[n:]
			}
			_, err := io.Copy(io.Discard, r) // pongs, until the client is through
			return err
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		var got []string
		c, err := Dial(ctx, url, Options{Event: func(frame []byte) bool {
			if got = append(got, string(frame)); len(got) == len(sent) {
				cancel()
			}
			return false
		}})
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Run(ctx) // the host knows no closing handshake
		cancel()
		if !slices.Equal(got, sent) {
			i := 0
			for i < len(got) && i < len(sent) && got[i] == sent[i] {
				i++
			}
			t.Fatalf("%d messages of %d came, all right up to the %dth", len(got), len(sent), i)
		}
	}
}

// A frame that holds nothing is whole as soon as its two bytes are there: a ping is
// answered, and a message handed on, while nothing else comes.
func TestFramesThatHoldNothing(t *testing.T) {
	for name, frames := range map[string][]byte{"ping": {0x89, 0}, "message, ping": {0x81, 0, 0x89, 0}, "long, ping": append(AppendHead(nil, opText, 126), append(bytes.Repeat([]byte("x"), 126), 0x89, 0)...)} {
		t.Run(name, func(t *testing.T) {
			url := bareEndpoint(t, func(conn net.Conn, r *bufio.Reader, upgraded []byte) error {
				if _, err := conn.Write(append(upgraded, frames...)); err != nil {
					return err
				}
				pong := make([]byte, 6)
				if _, err := io.ReadFull(r, pong); err != nil {
					return err
				}
				if pong[0] != 0x8a || pong[1] != 0x80 {
					return fmt.Errorf("% x answers a ping", pong)
				}
				return nil
			})
			c, err := Dial(t.Context(), url, Options{PingInterval: -1})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Run(t.Context()); err == nil {
				t.Error("Run returned nil")
			}
			if s := c.Stats(); s.Garbage != uint64(min(1, len(frames)-2)) {
				t.Errorf("%+v", s)
			}
		})
	}
}

// How long a frame is stands in its first bytes, and is not said before they are there.
func TestFrameSize(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 127, 1<<16 - 1, 1 << 16, 1 << 40} {
		for _, masked := range []bool{false, true} {
			b := AppendHead(nil, opText, n)
			if masked {
				b[1] |= 0x80
				b = append(b, 1, 2, 3, 4)
			}
			for i := range b {
				if head, size := frameSize(b[:i]); head != 0 || size != 0 {
					t.Errorf("%d, masked %v: of %d bytes of %d: %d, %d", n, masked, i, len(b), head, size)
				}
			}
			if head, size := frameSize(append(b, 9)); head != len(b) || size != n {
				t.Errorf("%d, masked %v: %d, %d", n, masked, head, size)
			}
		}
	}
	if head, size := frameSize(append([]byte{0x81, 127}, bytes.Repeat([]byte{0xff}, 8)...)); head != 10 || size <= 0 || head+size+4 < 0 {
		t.Errorf("the longest: %d, %d", head, size)
	}
}

// What a client sends are masked frames of one message each, and none after the
// frame that closes.
func TestNothingFollowsTheCloseFrame(t *testing.T) {
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		enough := 20 + rand.N(100)
		url := bareEndpoint(t, func(conn net.Conn, r *bufio.Reader, upgraded []byte) error {
			if _, err := conn.Write(upgraded); err != nil {
				return err
			}
			for n, closed := 0, false; ; n++ {
				head := make([]byte, 8)
				if _, err := io.ReadFull(r, head[:2]); err != nil {
					if errors.Is(err, io.EOF) && closed {
						return nil
					}
					return fmt.Errorf("after %d frames: %w", n, err)
				}
				if closed {
					return fmt.Errorf("% x follows the close frame", head[:2])
				}
				size, key := int(head[1]&0x7f), head[2:6]
				if size == 126 {
					if _, err := io.ReadFull(r, head[2:4]); err != nil {
						return err
					}
					size, key = int(binary.BigEndian.Uint16(head[2:])), head[4:8]
				}
				body := make([]byte, size)
				if _, err := io.ReadFull(r, key); err != nil {
					return err
				}
				if _, err := io.ReadFull(r, body); err != nil {
					return err
				}
				for i := range body {
					body[i] ^= key[i%4]
				}
				if closed = head[0] == 0x88; closed {
					continue
				}
				if head[0] != 0x81 || head[1]&0x80 == 0 || !strings.HasPrefix(string(body), `{"action":"x"`) || !strings.HasSuffix(string(body), `"}`) {
					return fmt.Errorf("a frame % x of %.80q", head[:2], body)
				}
				if n == enough {
					cancel()
				}
			}
		})
		c, err := Dial(ctx, url, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var callers sync.WaitGroup
		for range 50 {
			callers.Go(func() {
				for {
					short, stop := context.WithTimeout(t.Context(), rand.N(100*time.Microsecond))
					err := c.Call(short, "x", map[string]string{"pad": strings.Repeat("p", rand.N(200))}, nil)
					stop()
					if ctx.Err() != nil && err != nil {
						return
					}
				}
			})
		}
		_ = c.Run(ctx)
		callers.Wait()
	}
}
