package conform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// conn is a connection to the host, of one goroutine's; without ws it only hears.
type conn struct {
	ctx    context.Context
	cancel context.CancelFunc
	ws     *websocket.Conn
	frames chan []byte // closed when the connection is
	ended  error       // why; to be read when frames is closed
	events []([]byte)  // that came while an answer was awaited
}

func bearer(token string) http.Header {
	if token == "" {
		return nil
	}
	return http.Header{"Authorization": {"Bearer " + token}}
}

// dial connects to the host. suffix is what stands after its address.
func dial(ctx context.Context, url, suffix string, header http.Header) (*conn, error) {
	base, query, _ := strings.Cut(url, "?")
	if query != "" {
		query = "?" + query
	}
	if strings.HasPrefix(suffix, "?") {
		query = ""
	}
	ws, _, err := websocket.Dial(ctx, strings.TrimSuffix(base, "/")+suffix+query, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	ws.SetReadLimit(64 << 20)
	c := &conn{ws: ws, frames: make(chan []byte, 64)}
	c.ctx, c.cancel = context.WithCancel(ctx)
	go c.read()
	return c, nil
}

// heard is how many events a conn without ws keeps until they are asked for.
const heard = 1000

// listen returns a conn that only hears.
func listen(hear func(take func(frame []byte)) (stop func())) *conn {
	c := &conn{frames: make(chan []byte, heard)}
	c.cancel = hear(func(frame []byte) {
		select {
		case c.frames <- frame:
		default: // nobody asked for that many
		}
	})
	return c
}

// read hands over frames until the connection ends; close ends it.
func (c *conn) read() {
	defer close(c.frames)
	for {
		_, b, err := c.ws.Read(c.ctx)
		if err != nil {
			c.ended = err
			return
		}
		select {
		case c.frames <- b:
		case <-c.ctx.Done():
			return
		}
	}
}

func (c *conn) close() {
	c.cancel()
	if c.ws == nil {
		return
	}
	_ = c.ws.CloseNow()
	for range c.frames { // until read has ended
	}
}

func (c *conn) write(text string) error {
	return c.ws.Write(c.ctx, websocket.MessageText, []byte(text))
}

var errQuiet = errors.New("nothing came")

// next returns the next frame, or errQuiet after d.
func (c *conn) next(d time.Duration) ([]byte, error) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case b, ok := <-c.frames:
		if !ok {
			return nil, fmt.Errorf("the connection ended: %w", c.ended)
		}
		return b, nil
	case <-t.C:
		return nil, errQuiet
	}
}

// answer returns the next answer that has the echo; "" takes any.
func (c *conn) answer(echo string) (answer, error) {
	for {
		b, err := c.next(patience)
		if err != nil {
			return answer{}, err
		}
		var e struct {
			PostType string `json:"post_type"`
		}
		if json.Unmarshal(b, &e) == nil && e.PostType != "" {
			c.events = append(c.events, b)
			continue
		}
		var a answer
		if err := json.Unmarshal(b, &a); err != nil {
			return a, fmt.Errorf("frame %s: %w", cut(string(b)), err)
		}
		a.raw = b
		if echo == "" || bytes.Equal(a.Echo, []byte(echo)) {
			return a, nil
		}
	}
}

// event returns the first event that is wanted.
func (c *conn) event(wanted func(e map[string]any) bool) ([]byte, error) {
	for {
		var b []byte
		if len(c.events) > 0 {
			b, c.events = c.events[0], c.events[1:]
		} else {
			var err error
			if b, err = c.next(patience); err != nil {
				return nil, fmt.Errorf("the event: %w", err)
			}
		}
		var e map[string]any
		if err := json.Unmarshal(b, &e); err != nil {
			return nil, fmt.Errorf("frame %s: %w", cut(string(b)), err)
		}
		if e["post_type"] != nil && wanted(e) {
			return b, nil
		}
	}
}

// silent expects that no answer comes for a moment, and that the connection goes
// on to answer others.
func (c *conn) silent() error {
	if err := c.write(`{"action":"get_status","echo":"after"}`); err != nil {
		return err
	}
	a, err := c.answer("")
	if err != nil {
		return err
	}
	if string(a.Echo) != `"after"` {
		return fmt.Errorf("want no answer, got %s", a)
	}
	return nil
}

// keys returns the keys of an object in their order.
func keys(b []byte) string {
	d := json.NewDecoder(bytes.NewReader(b))
	var out []string
	depth, key := 0, false
	for {
		t, err := d.Token()
		if err != nil {
			return strings.Join(out, " ")
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
			key = depth == 1
			continue
		case json.Delim('}'), json.Delim(']'):
			depth--
			key = true
			continue
		}
		if depth != 1 {
			continue
		}
		if key {
			out = append(out, fmt.Sprint(t))
		}
		key = !key
	}
}
