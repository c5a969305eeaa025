package ncat_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// Connections that have shown no token are bounded in number and in the bytes of
// their requests, and none that was refused is kept.
func TestServeBoundsStrangers(t *testing.T) {
	b, _ := ponger()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Serve(ctx, ln, "secret") }()
	defer func() { cancel(); <-ended }()
	dial := func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if err := c.SetDeadline(time.Now().Add(9 * time.Second)); err != nil { // before the server's patience ends
			t.Fatal(err)
		}
		return c
	}
	request := func(header string) (*http.Response, error) {
		c := dial()
		// The write may fail where the answer comes first.
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"+header+"\r\n\r\n")
		r := bufio.NewReader(c)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return nil, err
		}
		_, _ = io.Copy(io.Discard, resp.Body) // to the end of the answer
		if _, err := r.ReadByte(); err == nil {
			t.Errorf("the connection is kept after %s", resp.Status)
		} else if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
			t.Errorf("the connection is kept after %s", resp.Status)
		}
		return resp, nil
	}
	if resp, err := request("Authorization: Bearer wrong"); err != nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("a wrong token: %v, %v", resp, err)
	}
	if resp, err := request("Authorization: Bearer secret\r\nX: " + strings.Repeat("x", 64<<10)); err == nil && resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of 64 KiB: %v", resp.Status)
	}

	// The hosts that are there stay, whatever strangers do.
	host, _, err := websocket.Dial(ctx, "ws://"+ln.Addr().String(), &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer secret"}, "X-Self-Id": {"10001"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer host.CloseNow()
	silent := make([]net.Conn, 0, 128)
	for range 128 {
		silent = append(silent, dial())
	}
	if _, err := dial().Read(make([]byte, 1)); err == nil {
		t.Error("one stranger too many was let in")
	} else if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		t.Error("one stranger too many is kept")
	}
	if err := host.Ping(host.CloseRead(ctx)); err != nil {
		t.Errorf("the host: %v", err)
	}
	// And where one goes there is room for another.
	silent[0].Close()
	deadline := time.Now().Add(8 * time.Second)
	for {
		resp, err := request("Authorization: Bearer wrong")
		if err == nil && resp.StatusCode == http.StatusForbidden {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no room: %v, %v", resp, err)
		}
	}
}
