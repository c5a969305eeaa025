package rpc_test

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// pipes is a listener of connections in memory, for bubbles.
type pipes chan net.Conn

func (l pipes) Accept() (net.Conn, error) {
	if c, ok := <-l; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l pipes) Close() error   { close(l); return nil }
func (l pipes) Addr() net.Addr { return &net.TCPAddr{} }

// signature returns what NapCat signs a post with.
func signature(secret, body string) string {
	mac := hmac.New(sha1.New, []byte(secret))
	io.WriteString(mac, body)
	return "sha1=" + hex.EncodeToString(mac.Sum(nil))
}

// A post that takes half a minute to arrive is given up. One that does arrive
// leaves its connection as it was: the next may come minutes later.
func TestWebhookGivesSlowPostsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := 0
		srv := &http.Server{Handler: &rpc.Webhook{Secret: "s", Event: func(onebot.UserID, []byte) { events++ }}}
		ln := make(pipes)
		go srv.Serve(ln)
		defer srv.Close()
		near, far := net.Pipe()
		ln <- far
		defer near.Close()
		answers := bufio.NewReader(near)
		post := func(pause time.Duration) (int, error) {
			body := fmt.Sprintf(`{"time":%d,"post_type":"notice"}`, time.Now().Unix())
			fmt.Fprintf(near, "POST / HTTP/1.1\r\nHost: x\r\nX-Signature: %s\r\nContent-Length: %d\r\n\r\n", signature("s", body), len(body))
			io.WriteString(near, body[:10])
			time.Sleep(pause)
			go io.WriteString(near, body[10:])
			resp, err := http.ReadResponse(answers, nil)
			if err != nil {
				return 0, err
			}
			defer resp.Body.Close()
			return resp.StatusCode, nil
		}
		for _, pause := range []time.Duration{0, 29 * time.Second} {
			if code, err := post(pause); code != http.StatusNoContent {
				t.Errorf("after %v: %d, %v", pause, code, err)
			}
			time.Sleep(5 * time.Minute)
		}
		if code, err := post(31 * time.Second); code != http.StatusBadRequest {
			t.Errorf("a slow post: %d, %v", code, err)
		}
		if events != 2 {
			t.Errorf("%d events", events)
		}
	})
}

// A signed event counts once while it could come again, which is ten minutes
// around its time.
func TestWebhookKnowsWhatMayComeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := 0
		h := &rpc.Webhook{Secret: "s", Event: func(onebot.UserID, []byte) { events++ }}
		began := time.Now()
		event := func(id int, at time.Time) string {
			return fmt.Sprintf(`{"post_type":"notice","time":%d,"id":%d}`, at.Unix(), id)
		}
		first := event(1, began.Add(10*time.Minute)) // by a clock that is ahead
		for _, c := range []struct {
			after time.Duration
			body  string
			code  int
			count int
		}{
			{0, first, 204, 1},
			{0, first, 204, 1},
			{0, event(2, began.Add(-10*time.Minute)), 204, 2},
			{0, event(3, began.Add(-10*time.Minute-time.Second)), 403, 2},
			{0, event(4, began.Add(10*time.Minute+time.Second)), 403, 2},
			{20 * time.Minute, first, 204, 2},
			{20*time.Minute + time.Second, first, 403, 2},
		} {
			time.Sleep(time.Until(began.Add(c.after)))
			if code := signed(h, c.body, "s"); code != c.code || events != c.count {
				t.Errorf("%s after %v: %d, %d events, want %d and %d", c.body, c.after, code, events, c.code, c.count)
			}
		}
	})
}

// Without a secret there is no signature to know a post by: every one counts,
// whatever its time.
func TestWebhookWithoutASecret(t *testing.T) {
	events := 0
	h := &rpc.Webhook{Event: func(onebot.UserID, []byte) { events++ }}
	for i := range 3 {
		if code := signed(h, `{"post_type":"notice","time":1}`, "any"); code != http.StatusNoContent || events != i+1 {
			t.Errorf("post %d: %d, %d events", i, code, events)
		}
	}
	if code := signed(h, `{"post_type":"notice","pad":"`+strings.Repeat("x", 3<<20)+`"}`, "any"); code != http.StatusNoContent || events != 4 {
		t.Errorf("a long post: %d, %d events", code, events)
	}
}
