package rpc

import (
	"bufio"
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
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
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
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
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
