package adapter

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/napcatsim/action"
	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
)

// The largest frames that the host reads; a larger one closes the connection
// with 1009.
const (
	maxPayload     = 50 << 20
	maxPayloadHTTP = 100 << 20 // on the port of an HTTP server, where nobody set a limit
)

// link is one WebSocket, of whichever side. Frames are queued without limit, as
// the host's library does, and written by one goroutine.
type link struct {
	n      *Network
	ws     *websocket.Conn
	raw    net.Conn // nil if the library hides it
	events bool     // the peer gets events, not only answers

	mu     sync.Mutex
	queue  [][]byte
	ending bool          // close without a status once the queue is written
	wake   chan struct{} // has room for one
	gone   chan struct{} // closed when the socket has ended
}

func (n *Network) newLink(ws *websocket.Conn, raw net.Conn, events bool, limit int64) *link {
	l := &link{n: n, ws: ws, raw: raw, events: events, wake: make(chan struct{}, 1), gone: make(chan struct{})}
	ws.SetReadLimit(limit)
	n.mu.Lock()
	n.links[l] = struct{}{}
	n.mu.Unlock()
	n.goes(l.write)
	if n.ctx.Err() != nil || n.Faults().Away { // what dropped the others may have looked before this one was there
		l.drop()
	}
	return l
}

// send queues one text frame.
func (l *link) send(frame []byte) {
	l.mu.Lock()
	if !l.ending {
		l.queue = append(l.queue, frame)
	}
	l.mu.Unlock()
	l.nudge()
}

// end closes the socket without a status code, after what is queued.
func (l *link) end() {
	l.mu.Lock()
	l.ending = true
	l.mu.Unlock()
	l.nudge()
}

func (l *link) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// drop ends the socket at once, without a close frame.
func (l *link) drop() { _ = l.ws.CloseNow() }

// violate writes bytes that no WebSocket peer may send.
func (l *link) violate() {
	if l.raw != nil {
		// A reserved opcode with all reserved bits set.
		_, _ = l.raw.Write([]byte{0xFB, 0x7F, 'n', 'o', 't', ' ', 'a', ' ', 'f', 'r', 'a', 'm', 'e'})
	}
}

func (l *link) write() {
	for {
		select {
		case <-l.wake:
		case <-l.gone:
			return
		}
		l.mu.Lock()
		queue, ending := l.queue, l.ending
		l.queue = nil
		l.mu.Unlock()
		for _, f := range queue {
			l.n.gate()
			if err := l.ws.Write(l.n.ctx, websocket.MessageText, f); err != nil {
				l.drop()
				return
			}
		}
		if ending {
			_ = l.ws.Close(websocket.StatusNoStatusRcvd, "") // the peer may be gone already
			return
		}
	}
}

// read hands every frame to handle until the socket ends. A frame above the
// limit ends it with 1009, which the library sees to.
func (l *link) read(handle func(frame []byte)) {
	defer func() {
		l.n.mu.Lock()
		delete(l.n.links, l)
		l.n.mu.Unlock()
		close(l.gone)
		l.drop()
	}()
	for {
		_, frame, err := l.ws.Read(l.n.ctx)
		if err != nil {
			return
		}
		l.n.gate()
		handle(frame)
	}
}

// answer builds the answer of a WebSocket (contract E.2).
func answer(r action.Result, echo any) []byte {
	status, code, data, text := "ok", 0, r.Data, ""
	if r.Err != nil {
		status, code, data, text = "failed", 1200, any(nil), r.Err.Text
		if r.Err.Check {
			code = 1400
		}
		if r.Err.Code != 0 {
			code = r.Err.Code
		}
		if r.Stream {
			data = jsval.Obj("type", "error", "data_type", "error")
		}
	}
	return jsval.Append(nil, envelope(status, code, data, text, echo, r.Stream))
}

func envelope(status string, code int, data any, text string, echo any, stream bool) *jsval.Object {
	kind := "normal-action"
	if stream {
		kind = "stream-action"
	}
	return jsval.Obj("status", status, "retcode", code, "data", data, "message", text, "wording", text, "echo", echo, "stream", kind)
}

func refused(code int, text string, echo any) []byte {
	return jsval.Append(nil, envelope("failed", code, nil, text, echo, false))
}

// request handles one frame of a client. unknown is the text before the name of
// an action that does not exist; reply sends an answer.
func (n *Network) request(frame []byte, c Entry, unknown string, reply func([]byte)) {
	v, err := jsval.Parse(string(frame))
	if err != nil || v == nil {
		n.answer(func() { reply(refused(1400, "json解析失败,请检查数据格式", nil)) })
		return
	}
	var o *jsval.Object
	switch v := v.(type) {
	case *jsval.Object:
		o = v
	case []any:
		o = &jsval.Object{} // an array takes the property, and has no action
	default:
		kind := map[bool]string{true: "string", false: "number"}[isString(v)]
		if _, ok := v.(bool); ok {
			kind = "boolean"
		}
		n.o.Log("error", "TypeError: Cannot create property 'params' on "+kind+" '"+jsval.ToString(v)+"'")
		return
	}
	echo := o.Get("echo")
	if jsval.IsUndefined(echo) {
		echo = nil
	}
	name := jsval.ToString(o.Get("action"))
	if _, ok := o.Get("action").(string); !ok || !action.Known(name) {
		n.o.Log("error", "[OneBot] [WebSocket Client] 发生错误 "+unknown+name)
		n.answer(func() { reply(refused(1404, unknown+name, echo)) })
		return
	}
	if echo == nil {
		echo = ""
	}
	params := o.Get("params")
	if !jsval.Truthy(params) {
		params = &jsval.Object{}
	}
	n.o.Host.Do(n.ctx, action.Call{Name: name, Params: params, Format: c.MessagePostFormat}, n.goes, func(r action.Result) {
		if r.Silent {
			return
		}
		n.answer(func() { reply(answer(r, echo)) })
	})
}

func isString(v any) bool { _, ok := v.(string); return ok }

// rawConn is the key under which a server's connections carry their net.Conn.
type rawConn struct{}

func withRaw(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, rawConn{}, c)
}

// listenError returns the text of a listen error as the host's runtime words it.
func listenError(err error, addr string) string {
	var op *net.OpError
	if errors.As(err, &op) && isAddrInUse(err) {
		return "listen EADDRINUSE: address already in use " + addr
	}
	return "listen " + err.Error()
}
